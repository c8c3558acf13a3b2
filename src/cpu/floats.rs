//! Products in f32: the micro-kernel of plain weights, of `Precision::Exact`, and of attention.

use super::pool::Pool;
use super::simd::{LANES, Level, Simd, on_level, sum_lanes};

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

/// Rows of activations laid out in tiles: a few rows together, so that a step reads its numbers side by side.
#[derive(Default)]
pub struct Tiles {
    /// `[tile][step][width]`, with as many rows as the level's tiles have.
    numbers: Vec<f32>,
}

impl Tiles {
    /// Lays out most of the rows of `x` `[rows, steps]`.
    pub fn lay_out(&mut self, (level, pool): (Level, &Pool), x: &[f32], steps: usize) {
        let (width, steps) = (level.tile(), steps.max(1));
        let rows = x.len() / steps;
        // A tile costs about as much as half as many rows one by one: one that is more than half full is filled up with zeros.
        let tiles = (rows + (width - 1) / 2) / width;
        self.numbers.resize(tiles * width * steps, 0.0);
        pool.for_each_chunk(&mut self.numbers, width * steps, |tile, to| {
            let rows = &x[tile * width * steps..];
            interleave(level, to, &rows[..rows.len().min(to.len())], steps);
        });
    }

    /// The rows of `x` `[rows, steps]`, which was laid out.
    pub fn rows<'a>(&'a self, x: &'a [f32], steps: usize) -> Rows<'a> {
        Rows { x, tiles: &self.numbers, steps: steps.max(1) }
    }
}

/// Rows of activations, and the same in tiles but for the last few.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// `[rows, steps]`.
    pub x: &'a [f32],
    tiles: &'a [f32],
    steps: usize,
}

impl<'a> Rows<'a> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.x.len() / self.steps
    }

    /// Products of a lane: one a row, and those of the zeros that fill the last tile.
    pub fn outputs(&self) -> usize {
        self.rows().max(self.tiles.len() / self.steps)
    }

    /// Rows in no tile.
    fn rest(&self) -> std::slice::ChunksExact<'a, f32> {
        self.x[self.tiles.len().min(self.x.len())..].chunks_exact(self.steps)
    }
}

on_level! {
    /// Rows of `stride` numbers side by side: `to[step][row]`, as many of their numbers as there is room for and zeros for rows that
    /// are missing.
    fn interleave(to: &mut [f32], rows: &[f32], stride: usize) = interleave_any
}

/// The same.
#[inline(always)]
pub fn interleave_any<S: Simd>(to: &mut [f32], rows: &[f32], stride: usize) {
    let steps = to.len() / S::TILE;
    let mut done = 0;
    if let (8, Some(rows)) = (S::TILE, rows.get(..LANES * stride)) {
        let (targets, _) = to.as_chunks_mut::<LANES>();
        for (block, to) in targets.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            let mut vectors = [S::splat(0.0); LANES];
            for (vector, row) in vectors.iter_mut().zip(rows.chunks_exact(stride)) {
                if let Some(row) = row[block * LANES..].first_chunk() {
                    *vector = S::load(row);
                }
            }
            for (vector, to) in S::transpose(vectors).into_iter().zip(to) {
                S::store(vector, to);
            }
        }
        done = steps / LANES * LANES;
    }
    let to = &mut to[done * S::TILE..];
    if rows.len() < S::TILE * stride {
        to.fill(0.0);
    }
    for (r, row) in rows.chunks_exact(stride).take(S::TILE).enumerate() {
        for (to, x) in to.chunks_exact_mut(S::TILE).zip(&row[done..]) {
            to[r] = *x;
        }
    }
}

/// Products of one row with `G` groups of eight.
pub type Products<const G: usize> = [[f32; LANES]; G];

on_level! {
    /// `out[t][0][lane] = Σ_k weights[k][lane] · x[t][k]`.
    pub fn times_rows(weights: [Columns<'_>; 1], x: Rows<'_>, out: &mut [Products<1>]) = times_rows_any
}

on_level! {
    /// The same with two groups at once, so that each activation is read for both.
    pub fn times_rows_twice(weights: [Columns<'_>; 2], x: Rows<'_>, out: &mut [Products<2>]) = times_rows_twice_any
}

#[inline(always)]
fn times_rows_any<S: Simd>(weights: [Columns<'_>; 1], x: Rows<'_>, out: &mut [Products<1>]) {
    groups_times_rows::<S, 1>(weights, x, out);
}

#[inline(always)]
fn times_rows_twice_any<S: Simd>(weights: [Columns<'_>; 2], x: Rows<'_>, out: &mut [Products<2>]) {
    groups_times_rows::<S, 2>(weights, x, out);
}

#[inline(always)]
fn groups_times_rows<S: Simd, const G: usize>(
    weights: [Columns<'_>; G],
    x: Rows<'_>,
    out: &mut [Products<G>],
) {
    let (tiled, rest) = out.split_at_mut(x.tiles.len() / x.steps);
    times_tiles_any::<S, G>(weights, x.tiles, x.steps, tiled);
    for (row, out) in x.rest().zip(rest) {
        for (weights, out) in weights.iter().zip(out) {
            one::<S>(*weights, row, out);
        }
    }
}

/// The tiled rows alone: `tiles` is `[tile][step][width]`, with the width of the level.
#[inline(always)]
pub fn times_tiles_any<S: Simd, const G: usize>(
    weights: [Columns<'_>; G],
    tiles: &[f32],
    steps: usize,
    out: &mut [Products<G>],
) {
    if S::WIDE {
        all_tiles::<S, 8, G>(weights, tiles, steps, out);
    } else {
        all_tiles::<S, 4, G>(weights, tiles, steps, out);
    }
}

#[inline(always)]
fn all_tiles<S: Simd, const T: usize, const G: usize>(
    weights: [Columns<'_>; G],
    tiles: &[f32],
    steps: usize,
    out: &mut [Products<G>],
) {
    let tiles = tiles.as_chunks::<T>().0.chunks_exact(steps.max(1));
    for (x, out) in tiles.zip(out.as_chunks_mut::<T>().0) {
        *out = [[[0.0; LANES]; G]; T];
        if G == 2 && S::SUMS >= 16 {
            tile::<S, T, 8, 2, G>(weights, 0, x, 0, out);
        } else if G == 2 && S::WIDE {
            tile::<S, T, 4, 2, G>(weights, 0, x, 0, out);
            tile::<S, T, 4, 2, G>(weights, 0, x, 4, out);
        } else {
            // Written out, not a loop: with a group that the compiler does not know, the sums go through memory.
            tile::<S, T, T, 1, G>(weights, 0, x, 0, out);
            if G == 2 {
                tile::<S, T, T, 1, G>(weights, 1, x, 0, out);
            }
        }
    }
}

/// `H` rows from `row` with `N` groups from `group`, their sums in registers.
#[inline(always)]
fn tile<S: Simd, const T: usize, const H: usize, const N: usize, const G: usize>(
    weights: [Columns<'_>; G],
    group: usize,
    x: &[[f32; T]],
    row: usize,
    out: &mut [Products<G>; T],
) {
    for (part, x) in x.chunks(PART).enumerate() {
        let mut vectors: [_; N] = std::array::from_fn(|n| {
            let Columns { numbers, stride } = weights[group + n];
            numbers[part * PART * stride..].chunks(stride)
        });
        let mut sums = [[S::splat(0.0); N]; H];
        'steps: for x in x {
            let mut loaded = [S::splat(0.0); N];
            for n in 0..N {
                let Some(vector) = vectors[n].next().and_then(|vector| vector.first_chunk()) else {
                    break 'steps;
                };
                loaded[n] = S::load(vector);
            }
            for h in 0..H {
                let x = S::splat(x[row + h]);
                for n in 0..N {
                    sums[h][n] = S::mul_add(loaded[n], x, sums[h][n]);
                }
            }
        }
        for h in 0..H {
            for n in 0..N {
                let out = &mut out[row + h][group + n];
                S::store(S::add(S::load(out), sums[h][n]), out);
            }
        }
    }
}

/// One row, its steps in turn on four sums, so that none waits for the one before.
#[inline(always)]
fn one<S: Simd>(weights: Columns<'_>, x: &[f32], out: &mut [f32; LANES]) {
    const SUMS: usize = 4;
    *out = [0.0; LANES];
    for (part, x) in x.chunks(PART).enumerate() {
        let vectors = weights.numbers[part * PART * weights.stride..].chunks(weights.stride);
        let mut sums = [S::splat(0.0); SUMS];
        let mut steps = vectors.zip(x);
        'steps: loop {
            for sum in &mut sums {
                let Some((vector, &x)) = steps.next() else { break 'steps };
                let Some(vector) = vector.first_chunk::<LANES>() else { break 'steps };
                *sum = S::mul_add(S::load(vector), S::splat(x), *sum);
            }
        }
        for sum in sums {
            S::store(S::add(S::load(out), sum), out);
        }
    }
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
    // Loops, not `array::from_fn`: its closures are not always inlined, and vectors then go through memory.
    let len = a.iter().chain(&b).map(|row| row.len()).min().unwrap_or(0);
    let whole = len / LANES;
    let mut a_vectors: [&[[f32; LANES]]; A] = [&[]; A];
    let mut b_vectors: [&[[f32; LANES]]; B] = [&[]; B];
    for (vectors, row) in a_vectors.iter_mut().zip(a) {
        *vectors = &row.as_chunks().0[..whole];
    }
    for (vectors, row) in b_vectors.iter_mut().zip(b) {
        *vectors = &row.as_chunks().0[..whole];
    }
    let mut sums = [[S::splat(0.0); B]; A];
    for i in 0..whole {
        let mut b_here = [S::splat(0.0); B];
        for j in 0..B {
            b_here[j] = S::load(&b_vectors[j][i]);
        }
        for (a, sums) in a_vectors.iter().zip(&mut sums) {
            let a = S::load(&a[i]);
            for j in 0..B {
                sums[j] = S::mul_add(a, b_here[j], sums[j]);
            }
        }
    }
    let mut out = [[0.0; B]; A];
    let sums = sums.as_flattened();
    let (eights, singles) = sums.as_chunks::<LANES>();
    let flat = out.as_flattened_mut();
    for (sums, out) in eights.iter().zip(flat.as_chunks_mut().0) {
        S::store(S::sum_each(*sums), out);
    }
    for (sum, out) in singles.iter().zip(&mut flat[eights.len() * LANES..]) {
        *out = sum_lanes::<S>(*sum);
    }
    for i in 0..A {
        for j in 0..B {
            for k in whole * LANES..len {
                out[i][j] += a[i][k] * b[j][k];
            }
        }
    }
    out
}
