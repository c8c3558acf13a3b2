//! Everything that works element by element or row by row: sums, norms, rotations, activations, caches, look-ups.

use super::buffer::Buffer;
use super::packed::Weight;
use super::pool::Pool;
use super::simd::{LANES, Level, Simd, math, max_lanes, max_magnitude_lanes, on_level};
use crate::kernel::argmax::NOT_FINITE;
use crate::kernel::facts::Row;
use crate::kernel::glu::Activation;
use crate::kernel::rope::Rope;
use crate::plan::ExecError;
use crate::tensor::first_not_finite;

/// Elements below which handing work to another thread costs more than it saves.
const TASK_ELEMENTS: usize = 1 << 13;

/// Runs `work(first element, part)` for parts of whole rows of `cols` elements.
pub fn in_parts(pool: &Pool, cols: usize, out: &mut [f32], work: impl Fn(usize, &mut [f32]) + Sync + Send) {
    let chunk = (TASK_ELEMENTS / cols).max(1) * cols;
    pool.for_each_chunk(out, chunk, |index, part| work(index * chunk, part));
}

/// `out = x + y`, `y` repeated.
pub fn add(pool: &Pool, x: &[f32], y: &[f32], out: &mut [f32]) {
    if x.len() == y.len() {
        in_parts(pool, 1, out, |at, out| {
            out.iter_mut().zip(&x[at..]).zip(&y[at..]).for_each(|((out, x), y)| *out = x + y);
        });
        return;
    }
    in_parts(pool, y.len(), out, |at, out| {
        for (out, x) in out.chunks_mut(y.len()).zip(x[at..].chunks(y.len())) {
            out.iter_mut().zip(x).zip(y).for_each(|((out, x), y)| *out = x + y);
        }
    });
}

/// Root mean square normalisation of groups of `w.len()` elements.
pub fn rms_norm((level, pool): (Level, &Pool), eps: f32, x: &[f32], w: &[f32], out: &mut [f32]) {
    in_parts(pool, w.len(), out, |at, out| rms_norm_rows(level, eps, &x[at..], w, out));
}

on_level! {
    fn rms_norm_rows(eps: f32, x: &[f32], w: &[f32], out: &mut [f32]) = rms_norm_any
}

#[inline(always)]
fn rms_norm_any<S: Simd>(eps: f32, x: &[f32], w: &[f32], out: &mut [f32]) {
    for (out, x) in out.chunks_exact_mut(w.len()).zip(x.chunks_exact(w.len())) {
        let mean = sum(x, |x| x * x) / w.len() as f64;
        // An infinite mean would make zeros of the numbers beside the infinity.
        let mean = if mean.is_finite() { mean } else { f64::NAN };
        let factor = (1.0 / (mean + f64::from(eps)).sqrt()) as f32;
        for ((out, x), w) in out.iter_mut().zip(x).zip(w) {
            *out = x * factor * w;
        }
    }
}

/// `Σ f(x)` in f64, in lanes so that the processor need not wait for one sum after the other.
#[inline(always)]
pub fn sum(x: &[f32], f: impl Fn(f64) -> f64) -> f64 {
    let (vectors, rest) = x.as_chunks::<LANES>();
    let mut sums = [0.0f64; LANES];
    for x in vectors {
        for (sum, &x) in sums.iter_mut().zip(x) {
            *sum += f(f64::from(x));
        }
    }
    rest.iter().map(|&x| f(f64::from(x))).chain(sums).sum()
}

/// Rotates the pairs of every head of every token; `cols` elements a token, `width` columns in the table.
pub fn rope(pool: &Pool, op: &Rope, rows: &[Row], x: &[f32], table: &[f32], width: usize, out: &mut [f32]) {
    let cols = x.len() / rows.len();
    in_parts(pool, cols, out, |at, out| {
        out.copy_from_slice(&x[at..at + out.len()]);
        for (token, row) in out.chunks_exact_mut(cols).zip(&rows[at / cols..]) {
            let turns = &table[row.position as usize * width..][..width];
            for head in token.chunks_exact_mut(op.head_dim) {
                for (i, turn) in turns.chunks_exact(2).enumerate() {
                    let (a_at, b_at) = op.pair(i, width / 2);
                    let (a, b, cos, sin) = (head[a_at], head[b_at], turn[0], turn[1]);
                    head[a_at] = a * cos - b * sin;
                    head[b_at] = a * sin + b * cos;
                }
            }
        }
    });
}

/// Activation of the gate times the other operand.
pub fn glu((level, pool): (Level, &Pool), activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
    in_parts(pool, 1, out, |at, out| {
        glu_rows(level, activation, &gate[at..at + out.len()], &up[at..at + out.len()], out);
    });
}

on_level! {
    /// Activation of the gate times the other operand, of a stretch of elements.
    pub fn glu_rows(activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) = glu_any
}

#[inline(always)]
fn glu_any<S: Simd>(activation: Activation, gate: &[f32], up: &[f32], out: &mut [f32]) {
    let (gates, ups) = (gate.chunks(LANES), up.chunks(LANES));
    for ((gate, up), out) in gates.zip(ups).zip(out.chunks_mut(LANES)) {
        // The rest is computed as a vector too, so that an element does not depend on where its row ends.
        let whole = |part: &[f32]| {
            let mut lanes = [0.0; LANES];
            lanes[..part.len()].copy_from_slice(part);
            S::load(&lanes)
        };
        let mut lanes = [0.0; LANES];
        S::store(S::mul(activate::<S>(activation, whole(gate)), whole(up)), &mut lanes);
        out.copy_from_slice(&lanes[..out.len()]);
    }
}

/// The activation. `0.5 (1 + tanh u)` is `1 / (1 + e^-2u)`, which loses nothing for large negative `u`.
#[inline(always)]
fn activate<S: Simd>(activation: Activation, x: S::F32) -> S::F32 {
    let exponent = match activation {
        Activation::GeluTanh => {
            const SQRT_2_OVER_PI: f32 = 0.797_884_6;
            let cube = S::mul(S::mul(x, x), x);
            let u = S::mul(S::splat(SQRT_2_OVER_PI), S::mul_add(S::splat(0.044715), cube, x));
            S::mul(S::splat(-2.0), u)
        }
        Activation::Silu => S::sub(S::splat(0.0), x),
    };
    S::div(x, S::add(S::splat(1.0), math::exp::<S>(exponent)))
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

/// Elements of a row in which the largest is looked for at a time.
const ARGMAX_PART: usize = 1 << 12;

/// Lowest index of the largest element of each row; [`NOT_FINITE`] for one with an element that is no number.
pub fn argmax((level, pool): (Level, &Pool), x: &[f32], cols: usize, out: &mut [u32]) {
    let mut largest = vec![f32::MIN; cols.div_ceil(ARGMAX_PART)];
    for (out, x) in out.iter_mut().zip(x.chunks_exact(cols)) {
        pool.for_each_chunk(&mut largest, 8, |index, largest| {
            let parts = x.chunks(ARGMAX_PART).skip(8 * index);
            largest.iter_mut().zip(parts).for_each(|(largest, x)| *largest = max(level, x));
        });
        if largest.iter().any(|largest| largest.is_nan()) {
            *out = NOT_FINITE;
            continue;
        }
        let best = largest.iter().copied().fold(f32::MIN, f32::max);
        // Only the first part with the largest element is looked at again.
        let part = largest.iter().position(|&largest| largest == best).unwrap_or(0);
        let inside = x[part * ARGMAX_PART..].iter().position(|&x| x == best).unwrap_or(0);
        *out = (part * ARGMAX_PART + inside) as u32;
    }
}

on_level! {
    /// The largest; NaN where one of them is NaN or an infinity.
    fn max(x: &[f32]) -> f32 = max_any
}

#[inline(always)]
fn max_any<S: Simd>(x: &[f32]) -> f32 {
    let (vectors, rest) = x.as_chunks::<LANES>();
    let (mut largest, mut magnitude) = (S::splat(f32::MIN), S::splat(0.0));
    for x in vectors {
        let x = S::load(x);
        largest = S::max(x, largest);
        magnitude = S::max_magnitude(S::abs(x), magnitude);
    }
    if !max_magnitude_lanes::<S>(magnitude).is_finite() || first_not_finite(rest).is_some() {
        return f32::NAN;
    }
    rest.iter().copied().fold(max_lanes::<S>(largest), f32::max)
}

/// Rows of a table by id.
pub fn embedding(
    level: Level,
    scale: f32,
    ids: impl Iterator<Item = u32>,
    table: &Weight,
    out: &mut [f32],
) -> Result<(), ExecError> {
    let (rows, cols) = (table.desc.shape.rows(), table.desc.shape.cols());
    for (out, id) in out.chunks_exact_mut(cols).zip(ids) {
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

/// Keys or values into their ring; the first position of which one is no number there.
pub fn kv_write(kv_heads: usize, rows: &[Row], x: &[f32], cache: &mut Buffer, slots: usize) -> Option<usize> {
    let dim = x.len() / rows.len() / kv_heads;
    let mut fault: Option<usize> = None;
    for (x, row) in x.chunks_exact(dim * kv_heads).zip(rows) {
        for (group, head) in x.chunks_exact(dim).enumerate() {
            if !cache.write_f32((group * slots + row.slot as usize % slots) * dim, head) {
                let position = row.position as usize;
                fault = Some(fault.map_or(position, |known| known.min(position)));
            }
        }
    }
    fault
}

/// Rows by their index; the last one for an index beyond.
pub fn gather(x: &[f32], wanted: &[u32], cols: usize, out: &mut [f32]) {
    let last = x.len() / cols - 1;
    for (out, &row) in out.chunks_exact_mut(cols).zip(wanted) {
        out.copy_from_slice(&x[(row as usize).min(last) * cols..][..cols]);
    }
}
