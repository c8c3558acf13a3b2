//! Attention over a cache: one task a query head, scores and softmax in f32 over the visible positions.

use super::buffer::Buffer;
use super::pool::Pool;
use super::floats;
use super::simd::Level;
use crate::kernel::attention::Attention;
use crate::plan::Extent;

/// Computes `out` `[tokens, heads · head_dim]`.
pub fn attention(
    (level, pool): (Level, &Pool),
    op: &Attention,
    extent: Extent,
    [q, k, v]: [&Buffer; 3],
    slots: usize,
    out: &mut [f32],
) {
    let dim = op.head_dim;
    pool.for_each_chunk(out, dim, |index, out| {
        let (t, head) = (index / op.heads, index % op.heads);
        let group = head / (op.heads / op.kv_heads);
        let p = extent.pos + t;
        let query = &q.f32()[index * dim..(index + 1) * dim];
        let mut row = vec![0.0; dim];
        let first = op.first_visible(p);
        let mut scores = Vec::with_capacity(p + 1 - first);
        for j in first..=p {
            k.read_f32((group * slots + j % slots) * dim, &mut row);
            scores.push(floats::dot(level, query, &row) * op.scale);
        }
        let largest = scores.iter().copied().fold(f32::MIN, f32::max);
        let mut total = 0.0f64;
        for score in &mut scores {
            *score = (*score - largest).exp();
            total += f64::from(*score);
        }
        out.fill(0.0);
        for (j, weight) in (first..=p).zip(&scores) {
            v.read_f32((group * slots + j % slots) * dim, &mut row);
            for (sum, value) in out.iter_mut().zip(&row) {
                *sum += weight * value;
            }
        }
        let inverse = (1.0 / total) as f32;
        for sum in out {
            *sum *= inverse;
        }
    });
}
