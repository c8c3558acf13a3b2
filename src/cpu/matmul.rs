//! `out[t, n] = x[t] · w[n]`: rows of the weight are unpacked a few at a time and multiplied with all tokens while they lie in
//! the first-level cache.

use super::buffer::Weight;
use super::pool::Pool;
use super::simd::{self, Level};
use crate::tensor::DType;

/// Rows unpacked at a time: with `k` up to 4096 they take at most 64 KiB.
const UNPACKED_ROWS: usize = 4;

/// Rows a thread takes at a time: few enough to balance, enough to pay for the hand-over.
fn rows_per_task(rows: usize, threads: usize) -> usize {
    rows.div_ceil(4 * threads).next_multiple_of(UNPACKED_ROWS).clamp(UNPACKED_ROWS, 1024)
}

/// Computes columns `first..first + count` of `out` `[tokens, n]`.
pub fn matmul(
    (level, pool): (Level, &Pool),
    x: &[f32],
    weight: &Weight,
    (first, count): (usize, usize),
    out: &mut [f32],
) {
    let (n, k) = (weight.desc.shape.rows(), weight.desc.shape.cols());
    let tokens = x.len() / k;
    let task = rows_per_task(count, pool.threads());
    if tokens == 1 {
        pool.for_each_chunk(&mut out[first..first + count], task, |index, part| {
            rows_times_tokens(level, x, weight, first + index * task, part);
        });
        return;
    }
    // Each thread writes whole rows of the weight: [count, tokens], turned into columns of `out` afterwards.
    let mut columns = vec![0.0; count * tokens];
    pool.for_each_chunk(&mut columns, task * tokens, |index, part| {
        rows_times_tokens(level, x, weight, first + index * task, part);
    });
    for (t, row) in out.chunks_exact_mut(n).enumerate() {
        for (r, element) in row[first..first + count].iter_mut().enumerate() {
            *element = columns[r * tokens + t];
        }
    }
}

/// `out[r, t]` for as many rows from `first` as `out` has.
fn rows_times_tokens(level: Level, x: &[f32], weight: &Weight, first: usize, out: &mut [f32]) {
    let k = weight.desc.shape.cols();
    let tokens = x.len() / k;
    if let DType::F32 = weight.desc.dtype {
        let rows = &weight.data.f32()[first * k..first * k + out.len() / tokens * k];
        simd::dot_tile(level, k, rows, x, out);
        return;
    }
    let row_bytes = weight.data.bytes().len() / weight.desc.shape.rows();
    let mut unpacked = vec![0.0; UNPACKED_ROWS * k];
    for (index, part) in out.chunks_mut(UNPACKED_ROWS * tokens).enumerate() {
        let rows = part.len() / tokens;
        let at = (first + index * UNPACKED_ROWS) * row_bytes;
        let bytes = &weight.data.bytes()[at..at + rows * row_bytes];
        simd::unpack(level, weight.desc.dtype, bytes, &mut unpacked[..rows * k]);
        simd::dot_tile(level, k, &unpacked[..rows * k], x, part);
    }
}
