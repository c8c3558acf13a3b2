//! What this machine can do at most, measured: bytes read from memory a second, and multiply-adds a second. Kernels are reported as
//! a share of it. Shared by `benches/kernels.rs` and `cargo xtask bench cpu`.

use std::hint::black_box;
use std::time::Instant;

/// Bytes that are read: well over the last-level cache.
const BYTES: usize = 768 << 20;
/// Sums that run side by side, so that no addition waits for another.
const LANES: usize = 32;

/// A block of memory larger than any cache, to be read again and again.
pub struct ReadTest {
    data: Vec<u64>,
}

impl ReadTest {
    /// Takes the memory and writes every page of it: none is the shared page of zeros.
    pub fn new() -> Self {
        Self { data: (0..(BYTES / size_of::<u64>()) as u64).collect() }
    }

    /// Bytes a second that `threads` readers reach together, in one pass.
    pub fn bytes_per_second(&self, threads: usize) -> f64 {
        let share = self.data.len().div_ceil(threads.max(1));
        let start = Instant::now();
        let sum = std::thread::scope(|scope| {
            let readers: Vec<_> =
                self.data.chunks(share).map(|part| scope.spawn(move || sum(black_box(part)))).collect();
            readers.into_iter().map(|reader| reader.join().unwrap_or_default()).fold(0, u64::wrapping_add)
        });
        black_box(sum);
        BYTES as f64 / start.elapsed().as_secs_f64()
    }
}

/// The sum of all words, modulo 2^64.
pub fn sum(part: &[u64]) -> u64 {
    let mut lanes = [0_u64; LANES];
    let chunks = part.chunks_exact(LANES);
    let rest = chunks.remainder().iter().fold(0, |sum: u64, word| sum.wrapping_add(*word));
    for chunk in chunks {
        for (lane, word) in lanes.iter_mut().zip(chunk) {
            *lane = lane.wrapping_add(*word);
        }
    }
    lanes.iter().fold(rest, |sum, lane| sum.wrapping_add(*lane))
}

/// Floating point operations a second of F32 multiply-adds on `threads` threads, two for each multiply-add; nothing is read.
#[allow(dead_code)] // xtask needs the memory's limit alone.
pub fn flops_per_second(threads: usize) -> f64 {
    const ROUNDS: usize = 20_000_000;
    let start = Instant::now();
    let operations: usize = std::thread::scope(|scope| {
        let workers: Vec<_> =
            (0..threads.max(1)).map(|_| scope.spawn(|| multiply_add(black_box(ROUNDS)))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_default()).sum()
    });
    operations as f64 / start.elapsed().as_secs_f64()
}

/// Independent chains of multiply-adds: two units with a latency of four to five want ten vectors of eight.
const CHAINS: usize = 12;
const WIDTH: usize = 8;

/// Runs the chains with the best instructions there are; returns the number of operations.
#[allow(dead_code)]
fn multiply_add(rounds: usize) -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the processor has just been asked whether it has AVX2 and FMA.
        return unsafe { multiply_add_avx2(rounds) };
    }
    chains(rounds, |factor, value, addend| factor * value + addend)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[allow(dead_code)]
fn multiply_add_avx2(rounds: usize) -> usize {
    // With the feature switched on this is one instruction for eight numbers.
    chains(rounds, f32::mul_add)
}

#[inline(always)]
fn chains(rounds: usize, step: impl Fn(f32, f32, f32) -> f32) -> usize {
    let mut sums = [[1.0_f32; WIDTH]; CHAINS];
    let (factor, addend) = (black_box([0.999_f32; WIDTH]), black_box([0.001_f32; WIDTH]));
    let passes = rounds / CHAINS;
    for _ in 0..passes {
        for sum in &mut sums {
            for lane in 0..WIDTH {
                sum[lane] = step(sum[lane], factor[lane], addend[lane]);
            }
        }
    }
    black_box(sums);
    2 * passes * CHAINS * WIDTH
}
