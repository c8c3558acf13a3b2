//! The 32-element block types: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
//!
//! Where quants are nibbles, byte `j` of the 16 holds element `j` in its low half and element
//! `j + 16` in its high half.

use super::half_at;
use half::f16;

/// Elements of a block.
const BLOCK: usize = 32;
/// Elements per half: the low nibbles hold the first half, the high nibbles the second.
const HALF: usize = 16;

/// Q4_0, 18 bytes: `0..2` scale d (f16), `2..18` nibbles q. w = d (q - 8).
pub(super) fn q4_0(block: &[u8; 18], out: &mut [f32; BLOCK]) {
    let d = half_at(block, 0);
    for (j, byte) in block[2..].iter().enumerate() {
        out[j] = d * (i32::from(byte & 0x0f) - 8) as f32;
        out[j + HALF] = d * (i32::from(byte >> 4) - 8) as f32;
    }
}

/// Q4_1, 20 bytes: `0..2` scale d (f16), `2..4` minimum m (f16), `4..20` nibbles q. w = d q + m.
pub(super) fn q4_1(block: &[u8; 20], out: &mut [f32; BLOCK]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    for (j, byte) in block[4..].iter().enumerate() {
        out[j] = d * f32::from(byte & 0x0f) + m;
        out[j + HALF] = d * f32::from(byte >> 4) + m;
    }
}

/// Q5_0, 22 bytes: `0..2` scale d (f16), `2..6` fifth bits (u32, bit e is element e's),
/// `6..22` nibbles. q = nibble + 16 fifth bit, w = d (q - 16).
pub(super) fn q5_0(block: &[u8; 22], out: &mut [f32; BLOCK]) {
    let d = half_at(block, 0);
    let high = u32::from_le_bytes([block[2], block[3], block[4], block[5]]);
    for (j, byte) in block[6..].iter().enumerate() {
        let (low_q, high_q) = five_bits(*byte, high, j);
        out[j] = d * (low_q as i32 - 16) as f32;
        out[j + HALF] = d * (high_q as i32 - 16) as f32;
    }
}

/// Q5_1, 24 bytes: `0..2` scale d (f16), `2..4` minimum m (f16), `4..8` fifth bits (u32, as in Q5_0),
/// `8..24` nibbles. w = d q + m.
pub(super) fn q5_1(block: &[u8; 24], out: &mut [f32; BLOCK]) {
    let (d, m) = (half_at(block, 0), half_at(block, 2));
    let high = u32::from_le_bytes([block[4], block[5], block[6], block[7]]);
    for (j, byte) in block[8..].iter().enumerate() {
        let (low_q, high_q) = five_bits(*byte, high, j);
        out[j] = d * low_q as f32 + m;
        out[j + HALF] = d * high_q as f32 + m;
    }
}

/// Q8_0, 34 bytes: `0..2` scale d (f16), `2..34` quants q (i8). w = d q.
pub(super) fn q8_0(block: &[u8; 34], out: &mut [f32; BLOCK]) {
    let d = half_at(block, 0);
    for (x, byte) in out.iter_mut().zip(&block[2..]) {
        *x = d * f32::from(*byte as i8);
    }
}

/// The 5-bit quants of elements `j` and `j + 16`.
fn five_bits(nibbles: u8, high: u32, j: usize) -> (u32, u32) {
    let low_q = u32::from(nibbles & 0x0f) | (high >> j & 1) << 4;
    let high_q = u32::from(nibbles >> 4) | (high >> (j + HALF) & 1) << 4;
    (low_q, high_q)
}

/// Q4_0: the value of largest magnitude maps to quant 0, so the scale carries its sign.
pub(super) fn encode_q4_0(values: &[f32; BLOCK]) -> [u8; 18] {
    let (d, q) = signed_quants(values, 8.0);
    let mut block = [0; 18];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    pack_nibbles(&q, &mut block[2..]);
    block
}

/// Q4_1: the range from minimum to maximum in 15 steps.
pub(super) fn encode_q4_1(values: &[f32; BLOCK]) -> [u8; 20] {
    let (d, m, q) = ranged_quants(values, 15.0);
    let mut block = [0; 20];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    block[2..4].copy_from_slice(&f16::from_f32(m).to_le_bytes());
    pack_nibbles(&q, &mut block[4..]);
    block
}

/// Q5_0: as Q4_0 with 32 levels.
pub(super) fn encode_q5_0(values: &[f32; BLOCK]) -> [u8; 22] {
    let (d, q) = signed_quants(values, 16.0);
    let mut block = [0; 22];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    block[2..6].copy_from_slice(&fifth_bits(&q).to_le_bytes());
    pack_nibbles(&q, &mut block[6..]);
    block
}

/// Q5_1: as Q4_1 with 31 steps.
pub(super) fn encode_q5_1(values: &[f32; BLOCK]) -> [u8; 24] {
    let (d, m, q) = ranged_quants(values, 31.0);
    let mut block = [0; 24];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    block[2..4].copy_from_slice(&f16::from_f32(m).to_le_bytes());
    block[4..8].copy_from_slice(&fifth_bits(&q).to_le_bytes());
    pack_nibbles(&q, &mut block[8..]);
    block
}

/// Q8_0: the largest magnitude maps to 127; halves round away from zero.
pub(super) fn encode_q8_0(values: &[f32; BLOCK]) -> [u8; 34] {
    let largest = values.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let d = largest / 127.0;
    let inverse = reciprocal(d);
    let mut block = [0; 34];
    block[..2].copy_from_slice(&f16::from_f32(d).to_le_bytes());
    for (byte, x) in block[2..].iter_mut().zip(values) {
        *byte = (x * inverse).round() as i8 as u8;
    }
    block
}

/// Scale and quants `0..2 zero` of the types without a minimum; `zero` is the quant that stands for 0.
fn signed_quants(values: &[f32; BLOCK], zero: f32) -> (f32, [u8; BLOCK]) {
    let extreme = values.iter().fold(0.0f32, |extreme, &x| if x.abs() > extreme.abs() { x } else { extreme });
    let d = extreme / -zero;
    let inverse = reciprocal(d);
    (d, values.map(|x| (x * inverse + (zero + 0.5)).clamp(0.0, 2.0 * zero - 1.0) as u8))
}

/// Scale, minimum and quants `0..=steps` of the types with a minimum.
fn ranged_quants(values: &[f32; BLOCK], steps: f32) -> (f32, f32, [u8; BLOCK]) {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let min = values.iter().copied().fold(f32::INFINITY, f32::min);
    let d = (max - min) / steps;
    let inverse = reciprocal(d);
    (d, min, values.map(|x| ((x - min) * inverse + 0.5).clamp(0.0, steps) as u8))
}

/// 1/d, or 0 for the scale of a block of equal values.
fn reciprocal(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// Writes the low four bits of each quant in the order of the nibbles described above.
fn pack_nibbles(q: &[u8; BLOCK], out: &mut [u8]) {
    let (low, high) = q.split_at(HALF);
    for ((byte, low), high) in out.iter_mut().zip(low).zip(high) {
        *byte = low & 0x0f | high << 4;
    }
}

/// Bit e is bit 4 of element e's quant.
fn fifth_bits(q: &[u8; BLOCK]) -> u32 {
    q.iter().enumerate().fold(0, |bits, (e, q)| bits | u32::from(q >> 4 & 1) << e)
}
