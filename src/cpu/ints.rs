//! Products of quantised weights with activations as bytes: the micro-kernels of `Precision::Fast`.
//!
//! A block of 32 columns is summed in integers, exactly; only then is it scaled, `Σ += (d_w d_x) Σ_k q_w q_x`, in f32.

use super::activations::Row;
use super::packed::Group;
use super::packed::layout::{Format, Layout, QUADS, ROWS, VECTOR, with_format};
use super::packed::unpack::{self, Scales};
use super::simd::{Quad, Simd, on_level};

/// Tokens that a tile multiplies a group with.
const TOKENS: usize = 4;

on_level! {
    /// Products of the eight rows of a group with one token.
    pub fn group_times_token(layout: &Layout, group: Group<'_>, x: Row<'_>, out: &mut [f32; ROWS]) = group_any
}

#[inline(always)]
fn group_any<S: Simd>(layout: &Layout, group: Group<'_>, x: Row<'_>, out: &mut [f32; ROWS]) {
    if let Some(product) = with_format!(layout.dtype, group_product::<S>(group, x)) {
        S::store(product, out);
    }
}

/// Quads of which 16-bit sums are made before they are widened.
#[inline(always)]
fn chain<S: Simd>(layout: &Layout) -> usize {
    if S::NARROW_SUMS { layout.chain() } else { QUADS / layout.halves() }
}

#[inline(always)]
fn group_product<S: Simd, F: Format>(group: Group<'_>, x: Row<'_>) -> S::F32 {
    let layout = const { &F::LAYOUT };
    let (per_super, size) = (layout.blocks_per_super(), layout.quant_bytes());
    let (scales, quants) = group.main.split_at(layout.group_scale_bytes(x.quads.len() * 4 * QUADS));
    let weights = scales.chunks_exact(layout.super_bytes()).zip(quants.chunks_exact(per_super * size));
    let parts = x.scales.chunks_exact(per_super).zip(x.sums.chunks_exact(per_super));
    let activations = x.quads.chunks_exact(per_super).zip(parts);
    let mut low = group.low.chunks_exact(4 * VECTOR);
    let mut total = S::splat(0.0);
    for ((scales, quants), (quads, (x_scales, x_sums))) in weights.zip(activations) {
        for b in 0..per_super {
            let (block, quads) = (&quants[b * size..(b + 1) * size], &quads[b]);
            let low = if layout.low { low.next().unwrap_or_default() } else { &[] };
            for half in 0..layout.halves() {
                let sum = half_sum(layout, x_sums[b], half);
                let width = QUADS / layout.halves();
                let mut whole = S::splat_i32(-layout.zero * sum);
                whole = add_chains::<S>(whole, chain::<S>(layout), half * width, width, quads, |p| {
                    unpack::quad::<S, F>(block, p)
                });
                if layout.low {
                    whole = with_lower::<S>(layout, whole, sum, quads, |p| unpack::nibbles::<S>(low, p));
                }
                let weight: Scales<S> = unpack::scales::<S, F>(scales, b, half);
                total = scaled::<S>(layout, total, whole, weight, x_scales[b], sum);
            }
        }
    }
    total
}

/// Sum of the activations that a scale covers.
#[inline(always)]
fn half_sum(layout: &Layout, sums: [i32; 2], half: usize) -> i32 {
    if layout.halves() == 2 { sums[half] } else { sums[0] + sums[1] }
}

/// `total + Σ_p weights(p) · quads[p]` over `width` quads from `first`.
#[inline(always)]
fn add_chains<S: Simd>(
    mut total: S::I32,
    chain: usize,
    first: usize,
    width: usize,
    quads: &[Quad; QUADS],
    weights: impl Fn(usize) -> S::Bytes,
) -> S::I32 {
    for link in 0..width / chain {
        let mut sums = S::no_sums();
        for i in 0..chain {
            let p = first + link * chain + i;
            sums = S::add_products(sums, weights(p), quads[p]);
        }
        total = S::add_i32(total, S::whole(sums));
    }
    total
}

/// From the sum over upper nibbles `u - 8` (with the zero taken off sixteenfold) to that over `16 u + l - 128`.
#[inline(always)]
fn with_lower<S: Simd>(
    layout: &Layout,
    upper: S::I32,
    sum: i32,
    quads: &[Quad; QUADS],
    lower: impl Fn(usize) -> S::Bytes,
) -> S::I32 {
    // `upper` began at -128 Σx; only what was added since counts sixteenfold: 16 (upper + 128 Σx) - 128 Σx.
    let shifted = S::shift_i32::<4>(upper);
    let corrected = S::add_i32(shifted, S::splat_i32(15 * layout.zero * sum));
    add_chains::<S>(corrected, QUADS, 0, QUADS, quads, lower)
}

/// `total + d_w d_x whole + min_w d_x sum`.
#[inline(always)]
fn scaled<S: Simd>(
    layout: &Layout,
    total: S::F32,
    whole: S::I32,
    weight: Scales<S>,
    x_scale: f32,
    sum: i32,
) -> S::F32 {
    let factor = S::mul(weight.scale, S::splat(x_scale));
    let total = S::mul_add(S::to_f32(whole), factor, total);
    if layout.has_min() { S::mul_add(weight.min, S::splat(x_scale * sum as f32), total) } else { total }
}

/// A group taken apart for many tokens.
#[derive(Default)]
pub struct Unpacked {
    quads: Vec<[u8; VECTOR]>,
    low: Vec<[u8; VECTOR]>,
    scales: Vec<[f32; ROWS]>,
    mins: Vec<[f32; ROWS]>,
}

on_level! {
    /// Products of a group with many tokens: `out(token)` takes the eight of each.
    pub fn group_times_tokens(
        layout: &Layout,
        group: Group<'_>,
        tokens: &[Row<'_>],
        unpacked: &mut Unpacked,
        out: &mut [[f32; ROWS]],
    ) = tokens_any
}

#[inline(always)]
fn tokens_any<S: Simd>(
    layout: &Layout,
    group: Group<'_>,
    tokens: &[Row<'_>],
    unpacked: &mut Unpacked,
    out: &mut [[f32; ROWS]],
) {
    let _ = with_format!(layout.dtype, tokens_product::<S>(group, tokens, unpacked, out));
}

#[inline(always)]
fn tokens_product<S: Simd, F: Format>(
    group: Group<'_>,
    tokens: &[Row<'_>],
    unpacked: &mut Unpacked,
    out: &mut [[f32; ROWS]],
) {
    let Some(first) = tokens.first() else { return };
    unpack_group::<S, F>(group, first.quads.len(), unpacked);
    let (tiles, rest) = tokens.as_chunks::<TOKENS>();
    let (tile_outs, rest_outs) = out.as_chunks_mut::<TOKENS>();
    for (rows, out) in tiles.iter().zip(tile_outs) {
        tile::<S, F, TOKENS>(unpacked, rows, out);
    }
    for (row, out) in rest.iter().zip(rest_outs) {
        tile::<S, F, 1>(unpacked, std::array::from_ref(row), std::array::from_mut(out));
    }
}

#[inline(always)]
fn unpack_group<S: Simd, F: Format>(group: Group<'_>, blocks: usize, to: &mut Unpacked) {
    let layout = const { &F::LAYOUT };
    let (per_super, size) = (layout.blocks_per_super(), layout.quant_bytes());
    let (scales, quants) = group.main.split_at(layout.group_scale_bytes(blocks * 4 * QUADS));
    to.quads.resize(blocks * QUADS, [0; VECTOR]);
    to.scales.resize(blocks * layout.halves(), [0.0; ROWS]);
    to.mins.resize(if layout.has_min() { blocks * layout.halves() } else { 0 }, [0.0; ROWS]);
    for (block, quads) in quants.chunks_exact(size).zip(to.quads.as_chunks_mut::<QUADS>().0) {
        for (p, quad) in quads.iter_mut().enumerate() {
            S::store_bytes(unpack::quad::<S, F>(block, p), quad);
        }
    }
    if layout.low {
        to.low.resize(blocks * QUADS, [0; VECTOR]);
        for (block, quads) in group.low.chunks_exact(4 * VECTOR).zip(to.low.as_chunks_mut::<QUADS>().0) {
            for (p, quad) in quads.iter_mut().enumerate() {
                S::store_bytes(unpack::nibbles::<S>(block, p), quad);
            }
        }
    }
    for index in 0..blocks {
        let bytes = &scales[index / per_super * layout.super_bytes()..][..layout.super_bytes()];
        for half in 0..layout.halves() {
            let both: Scales<S> = unpack::scales::<S, F>(bytes, index % per_super, half);
            S::store(both.scale, &mut to.scales[index * layout.halves() + half]);
            if layout.has_min() {
                S::store(both.min, &mut to.mins[index * layout.halves() + half]);
            }
        }
    }
}

#[inline(always)]
fn tile<S: Simd, F: Format, const T: usize>(
    weights: &Unpacked,
    x: &[Row<'_>; T],
    out: &mut [[f32; ROWS]; T],
) {
    let layout = const { &F::LAYOUT };
    let halves = layout.halves();
    let width = QUADS / halves;
    let mut totals = [S::splat(0.0); T];
    let low = weights.low.as_chunks::<QUADS>().0;
    for (index, block) in weights.quads.as_chunks::<QUADS>().0.iter().enumerate() {
        for half in 0..halves {
            let sums: [i32; T] = std::array::from_fn(|t| half_sum(layout, x[t].sums[index], half));
            let mut wholes: [S::I32; T] = std::array::from_fn(|t| S::splat_i32(-layout.zero * sums[t]));
            let quads: [&[Quad; QUADS]; T] = std::array::from_fn(|t| &x[t].quads[index]);
            add_tile::<S, T>(&mut wholes, chain::<S>(layout), half * width, width, block, &quads);
            if layout.low {
                for t in 0..T {
                    let shifted = S::shift_i32::<4>(wholes[t]);
                    wholes[t] = S::add_i32(shifted, S::splat_i32(15 * layout.zero * sums[t]));
                }
                add_tile::<S, T>(&mut wholes, QUADS, 0, QUADS, &low[index], &quads);
            }
            let at = index * halves + half;
            let min = if layout.has_min() { S::load(&weights.mins[at]) } else { S::splat(0.0) };
            let scales = Scales::<S> { scale: S::load(&weights.scales[at]), min };
            for t in 0..T {
                totals[t] = scaled::<S>(layout, totals[t], wholes[t], scales, x[t].scales[index], sums[t]);
            }
        }
    }
    for t in 0..T {
        S::store(totals[t], &mut out[t]);
    }
}

/// As [`add_chains`], for `T` tokens at once.
#[inline(always)]
fn add_tile<S: Simd, const T: usize>(
    totals: &mut [S::I32; T],
    chain: usize,
    first: usize,
    width: usize,
    block: &[[u8; VECTOR]; QUADS],
    quads: &[&[Quad; QUADS]; T],
) {
    for link in 0..width / chain {
        let mut sums = [S::no_sums(); T];
        for i in 0..chain {
            let p = first + link * chain + i;
            let weights = S::bytes(&block[p]);
            for t in 0..T {
                sums[t] = S::add_products(sums[t], weights, quads[t][p]);
            }
        }
        for t in 0..T {
            totals[t] = S::add_i32(totals[t], S::whole(sums[t]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::activations::Activations;
    use crate::cpu::packed::{Form, Weight, unpack};
    use crate::cpu::pool::Pool;
    use crate::cpu::simd::Level;
    use crate::kernel::{Fill, Operand, case};
    use crate::tensor::{DType, Shape, TensorDesc};

    /// Rows of random blocks: one whole group and a part of another.
    fn weight(dtype: DType, pool: &Pool) -> (Weight, Vec<f32>) {
        const ROWS_HERE: usize = ROWS + 3;
        let operand = Operand::new(dtype, ROWS_HERE, 512);
        let bytes = case::fill(operand, Fill::Uniform(0.25), 7);
        let shape = Shape::new([ROWS_HERE, 512]);
        let mut weight = Weight::new(&TensorDesc { name: "w".to_owned(), dtype, shape }).unwrap();
        for (index, part) in bytes.chunks(1001).enumerate() {
            weight.write(pool, index * 1001, part).unwrap();
        }
        let mut numbers = vec![0.0; operand.elements()];
        crate::formats::quant::dequantise(dtype, &bytes, &mut numbers).unwrap();
        (weight, numbers)
    }

    const QUANTISED: [DType; 10] = [
        DType::Q4_0,
        DType::Q4_1,
        DType::Q5_0,
        DType::Q5_1,
        DType::Q8_0,
        DType::Q2_K,
        DType::Q3_K,
        DType::Q4_K,
        DType::Q5_K,
        DType::Q6_K,
    ];

    /// Packed and unpacked again, a weight is bit for bit what its file says, at every level.
    #[test]
    fn nothing_is_lost_by_packing() {
        let pool = Pool::new(Some(1));
        for dtype in QUANTISED {
            let (weight, numbers) = weight(dtype, &pool);
            for level in Level::all() {
                for (r, expected) in numbers.chunks_exact(512).enumerate() {
                    let mut row = vec![f32::NAN; 512];
                    unpack::row(level, weight.form, weight.group(r / ROWS), r % ROWS, &mut row);
                    assert_eq!(row, expected, "{dtype} row {r}, {level:?}");
                }
            }
        }
    }

    /// A token's products are the same alone and among others, and at every level but for the rounding of the sums over blocks.
    #[test]
    fn levels_and_tiles_agree() {
        const TOKENS_HERE: usize = 2 * TOKENS + 1;
        let pool = Pool::new(Some(1));
        let x = case::fill(Operand::new(DType::F32, TOKENS_HERE, 512), Fill::Uniform(1.0), 9);
        let x: Vec<f32> = bytemuck::pod_collect_to_vec(&x);
        for dtype in QUANTISED {
            let (weight, _) = weight(dtype, &pool);
            let Form::Blocks(layout) = weight.form else { panic!("{dtype} has blocks") };
            let mut at_first = Vec::new();
            for level in Level::all() {
                let mut activations = Activations::default();
                activations.quantise((level, &pool), &x, 512);
                let rows: Vec<Row<'_>> = (0..TOKENS_HERE).map(|token| activations.row(token)).collect();
                let mut together = vec![[0.0; ROWS]; TOKENS_HERE];
                let mut unpacked = Unpacked::default();
                group_times_tokens(level, layout, weight.group(0), &rows, &mut unpacked, &mut together);
                for (row, together) in rows.iter().zip(&together) {
                    let mut alone = [f32::NAN; ROWS];
                    group_times_token(level, layout, weight.group(0), *row, &mut alone);
                    assert_eq!(&alone, together, "{dtype}, {level:?}");
                }
                if at_first.is_empty() {
                    at_first.clone_from(&together);
                }
                for (first, here) in at_first.as_flattened().iter().zip(together.as_flattened()) {
                    // 16 blocks of products up to 0.5 · 1 · 32, rounded twice each.
                    let allowed = 32.0 * 16.0 * 16.0 * f32::EPSILON;
                    assert!((first - here).abs() <= allowed, "{dtype}, {level:?}: {first} and {here}");
                }
            }
        }
    }
}
