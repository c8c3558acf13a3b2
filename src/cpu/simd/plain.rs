//! Plain Rust, for processors without one of the other instruction sets; the compiler vectorises what it can.

use half::{bf16, f16};

use super::{LANES, Quad, Simd};

/// Arrays.
#[derive(Clone, Copy)]
pub struct Plain;

type Lanes = [f32; LANES];

#[inline(always)]
fn each<T: Copy, U: Copy>(a: [T; LANES], b: [T; LANES], f: impl Fn(T, T) -> U) -> [U; LANES] {
    std::array::from_fn(|i| f(a[i], b[i]))
}

#[inline(always)]
fn pairs(from: &[u8; 16]) -> [[u8; 2]; LANES] {
    std::array::from_fn(|i| [from[2 * i], from[2 * i + 1]])
}

impl Simd for Plain {
    type F32 = Lanes;
    type I32 = [i32; LANES];
    type Bytes = [u8; 32];
    type Sums = [i32; LANES];

    const NARROW_SUMS: bool = false;
    const WIDE: bool = false;
    const SUMS: usize = 8;

    #[inline(always)]
    fn splat(x: f32) -> Lanes {
        [x; LANES]
    }

    #[inline(always)]
    fn load(from: &Lanes) -> Lanes {
        *from
    }

    #[inline(always)]
    fn store(x: Lanes, to: &mut Lanes) {
        *to = x;
    }

    #[inline(always)]
    fn load_f16(from: &[u8; 16]) -> Lanes {
        pairs(from).map(|bytes| f16::from_le_bytes(bytes).to_f32())
    }

    #[inline(always)]
    fn load_bf16(from: &[u8; 16]) -> Lanes {
        pairs(from).map(|bytes| bf16::from_le_bytes(bytes).to_f32())
    }

    #[inline(always)]
    fn load_u8(from: &[u8; LANES]) -> Lanes {
        from.map(f32::from)
    }

    #[inline(always)]
    fn load_i8(from: &[u8; LANES]) -> Lanes {
        from.map(|byte| f32::from(byte as i8))
    }

    #[inline(always)]
    fn add(a: Lanes, b: Lanes) -> Lanes {
        each(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(a: Lanes, b: Lanes) -> Lanes {
        each(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(a: Lanes, b: Lanes) -> Lanes {
        each(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn mul_add(a: Lanes, b: Lanes, c: Lanes) -> Lanes {
        Self::add(Self::mul(a, b), c)
    }

    #[inline(always)]
    fn div(a: Lanes, b: Lanes) -> Lanes {
        each(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn max(a: Lanes, b: Lanes) -> Lanes {
        each(a, b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(a: Lanes, b: Lanes) -> Lanes {
        each(a, b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn abs(a: Lanes) -> Lanes {
        a.map(f32::abs)
    }

    #[inline(always)]
    fn max_magnitude(a: Lanes, b: Lanes) -> Lanes {
        each(a, b, |a, b| f32::from_bits(a.to_bits().max(b.to_bits())))
    }

    #[inline(always)]
    fn round(a: Lanes) -> Lanes {
        a.map(f32::round_ties_even)
    }

    #[inline(always)]
    fn exp2_whole(n: Lanes) -> Lanes {
        n.map(|n| f32::from_bits(((n as i32 + 127) as u32) << 23))
    }

    #[inline(always)]
    fn bytes(from: &[u8; 32]) -> [u8; 32] {
        *from
    }

    #[inline(always)]
    fn store_bytes(x: [u8; 32], to: &mut [u8; 32]) {
        *to = x;
    }

    #[inline(always)]
    fn mask(x: [u8; 32], mask: u8) -> [u8; 32] {
        x.map(|byte| byte & mask)
    }

    #[inline(always)]
    fn or(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
        std::array::from_fn(|i| a[i] | b[i])
    }

    #[inline(always)]
    fn down(x: [u8; 32], n: u32) -> [u8; 32] {
        x.map(|byte| byte >> n)
    }

    #[inline(always)]
    fn up(x: [u8; 32], n: u32) -> [u8; 32] {
        x.map(|byte| byte << n)
    }

    #[inline(always)]
    fn column(x: [u8; 32], j: u32) -> Lanes {
        std::array::from_fn(|row| f32::from(x[4 * row + j as usize]))
    }

    #[inline(always)]
    fn no_sums() -> [i32; LANES] {
        [0; LANES]
    }

    #[inline(always)]
    fn add_products(sums: [i32; LANES], weights: [u8; 32], quad: Quad) -> [i32; LANES] {
        std::array::from_fn(|row| {
            (0..4).fold(sums[row], |sum, j| sum + i32::from(weights[4 * row + j]) * i32::from(quad[j]))
        })
    }

    #[inline(always)]
    fn whole(sums: [i32; LANES]) -> [i32; LANES] {
        sums
    }

    #[inline(always)]
    fn splat_i32(x: i32) -> [i32; LANES] {
        [x; LANES]
    }

    #[inline(always)]
    fn add_i32(a: [i32; LANES], b: [i32; LANES]) -> [i32; LANES] {
        each(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn shift_i32<const N: u32>(x: [i32; LANES]) -> [i32; LANES] {
        x.map(|x| x << N)
    }

    #[inline(always)]
    fn to_f32(x: [i32; LANES]) -> Lanes {
        x.map(|x| x as f32)
    }
}
