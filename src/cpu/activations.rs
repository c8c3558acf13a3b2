//! Activations as bytes: what the quantised products of `Precision::Fast` take.

use super::packed::layout::{BLOCK, QUADS};
use super::pool::Pool;
use super::shared::SharedMut;
use super::simd::{LANES, Level, Quad, Simd, max_magnitude_lanes, on_level};

/// Largest magnitude of an activation's byte.
const LARGEST: f32 = 127.0;
/// Elements that one task quantises.
const TASK_ELEMENTS: usize = 1 << 14;

/// Rows of activations, `x = scale · q` with a scale for each 32 columns.
#[derive(Default)]
pub struct Activations {
    cols: usize,
    quads: Vec<Quad>,
    scales: Vec<f32>,
    sums: Vec<[i32; 2]>,
}

/// One token's activations.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// `[cols / 32]` times eight quads.
    pub quads: &'a [[Quad; QUADS]],
    /// Scale of each 32 columns.
    pub scales: &'a [f32],
    /// Sums of the bytes of each half of 32 columns.
    pub sums: &'a [[i32; 2]],
}

impl Activations {
    /// Quantises `x` `[tokens, cols]`; `cols` is a multiple of 32.
    pub fn quantise(&mut self, (level, pool): (Level, &Pool), x: &[f32], cols: usize) {
        self.cols = cols;
        let blocks = x.len() / BLOCK;
        self.quads.resize(blocks * QUADS, Quad::default());
        self.scales.resize(blocks, 0.0);
        self.sums.resize(blocks, [0; 2]);
        let per_task = TASK_ELEMENTS / BLOCK;
        let quads = SharedMut::new(&mut self.quads[..]);
        let scales = SharedMut::new(&mut self.scales[..]);
        let sums = SharedMut::new(&mut self.sums[..]);
        pool.run(blocks.div_ceil(per_task), &|task| {
            let first = task * per_task;
            let count = per_task.min(blocks - first);
            // SAFETY: every block is quantised by one task.
            let (quads, scales, sums) = unsafe {
                (quads.part(first * QUADS, count * QUADS), scales.part(first, count), sums.part(first, count))
            };
            quantise(level, &x[first * BLOCK..(first + count) * BLOCK], quads, scales, sums);
        });
    }

    /// A row.
    pub fn row(&self, token: usize) -> Row<'_> {
        let blocks = self.cols / BLOCK;
        let range = token * blocks..(token + 1) * blocks;
        Row {
            quads: &self.quads.as_chunks().0[range.clone()],
            scales: &self.scales[range.clone()],
            sums: &self.sums[range],
        }
    }
}

on_level! {
    fn quantise(x: &[f32], quads: &mut [Quad], scales: &mut [f32], sums: &mut [[i32; 2]]) = quantise_any
}

#[inline(always)]
fn quantise_any<S: Simd>(x: &[f32], quads: &mut [Quad], scales: &mut [f32], sums: &mut [[i32; 2]]) {
    let blocks = x.as_chunks::<BLOCK>().0.iter().zip(quads.as_chunks_mut::<QUADS>().0);
    for ((x, quads), (scale, sums)) in blocks.zip(scales.iter_mut().zip(sums)) {
        let vectors = x.as_chunks::<LANES>().0;
        let magnitudes = vectors.iter().map(|x| S::abs(S::load(x)));
        let largest = magnitudes.fold(S::splat(0.0), |largest, x| S::max_magnitude(largest, x));
        let largest = max_magnitude_lanes::<S>(largest);
        // That of a block with NaN or an infinity is one itself, and 0 times it NaN: so are all products with the block.
        *scale = largest / LARGEST;
        // A block of zeros, or one so small that its inverse is infinite, has no scale.
        let inverse = if largest > f32::MIN_POSITIVE { LARGEST / largest } else { 0.0 };
        let mut rounded = [[0.0; LANES]; BLOCK / LANES];
        for (x, rounded) in vectors.iter().zip(&mut rounded) {
            S::store(S::round(S::mul(S::load(x), S::splat(inverse))), rounded);
        }
        let rounded: &[f32] = rounded.as_flattened();
        for (q, &x) in quads.as_flattened_mut().iter_mut().zip(rounded) {
            // NaN becomes 0 here; its block's scale says so.
            *q = x as i8 as _;
        }
        let half =
            |range: std::ops::Range<usize>| quads[range].as_flattened().iter().map(|&q| i32::from(q)).sum();
        *sums = [half(0..QUADS / 2), half(QUADS / 2..QUADS)];
    }
}
