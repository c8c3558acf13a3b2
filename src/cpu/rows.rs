//! Everything that works element by element or row by row: sums, norms, rotations, activations, caches, look-ups.

use super::buffer::Buffer;
use super::packed::Weight;
use super::pool::Pool;
use super::simd::Level;
use crate::kernel::glu::Activation;
use crate::kernel::rope::Rope;
use crate::plan::{ExecError, Extent};

/// Elements below which handing work to another thread costs more than it saves.
const TASK_ELEMENTS: usize = 1 << 14;

/// `out = x + y`, `y` repeated.
pub fn add(x: &[f32], y: &[f32], out: &mut [f32]) {
    for (out, x) in out.chunks_mut(y.len()).zip(x.chunks(y.len())) {
        for ((out, x), y) in out.iter_mut().zip(x).zip(y) {
            *out = x + y;
        }
    }
}

/// Root mean square normalisation of groups of `w.len()` elements; the squares are summed in f64.
pub fn rms_norm(eps: f32, x: &[f32], w: &[f32], out: &mut [f32]) {
    for (out, x) in out.chunks_exact_mut(w.len()).zip(x.chunks_exact(w.len())) {
        let squares: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let factor = (1.0 / (squares / w.len() as f64 + f64::from(eps)).sqrt()) as f32;
        for ((out, x), w) in out.iter_mut().zip(x).zip(w) {
            *out = x * factor * w;
        }
    }
}

/// Rotates the pairs of every head of every token; `cols` elements a token, `width` columns in the table.
pub fn rope(op: &Rope, extent: Extent, x: &[f32], table: &[f32], width: usize, out: &mut [f32]) {
    out.copy_from_slice(x);
    let cols = x.len() / extent.tokens;
    for (t, token) in out.chunks_exact_mut(cols).enumerate() {
        let turns = &table[(extent.pos + t) * width..][..width];
        for head in token.chunks_exact_mut(op.head_dim) {
            for (i, turn) in turns.chunks_exact(2).enumerate() {
                let (a_at, b_at) = op.pair(i, width / 2);
                let (a, b, cos, sin) = (head[a_at], head[b_at], turn[0], turn[1]);
                head[a_at] = a * cos - b * sin;
                head[b_at] = a * sin + b * cos;
            }
        }
    }
}

/// Activation of the gate times the other operand.
pub fn glu(pool: &Pool, activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
    pool.for_each_chunk(out, TASK_ELEMENTS, |index, out| {
        let at = index * TASK_ELEMENTS;
        for ((out, &gate), up) in out.iter_mut().zip(&gate[at..]).zip(&up[at..]) {
            *out = activate(activation, gate) * up;
        }
    });
}

/// The activation in f32.
fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::GeluTanh => {
            const SQRT_2_OVER_PI: f32 = 0.797_884_6;
            0.5 * x * (1.0 + (SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)).tanh())
        }
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

/// Softmax of rows of `cols` elements.
pub fn softmax(x: &[f32], cols: usize, out: &mut [f32]) {
    for (out, x) in out.chunks_exact_mut(cols).zip(x.chunks_exact(cols)) {
        let largest = x.iter().copied().fold(f32::MIN, f32::max);
        let mut total = 0.0f64;
        for (out, x) in out.iter_mut().zip(x) {
            *out = (x - largest).exp();
            total += f64::from(*out);
        }
        let inverse = (1.0 / total) as f32;
        for out in out {
            *out *= inverse;
        }
    }
}

/// Lowest index of the largest element of each row.
pub fn argmax(x: &[f32], cols: usize, out: &mut [u32]) {
    for (out, x) in out.iter_mut().zip(x.chunks_exact(cols)) {
        let mut best = 0;
        for (i, value) in x.iter().enumerate() {
            if *value > x[best] {
                best = i;
            }
        }
        *out = best as u32;
    }
}

/// Rows of a table by id.
pub fn embedding(
    level: Level,
    scale: f32,
    ids: &[u32],
    table: &Weight,
    out: &mut [f32],
) -> Result<(), ExecError> {
    let (rows, cols) = (table.desc.shape.rows(), table.desc.shape.cols());
    for (out, &id) in out.chunks_exact_mut(cols).zip(ids) {
        if id as usize >= rows {
            return Err(ExecError::Mismatch {
                operation: "embedding",
                name: table.desc.name.clone(),
                expected: format!("a token id below {rows}"),
                got: id.to_string(),
            });
        }
        table.read_row(level, id as usize, out);
        for out in out {
            *out *= scale;
        }
    }
    Ok(())
}

/// Keys or values into their ring.
pub fn kv_write(kv_heads: usize, extent: Extent, x: &[f32], cache: &mut Buffer, slots: usize) {
    let dim = x.len() / extent.tokens / kv_heads;
    for (index, head) in x.chunks_exact(dim).enumerate() {
        let (t, group) = (index / kv_heads, index % kv_heads);
        cache.write_f32((group * slots + (extent.pos + t) % slots) * dim, head);
    }
}
