//! What encoders need beside the kernels of decoders: attention without a mask, layer norm, GELU, pooling.

use std::ops::Range;

use super::attention::{self, QUERIES, Rows, Tile};
use super::buffer::Buffer;
use super::pool::Pool;
use super::rows::{in_parts, sum};
use super::shared::SharedMut;
use super::simd::{LANES, Level, Simd, on_level};
use crate::kernel::encoder_attention::EncoderAttention;
use crate::kernel::facts::{Row, Segment};
use crate::kernel::gelu::{CLAMP, DENOMINATOR, NUMERATOR};
use crate::kernel::l2_norm::SHORTEST;

/// Attention of each row over the rows of its sequence; `q`, `k`, `v`, `out` `[tokens, heads · head_dim]`.
pub fn attention(
    (level, pool): (Level, &Pool),
    op: &EncoderAttention,
    [q, k, v]: [&Buffer; 3],
    (rows, segments): (&[Row], &[Segment]),
    out: &mut [f32],
) {
    let (dim, cols) = (op.head_dim, op.heads * op.head_dim);
    let tokens = out.len() / cols;
    let tiles = tiles(rows, segments, tokens);
    let target = SharedMut::new(out);
    pool.run(tiles.len() * op.heads, &|task| {
        let ((rows, span), head) = (&tiles[task / op.heads], task % op.heads);
        let at = |row: usize| row * cols + head * dim;
        let queries = rows.clone().map(|t| (&q.f32()[at(t)..][..dim], span.clone())).collect();
        let of_head = |numbers| Rows { numbers, first: head * dim, stride: cols, slots: tokens };
        let tile = Tile { queries, keys: of_head(k), values: of_head(v), scale: op.scale, dim };
        let part = attention::attend(level, &tile, span.clone());
        for (i, t) in rows.clone().enumerate() {
            // SAFETY: every row is in one tile, and every head of it is one task.
            attention::write(&part, i, unsafe { target.part(at(t), dim) });
        }
    });
}

/// Rows of one sequence that follow each other, at most [`QUERIES`] together, with all rows of the sequence. Both come with the batch:
/// what is no part of the run is cut off.
fn tiles(rows: &[Row], segments: &[Segment], tokens: usize) -> Vec<(Range<usize>, Range<usize>)> {
    let mut tiles = Vec::new();
    let mut rest = rows;
    while let Some(&Row { sequence, .. }) = rest.first() {
        let first = rows.len() - rest.len();
        let same = rest.iter().take(QUERIES).take_while(|row| row.sequence == sequence).count();
        let segment = segments.get(sequence as usize).copied().unwrap_or_default();
        let [from, to] = [segment.first, segment.end].map(|bound| (bound as usize).min(tokens));
        tiles.push((first..first + same, from.min(to)..to));
        rest = &rest[same..];
    }
    tiles
}

/// Layer normalisation of rows as wide as `w` and `b`.
pub fn layer_norm((level, pool): (Level, &Pool), eps: f32, x: &[f32], [w, b]: [&[f32]; 2], out: &mut [f32]) {
    in_parts(pool, w.len(), out, |at, out| layer_norm_rows(level, eps, &x[at..], w, b, out));
}

on_level! {
    fn layer_norm_rows(eps: f32, x: &[f32], w: &[f32], b: &[f32], out: &mut [f32]) = layer_norm_any
}

#[inline(always)]
fn layer_norm_any<S: Simd>(eps: f32, x: &[f32], w: &[f32], b: &[f32], out: &mut [f32]) {
    let cols = w.len() as f64;
    for (out, x) in out.chunks_exact_mut(w.len()).zip(x.chunks_exact(w.len())) {
        let mean = sum(x, |x| x) / cols;
        let variance = sum(x, |x| (x - mean) * (x - mean)) / cols;
        let (mean, factor) = (mean as f32, (1.0 / (variance + f64::from(eps)).sqrt()) as f32);
        for (((out, x), w), b) in out.iter_mut().zip(x).zip(w).zip(b) {
            *out = (x - mean) * factor * w + b;
        }
    }
}

/// GELU with the error function itself.
pub fn gelu((level, pool): (Level, &Pool), x: &[f32], out: &mut [f32]) {
    in_parts(pool, 1, out, |at, out| gelu_rows(level, &x[at..at + out.len()], out));
}

on_level! {
    fn gelu_rows(x: &[f32], out: &mut [f32]) = gelu_any
}

#[inline(always)]
fn gelu_any<S: Simd>(x: &[f32], out: &mut [f32]) {
    let (vectors, rest) = x.as_chunks::<LANES>();
    let (targets, last) = out.as_chunks_mut::<LANES>();
    for (x, out) in vectors.iter().zip(targets) {
        S::store(gelu_lanes::<S>(S::load(x)), out);
    }
    // The rest is computed as a vector too, so that an element does not depend on where its row ends.
    let mut lanes = [0.0; LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    S::store(gelu_lanes::<S>(S::load(&lanes)), &mut lanes);
    last.copy_from_slice(&lanes[..rest.len()]);
}

/// `x/2 · (1 + u P(u²) / Q(u²))`.
#[inline(always)]
fn gelu_lanes<S: Simd>(x: S::F32) -> S::F32 {
    let u = S::mul(x, S::splat(std::f32::consts::FRAC_1_SQRT_2));
    let u = S::max(S::splat(-CLAMP), S::min(S::splat(CLAMP), u));
    let square = S::mul(u, u);
    let (mut p, mut q) = (S::splat(0.0), S::splat(0.0));
    for coefficient in NUMERATOR.iter().rev() {
        p = S::mul_add(p, square, S::splat(*coefficient));
    }
    for coefficient in DENOMINATOR.iter().rev() {
        q = S::mul_add(q, square, S::splat(*coefficient));
    }
    let erf = S::div(S::mul(u, p), q);
    let half = S::mul(x, S::splat(0.5));
    S::mul_add(half, erf, half)
}

/// Mean of the rows of each segment; zeros for one without rows.
pub fn mean_pool(x: &[f32], segments: &[u32], cols: usize, out: &mut [f32]) {
    for (out, segment) in out.chunks_exact_mut(cols).zip(segments.as_chunks::<2>().0) {
        let [first, end] = segment.map(|bound| (bound as usize).min(x.len() / cols));
        out.fill(0.0);
        for row in x[first.min(end) * cols..end * cols].chunks_exact(cols) {
            for (sum, x) in out.iter_mut().zip(row) {
                *sum += x;
            }
        }
        let inverse = 1.0 / end.saturating_sub(first).max(1) as f32;
        for sum in out {
            *sum *= inverse;
        }
    }
}

/// Rows of length 1; the squares are summed in f64.
pub fn l2_norm(x: &[f32], cols: usize, out: &mut [f32]) {
    for (out, x) in out.chunks_exact_mut(cols).zip(x.chunks_exact(cols)) {
        let length = sum(x, |x| x * x).sqrt() as f32;
        let length = match length {
            length if !length.is_finite() => f32::NAN,
            length => length.max(SHORTEST),
        };
        for (out, x) in out.iter_mut().zip(x) {
            *out = x / length;
        }
    }
}
