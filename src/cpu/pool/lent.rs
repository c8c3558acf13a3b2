//! Threads that somebody else starts. In a browser that is the page: each of its workers takes a place in a pool and stays.

use std::cell::RefCell;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use super::protocol::Protocol;

/// Pools with free places.
static OFFERS: Mutex<Vec<Weak<Protocol>>> = Mutex::new(Vec::new());
/// Told of every new offer.
static OFFERED: Condvar = Condvar::new();

thread_local! {
    /// The pool that this thread serves.
    static SERVING: RefCell<Option<Arc<Protocol>>> = const { RefCell::new(None) };
}

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

/// Places that no thread has taken yet.
pub fn vacancies() -> usize {
    offers().iter().filter_map(Weak::upgrade).map(|pool| pool.vacancies()).sum()
}

/// A place in a pool, taken for the calling thread.
pub struct Place {
    pool: Arc<Protocol>,
    slot: usize,
}

impl Place {
    /// Waits for a place and takes it.
    pub fn take() -> Self {
        let mut waiting = offers();
        loop {
            let place = waiting.iter().filter_map(Weak::upgrade).find_map(|pool| {
                let slot = pool.join()?;
                Some(Place { pool, slot })
            });
            waiting.retain(|pool| pool.upgrade().is_some_and(|pool| pool.vacancies() > 0));
            if let Some(place) = place {
                return place;
            }
            waiting = OFFERED.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Works until the pool ends.
    pub fn serve(self) {
        SERVING.set(Some(Arc::clone(&self.pool)));
        self.pool.serve(self.slot);
        SERVING.set(None);
    }
}

/// Tells the caller of this thread's pool that the thread is lost: it trapped in a task that will never end. The caller panics
/// instead of waiting for it.
pub fn abandon() {
    if let Some(pool) = SERVING.take() {
        pool.abandon();
    }
}
