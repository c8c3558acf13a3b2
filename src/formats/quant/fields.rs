//! The integer fields of a block: its quants one byte each, its scales as the file has them.

use super::kquants::{q3_scale, scale_min};
use crate::tensor::DType;

/// What a block says, before anything is multiplied. `w = scale · scales[g] · (q - zero) ± min · mins[g]`, with the parts that the type
/// has (see the formulas in `legacy` and `kquants`).
#[derive(Clone, Debug)]
pub struct Fields {
    /// Bytes of the f16 scale.
    pub scale: [u8; 2],
    /// Bytes of the f16 minimum, or of the factor on minimums.
    pub min: [u8; 2],
    /// Scale of each group of a K type; signed in Q3_K and Q6_K.
    pub scales: [u8; 16],
    /// Minimum of each group.
    pub mins: [u8; 16],
    /// Unsigned quants, as many as the block has elements. Q8_0's are `q + 128`.
    pub quants: [u8; 256],
}

impl Default for Fields {
    fn default() -> Self {
        Fields { scale: [0; 2], min: [0; 2], scales: [0; 16], mins: [0; 16], quants: [0; 256] }
    }
}

impl Fields {
    /// Reads one block; nothing happens for a type that has none, or where bytes are missing.
    pub fn read(&mut self, dtype: DType, block: &[u8]) {
        if block.len() != dtype.block_bytes() {
            return;
        }
        let pair = |at: usize| [block[at], block[at + 1]];
        match dtype {
            DType::Q4_0 | DType::Q4_1 | DType::Q5_0 | DType::Q5_1 => {
                self.scale = pair(0);
                let has_min = matches!(dtype, DType::Q4_1 | DType::Q5_1);
                let mut at = 2;
                if has_min {
                    self.min = pair(2);
                    at = 4;
                }
                let mut high = 0;
                if matches!(dtype, DType::Q5_0 | DType::Q5_1) {
                    high = u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
                    at += 4;
                }
                let (lower, upper) = self.quants[..32].split_at_mut(16);
                for (j, byte) in block[at..at + 16].iter().enumerate() {
                    lower[j] = (byte & 0x0f) | ((high >> j & 1) as u8) << 4;
                    upper[j] = (byte >> 4) | ((high >> (j + 16) & 1) as u8) << 4;
                }
            }
            DType::Q8_0 => {
                self.scale = pair(0);
                for (q, byte) in self.quants.iter_mut().zip(&block[2..]) {
                    *q = byte ^ 0x80;
                }
            }
            DType::Q2_K => {
                (self.scale, self.min) = (pair(80), pair(82));
                for ((scale, min), byte) in self.scales.iter_mut().zip(&mut self.mins).zip(block) {
                    (*scale, *min) = (byte & 0x0f, byte >> 4);
                }
                self.two_bits(&block[16..80]);
            }
            DType::Q3_K => {
                self.scale = pair(108);
                for (g, scale) in self.scales.iter_mut().enumerate() {
                    *scale = q3_scale(&block[96..108], g) as u8;
                }
                self.two_bits(&block[32..96]);
                for (g, group) in self.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                    for (q, byte) in group.iter_mut().zip(&block[..32]) {
                        *q |= (byte >> g & 1) << 2;
                    }
                }
            }
            DType::Q4_K | DType::Q5_K => {
                (self.scale, self.min) = (pair(0), pair(2));
                for g in 0..8 {
                    (self.scales[g], self.mins[g]) = scale_min(&block[4..16], g);
                }
                let nibbles = if dtype == DType::Q4_K { &block[16..] } else { &block[48..] };
                for (g, group) in self.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                    for (q, byte) in group.iter_mut().zip(&nibbles[g / 2 * 32..]) {
                        *q = byte >> (g % 2 * 4) & 0x0f;
                    }
                    if dtype == DType::Q5_K {
                        for (q, byte) in group.iter_mut().zip(&block[16..48]) {
                            *q |= (byte >> g & 1) << 4;
                        }
                    }
                }
            }
            DType::Q6_K => {
                self.scale = pair(208);
                self.scales.copy_from_slice(&block[192..208]);
                for (g, group) in self.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
                    let (h, k) = (g / 4, g % 4);
                    let nibbles = &block[64 * h + 32 * (k % 2)..][..32];
                    let top = &block[128 + 32 * h..][..32];
                    for ((q, nibble), top) in group.iter_mut().zip(nibbles).zip(top) {
                        *q = nibble >> (k / 2 * 4) & 0x0f | (top >> (2 * k) & 0x03) << 4;
                    }
                }
            }
            DType::F32 | DType::F16 | DType::BF16 | DType::U32 => {}
        }
    }

    /// The 2-bit quants of Q2_K and Q3_K: bits `2k..2k+2` of byte `l` of each half are element `32k + l` of the half.
    fn two_bits(&mut self, bytes: &[u8]) {
        for (g, group) in self.quants.as_chunks_mut::<32>().0.iter_mut().enumerate() {
            for (q, byte) in group.iter_mut().zip(&bytes[g / 4 * 32..]) {
                *q = byte >> (g % 4 * 2) & 0x03;
            }
        }
    }
}
