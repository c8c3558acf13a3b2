//! The 256-element block types (superblocks): Q2_K, Q3_K, Q4_K, Q5_K, Q6_K.
//!
//! A superblock has one or two f16 scales for all of it and a small integer scale (and minimum) for
//! each group of 16 or 32 elements. In the formulas `e` is the element, `g` its group.

use super::half_at;

/// Elements of a superblock.
const BLOCK: usize = 256;
/// Elements that share a scale in Q2_K, Q3_K and Q6_K. The loops go through whole groups, so that they become vector code.
const GROUP: usize = 16;

/// Q2_K, 84 bytes: `0..16` one byte a group of 16 (low nibble scale s, high nibble minimum m),
/// `16..80` 2-bit quants, `80..82` d (f16), `82..84` dmin (f16). w = d s q - dmin m.
///
/// Quants: each half of the superblock (128 elements) has 32 bytes; bits `2k..2k+2` of byte `l`
/// are element `32k + l` of the half.
pub(super) fn q2_k(block: &[u8; 84], out: &mut [f32; BLOCK]) {
    let (d, dmin) = (half_at(block, 80), half_at(block, 82));
    for (g, group) in out.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let scale = d * f32::from(block[g] & 0x0f);
        let min = dmin * f32::from(block[g] >> 4);
        let (bytes, shift) = two_bits(&block[16..80], g);
        for (x, byte) in group.iter_mut().zip(bytes) {
            *x = scale * f32::from(byte >> shift & 0x03) - min;
        }
    }
}

/// Q3_K, 110 bytes: `0..32` third bits, `32..96` low 2 bits (as in Q2_K), `96..108` sixteen 6-bit
/// group scales s, `108..110` d (f16). w = d (s - 32) (q - 4), q = low bits + 4 third bit.
///
/// Third bits: bit `e / 32` of byte `e % 32`. Scales: the low nibbles of bytes 0..8 are the low four
/// bits of groups 0..8, their high nibbles those of groups 8..16; bits `2k..2k+2` of byte `8 + i` are
/// the top two of group `4k + i`.
pub(super) fn q3_k(block: &[u8; 110], out: &mut [f32; BLOCK]) {
    let d = half_at(block, 108);
    let mut scales = [0.0f32; 16];
    for (g, scale) in scales.iter_mut().enumerate() {
        *scale = d * f32::from(q3_scale(&block[96..108], g));
    }
    for (g, group) in out.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let (bytes, shift) = two_bits(&block[32..96], g);
        let thirds = &block[g % 2 * GROUP..];
        for ((x, byte), third) in group.iter_mut().zip(bytes).zip(thirds) {
            let q = (byte >> shift & 0x03 | (third >> (g / 2) & 1) << 2) as i8 - 4;
            *x = scales[g] * f32::from(q);
        }
    }
}

/// Q4_K, 144 bytes: `0..2` d (f16), `2..4` dmin (f16), `4..16` eight 6-bit group scales s and minimums
/// m (see [`scale_min`]), `16..144` nibbles. w = d s q - dmin m, groups of 32.
///
/// Nibbles: byte `32k + l` holds element `64k + l` in its low half, element `64k + 32 + l` in its high half.
pub(super) fn q4_k(block: &[u8; 144], out: &mut [f32; BLOCK]) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let (packed, quants) = block[4..].split_at(12);
    for (g, group) in out.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_min(packed, g);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        for (x, byte) in group.iter_mut().zip(&quants[g / 2 * 32..]) {
            let q = byte >> (g % 2 * 4) & 0x0f;
            *x = scale * f32::from(q) - min;
        }
    }
}

/// Q5_K, 176 bytes: `0..2` d (f16), `2..4` dmin (f16), `4..16` scales and minimums as in Q4_K,
/// `16..48` fifth bits, `48..176` nibbles as in Q4_K. w = d s q - dmin m, q = nibble + 16 fifth bit.
///
/// Fifth bits: bit `g` of byte `l` belongs to element `32g + l`.
pub(super) fn q5_k(block: &[u8; 176], out: &mut [f32; BLOCK]) {
    let (d, dmin) = (half_at(block, 0), half_at(block, 2));
    let (packed, rest) = block[4..].split_at(12);
    let (high, quants) = rest.split_at(32);
    for (g, group) in out.chunks_exact_mut(32).enumerate() {
        let (scale, min) = scale_min(packed, g);
        let (scale, min) = (d * f32::from(scale), dmin * f32::from(min));
        for ((x, byte), fifth) in group.iter_mut().zip(&quants[g / 2 * 32..]).zip(high) {
            let q = byte >> (g % 2 * 4) & 0x0f | (fifth >> g & 1) << 4;
            *x = scale * f32::from(q) - min;
        }
    }
}

/// Q6_K, 210 bytes: `0..128` low nibbles, `128..192` top two bits, `192..208` group scales s (i8, groups
/// of 16), `208..210` d (f16). w = d s (q - 32), q = nibble + 16 top bits.
///
/// With element `128h + 32k + l` (h half, k quarter 0..4, l 0..32): its nibble is in byte
/// `64h + 32 (k % 2) + l`, low half for k < 2, high half otherwise; its top bits are bits `2k..2k+2`
/// of byte `32h + l`.
pub(super) fn q6_k(block: &[u8; 210], out: &mut [f32; BLOCK]) {
    let d = half_at(block, 208);
    let (low, rest) = block.split_at(128);
    let (top, scales) = rest.split_at(64);
    for (g, group) in out.as_chunks_mut::<GROUP>().0.iter_mut().enumerate() {
        let (h, k, first) = (g / 8, g / 2 % 4, g % 2 * GROUP);
        let scale = d * f32::from(scales[g] as i8);
        let nibbles = &low[64 * h + 32 * (k % 2) + first..];
        for ((x, nibble), top) in group.iter_mut().zip(nibbles).zip(&top[32 * h + first..]) {
            let q = nibble >> (k / 2 * 4) & 0x0f | (top >> (2 * k) & 0x03) << 4;
            *x = scale * f32::from(q as i8 - 32);
        }
    }
}

/// The 16 bytes that hold the two bits of group `g` of Q2_K and Q3_K, and how far they are to be shifted.
fn two_bits(quants: &[u8], g: usize) -> (&[u8], usize) {
    (&quants[g / 8 * 32 + g % 2 * GROUP..][..GROUP], g / 2 % 4 * 2)
}

/// `s - 32` of group `g` (0..16) from the 12 packed bytes of Q3_K.
pub(super) fn q3_scale(packed: &[u8], g: usize) -> i8 {
    let low = packed[g % 8] >> (g / 8 * 4) & 0x0f;
    let top = packed[8 + g % 4] >> (g / 4 * 2) & 0x03;
    (low | top << 4) as i8 - 32
}

/// Scale and minimum of group `g` (0..8) from the 12 packed bytes of Q4_K and Q5_K, 6 bits each.
///
/// Groups 0..4: scale in the low six bits of byte `g`, minimum in those of byte `g + 4`. Groups 4..8:
/// the low four bits in byte `g + 4` (scale low nibble, minimum high nibble), the top two bits of the
/// scale on top of byte `g - 4`, those of the minimum on top of byte `g`.
pub(super) fn scale_min(packed: &[u8], g: usize) -> (u8, u8) {
    if g < 4 {
        (packed[g] & 0x3f, packed[g + 4] & 0x3f)
    } else {
        let low = packed[g + 4];
        (low & 0x0f | packed[g - 4] >> 6 << 4, low >> 4 | packed[g] >> 6 << 4)
    }
}
