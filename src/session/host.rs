//! What a session needs from where it runs: the time, a moment for others, and word of an abort.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::plan::Clock;

/// Lets everything else that waits on this thread run once: in a worker, the message that carries an abort.
pub type Breathe = fn() -> Pin<Box<dyn Future<Output = ()>>>;

/// A flag that ends whatever a session is doing; polled at least every 50 ms.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    /// Asks the session to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Forgets an earlier request.
    pub fn reset(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Where a session runs.
#[derive(Clone, Debug)]
pub struct Host {
    /// Milliseconds since some fixed moment.
    pub clock: Clock,
    /// Lets the event loop run.
    pub breathe: Breathe,
    /// Ends a load, a prefill or a decode.
    pub cancel: CancelFlag,
}

impl Host {
    /// A host with threads of its own: nothing waits for this one.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn native() -> Self {
        use std::sync::OnceLock;
        use std::time::Instant;
        static START: OnceLock<Instant> = OnceLock::new();
        Host {
            clock: || START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3,
            breathe: || Box::pin(std::future::ready(())),
            cancel: CancelFlag::default(),
        }
    }

    /// Milliseconds since some fixed moment.
    pub fn now(&self) -> f64 {
        (self.clock)()
    }
}
