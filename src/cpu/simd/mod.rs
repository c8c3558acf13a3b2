//! Vectors of the processor, behind one trait: eight f32 lanes, and 32 bytes that hold four weights of each of eight rows.
//!
//! Micro-kernels are written once over [`Simd`] and compiled for each implementation: AVX2, `simd128` with and without the relaxed
//! instructions, and plain Rust. [`Level`] says which one this processor runs; the macro `on_level` makes the calls.

#[cfg(target_arch = "x86_64")]
mod avx2;
pub mod math;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod plain;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

#[cfg(target_arch = "x86_64")]
pub use avx2::{Avx2, Vnni};
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub use plain::Plain as Baseline;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub use wasm::Wasm as Baseline;

/// Four consecutive activations of one token, of magnitude 127 at most. `simd128` only multiplies 16-bit integers.
#[cfg(all(target_arch = "wasm32", not(target_feature = "relaxed-simd")))]
pub type Quad = [i16; 4];
/// Four consecutive activations of one token, of magnitude 127 at most.
#[cfg(not(all(target_arch = "wasm32", not(target_feature = "relaxed-simd"))))]
pub type Quad = [i8; 4];

/// Lanes of a vector: rows of a weight that are worked on together.
pub const LANES: usize = 8;

/// That this processor runs an instruction set: made by [`Level::detect`] alone, so that nobody can call what would trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level(InstructionSet);

/// What micro-kernels are compiled for. Naming one proves nothing: functions take a [`Level`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstructionSet {
    /// What every machine of the target has.
    Baseline,
    /// x86-64 with AVX2, FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// The same with AVX-512 VNNI, in registers of 256 bits.
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

impl Level {
    /// The best level that this processor has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
        {
            let vnni = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            return Level(if vnni { InstructionSet::Vnni } else { InstructionSet::Avx2 });
        }
        Level(InstructionSet::Baseline)
    }

    /// The instruction set that was found.
    pub fn instruction_set(self) -> InstructionSet {
        self.0
    }

    /// Rows of activations of a tile of f32 products: as many sums as there are registers for.
    pub fn tile(self) -> usize {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => Avx2::TILE,
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Vnni => Vnni::TILE,
            InstructionSet::Baseline => Baseline::TILE,
        }
    }

    /// Every level that this processor can run, so that tests see more than the best.
    #[cfg(test)]
    pub fn all() -> Vec<Self> {
        let best = Level::detect();
        #[cfg(target_arch = "x86_64")]
        let all = [InstructionSet::Baseline, InstructionSet::Avx2, InstructionSet::Vnni];
        #[cfg(not(target_arch = "x86_64"))]
        let all = [InstructionSet::Baseline];
        // A processor that has one of them has those before it.
        let end = all.iter().position(|set| *set == best.0).map_or(1, |at| at + 1);
        all[..end].iter().copied().map(Level).collect()
    }

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Vnni => "AVX-512 VNNI",
            InstructionSet::Baseline if cfg!(target_feature = "relaxed-simd") => "relaxed-simd",
            InstructionSet::Baseline if cfg!(target_arch = "wasm32") => "simd128",
            InstructionSet::Baseline => "baseline",
        }
    }
}

/// What micro-kernels are written in. All methods are inlined into a function that is compiled for the instruction set.
///
/// `Bytes` hold the same four columns of eight rows, row after row: what one [`Quad`] of activations is multiplied with.
pub trait Simd: Copy + 'static {
    /// Eight f32.
    type F32: Copy;
    /// Eight i32.
    type I32: Copy;
    /// 32 bytes: four unsigned weights of each of eight rows.
    type Bytes: Copy;
    /// Running sums of products of quads with `Bytes`, perhaps in 16 bits.
    type Sums: Copy;

    /// Whether [`Sums`](Simd::Sums) are 16 bits wide, so that they must be widened before they overflow.
    const NARROW_SUMS: bool;
    /// Whether there are registers for a tile of eight tokens, or of four.
    const WIDE: bool;
    /// Tokens of a tile of f32 products.
    const TILE: usize = if Self::WIDE { 8 } else { 4 };
    /// Sums in f32 that a product may have, beside what it reads.
    const SUMS: usize;

    /// The same number in every lane.
    fn splat(x: f32) -> Self::F32;
    /// Eight numbers.
    fn load(from: &[f32; LANES]) -> Self::F32;
    /// Writes eight numbers.
    fn store(x: Self::F32, to: &mut [f32; LANES]);
    /// Eight numbers from f16.
    fn load_f16(from: &[u8; 16]) -> Self::F32;
    /// Eight numbers from bf16.
    fn load_bf16(from: &[u8; 16]) -> Self::F32;
    /// Eight numbers from unsigned bytes.
    fn load_u8(from: &[u8; LANES]) -> Self::F32;
    /// Eight numbers from signed bytes.
    fn load_i8(from: &[u8; LANES]) -> Self::F32;
    /// Sums.
    fn add(a: Self::F32, b: Self::F32) -> Self::F32;
    /// Differences.
    fn sub(a: Self::F32, b: Self::F32) -> Self::F32;
    /// Products.
    fn mul(a: Self::F32, b: Self::F32) -> Self::F32;
    /// `a * b + c`, rounded once where the processor can.
    fn mul_add(a: Self::F32, b: Self::F32, c: Self::F32) -> Self::F32;
    /// Quotients.
    fn div(a: Self::F32, b: Self::F32) -> Self::F32;
    /// The larger numbers; `b` where either is NaN.
    fn max(a: Self::F32, b: Self::F32) -> Self::F32;
    /// The smaller numbers; `b` where either is NaN.
    fn min(a: Self::F32, b: Self::F32) -> Self::F32;
    /// Magnitudes.
    fn abs(a: Self::F32) -> Self::F32;
    /// The larger of magnitudes, by their bits: those of infinity are above those of all numbers, and those of NaN above infinity's,
    /// so that neither is lost.
    fn max_magnitude(a: Self::F32, b: Self::F32) -> Self::F32;
    /// To the nearest integer, ties to even.
    fn round(a: Self::F32) -> Self::F32;
    /// `2^n` for whole numbers `n` in -126..=127.
    fn exp2_whole(n: Self::F32) -> Self::F32;

    /// The sum of the lanes of each of eight vectors.
    #[inline(always)]
    fn sum_each(vectors: [Self::F32; LANES]) -> Self::F32 {
        let mut sums = [0.0; LANES];
        for (sum, vector) in sums.iter_mut().zip(vectors) {
            *sum = sum_lanes::<Self>(vector);
        }
        Self::load(&sums)
    }

    /// Eight vectors as a matrix, turned: lane `i` of vector `j` is lane `j` of vector `i`.
    #[inline(always)]
    fn transpose(vectors: [Self::F32; LANES]) -> [Self::F32; LANES] {
        let mut rows = [[0.0; LANES]; LANES];
        for (row, vector) in rows.iter_mut().zip(vectors) {
            Self::store(vector, row);
        }
        let mut turned = vectors;
        for (column, turned) in turned.iter_mut().enumerate() {
            *turned = Self::load(&rows.map(|row| row[column]));
        }
        turned
    }

    /// 32 bytes.
    fn bytes(from: &[u8; 32]) -> Self::Bytes;
    /// Writes 32 bytes.
    fn store_bytes(x: Self::Bytes, to: &mut [u8; 32]);
    /// Bytes with only the bits of `mask`.
    fn mask(x: Self::Bytes, mask: u8) -> Self::Bytes;
    /// Bits of either.
    fn or(a: Self::Bytes, b: Self::Bytes) -> Self::Bytes;
    /// Bits of each byte moved down by `n`; the upper ones are undefined and to be masked.
    fn down(x: Self::Bytes, n: u32) -> Self::Bytes;
    /// Bits of each byte moved up by `n`; the lower ones are undefined and to be masked.
    fn up(x: Self::Bytes, n: u32) -> Self::Bytes;
    /// Column `j` (0..4) of each row as a number.
    fn column(x: Self::Bytes, j: u32) -> Self::F32;

    /// No products.
    fn no_sums() -> Self::Sums;
    /// `sums[row] += Σ_j weights[row][j] · quad[j]`. Weights are below 128.
    fn add_products(sums: Self::Sums, weights: Self::Bytes, quad: Quad) -> Self::Sums;
    /// The sum of each row.
    fn whole(sums: Self::Sums) -> Self::I32;
    /// The same integer in every lane.
    fn splat_i32(x: i32) -> Self::I32;
    /// Sums.
    fn add_i32(a: Self::I32, b: Self::I32) -> Self::I32;
    /// `x · 2^N`.
    fn shift_i32<const N: u32>(x: Self::I32) -> Self::I32;
    /// To f32.
    fn to_f32(x: Self::I32) -> Self::F32;
}

/// The sum of eight lanes, in a fixed order.
#[inline(always)]
pub fn sum_lanes<S: Simd>(x: S::F32) -> f32 {
    let mut lanes = [0.0; LANES];
    S::store(x, &mut lanes);
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (b + f)) + ((c + g) + (d + h))
}

/// The largest of eight magnitudes: NaN if there is one, else infinity if there is one.
#[inline(always)]
pub fn max_magnitude_lanes<S: Simd>(x: S::F32) -> f32 {
    let mut lanes = [0.0; LANES];
    S::store(x, &mut lanes);
    f32::from_bits(lanes.into_iter().fold(0, |largest, lane| lane.to_bits().max(largest)))
}

/// The largest of eight lanes that are numbers.
#[inline(always)]
pub fn max_lanes<S: Simd>(x: S::F32) -> f32 {
    let mut lanes = [0.0; LANES];
    S::store(x, &mut lanes);
    lanes.into_iter().fold(f32::MIN, f32::max)
}

/// Defines `fn name(level, ...)` that runs `body::<S>(...)`, compiled for the level. The body and all it calls must be inlined.
macro_rules! on_level {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name(level: $crate::cpu::simd::Level, $($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            #[allow(clippy::too_many_arguments)]
            fn avx2($($arg: $ty),*) $(-> $ret)? {
                $body::<$crate::cpu::simd::Avx2>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512vl,avx512vnni")]
            #[allow(clippy::too_many_arguments)]
            fn vnni($($arg: $ty),*) $(-> $ret)? {
                $body::<$crate::cpu::simd::Vnni>($($arg),*)
            }
            match level.instruction_set() {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a level is only made by `detect`, which found AVX-512 F, VL and VNNI beside these.
                $crate::cpu::simd::InstructionSet::Vnni => unsafe { vnni($($arg),*) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: a level is only made by `detect`, which found AVX2, FMA and F16C.
                $crate::cpu::simd::InstructionSet::Avx2 => unsafe { avx2($($arg),*) },
                $crate::cpu::simd::InstructionSet::Baseline => $body::<$crate::cpu::simd::Baseline>($($arg),*),
            }
        }
    };
}
pub(crate) use on_level;
