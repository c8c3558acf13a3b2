//! What encoders need beside the kernels of decoders: attention without a mask, layer norm, GELU, pooling.

use super::pool::Pool;
use super::simd::{self, Level};
use crate::kernel::encoder_attention::EncoderAttention;
use crate::kernel::gelu::{CLAMP, DENOMINATOR, NUMERATOR};
use crate::kernel::l2_norm::SHORTEST;

/// Elements below which handing work to another thread costs more than it saves.
const TASK_ELEMENTS: usize = 1 << 13;

/// Attention of each row over the rows of its span; `q`, `k`, `v`, `out` `[tokens, heads · head_dim]`, `spans` `[tokens, 2]`.
pub fn attention(
    (level, pool): (Level, &Pool),
    op: &EncoderAttention,
    [q, k, v]: [&[f32]; 3],
    spans: &[u32],
    out: &mut [f32],
) {
    let (dim, cols) = (op.head_dim, op.heads * op.head_dim);
    pool.for_each_chunk(out, cols, |t, out| {
        // Spans come with the batch: one that is no part of it is cut to what there is.
        let end = (spans[2 * t + 1] as usize).min(k.len() / cols);
        let span = (spans[2 * t] as usize).min(end)..end;
        let mut scores = Vec::with_capacity(span.len());
        for (head, out) in out.chunks_exact_mut(dim).enumerate() {
            let query = &q[t * cols + head * dim..][..dim];
            let part = |rows: &'_ [f32], row: usize| -> std::ops::Range<usize> {
                let at = row * cols + head * dim;
                debug_assert!(at + dim <= rows.len());
                at..at + dim
            };
            scores.clear();
            scores.extend(span.clone().map(|j| simd::dot(level, query, &k[part(k, j)]) * op.scale));
            let largest = scores.iter().copied().fold(f32::MIN, f32::max);
            let mut total = 0.0f64;
            for score in &mut scores {
                *score = (*score - largest).exp();
                total += f64::from(*score);
            }
            out.fill(0.0);
            for (j, weight) in span.clone().zip(&scores) {
                for (sum, value) in out.iter_mut().zip(&v[part(v, j)]) {
                    *sum += weight * value;
                }
            }
            let inverse = (1.0 / total) as f32;
            for sum in out {
                *sum *= inverse;
            }
        }
    });
}

/// Layer normalisation of rows as wide as `w` and `b`; mean and variance are summed in f64.
pub fn layer_norm(pool: &Pool, eps: f32, x: &[f32], [w, b]: [&[f32]; 2], out: &mut [f32]) {
    let cols = w.len();
    let rows = (TASK_ELEMENTS / cols).max(1);
    pool.for_each_chunk(out, rows * cols, |task, out| {
        let x = &x[task * rows * cols..][..out.len()];
        for (out, x) in out.chunks_exact_mut(cols).zip(x.chunks_exact(cols)) {
            let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / cols as f64;
            let square = |x: &f32| (f64::from(*x) - mean) * (f64::from(*x) - mean);
            let variance = x.iter().map(square).sum::<f64>() / cols as f64;
            let factor = 1.0 / (variance + f64::from(eps)).sqrt();
            let (mean, factor) = (mean as f32, factor as f32);
            for (((out, x), w), b) in out.iter_mut().zip(x).zip(w).zip(b) {
                *out = (x - mean) * factor * w + b;
            }
        }
    });
}

/// GELU with the error function itself.
pub fn gelu(pool: &Pool, x: &[f32], out: &mut [f32]) {
    pool.for_each_chunk(out, TASK_ELEMENTS, |task, out| {
        for (out, x) in out.iter_mut().zip(&x[task * TASK_ELEMENTS..]) {
            *out = 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
        }
    });
}

/// `u · P(u²) / Q(u²)`, without branches, so that a loop over it becomes vector code.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let u = x.clamp(-CLAMP, CLAMP);
    let polynomial = |coefficients: &[f32]| coefficients.iter().rev().fold(0.0, |sum, c| sum * (u * u) + c);
    u * polynomial(&NUMERATOR) / polynomial(&DENOMINATOR)
}

/// Mean of the rows of each segment; zeros for one without rows.
pub fn mean_pool(x: &[f32], segments: &[u32], cols: usize, out: &mut [f32]) {
    for (out, segment) in out.chunks_exact_mut(cols).zip(segments.chunks_exact(2)) {
        let end = (segment[1] as usize).min(x.len() / cols);
        let first = (segment[0] as usize).min(end);
        out.fill(0.0);
        for row in x[first * cols..end * cols].chunks_exact(cols) {
            for (sum, x) in out.iter_mut().zip(row) {
                *sum += x;
            }
        }
        let inverse = 1.0 / (end - first).max(1) as f32;
        for sum in out {
            *sum *= inverse;
        }
    }
}

/// Rows of length 1; the squares are summed in f64.
pub fn l2_norm(x: &[f32], cols: usize, out: &mut [f32]) {
    for (out, x) in out.chunks_exact_mut(cols).zip(x.chunks_exact(cols)) {
        let squares: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let length = (squares.sqrt() as f32).max(SHORTEST);
        for (out, x) in out.iter_mut().zip(x) {
            *out = x / length;
        }
    }
}
