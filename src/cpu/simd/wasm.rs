//! WebAssembly's `simd128`, with the relaxed instructions where the build has them: the one vector type holds four rows, so that
//! everything here is a pair of them.
//!
//! `unsafe` is only the load or store through the pointer of a reference to an array of its size.

use std::arch::wasm32::*;

use super::{LANES, Quad, Simd};

/// Pairs of `v128`.
#[derive(Clone, Copy)]
pub struct Wasm;

type Pair = [v128; 2];

#[inline(always)]
fn load(from: &[u8; 16]) -> v128 {
    // SAFETY: 16 bytes lie behind the reference, and the load is unaligned.
    unsafe { v128_load(from.as_ptr().cast()) }
}

#[inline(always)]
fn both(a: Pair, f: impl Fn(v128) -> v128) -> Pair {
    [f(a[0]), f(a[1])]
}

#[inline(always)]
fn each(a: Pair, b: Pair, f: impl Fn(v128, v128) -> v128) -> Pair {
    [f(a[0], b[0]), f(a[1], b[1])]
}

/// Four f16 in 32 bits each to f32, exact for all of them, without arithmetic on subnormal f32 (which is slow on some processors).
#[inline(always)]
fn f16_to_f32(h: v128) -> v128 {
    let magnitude = u32x4_shl(v128_and(h, u32x4_splat(0x7fff)), 13);
    let normal = u32x4_add(magnitude, u32x4_splat(112 << 23));
    // m · 2^-24 as (1 + m / 1024) · 2^-14 - 2^-14.
    let bias = u32x4_splat(113 << 23);
    let subnormal = f32x4_sub(u32x4_add(magnitude, bias), bias);
    let is_subnormal = i32x4_lt(magnitude, i32x4_splat(1 << 23));
    let finite = v128_bitselect(subnormal, normal, is_subnormal);
    // Infinities and NaNs keep their mantissa under the largest exponent.
    let special = i32x4_gt(magnitude, i32x4_splat((31 << 23) - 1));
    let value = v128_or(finite, v128_and(special, u32x4_splat(255 << 23)));
    v128_or(value, u32x4_shl(v128_and(h, u32x4_splat(0x8000)), 16))
}

impl Simd for Wasm {
    type F32 = Pair;
    type I32 = Pair;
    type Bytes = Pair;

    /// Eight i16 a vector: two for each row.
    #[cfg(target_feature = "relaxed-simd")]
    type Sums = Pair;
    #[cfg(target_feature = "relaxed-simd")]
    const NARROW_SUMS: bool = true;

    /// Four i32 a vector: two for each row.
    #[cfg(not(target_feature = "relaxed-simd"))]
    type Sums = [v128; 4];
    #[cfg(not(target_feature = "relaxed-simd"))]
    const NARROW_SUMS: bool = false;

    const WIDE: bool = false;
    const SUMS: usize = 8;

    #[inline(always)]
    fn splat(x: f32) -> Pair {
        [f32x4_splat(x); 2]
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> Pair {
        let pointer: *const v128 = from.as_ptr().cast();
        // SAFETY: eight f32 lie behind the reference, and the loads are unaligned.
        unsafe { [v128_load(pointer), v128_load(pointer.add(1))] }
    }

    #[inline(always)]
    fn store(x: Pair, to: &mut [f32; LANES]) {
        let pointer: *mut v128 = to.as_mut_ptr().cast();
        // SAFETY: as in `load`.
        unsafe {
            v128_store(pointer, x[0]);
            v128_store(pointer.add(1), x[1]);
        }
    }

    #[inline(always)]
    fn load_f16(from: &[u8; 16]) -> Pair {
        let halves = load(from);
        both([u32x4_extend_low_u16x8(halves), u32x4_extend_high_u16x8(halves)], f16_to_f32)
    }

    #[inline(always)]
    fn load_bf16(from: &[u8; 16]) -> Pair {
        let halves = load(from);
        both([u32x4_extend_low_u16x8(halves), u32x4_extend_high_u16x8(halves)], |x| u32x4_shl(x, 16))
    }

    #[inline(always)]
    fn load_u8(from: &[u8; LANES]) -> Pair {
        let wide = u16x8_extend_low_u8x16(u64x2(u64::from_le_bytes(*from), 0));
        both([u32x4_extend_low_u16x8(wide), u32x4_extend_high_u16x8(wide)], |x| f32x4_convert_i32x4(x))
    }

    #[inline(always)]
    fn load_i8(from: &[u8; LANES]) -> Pair {
        let wide = i16x8_extend_low_i8x16(u64x2(u64::from_le_bytes(*from), 0));
        both([i32x4_extend_low_i16x8(wide), i32x4_extend_high_i16x8(wide)], |x| f32x4_convert_i32x4(x))
    }

    #[inline(always)]
    fn add(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| f32x4_add(a, b))
    }

    #[inline(always)]
    fn sub(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| f32x4_sub(a, b))
    }

    #[inline(always)]
    fn mul(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| f32x4_mul(a, b))
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn mul_add(a: Pair, b: Pair, c: Pair) -> Pair {
        [f32x4_relaxed_madd(a[0], b[0], c[0]), f32x4_relaxed_madd(a[1], b[1], c[1])]
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn mul_add(a: Pair, b: Pair, c: Pair) -> Pair {
        Self::add(Self::mul(a, b), c)
    }

    #[inline(always)]
    fn div(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| f32x4_div(a, b))
    }

    /// `pmax(x, y)` is `x < y ? y : x`, so that the first of its operands is what comes of a NaN.
    #[inline(always)]
    fn max(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| f32x4_pmax(b, a))
    }

    #[inline(always)]
    fn min(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| f32x4_pmin(b, a))
    }

    #[inline(always)]
    fn abs(a: Pair) -> Pair {
        both(a, |a| f32x4_abs(a))
    }

    #[inline(always)]
    fn max_magnitude(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| i32x4_max(a, b))
    }

    #[inline(always)]
    fn round(a: Pair) -> Pair {
        both(a, |a| f32x4_nearest(a))
    }

    #[inline(always)]
    fn exp2_whole(n: Pair) -> Pair {
        both(n, |n| i32x4_shl(i32x4_add(i32x4_trunc_sat_f32x4(n), i32x4_splat(127)), 23))
    }

    #[inline(always)]
    fn bytes(from: &[u8; 32]) -> Pair {
        let pointer: *const v128 = from.as_ptr().cast();
        // SAFETY: 32 bytes lie behind the reference, and the loads are unaligned.
        unsafe { [v128_load(pointer), v128_load(pointer.add(1))] }
    }

    #[inline(always)]
    fn store_bytes(x: Pair, to: &mut [u8; 32]) {
        let pointer: *mut v128 = to.as_mut_ptr().cast();
        // SAFETY: as in `bytes`.
        unsafe {
            v128_store(pointer, x[0]);
            v128_store(pointer.add(1), x[1]);
        }
    }

    #[inline(always)]
    fn mask(x: Pair, mask: u8) -> Pair {
        both(x, |x| v128_and(x, u8x16_splat(mask)))
    }

    #[inline(always)]
    fn or(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| v128_or(a, b))
    }

    #[inline(always)]
    fn down(x: Pair, n: u32) -> Pair {
        both(x, |x| u16x8_shr(x, n))
    }

    #[inline(always)]
    fn up(x: Pair, n: u32) -> Pair {
        both(x, |x| u16x8_shl(x, n))
    }

    #[inline(always)]
    fn column(x: Pair, j: u32) -> Pair {
        both(x, |x| f32x4_convert_i32x4(v128_and(u32x4_shr(x, 8 * j), u32x4_splat(0xff))))
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn no_sums() -> Pair {
        [i16x8_splat(0); 2]
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn no_sums() -> [v128; 4] {
        [i32x4_splat(0); 4]
    }

    /// The second operand of the relaxed product lies in 0..=127, where all implementations agree.
    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn add_products(sums: Pair, weights: Pair, quad: Quad) -> Pair {
        let quads = i32x4_splat(i32::from_le_bytes(quad.map(|q| q as u8)));
        each(sums, weights, |sum, weights| i16x8_add(sum, i16x8_relaxed_dot_i8x16_i7x16(quads, weights)))
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn add_products(sums: [v128; 4], weights: Pair, quad: Quad) -> [v128; 4] {
        let quads = i64x2_splat(bytemuck::cast(quad));
        let [a, b] = weights;
        let rows = [
            u16x8_extend_low_u8x16(a),
            u16x8_extend_high_u8x16(a),
            u16x8_extend_low_u8x16(b),
            u16x8_extend_high_u8x16(b),
        ];
        std::array::from_fn(|i| i32x4_add(sums[i], i32x4_dot_i16x8(rows[i], quads)))
    }

    #[cfg(target_feature = "relaxed-simd")]
    #[inline(always)]
    fn whole(sums: Pair) -> Pair {
        both(sums, |sums| i32x4_extadd_pairwise_i16x8(sums))
    }

    #[cfg(not(target_feature = "relaxed-simd"))]
    #[inline(always)]
    fn whole(sums: [v128; 4]) -> Pair {
        let pair = |a, b| i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(a, b), i32x4_shuffle::<1, 3, 5, 7>(a, b));
        [pair(sums[0], sums[1]), pair(sums[2], sums[3])]
    }

    #[inline(always)]
    fn splat_i32(x: i32) -> Pair {
        [i32x4_splat(x); 2]
    }

    #[inline(always)]
    fn add_i32(a: Pair, b: Pair) -> Pair {
        each(a, b, |a, b| i32x4_add(a, b))
    }

    #[inline(always)]
    fn shift_i32<const N: u32>(x: Pair) -> Pair {
        both(x, |x| i32x4_shl(x, N))
    }

    #[inline(always)]
    fn to_f32(x: Pair) -> Pair {
        both(x, |x| f32x4_convert_i32x4(x))
    }
}
