//! The micro-kernels: unpack a run of quantisation blocks, and multiply a few rows with a few vectors.
//!
//! Each is plain Rust that the compiler turns into vector code, compiled once for the baseline (SSE2, `simd128`) and once for what
//! the processor is found to have. `unsafe` is only the call of the second.

use super::lanes::{self, Lanes};
use crate::formats::quant;
use crate::tensor::DType;

/// Instruction set found when the executor was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What every machine of the target has.
    Baseline,
    /// x86-64 with AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Level {
    /// The best level that this processor has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            return Level::Avx2;
        }
        Level::Baseline
    }

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "AVX2",
            Level::Baseline if cfg!(target_arch = "wasm32") => "simd128",
            Level::Baseline => "baseline",
        }
    }
}

/// Elements of [`Lanes`].
const LANES: usize = 8;

/// Rows of weights that one tile multiplies.
pub const TILE_ROWS: usize = 2;
/// Vectors that one tile multiplies them with.
pub const TILE_TOKENS: usize = 4;

/// Decodes whole blocks; the caller has checked that `out` has the elements of `bytes`.
pub fn unpack(level: Level, dtype: DType, bytes: &[u8], out: &mut [f32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `Level::Avx2` is only made by `detect`, which found AVX2, FMA and F16C.
        Level::Avx2 => unsafe { unpack_avx2(dtype, bytes, out) },
        Level::Baseline => unpack_any(dtype, bytes, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn unpack_avx2(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    unpack_any(dtype, bytes, out);
}

#[inline(always)]
fn unpack_any(dtype: DType, bytes: &[u8], out: &mut [f32]) {
    let decoded = quant::dequantise(dtype, bytes, out);
    debug_assert!(decoded.is_ok(), "lengths are checked when a weight is added");
}

/// Dot products of rows with vectors of `k` elements each: `out[r * vectors + t] = rows[r] · x[t]`.
pub fn dot_tile(level: Level, k: usize, rows: &[f32], x: &[f32], out: &mut [f32]) {
    match level {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Level::Avx2 => unsafe { dot_tile_avx2(k, rows, x, out) },
        Level::Baseline => dot_tile_any::<lanes::Baseline>(k, rows, x, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn dot_tile_avx2(k: usize, rows: &[f32], x: &[f32], out: &mut [f32]) {
    dot_tile_any::<lanes::Avx2>(k, rows, x, out);
}

/// One dot product.
pub fn dot(level: Level, a: &[f32], b: &[f32]) -> f32 {
    let mut out = [0.0];
    dot_tile(level, a.len(), a, b, &mut out);
    out[0]
}

#[inline(always)]
fn dot_tile_any<V: Lanes>(k: usize, rows: &[f32], x: &[f32], out: &mut [f32]) {
    let (n, m) = (rows.len() / k, x.len() / k);
    let mut r = 0;
    while r < n {
        // One vector has no columns to share loads with: more rows at once hide the latency of the sums instead.
        let height = match n - r {
            4.. if m == 1 => 4,
            TILE_ROWS.. => TILE_ROWS,
            _ => 1,
        };
        let mut t = 0;
        while t < m {
            let width = if m - t >= TILE_TOKENS { TILE_TOKENS } else { 1 };
            let (w, v) = (&rows[r * k..(r + height) * k], &x[t * k..(t + width) * k]);
            let target = &mut out[r * m + t..];
            match (height, width) {
                (4, _) => tile::<V, 4, 1>(k, w, v, m, target),
                (TILE_ROWS, TILE_TOKENS) => tile::<V, TILE_ROWS, TILE_TOKENS>(k, w, v, m, target),
                (TILE_ROWS, _) => tile::<V, TILE_ROWS, 1>(k, w, v, m, target),
                (_, TILE_TOKENS) => tile::<V, 1, TILE_TOKENS>(k, w, v, m, target),
                _ => tile::<V, 1, 1>(k, w, v, m, target),
            }
            t += width;
        }
        r += height;
    }
}

/// `out[r * stride + t]` for `R` rows and `T` vectors; the sums stay in registers.
#[inline(always)]
fn tile<V: Lanes, const R: usize, const T: usize>(
    k: usize,
    rows: &[f32],
    x: &[f32],
    stride: usize,
    out: &mut [f32],
) {
    let mut sums = [[V::zero(); T]; R];
    let w: [(&[[f32; LANES]], &[f32]); R] = std::array::from_fn(|r| rows[r * k..(r + 1) * k].as_chunks());
    let v: [(&[[f32; LANES]], &[f32]); T] = std::array::from_fn(|t| x[t * k..(t + 1) * k].as_chunks());
    for i in 0..k / LANES {
        let b: [V; T] = std::array::from_fn(|t| V::load(&v[t].0[i]));
        for r in 0..R {
            let a = V::load(&w[r].0[i]);
            for t in 0..T {
                sums[r][t] = sums[r][t].add_product(a, b[t]);
            }
        }
    }
    for r in 0..R {
        for t in 0..T {
            let [a, b, c, d, e, f, g, h] = sums[r][t].to_array();
            let whole = ((a + e) + (b + f)) + ((c + g) + (d + h));
            let rest = w[r].1.iter().zip(v[t].1).map(|(a, b)| a * b);
            out[r * stride + t] = rest.fold(whole, |sum, product| sum + product);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every tile shape against plain sums, and the baseline against the detected level, within rounding.
    #[test]
    fn tiles_equal_plain_sums() {
        for (n, m, k) in [(1, 1, 1), (1, 1, 7), (2, 4, 8), (3, 5, 33), (5, 1, 100), (1, 9, 64), (4, 8, 640)] {
            let mut rng = crate::kernel::case::SplitMix64(42);
            let rows: Vec<f32> = (0..n * k).map(|_| rng.next_unit()).collect();
            let x: Vec<f32> = (0..m * k).map(|_| rng.next_unit()).collect();
            for level in [Level::Baseline, Level::detect()] {
                let mut out = vec![f32::NAN; n * m];
                dot_tile(level, k, &rows, &x, &mut out);
                for r in 0..n {
                    for t in 0..m {
                        let products =
                            || (0..k).map(|i| f64::from(rows[r * k + i]) * f64::from(x[t * k + i]));
                        let exact: f64 = products().sum();
                        let bound = crate::kernel::gamma(k) * products().map(f64::abs).sum::<f64>();
                        let got = f64::from(out[r * m + t]);
                        assert!((got - exact).abs() <= bound, "{level:?} {n}x{m}x{k}: {got} vs {exact}");
                    }
                }
            }
        }
    }
}
