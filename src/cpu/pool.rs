//! Splits work over threads. Results do not depend on the number of threads: every element is computed by one of them, in the
//! same order of operations.

/// A set of worker threads that lives as long as the executor; one thread where there are no others (a browser tab without
/// shared memory).
pub struct Pool {
    #[cfg(feature = "threads")]
    workers: Option<rayon::ThreadPool>,
    threads: usize,
}

impl Pool {
    /// A pool of `threads`, never more than there are cores; all cores by default. Falls back to the calling thread when the
    /// system gives no others.
    pub fn new(threads: Option<usize>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads.unwrap_or(cores).clamp(1, cores);
        #[cfg(feature = "threads")]
        {
            let workers = (threads > 1)
                .then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok())
                .flatten();
            let threads = if workers.is_some() { threads } else { 1 };
            Pool { workers, threads }
        }
        #[cfg(not(feature = "threads"))]
        {
            let _ = threads;
            Pool { threads: 1 }
        }
    }

    /// Threads that share the work.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `work(task)` once for each task in `0..tasks`, on all threads; returns when all are done.
    pub fn run(&self, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        #[cfg(feature = "threads")]
        if let Some(workers) = &self.workers
            && tasks > 1
        {
            use rayon::prelude::*;
            workers.install(|| (0..tasks).into_par_iter().for_each(work));
            return;
        }
        (0..tasks).for_each(work);
    }

    /// Runs `work(index, chunk)` for every chunk of `chunk` elements of `data`, the last one perhaps shorter.
    pub fn for_each_chunk<T: Send>(
        &self,
        data: &mut [T],
        chunk: usize,
        work: impl Fn(usize, &mut [T]) + Sync + Send,
    ) {
        #[cfg(feature = "threads")]
        if let Some(workers) = &self.workers
            && data.len() > chunk
        {
            use rayon::prelude::*;
            workers.install(|| data.par_chunks_mut(chunk).enumerate().for_each(|(i, part)| work(i, part)));
            return;
        }
        for (i, part) in data.chunks_mut(chunk).enumerate() {
            work(i, part);
        }
    }
}
