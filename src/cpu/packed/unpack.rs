//! Reads the packed layout: quads of quants, scales, numbers.

use super::layout::{BLOCK, Format, QUADS, ROWS, Scale, VECTOR, with_format};
use super::{Form, Group};
use crate::cpu::simd::{LANES, Simd, on_level};
use crate::tensor::DType;

/// Vector `v` of a run of them.
#[inline(always)]
fn vector<S: Simd>(bytes: &[u8], at: usize) -> S::Bytes {
    match bytes[at..].first_chunk::<VECTOR>() {
        Some(vector) => S::bytes(vector),
        // Unreachable where `bytes` is a block of the format.
        None => S::bytes(&[0; VECTOR]),
    }
}

#[inline(always)]
fn array<const N: usize>(bytes: &[u8], at: usize) -> &[u8; N] {
    match bytes[at..].first_chunk::<N>() {
        Some(array) => array,
        // Unreachable where `bytes` are the scales of the format.
        None => &[0; N],
    }
}

/// Quad `p` of the nibbles at the start of `block`.
#[inline(always)]
pub fn nibbles<S: Simd>(block: &[u8], p: usize) -> S::Bytes {
    let both = vector::<S>(block, p % 4 * VECTOR);
    S::mask(if p < 4 { both } else { S::down(both, 4) }, 0x0f)
}

/// Quad `p` of a block: unsigned quants. Of Q8_0 only the upper nibbles.
#[inline(always)]
pub fn quad<S: Simd, F: Format>(block: &[u8], p: usize) -> S::Bytes {
    let layout = const { &F::LAYOUT };
    let mut quants = None;
    let mut above = 0;
    if layout.nibbles {
        quants = Some(nibbles::<S>(block, p));
        above = 4;
    }
    let mut join = |plane: S::Bytes| {
        quants = Some(match quants {
            Some(lower) => S::or(lower, plane),
            None => plane,
        });
    };
    if layout.pairs {
        let four = vector::<S>(block, layout.pairs_at() + p / 4 * VECTOR);
        join(plane::<S>(four, 2 * (p as u32 % 4), above, 0x03));
        above += 2;
    }
    if layout.singles {
        let eight = vector::<S>(block, layout.singles_at());
        join(plane::<S>(eight, p as u32, above, 0x01));
    }
    match quants {
        Some(quants) => quants,
        None => S::bytes(&[0; VECTOR]),
    }
}

/// Bits that lie at `from` of each byte, moved to `to`.
#[inline(always)]
fn plane<S: Simd>(bytes: S::Bytes, from: u32, to: u32, mask: u8) -> S::Bytes {
    let moved = if from > to { S::down(bytes, from - to) } else { S::up(bytes, to - from) };
    S::mask(moved, mask << to)
}

/// What quants are multiplied with, and what is added then.
#[derive(Clone, Copy)]
pub struct Scales<S: Simd> {
    /// Factor of each row.
    pub scale: S::F32,
    /// Added, after the sign is taken into it; zeros where the type has none.
    pub min: S::F32,
}

/// Scales of half `half` of block `b` of a superblock, from its scales.
#[inline(always)]
pub fn scales<S: Simd, F: Format>(bytes: &[u8], b: usize, half: usize) -> Scales<S> {
    let layout = const { &F::LAYOUT };
    let block = layout.header_bytes() + b * layout.scale_bytes();
    let none = S::splat(0.0);
    match layout.scale {
        Scale::Block => Scales { scale: S::load_f16(array(bytes, block)), min: none },
        Scale::BlockMin => Scales {
            scale: S::load_f16(array(bytes, block)),
            min: S::load_f16(array(bytes, block + 2 * ROWS)),
        },
        Scale::Half => {
            let steps = S::load_i8(array(bytes, block + half * ROWS));
            Scales { scale: S::mul(S::load_f16(array(bytes, 0)), steps), min: none }
        }
        Scale::SuperMin | Scale::HalfMin => {
            let (steps, mins) = (block + half * ROWS, block + (layout.halves() + half) * ROWS);
            let min = S::mul(S::load_f16(array(bytes, 2 * ROWS)), S::load_u8(array(bytes, mins)));
            Scales {
                scale: S::mul(S::load_f16(array(bytes, 0)), S::load_u8(array(bytes, steps))),
                min: S::sub(none, min),
            }
        }
    }
}

on_level! {
    /// A group as numbers, `out` `[cols][8]`; bit for bit what the file's type stands for.
    pub fn group(form: Form, group: Group<'_>, out: &mut [f32]) = group_any
}

#[inline(always)]
fn group_any<S: Simd>(form: Form, group: Group<'_>, out: &mut [f32]) {
    match form {
        Form::Vector => {}
        Form::Numbers(DType::F32) => {
            for (to, from) in out.iter_mut().zip(group.main.as_chunks::<4>().0) {
                *to = f32::from_le_bytes(*from);
            }
        }
        Form::Numbers(dtype) => {
            for (to, from) in out.as_chunks_mut::<LANES>().0.iter_mut().zip(group.main.as_chunks::<16>().0) {
                let numbers = if dtype == DType::BF16 { S::load_bf16(from) } else { S::load_f16(from) };
                S::store(numbers, to);
            }
        }
        Form::Blocks(layout) => {
            let _ = with_format!(layout.dtype, blocks::<S>(group, out));
        }
    }
}

#[inline(always)]
fn blocks<S: Simd, F: Format>(group: Group<'_>, out: &mut [f32]) {
    let layout = const { &F::LAYOUT };
    let cols = out.len() / ROWS;
    let (all_scales, quants) = group.main.split_at(layout.group_scale_bytes(cols));
    let per_super = layout.blocks_per_super();
    for (index, out) in out.chunks_exact_mut(BLOCK * ROWS).enumerate() {
        let bytes = &all_scales[index / per_super * layout.super_bytes()..][..layout.super_bytes()];
        let block = &quants[index * layout.quant_bytes()..][..layout.quant_bytes()];
        for half in 0..layout.halves() {
            let Scales { scale, min } = scales::<S, F>(bytes, index % per_super, half);
            let width = QUADS / layout.halves();
            for p in half * width..(half + 1) * width {
                let quants = quad::<S, F>(block, p);
                for j in 0..4 {
                    let mut q = S::column(quants, j);
                    if layout.low {
                        let low = nibbles::<S>(&group.low[index * 4 * VECTOR..][..4 * VECTOR], p);
                        q = S::mul_add(q, S::splat(16.0), S::column(low, j));
                    }
                    let centred = S::sub(q, S::splat(layout.zero as f32));
                    let product = S::mul(scale, centred);
                    let weight = if layout.has_min() { S::add(product, min) } else { product };
                    if let Some(to) = out[(4 * p + j as usize) * ROWS..].first_chunk_mut::<LANES>() {
                        S::store(weight, to);
                    }
                }
            }
        }
    }
}

on_level! {
    /// Row `r` of a group as numbers.
    pub fn row(form: Form, group: Group<'_>, r: usize, out: &mut [f32]) = row_any
}

#[inline(always)]
fn row_any<S: Simd>(form: Form, group: Group<'_>, r: usize, out: &mut [f32]) {
    let mut numbers = vec![0.0; out.len() * ROWS];
    group_any::<S>(form, group, &mut numbers);
    for (to, column) in out.iter_mut().zip(numbers.chunks_exact(ROWS)) {
        *to = column[r];
    }
}
