//! Splits work over threads that live as long as the executor. Results do not depend on the number of threads: every element is
//! computed by one of them, in the same order of operations.
//!
//! `protocol.rs` is how the threads meet, `sync.rs` what it takes from the standard library (`tests/pool_model.rs` puts loom's
//! types in their place), `lent.rs` the threads that somebody else starts: in a browser only a page can start workers.

mod lent;
mod protocol;
mod sync;

use std::sync::Arc;
use std::thread::JoinHandle;

use super::shared::SharedMut;
pub use lent::{Place, abandon, vacancies};
use protocol::Protocol;

/// Most threads of a pool.
const MAX_THREADS: usize = 256;

/// A set of worker threads that lives as long as the executor; one thread where there are no others (a browser tab without
/// shared memory).
pub struct Pool {
    shared: Arc<Protocol>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `threads`, never more than there are cores; all cores by default. Falls back to the calling thread when the
    /// system gives no others. In a browser with shared memory the others are lent by the page, which knows the cores.
    pub fn new(threads: Option<usize>) -> Self {
        if cfg!(target_family = "wasm") {
            let threads = if cfg!(target_feature = "atomics") { threads.unwrap_or(1) } else { 1 };
            return Pool::lent(threads);
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads.unwrap_or(cores).clamp(1, cores.min(MAX_THREADS));
        let shared = Arc::new(Protocol::new(threads));
        let mut workers = Vec::with_capacity(threads - 1);
        while let Some(slot) = shared.join() {
            let worker = Arc::clone(&shared);
            let name = format!("rushlight-{slot}");
            match std::thread::Builder::new().name(name).spawn(move || worker.serve(slot)) {
                Ok(handle) => workers.push(handle),
                Err(_) => {
                    shared.leave();
                    break;
                }
            }
        }
        Pool { shared, workers }
    }

    /// A pool of one thread and of as many more, up to `threads`, as take a [`Place`]. They may come at any time.
    pub fn lent(threads: usize) -> Self {
        let shared = Arc::new(Protocol::new(threads.clamp(1, MAX_THREADS)));
        lent::offer(&shared);
        Pool { shared, workers: Vec::new() }
    }

    /// Threads that share the work now.
    pub fn threads(&self) -> usize {
        self.shared.members()
    }

    /// Runs `work(task)` once for each task in `0..tasks`, on all threads; returns when all are done. The tasks are split into one
    /// range a thread; who is through with its own takes single ones from the others.
    ///
    /// From within a task it runs on the thread that asks.
    ///
    /// # Panics
    /// When a task panics, after all threads have left the work.
    pub fn run(&self, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        self.shared.run(tasks, work);
    }

    /// Runs `work(index, chunk)` for every chunk of `chunk` elements of `data`, the last one perhaps shorter.
    pub fn for_each_chunk<T: Send>(
        &self,
        data: &mut [T],
        chunk: usize,
        work: impl Fn(usize, &mut [T]) + Sync + Send,
    ) {
        let (len, chunk) = (data.len(), chunk.max(1));
        let data = SharedMut::new(data);
        self.run(len.div_ceil(chunk), &|task| {
            let first = task * chunk;
            // SAFETY: no two tasks share an element, and each task is run once.
            work(task, unsafe { data.part(first, chunk.min(len - first)) });
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.shut_down();
        for worker in self.workers.drain(..) {
            // A worker ends by returning: panics of tasks were caught and handed to the caller.
            worker.join().ok();
        }
    }
}

#[cfg(test)]
mod tests;
