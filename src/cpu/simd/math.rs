//! Functions of eight lanes that no processor has an instruction for.

use super::Simd;

/// `e^x`, within 2 units in the last place; `x` is cut to -87..=88, where the result is neither 0 nor infinite. NaN stays NaN.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2` (Cody and Waite's two-part ln 2, "Software Manual for the Elementary Functions", 1980), and
/// the Taylor series of `e^r`, whose first dropped term is below 2^-27.
#[inline(always)]
pub fn exp<S: Simd>(x: S::F32) -> S::F32 {
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let low = S::splat(-87.0);
    let x = S::min(S::splat(88.0), x);
    let kept = S::max(low, x);
    let n = S::round(S::mul(kept, S::splat(std::f32::consts::LOG2_E)));
    let r = S::mul_add(n, S::splat(-LN2_HIGH), kept);
    let r = S::mul_add(n, S::splat(-LN2_LOW), r);
    let mut series = S::splat(1.0 / 5040.0);
    for term in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = S::mul_add(series, r, S::splat(term));
    }
    S::mul(series, S::exp2_whole(n))
}
