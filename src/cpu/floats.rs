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
fn dot_any<S: Simd>(a: &[f32], b: &[f32]) -> f32 {
    dots::<S, 1, 1>([a], [b])[0][0]
}

/// Dot products of each of `A` rows with each of `B` rows, all of the same length.
#[inline(always)]
pub fn dots<S: Simd, const A: usize, const B: usize>(a: [&[f32]; A], b: [&[f32]; B]) -> [[f32; B]; A] {
    let len = a.iter().chain(&b).map(|row| row.len()).min().unwrap_or(0);
    let (a, b) = (a.map(|row| row[..len].as_chunks::<LANES>()), b.map(|row| row[..len].as_chunks::<LANES>()));
    let mut sums = [[S::splat(0.0); B]; A];
    for i in 0..len / LANES {
        let b: [S::F32; B] = std::array::from_fn(|j| S::load(&b[j].0[i]));
        for (a, sums) in a.iter().zip(&mut sums) {
            let a = S::load(&a.0[i]);
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = S::mul_add(a, b, *sum);
            }
        }
    }
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let rest = a[i].1.iter().zip(b[j].1);
            rest.fold(sum_lanes::<S>(sums[i][j]), |sum, (a, b)| sum + a * b)
        })
    })
}
