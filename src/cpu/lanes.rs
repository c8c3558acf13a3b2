//! Eight F32 lanes: one AVX2 register, two `simd128` ones, or an array. What the tile in [`super::simd`] is written in.

/// Eight sums or factors.
pub trait Lanes: Copy {
    /// Zeros.
    fn zero() -> Self;
    /// The eight elements.
    fn load(from: &[f32; 8]) -> Self;
    /// `self + a * b`.
    fn add_product(self, a: Self, b: Self) -> Self;
    /// The elements.
    fn to_array(self) -> [f32; 8];
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain {
    /// Eight elements as the compiler sees fit.
    #[derive(Clone, Copy)]
    pub struct Plain([f32; 8]);

    impl super::Lanes for Plain {
        #[inline(always)]
        fn zero() -> Self {
            Plain([0.0; 8])
        }

        #[inline(always)]
        fn load(from: &[f32; 8]) -> Self {
            Plain(*from)
        }

        #[inline(always)]
        fn add_product(mut self, a: Self, b: Self) -> Self {
            for ((sum, a), b) in self.0.iter_mut().zip(a.0).zip(b.0) {
                *sum += a * b;
            }
            self
        }

        #[inline(always)]
        fn to_array(self) -> [f32; 8] {
            self.0
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{__m256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps};

    /// One AVX2 register, multiplied and added in one instruction.
    ///
    /// Only to be used inside a function compiled for `avx2,fma`, where every method is inlined.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256);

    impl super::Lanes for Avx2 {
        #[inline(always)]
        fn zero() -> Self {
            // SAFETY: as the type says, the caller is compiled for AVX2.
            Avx2(unsafe { _mm256_setzero_ps() })
        }

        #[inline(always)]
        fn load(from: &[f32; 8]) -> Self {
            // SAFETY: as above; eight elements lie behind the reference, and the load is unaligned.
            Avx2(unsafe { _mm256_loadu_ps(from.as_ptr()) })
        }

        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            // SAFETY: as above, with FMA.
            Avx2(unsafe { _mm256_fmadd_ps(a.0, b.0, self.0) })
        }

        #[inline(always)]
        fn to_array(self) -> [f32; 8] {
            let mut out = [0.0; 8];
            // SAFETY: as above; `out` has room for eight elements.
            unsafe { _mm256_storeu_ps(out.as_mut_ptr(), self.0) };
            out
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::Avx2;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm {
    use std::arch::wasm32::{f32x4, f32x4_add, f32x4_extract_lane, f32x4_mul, v128};

    /// Two `simd128` registers.
    #[derive(Clone, Copy)]
    pub struct Simd128(v128, v128);

    impl super::Lanes for Simd128 {
        #[inline(always)]
        fn zero() -> Self {
            Simd128(f32x4(0.0, 0.0, 0.0, 0.0), f32x4(0.0, 0.0, 0.0, 0.0))
        }

        #[inline(always)]
        fn load(from: &[f32; 8]) -> Self {
            let [a, b, c, d, e, f, g, h] = *from;
            Simd128(f32x4(a, b, c, d), f32x4(e, f, g, h))
        }

        #[inline(always)]
        fn add_product(self, a: Self, b: Self) -> Self {
            Simd128(f32x4_add(self.0, f32x4_mul(a.0, b.0)), f32x4_add(self.1, f32x4_mul(a.1, b.1)))
        }

        #[inline(always)]
        fn to_array(self) -> [f32; 8] {
            let lanes = |v: v128| {
                [
                    f32x4_extract_lane::<0>(v),
                    f32x4_extract_lane::<1>(v),
                    f32x4_extract_lane::<2>(v),
                    f32x4_extract_lane::<3>(v),
                ]
            };
            let ([a, b, c, d], [e, f, g, h]) = (lanes(self.0), lanes(self.1));
            [a, b, c, d, e, f, g, h]
        }
    }
}

/// What code without run-time detection uses.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::Simd128 as Baseline;

/// What code without run-time detection uses.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub use plain::Plain as Baseline;
