use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Pools of one to four threads, natively started or lent, whatever number of cores this machine has.
fn pools() -> Vec<Pool> {
    let lent = |threads: usize| {
        let pool = Pool::lent(threads);
        while pool.threads() < threads {
            // Other tests' pools may take the thread: then another one is lent.
            if vacancies() > 0 {
                std::thread::spawn(|| Place::take().serve());
            }
            std::thread::yield_now();
        }
        pool
    };
    vec![Pool::new(Some(1)), Pool::new(None), lent(2), lent(3), lent(4)]
}

#[test]
fn every_task_runs_once() {
    for pool in pools() {
        for tasks in [0, 1, 2, 3, 7, 64, 1000] {
            let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..50 {
                pool.run(tasks, &|task| {
                    counts[task].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 50), "{tasks} tasks");
        }
    }
}

#[test]
fn chunks_are_those_of_the_slice() {
    for pool in pools() {
        let mut data = vec![0usize; 1003];
        pool.for_each_chunk(&mut data, 10, |index, part| {
            assert_eq!(part.len(), if index == 100 { 3 } else { 10 });
            part.iter_mut().enumerate().for_each(|(i, element)| *element = index * 10 + i);
        });
        assert!(data.iter().enumerate().all(|(i, element)| i == *element));
        pool.for_each_chunk(&mut Vec::<u8>::new(), 4, |_, _| unreachable!());
    }
}

#[test]
fn workers_that_slept_are_woken() {
    for pool in pools() {
        for _ in 0..20 {
            std::thread::sleep(std::time::Duration::from_millis(1));
            let done = AtomicUsize::new(0);
            pool.run(16, &|_| {
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), 16);
        }
    }
}

#[test]
fn a_worker_takes_part() {
    let pool = pools().pop().unwrap();
    let caller = std::thread::current().id();
    // Each task waits for the other, so that the test ends only where two threads are at it.
    let arrived = AtomicUsize::new(0);
    let others = AtomicUsize::new(0);
    pool.run(2, &|_| {
        arrived.fetch_add(1, Ordering::SeqCst);
        while arrived.load(Ordering::SeqCst) < 2 {
            std::thread::yield_now();
        }
        if std::thread::current().id() != caller {
            others.fetch_add(1, Ordering::SeqCst);
        }
    });
    assert!(others.into_inner() >= 1, "the caller did both");
}

#[test]
fn a_task_may_run_tasks() {
    for pool in pools() {
        let sum = AtomicUsize::new(0);
        pool.run(8, &|outer| {
            pool.run(8, &|inner| {
                sum.fetch_add(outer * 8 + inner, Ordering::Relaxed);
            });
        });
        assert_eq!(sum.into_inner(), (0..64).sum::<usize>());
    }
}

#[test]
fn callers_on_two_threads_do_not_disturb_each_other() {
    for pool in pools() {
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let done = AtomicUsize::new(0);
                        pool.run(9, &|_| {
                            done.fetch_add(1, Ordering::Relaxed);
                        });
                        assert_eq!(done.into_inner(), 9);
                    }
                });
            }
        });
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_works_on() {
    for pool in pools() {
        for bad in [0, 9] {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                pool.run(10, &|task| assert!(task != bad, "task {task} is bad"));
            }));
            let message = caught.unwrap_err();
            assert_eq!(message.downcast_ref::<String>().unwrap(), &format!("task {bad} is bad"));
            let done = AtomicUsize::new(0);
            pool.run(10, &|_| {
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), 10);
        }
    }
}

#[test]
fn there_are_never_more_threads_than_cores() {
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(Pool::new(None).threads(), cores);
    assert_eq!(Pool::new(Some(1000)).threads(), cores);
    assert_eq!(Pool::new(Some(0)).threads(), 1);
}
