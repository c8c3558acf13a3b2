//! Encoders of the 256-element block types: what [`ksearch`](super::ksearch) finds, packed. Layouts: see `kquants`.

use super::ksearch::{BLOCK, Ranged, Signed, ranged, signed};

pub(super) fn encode_q2_k(values: &[f32; BLOCK]) -> [u8; 84] {
    let Ranged { d, dmin, groups, q } = ranged::<16>(values, 3.0, 15.0);
    let mut block = [0; 84];
    for (byte, (s, m)) in block.iter_mut().zip(groups) {
        *byte = s | m << 4;
    }
    put_two_bits(&q, &mut block[16..80]);
    block[80..82].copy_from_slice(&d.to_le_bytes());
    block[82..84].copy_from_slice(&dmin.to_le_bytes());
    block
}

pub(super) fn encode_q3_k(values: &[f32; BLOCK]) -> [u8; 110] {
    let Signed { d, s, q } = signed(values, 4.0, 31.0);
    let mut block = [0; 110];
    for (e, q) in q.iter().enumerate() {
        block[e % 32] |= (q >> 2) << (e / 32);
    }
    put_two_bits(&q, &mut block[32..96]);
    for (g, s) in s.iter().enumerate() {
        let stored = (s + 32) as u8;
        block[96 + g % 8] |= (stored & 0x0f) << (g / 8 * 4);
        block[104 + g % 4] |= (stored >> 4) << (g / 4 * 2);
    }
    block[108..110].copy_from_slice(&d.to_le_bytes());
    block
}

pub(super) fn encode_q4_k(values: &[f32; BLOCK]) -> [u8; 144] {
    let ranged = ranged::<8>(values, 15.0, 63.0);
    let mut block = [0; 144];
    put_scales(&ranged, &mut block);
    put_nibbles(&ranged.q, &mut block[16..]);
    block
}

pub(super) fn encode_q5_k(values: &[f32; BLOCK]) -> [u8; 176] {
    let ranged = ranged::<8>(values, 31.0, 63.0);
    let mut block = [0; 176];
    put_scales(&ranged, &mut block);
    for (e, q) in ranged.q.iter().enumerate() {
        block[16 + e % 32] |= (q >> 4) << (e / 32);
    }
    put_nibbles(&ranged.q, &mut block[48..]);
    block
}

pub(super) fn encode_q6_k(values: &[f32; BLOCK]) -> [u8; 210] {
    let Signed { d, s, q } = signed(values, 32.0, 127.0);
    let mut block = [0; 210];
    for (e, q) in q.iter().enumerate() {
        let (h, k, l) = (e / 128, e % 128 / 32, e % 32);
        block[64 * h + 32 * (k % 2) + l] |= (q & 0x0f) << (k / 2 * 4);
        block[128 + 32 * h + l] |= (q >> 4) << (2 * k);
    }
    for (byte, s) in block[192..208].iter_mut().zip(s) {
        *byte = s as u8;
    }
    block[208..210].copy_from_slice(&d.to_le_bytes());
    block
}

/// The low two bits of each quant, in the order of Q2_K and Q3_K.
fn put_two_bits(q: &[u8; BLOCK], out: &mut [u8]) {
    for (e, q) in q.iter().enumerate() {
        out[e / 128 * 32 + e % 32] |= (q & 0x03) << (e % 128 / 32 * 2);
    }
}

/// The low four bits of each quant, in the order of Q4_K and Q5_K.
fn put_nibbles(q: &[u8; BLOCK], out: &mut [u8]) {
    for (e, q) in q.iter().enumerate() {
        out[e / 64 * 32 + e % 32] |= (q & 0x0f) << (e / 32 % 2 * 4);
    }
}

/// d, dmin and the twelve bytes of 6-bit scales and minimums, the first sixteen bytes of Q4_K and Q5_K.
fn put_scales(ranged: &Ranged<8>, block: &mut [u8]) {
    block[0..2].copy_from_slice(&ranged.d.to_le_bytes());
    block[2..4].copy_from_slice(&ranged.dmin.to_le_bytes());
    let packed = &mut block[4..16];
    for (g, (s, m)) in ranged.groups.iter().enumerate() {
        if g < 4 {
            packed[g] |= s;
            packed[g + 4] |= m;
        } else {
            packed[g + 4] |= s & 0x0f | m << 4;
            packed[g - 4] |= s >> 4 << 6;
            packed[g] |= m >> 4 << 6;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::formats::quant::{dequantise, quantise};
    use crate::tensor::DType;

    /// Root mean square error of a round trip over the root mean square of the values.
    fn relative_error(dtype: DType, values: &[f32]) -> f64 {
        let mut bytes = Vec::new();
        quantise(dtype, values, &mut bytes).unwrap();
        let mut back = vec![0.0; values.len()];
        dequantise(dtype, &bytes, &mut back).unwrap();
        let square = |pairs: &mut dyn Iterator<Item = f32>| pairs.map(|x| f64::from(x).powi(2)).sum::<f64>();
        let error = square(&mut values.iter().zip(&back).map(|(x, y)| x - y));
        (error / square(&mut values.iter().copied())).sqrt()
    }

    /// A step over the square root of 12 is the error of rounding to a grid. For values spread evenly over
    /// -1..1 a group's range is nearly 2, in 2^bits - 1 steps, and their root mean square is 1/sqrt(3): the
    /// error should be 1 / (2^bits - 1). Half as much again is left for the rounding of the group scales.
    #[test]
    fn a_round_trip_errs_by_the_width_of_a_step() {
        let mut state = 1u32;
        let mut uniform = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f32::from((state >> 16) as u16) / 32_768.0 - 1.0
        };
        let values: Vec<f32> = (0..256 * 40).map(|_| uniform()).collect();
        for (dtype, bits) in
            [(DType::Q2_K, 2), (DType::Q3_K, 3), (DType::Q4_K, 4), (DType::Q5_K, 5), (DType::Q6_K, 6)]
        {
            let step = 1.0 / f64::from((1 << bits) - 1);
            for scale in [1.0, 0.02, 300.0] {
                let scaled: Vec<f32> = values.iter().map(|x| x * scale).collect();
                let error = relative_error(dtype, &scaled);
                assert!(error < 1.5 * step && error > 0.5 * step, "{dtype} x {scale}: {error}, step {step}");
            }
        }
    }

    #[test]
    fn zeros_and_one_sided_values_survive() {
        for dtype in [DType::Q2_K, DType::Q3_K, DType::Q4_K, DType::Q5_K, DType::Q6_K] {
            let mut bytes = Vec::new();
            quantise(dtype, &[0.0; 256], &mut bytes).unwrap();
            let mut back = [1.0; 256];
            dequantise(dtype, &bytes, &mut back).unwrap();
            assert_eq!(back, [0.0; 256], "{dtype}");
            for value in [0.7, -0.7] {
                assert!(relative_error(dtype, &[value; 256]) < 0.01, "{dtype} {value}");
            }
        }
    }
}
