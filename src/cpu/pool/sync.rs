//! What the protocol takes from the machine. `tests/pool_model.rs` has the same names with loom's types behind them.

pub use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
pub use std::sync::{Condvar, Mutex, MutexGuard};

use std::cell::UnsafeCell;

/// An [`UnsafeCell`] with loom's interface.
pub struct Cell<T>(UnsafeCell<T>);

impl<T> Cell<T> {
    /// Holds a value.
    pub fn new(value: T) -> Self {
        Cell(UnsafeCell::new(value))
    }

    /// Hands out the address for reading.
    pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    /// Hands out the address for writing.
    pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// How long a thread looks for news before it sleeps. The steps of a token follow one another within some 100 microseconds, and
/// being woken costs about 50.
#[cfg(not(target_family = "wasm"))]
const SPIN: std::time::Duration = std::time::Duration::from_micros(150);

/// Waits for `ready` without sleeping, for a while; returns whether it came.
#[cfg(not(target_family = "wasm"))]
pub fn spin_until(ready: impl Fn() -> bool) -> bool {
    /// Looks between two looks at the clock.
    const LOOKS: u32 = 32;
    let mut began = None;
    loop {
        for _ in 0..LOOKS {
            if ready() {
                return true;
            }
            std::hint::spin_loop();
        }
        if began.get_or_insert_with(std::time::Instant::now).elapsed() >= SPIN {
            return false;
        }
    }
}

/// Waits for `ready` without sleeping, for a while; returns whether it came. WebAssembly has neither a clock nor a pause
/// instruction, so looks are counted: about 100 microseconds of them.
#[cfg(target_family = "wasm")]
pub fn spin_until(ready: impl Fn() -> bool) -> bool {
    const LOOKS: u32 = 1 << 16;
    (0..LOOKS).any(|_| ready())
}
