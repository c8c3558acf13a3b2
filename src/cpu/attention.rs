//! Attention in tiles: a few queries that share their keys, over blocks of keys, with softmax online (Milakov and Gimelshein 2018,
//! arXiv 1805.02867; Rabe and Staats 2021, arXiv 2112.05682).
//!
//! Few queries over many keys (decoding) are split by keys, and the parts put together afterwards; how, depends on the extent alone, so
//! that the result is the same for any number of threads.

use std::ops::Range;

use super::buffer::Buffer;
use super::floats::{self, Columns, Products};
use super::pool::Pool;
use super::shared::SharedMut;
use super::simd::{LANES, Level, Simd, math, max_lanes, on_level, sum_lanes};
use crate::kernel::attention::Attention;
use crate::kernel::facts::Row;
use crate::tensor::first_not_finite;

/// Keys of a block.
const KEYS: usize = 32;
/// Queries of a tile, all heads of a group counted.
pub const QUERIES: usize = 32;
/// Keys that one part of a decoding step takes.
const PART_KEYS: usize = 256;

/// Rows of keys or values: row `j` begins at `first + (j mod slots) · stride`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// F16 or F32.
    pub numbers: &'a Buffer,
    /// Where row 0 begins.
    pub first: usize,
    /// From one row to the next.
    pub stride: usize,
    /// Rows after which they begin anew.
    pub slots: usize,
}

/// Queries of one group of heads.
pub struct Tile<'a> {
    /// `[dim]` each, with the positions that it sees.
    pub queries: Vec<(&'a [f32], Range<usize>)>,
    pub keys: Rows<'a>,
    pub values: Rows<'a>,
    pub scale: f32,
    pub dim: usize,
}

/// What a tile has of some keys: for each query the largest score, `Σ e^(score - largest)`, and the sum of values so weighted.
pub struct Part {
    largest: Vec<f32>,
    totals: Vec<f32>,
    sums: Vec<f32>,
}

/// Computes `out` `[tokens, heads · head_dim]` over a cache.
pub fn attention(
    (level, pool): (Level, &Pool),
    op: &Attention,
    rows: &[Row],
    [q, k, v]: [&Buffer; 3],
    slots: usize,
    out: &mut [f32],
) {
    let (dim, group) = (op.head_dim, op.heads / op.kv_heads);
    let tile_tokens = (QUERIES / group).max(1);
    let tiles = rows.len().div_ceil(tile_tokens);
    let visible = |t: usize| {
        let position = rows[t].position as usize;
        op.first_visible(position)..position + 1
    };
    let of_rows = |rows: Range<usize>| {
        let seen = rows.map(visible).reduce(|a, b| a.start.min(b.start)..a.end.max(b.end));
        seen.unwrap_or_default()
    };
    let seen = of_rows(0..rows.len());
    // Prompts have tiles enough for all threads.
    let part_keys = if rows.len() == 1 { PART_KEYS } else { seen.len() };
    let parts = seen.len().div_ceil(part_keys);
    let tasks = op.kv_heads * tiles * parts;
    let cache = |numbers, head| Rows { numbers, first: head * slots * dim, stride: dim, slots };
    let element = |t: usize, head: usize| (t * op.heads + head) * dim;
    let heads = |head: usize| head * group..(head + 1) * group;
    let tokens = |tile: usize| tile * tile_tokens..rows.len().min((tile + 1) * tile_tokens);
    let mut found: Vec<Option<Part>> = (0..tasks).map(|_| None).collect();
    let target = SharedMut::new(out);
    pool.for_each_chunk(&mut found, 1, |task, found| {
        let (head, tile, part) = (task / parts / tiles, task / parts % tiles, task % parts);
        let rows = tokens(tile).flat_map(|t| heads(head).map(move |h| (t, h)));
        let queries = rows.clone().map(|(t, h)| (&q.f32()[element(t, h)..][..dim], visible(t))).collect();
        let tile = Tile { queries, keys: cache(k, head), values: cache(v, head), scale: op.scale, dim };
        let first = seen.start + part * part_keys;
        let whole = attend(level, &tile, first..seen.end.min(first + part_keys));
        if parts > 1 {
            found[0] = Some(whole);
            return;
        }
        for (i, (t, h)) in rows.enumerate() {
            // SAFETY: every head of every token is in one tile.
            let out = unsafe { target.part(element(t, h), dim) };
            write(&whole, i, out);
        }
    });
    if parts > 1 {
        for (head, found) in found.chunks(parts).enumerate() {
            let whole = join(found.iter().flatten(), dim);
            for (i, h) in heads(head).enumerate() {
                // SAFETY: no task runs any more.
                let out = unsafe { target.part(element(0, h), dim) };
                write(&whole, i, out);
            }
        }
    }
}

/// The result of query `i`.
pub fn write(part: &Part, i: usize, out: &mut [f32]) {
    let inverse = 1.0 / part.totals[i];
    let sums = &part.sums[i * out.len()..];
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = sum * inverse;
    }
}

/// Puts parts over different keys together, in their order.
fn join<'a>(parts: impl Iterator<Item = &'a Part> + Clone, dim: usize) -> Part {
    let queries = parts.clone().map(|part| part.largest.len()).max().unwrap_or(0);
    let mut whole =
        Part { largest: vec![f32::MIN; queries], totals: vec![0.0; queries], sums: vec![0.0; queries * dim] };
    for part in parts.clone() {
        for (largest, other) in whole.largest.iter_mut().zip(&part.largest) {
            *largest = largest.max(*other);
        }
    }
    for part in parts {
        for i in 0..queries {
            let factor = (part.largest[i] - whole.largest[i]).exp();
            whole.totals[i] += part.totals[i] * factor;
            let sums = part.sums[i * dim..(i + 1) * dim].iter();
            for (sum, other) in whole.sums[i * dim..(i + 1) * dim].iter_mut().zip(sums) {
                *sum += other * factor;
            }
        }
    }
    whole
}

on_level! {
    /// A tile over some of the keys.
    pub fn attend(tile: &Tile<'_>, keys: Range<usize>) -> Part = attend_any
}

#[inline(always)]
fn attend_any<S: Simd>(tile: &Tile<'_>, keys: Range<usize>) -> Part {
    let (n, dim) = (tile.queries.len(), tile.dim);
    let mut part = Part { largest: vec![f32::MIN; n], totals: vec![0.0; n], sums: vec![0.0; n * dim] };
    // Rows are padded to whole vectors, so that the products below have no rest.
    let width = dim.next_multiple_of(LANES);
    let mut rows = vec![0.0; KEYS * width];
    let mut scores = vec![0.0; n * KEYS];
    // Weights in tiles; a last tile that is not full has rows of zeros.
    let filled = n.next_multiple_of(S::TILE);
    let mut weights = vec![0.0; filled * KEYS];
    let mut pairs = vec![[[0.0; LANES]; 2]; filled];
    let mut singles = vec![[[0.0; LANES]]; filled];
    let mut start = keys.start;
    while start < keys.end {
        let block = start..keys.end.min(start + KEYS);
        start = block.end;
        read_rows::<S>(tile.keys, block.clone(), &mut rows, width, dim);
        score::<S>(tile, &rows, width, block.len(), &mut scores);
        let seen_of = |visible: &Range<usize>| {
            let (from, to) = (visible.start.max(block.start), visible.end.min(block.end));
            if from < to { from - block.start..to - block.start } else { 0..0 }
        };
        let mut all_seen = true;
        for (i, (scores, (_, visible))) in scores.chunks_exact_mut(KEYS).zip(&tile.queries).enumerate() {
            let seen = seen_of(visible);
            all_seen &= seen.len() == block.len();
            let sums = &mut part.sums[i * dim..(i + 1) * dim];
            weigh::<S>(scores, seen, &mut part.largest[i], &mut part.totals[i], sums);
        }
        read_rows::<S>(tile.values, block.clone(), &mut rows, width, dim);
        let steps = block.len();
        if !all_seen && first_not_finite(&rows[..steps * width]).is_some() {
            // Their products below would reach queries that do not see them, since 0 times NaN is NaN.
            for (i, (_, visible)) in tile.queries.iter().enumerate() {
                let sums = &mut part.sums[i * dim..(i + 1) * dim];
                mix_seen(&scores[i * KEYS..], seen_of(visible), (&rows, width), sums);
            }
            continue;
        }
        let tiles = weights.chunks_exact_mut(S::TILE * KEYS);
        for (scores, tile) in scores.chunks(S::TILE * KEYS).zip(tiles) {
            floats::interleave_any::<S>(&mut tile[..S::TILE * steps], scores, KEYS);
        }
        let mut lanes = 0;
        while lanes < width {
            if lanes + LANES < width {
                mix::<S, 2>((&rows, width), lanes, (&weights, steps), &mut pairs, (&mut part.sums, dim));
                lanes += 2 * LANES;
            } else {
                mix::<S, 1>((&rows, width), lanes, (&weights, steps), &mut singles, (&mut part.sums, dim));
                lanes += LANES;
            }
        }
    }
    part
}

/// Adds the values of a block, weighted: `G` vectors of each row from `lanes`.
#[inline(always)]
fn mix<S: Simd, const G: usize>(
    (rows, width): (&[f32], usize),
    lanes: usize,
    (weights, steps): (&[f32], usize),
    mixed: &mut [Products<G>],
    (sums, dim): (&mut [f32], usize),
) {
    let columns = std::array::from_fn(|g| Columns { numbers: &rows[lanes + g * LANES..], stride: width });
    let tiles = weights.chunks_exact(S::TILE * KEYS);
    for (tile, mixed) in tiles.zip(mixed.chunks_exact_mut(S::TILE)) {
        floats::times_tiles_any::<S, G>(columns, &tile[..S::TILE * steps], steps, mixed);
    }
    for (sums, mixed) in sums.chunks_exact_mut(dim).zip(mixed) {
        for (sum, mixed) in sums[lanes..].iter_mut().zip(mixed.as_flattened()) {
            *sum += mixed;
        }
    }
}

/// Adds the values of the rows of a block that a query sees, weighted.
#[cold]
fn mix_seen(weights: &[f32], seen: Range<usize>, (rows, width): (&[f32], usize), sums: &mut [f32]) {
    for j in seen {
        for (sum, value) in sums.iter_mut().zip(&rows[j * width..]) {
            *sum += weights[j] * value;
        }
    }
}

/// Rows of a block as F32.
#[inline(always)]
fn read_rows<S: Simd>(from: Rows<'_>, rows: Range<usize>, to: &mut [f32], width: usize, dim: usize) {
    for (j, to) in rows.zip(to.chunks_exact_mut(width)) {
        let at = from.first + j % from.slots * from.stride;
        let to = &mut to[..dim];
        match from.numbers {
            Buffer::F16(halves) => {
                let (vectors, rest) = halves[at..at + dim].as_chunks::<LANES>();
                for (to, halves) in to.as_chunks_mut::<LANES>().0.iter_mut().zip(vectors) {
                    S::store(S::load_f16(bytemuck::cast_ref(halves)), to);
                }
                let whole = dim - rest.len();
                to[whole..].iter_mut().zip(rest).for_each(|(to, half)| *to = half.to_f32());
            }
            other => to.copy_from_slice(&other.f32()[at..at + dim]),
        }
    }
}

/// Scores of all queries with the keys of a block.
#[inline(always)]
fn score<S: Simd>(tile: &Tile<'_>, rows: &[f32], width: usize, keys: usize, scores: &mut [f32]) {
    for (query_pair, scores) in tile.queries.chunks(2).zip(scores.chunks_mut(2 * KEYS)) {
        for j in (0..keys).step_by(4) {
            // Beyond the last key lie older rows, whose scores nobody looks at.
            let rows: [&[f32]; 4] = std::array::from_fn(|r| &rows[(j + r) * width..][..tile.dim]);
            let products = match query_pair {
                [(a, _), (b, _)] => floats::dots::<S, 2, 4>([a, b], rows),
                [(a, _), ..] => [floats::dots::<S, 1, 4>([a], rows)[0], [0.0; 4]],
                [] => [[0.0; 4]; 2],
            };
            for (scores, products) in scores.chunks_exact_mut(KEYS).zip(products) {
                for (score, product) in scores[j..].iter_mut().zip(products) {
                    *score = product * tile.scale;
                }
            }
        }
    }
}

/// Scores become weights: `e^(score - largest)` where the query sees the key, 0 elsewhere. What was summed before is made smaller when a
/// larger score appears. A score that is NaN or an infinity makes the total NaN, and with it all that is divided by it.
#[inline(always)]
fn weigh<S: Simd>(
    scores: &mut [f32],
    seen: Range<usize>,
    largest: &mut f32,
    total: &mut f32,
    sums: &mut [f32],
) {
    for (j, score) in scores.iter_mut().enumerate() {
        if !seen.contains(&j) {
            *score = f32::MIN;
        }
    }
    if seen.is_empty() {
        scores.fill(0.0);
        return;
    }
    let vectors = scores.as_chunks_mut::<LANES>().0;
    let here = vectors.iter().fold(S::splat(f32::MIN), |largest, scores| S::max(S::load(scores), largest));
    let here = max_lanes::<S>(here).max(*largest);
    if here > *largest {
        let factor = (*largest - here).exp();
        *total *= factor;
        sums.iter_mut().for_each(|sum| *sum *= factor);
        *largest = here;
    }
    let mut here_total = S::splat(0.0);
    for scores in vectors {
        let score = S::load(scores);
        // 0 for every number, NaN for what is none: an exponential alone would make a weight of it.
        here_total = S::mul_add(score, S::splat(0.0), here_total);
        S::store(math::exp::<S>(S::sub(score, S::splat(here))), scores);
    }
    scores[..seen.start].fill(0.0);
    scores[seen.end..].fill(0.0);
    for scores in scores.as_chunks::<LANES>().0 {
        here_total = S::add(here_total, S::load(scores));
    }
    *total += sum_lanes::<S>(here_total);
}
