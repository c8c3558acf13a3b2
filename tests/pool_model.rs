//! The pool's protocol under every interleaving that matters: loom runs it with its own atomics, locks and threads, and fails on
//! a lost wake-up (a deadlock), on a job that is read while it is written, and on a task that runs never or twice.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;

/// loom's types in the place of the standard library's.
mod sync {
    pub type Cell<T> = loom::cell::UnsafeCell<T>;
    pub use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
    pub use loom::sync::{Condvar, Mutex, MutexGuard};

    /// One look, so that the model goes both ways: found at once, and asleep.
    pub fn spin_until(ready: impl Fn() -> bool) -> bool {
        ready()
    }
}

#[path = "../src/cpu/pool/protocol.rs"]
#[allow(dead_code, reason = "the pool itself uses the rest")]
mod protocol;

use protocol::Protocol;

/// Runs jobs of so many tasks, one after the other, on so many threads; shuts down; counts. A thread is interrupted where it could
/// go on at most `preemptions` times: the usual bound, since more of them find hardly more and take days.
fn model(preemptions: usize, threads: usize, jobs: &'static [usize]) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(move || {
        let pool = Arc::new(Protocol::new(threads));
        let workers: Vec<_> = (1..threads)
            .map(|_| {
                let pool = Arc::clone(&pool);
                let slot = pool.join().unwrap();
                thread::spawn(move || pool.serve(slot))
            })
            .collect();
        for &tasks in jobs {
            let done: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
            pool.run(tasks, &|task| {
                done[task].fetch_add(1, Relaxed);
            });
            // Relaxed: loom gives an old value unless what the workers wrote was handed over.
            assert!(done.iter().all(|count| count.load(Relaxed) == 1));
        }
        pool.shut_down();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn one_worker_and_one_job() {
    model(4, 2, &[2]);
}

#[test]
fn one_worker_and_several_jobs() {
    model(2, 2, &[2, 3, 2]);
}

#[test]
fn two_workers_and_one_job() {
    model(2, 3, &[3]);
}

#[test]
fn two_workers_and_two_jobs() {
    model(1, 3, &[3, 4]);
}

#[test]
fn workers_without_a_job_go_home() {
    model(4, 3, &[]);
}

/// A thread that is lent comes while a job runs.
#[test]
fn a_worker_that_comes_late() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(|| {
        let pool = Arc::new(Protocol::new(2));
        let late = Arc::clone(&pool);
        let worker = thread::spawn(move || {
            let slot = late.join().unwrap();
            late.serve(slot);
        });
        for _ in 0..2 {
            let done = [AtomicUsize::new(0), AtomicUsize::new(0)];
            pool.run(2, &|task| {
                done[task].fetch_add(1, Relaxed);
            });
            assert!(done.iter().all(|count| count.load(Relaxed) == 1));
        }
        pool.shut_down();
        worker.join().unwrap();
    });
}
