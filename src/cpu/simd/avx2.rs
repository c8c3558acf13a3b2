//! x86-64 with AVX2, FMA and F16C, and what AVX-512 VNNI adds to it: one instruction for the products of bytes, in 32-bit sums.
//!
//! `unsafe` here is only the call of an intrinsic: every method is inlined into a function that `on_level` compiles for these
//! features and that runs only where they were found; loads and stores go through references to arrays of their size.

use std::arch::x86_64::*;

use super::{LANES, Quad, Simd};

/// One register for eight f32, and one for 32 bytes; `VNNI` for the processors that have it in registers of 256 bits.
#[derive(Clone, Copy)]
pub struct X86<const VNNI: bool>;

/// Without VNNI.
pub type Avx2 = X86<false>;
/// With it.
pub type Vnni = X86<true>;

/// Runs intrinsics.
macro_rules! vector {
    ($($call:tt)*) => {
        // SAFETY: as the head of this file says.
        unsafe { $($call)* }
    };
}

impl<const VNNI: bool> Simd for X86<VNNI> {
    type F32 = __m256;
    type I32 = __m256i;
    type Bytes = __m256i;
    /// Sixteen i16, two for each row, of two columns each; with VNNI eight i32.
    type Sums = __m256i;

    const NARROW_SUMS: bool = !VNNI;
    const WIDE: bool = true;
    /// AVX-512 has 32 registers, also of 256 bits.
    const SUMS: usize = if VNNI { 16 } else { 8 };

    #[inline(always)]
    fn splat(x: f32) -> __m256 {
        vector!(_mm256_set1_ps(x))
    }

    #[inline(always)]
    fn load(from: &[f32; LANES]) -> __m256 {
        vector!(_mm256_loadu_ps(from.as_ptr()))
    }

    #[inline(always)]
    fn store(x: __m256, to: &mut [f32; LANES]) {
        vector!(_mm256_storeu_ps(to.as_mut_ptr(), x));
    }

    #[inline(always)]
    fn load_f16(from: &[u8; 16]) -> __m256 {
        vector!(_mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().cast())))
    }

    #[inline(always)]
    fn load_bf16(from: &[u8; 16]) -> __m256 {
        vector! {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
        }
    }

    #[inline(always)]
    fn load_u8(from: &[u8; LANES]) -> __m256 {
        vector!(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.as_ptr().cast()))))
    }

    #[inline(always)]
    fn load_i8(from: &[u8; LANES]) -> __m256 {
        vector!(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(from.as_ptr().cast()))))
    }

    #[inline(always)]
    fn add(a: __m256, b: __m256) -> __m256 {
        vector!(_mm256_add_ps(a, b))
    }

    #[inline(always)]
    fn sub(a: __m256, b: __m256) -> __m256 {
        vector!(_mm256_sub_ps(a, b))
    }

    #[inline(always)]
    fn mul(a: __m256, b: __m256) -> __m256 {
        vector!(_mm256_mul_ps(a, b))
    }

    #[inline(always)]
    fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        vector!(_mm256_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn div(a: __m256, b: __m256) -> __m256 {
        vector!(_mm256_div_ps(a, b))
    }

    #[inline(always)]
    fn max(a: __m256, b: __m256) -> __m256 {
        vector!(_mm256_max_ps(a, b))
    }

    #[inline(always)]
    fn min(a: __m256, b: __m256) -> __m256 {
        vector!(_mm256_min_ps(a, b))
    }

    #[inline(always)]
    fn abs(a: __m256) -> __m256 {
        vector!(_mm256_andnot_ps(_mm256_set1_ps(-0.0), a))
    }

    #[inline(always)]
    fn max_magnitude(a: __m256, b: __m256) -> __m256 {
        vector!(_mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))))
    }

    #[inline(always)]
    fn round(a: __m256) -> __m256 {
        vector!(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a))
    }

    #[inline(always)]
    fn exp2_whole(n: __m256) -> __m256 {
        vector! {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }

    /// Neighbours first, then pairs, then halves.
    #[inline(always)]
    fn sum_each(vectors: [__m256; LANES]) -> __m256 {
        let [a, b, c, d, e, f, g, h] = vectors;
        vector! {
            let four = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
            let rest = _mm256_hadd_ps(_mm256_hadd_ps(e, f), _mm256_hadd_ps(g, h));
            let low = _mm256_permute2f128_ps::<0x20>(four, rest);
            let high = _mm256_permute2f128_ps::<0x31>(four, rest);
            _mm256_add_ps(low, high)
        }
    }

    /// Numbers, pairs and halves change places, in this order.
    #[inline(always)]
    fn transpose(vectors: [__m256; LANES]) -> [__m256; LANES] {
        let [a, b, c, d, e, f, g, h] = vectors;
        vector! {
            let pairs = |a, b| (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
            let fours = |(a, b): (__m256, __m256), (c, d): (__m256, __m256)| [
                _mm256_shuffle_ps::<0x44>(a, c),
                _mm256_shuffle_ps::<0xEE>(a, c),
                _mm256_shuffle_ps::<0x44>(b, d),
                _mm256_shuffle_ps::<0xEE>(b, d),
            ];
            let [a, b, c, d] = fours(pairs(a, b), pairs(c, d));
            let [e, f, g, h] = fours(pairs(e, f), pairs(g, h));
            let low = |a, b| _mm256_permute2f128_ps::<0x20>(a, b);
            let high = |a, b| _mm256_permute2f128_ps::<0x31>(a, b);
            [low(a, e), low(b, f), low(c, g), low(d, h), high(a, e), high(b, f), high(c, g), high(d, h)]
        }
    }

    #[inline(always)]
    fn bytes(from: &[u8; 32]) -> __m256i {
        vector!(_mm256_loadu_si256(from.as_ptr().cast()))
    }

    #[inline(always)]
    fn store_bytes(x: __m256i, to: &mut [u8; 32]) {
        vector!(_mm256_storeu_si256(to.as_mut_ptr().cast(), x));
    }

    #[inline(always)]
    fn mask(x: __m256i, mask: u8) -> __m256i {
        vector!(_mm256_and_si256(x, _mm256_set1_epi8(mask as i8)))
    }

    #[inline(always)]
    fn or(a: __m256i, b: __m256i) -> __m256i {
        vector!(_mm256_or_si256(a, b))
    }

    #[inline(always)]
    fn down(x: __m256i, n: u32) -> __m256i {
        vector!(_mm256_srl_epi16(x, _mm_cvtsi32_si128(n as i32)))
    }

    #[inline(always)]
    fn up(x: __m256i, n: u32) -> __m256i {
        vector!(_mm256_sll_epi16(x, _mm_cvtsi32_si128(n as i32)))
    }

    #[inline(always)]
    fn column(x: __m256i, j: u32) -> __m256 {
        vector! {
            let low = _mm256_srl_epi32(x, _mm_cvtsi32_si128(8 * j as i32));
            _mm256_cvtepi32_ps(_mm256_and_si256(low, _mm256_set1_epi32(0xff)))
        }
    }

    #[inline(always)]
    fn no_sums() -> __m256i {
        vector!(_mm256_setzero_si256())
    }

    #[inline(always)]
    fn add_products(sums: __m256i, weights: __m256i, quad: Quad) -> __m256i {
        vector! {
            let quads = _mm256_set1_epi32(i32::from_le_bytes(quad.map(|q| q as u8)));
            if VNNI {
                _mm256_dpbusd_epi32(sums, weights, quads)
            } else {
                _mm256_add_epi16(sums, _mm256_maddubs_epi16(weights, quads))
            }
        }
    }

    #[inline(always)]
    fn whole(sums: __m256i) -> __m256i {
        if VNNI { sums } else { vector!(_mm256_madd_epi16(sums, _mm256_set1_epi16(1))) }
    }

    #[inline(always)]
    fn splat_i32(x: i32) -> __m256i {
        vector!(_mm256_set1_epi32(x))
    }

    #[inline(always)]
    fn add_i32(a: __m256i, b: __m256i) -> __m256i {
        vector!(_mm256_add_epi32(a, b))
    }

    #[inline(always)]
    fn shift_i32<const N: u32>(x: __m256i) -> __m256i {
        vector!(_mm256_sll_epi32(x, _mm_cvtsi32_si128(N as i32)))
    }

    #[inline(always)]
    fn to_f32(x: __m256i) -> __m256 {
        vector!(_mm256_cvtepi32_ps(x))
    }
}
