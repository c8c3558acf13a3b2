//! Threads that somebody else starts. In a browser that is the page: each of its workers enters wasm with [`serve`] and stays.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use super::protocol::Protocol;

/// Pools with free places.
static OFFERS: Mutex<Vec<Weak<Protocol>>> = Mutex::new(Vec::new());
/// Told of every new offer.
static OFFERED: Condvar = Condvar::new();

fn offers() -> MutexGuard<'static, Vec<Weak<Protocol>>> {
    OFFERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Offers the free places of a pool.
pub(super) fn offer(pool: &Arc<Protocol>) {
    if pool.vacancies() > 0 {
        offers().push(Arc::downgrade(pool));
        OFFERED.notify_all();
    }
}

/// Places that wait for a thread: how many it is worth to start.
pub fn vacancies() -> usize {
    offers().iter().filter_map(Weak::upgrade).map(|pool| pool.vacancies()).sum()
}

/// Lends the calling thread to pools, one after the other, for good.
pub fn serve() -> ! {
    loop {
        let (pool, slot) = wait_for_place();
        pool.serve(slot);
    }
}

fn wait_for_place() -> (Arc<Protocol>, usize) {
    let mut waiting = offers();
    loop {
        let place = waiting.iter().filter_map(Weak::upgrade).find_map(|pool| {
            let slot = pool.join()?;
            Some((pool, slot))
        });
        waiting.retain(|pool| pool.upgrade().is_some_and(|pool| pool.vacancies() > 0));
        if let Some(place) = place {
            return place;
        }
        waiting = OFFERED.wait(waiting).unwrap_or_else(PoisonError::into_inner);
    }
}
