//! Products in f32: the micro-kernel of plain weights, of `Precision::Exact`, and of attention.

use super::simd::{LANES, Simd, on_level, sum_lanes};

/// Steps after which partial sums are added to the totals, so that rounding errors grow with the number of steps in a part and of
/// parts, not with their product.
const PART: usize = 128;

/// Where eight-lane vectors of the weights are: one every `stride` numbers.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// Begins with the first vector.
    pub numbers: &'a [f32],
    /// From one to the next.
    pub stride: usize,
}

on_level! {
    /// `out[t][lane] = Σ_k weights[k][lane] · x[t][k]` for as many steps `k` as the rows of `x` have.
    pub fn times_tokens(weights: Columns<'_>, x: &[&[f32]], out: &mut [[f32; LANES]]) = times_tokens_any
}

#[inline(always)]
pub fn times_tokens_any<S: Simd>(weights: Columns<'_>, x: &[&[f32]], out: &mut [[f32; LANES]]) {
    let (mut x, mut out) = (x, out);
    if S::WIDE {
        (x, out) = tiles::<S, 8, 1>(weights, x, out);
    }
    (x, out) = tiles::<S, 4, 1>(weights, x, out);
    tiles::<S, 1, 4>(weights, x, out);
}

/// All whole tiles of `T` tokens; returns what is left.
#[inline(always)]
fn tiles<'x, 'y, 'o, S: Simd, const T: usize, const SPLIT: usize>(
    weights: Columns<'_>,
    x: &'y [&'x [f32]],
    out: &'o mut [[f32; LANES]],
) -> (&'y [&'x [f32]], &'o mut [[f32; LANES]]) {
    let (groups, rest) = x.as_chunks::<T>();
    let (group_outs, rest_outs) = out.split_at_mut(groups.len() * T);
    for (x, out) in groups.iter().zip(group_outs.as_chunks_mut::<T>().0) {
        tile::<S, T, SPLIT>(weights, x, out);
    }
    (rest, rest_outs)
}

/// `T` tokens with `SPLIT` sums each, so that their latency is hidden.
#[inline(always)]
fn tile<S: Simd, const T: usize, const SPLIT: usize>(
    weights: Columns<'_>,
    x: &[&[f32]; T],
    out: &mut [[f32; LANES]; T],
) {
    let steps = x.iter().map(|x| x.len()).min().unwrap_or(0);
    let mut totals = [[0.0; LANES]; T];
    let mut start = 0;
    while start < steps {
        let end = steps.min(start + PART);
        let x: [&[f32]; T] = std::array::from_fn(|t| &x[t][start..end]);
        let vectors = weights.numbers[start * weights.stride..].chunks(weights.stride);
        let mut sums = [[S::splat(0.0); SPLIT]; T];
        for (k, vector) in vectors.take(end - start).enumerate() {
            let Some(vector) = vector.first_chunk::<LANES>() else { break };
            let vector = S::load(vector);
            for t in 0..T {
                sums[t][k % SPLIT] = S::mul_add(vector, S::splat(x[t][k]), sums[t][k % SPLIT]);
            }
        }
        for t in 0..T {
            let mut sum = S::load(&totals[t]);
            for part in sums[t] {
                sum = S::add(sum, part);
            }
            S::store(sum, &mut totals[t]);
        }
        start = end;
    }
    *out = totals;
}

on_level! {
    /// One dot product.
    pub fn dot(a: &[f32], b: &[f32]) -> f32 = dot_any
}

#[inline(always)]
pub fn dot_any<S: Simd>(a: &[f32], b: &[f32]) -> f32 {
    let (a_vectors, a_rest) = a.as_chunks::<LANES>();
    let (b_vectors, b_rest) = b.as_chunks::<LANES>();
    let mut sum = S::splat(0.0);
    for (a, b) in a_vectors.iter().zip(b_vectors) {
        sum = S::mul_add(S::load(a), S::load(b), sum);
    }
    a_rest.iter().zip(b_rest).fold(sum_lanes::<S>(sum), |sum, (a, b)| sum + a * b)
}
