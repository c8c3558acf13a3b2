//! From the file's blocks to the layout of [`super::layout`].

use super::layout::{BLOCK, Layout, QUADS, ROWS, Scale, VECTOR};
use crate::formats::quant::Fields;

/// Packs one group. `rows` holds the file's bytes of up to eight rows; rows that are missing become zeros.
pub fn pack_group(layout: &Layout, rows: &[u8], row_bytes: usize, group: &mut [u8], low: &mut [u8]) {
    let per_super = layout.blocks_per_super();
    let supers = row_bytes / layout.dtype.block_bytes();
    let (scales, quants) = group.split_at_mut(supers * layout.super_bytes());
    let mut fields = Fields::default();
    for (r, row) in rows.chunks_exact(row_bytes).enumerate() {
        let blocks = row.chunks_exact(layout.dtype.block_bytes());
        for (s, (bytes, scales)) in blocks.zip(scales.chunks_exact_mut(layout.super_bytes())).enumerate() {
            fields.read(layout.dtype, bytes);
            pack_scales(layout, &fields, r, scales);
            for (b, block) in fields.quants.chunks_exact(BLOCK).take(per_super).enumerate() {
                let at = s * per_super + b;
                let words: [u32; QUADS] = std::array::from_fn(|p| {
                    u32::from_le_bytes([block[4 * p], block[4 * p + 1], block[4 * p + 2], block[4 * p + 3]])
                });
                let target = &mut quants[at * layout.quant_bytes()..][..layout.quant_bytes()];
                if layout.low {
                    pack_nibbles(&words.map(|word| word >> 4), r, target);
                    pack_nibbles(&words, r, &mut low[at * 4 * VECTOR..][..4 * VECTOR]);
                } else {
                    pack_planes(layout, &words, r, target);
                }
            }
        }
    }
}

/// Scales of row `r` of one superblock.
fn pack_scales(layout: &Layout, fields: &Fields, r: usize, out: &mut [u8]) {
    let mut half_float = |at: usize, bytes: [u8; 2]| out[at + 2 * r..at + 2 * r + 2].copy_from_slice(&bytes);
    half_float(0, fields.scale);
    if layout.has_min() {
        half_float(2 * ROWS, fields.min);
    }
    let header = layout.header_bytes();
    let parts = layout.halves();
    for (b, block) in out[header..].chunks_exact_mut(layout.scale_bytes()).enumerate() {
        match layout.scale {
            Scale::Block | Scale::BlockMin => {}
            Scale::SuperMin | Scale::Half | Scale::HalfMin => {
                for part in 0..parts {
                    block[part * ROWS + r] = fields.scales[b * parts + part];
                    if layout.has_min() {
                        block[(parts + part) * ROWS + r] = fields.mins[b * parts + part];
                    }
                }
            }
        }
    }
}

fn pack_planes(layout: &Layout, words: &[u32; QUADS], r: usize, out: &mut [u8]) {
    let mut above = 0;
    if layout.nibbles {
        pack_nibbles(words, r, out);
        above = 4;
    }
    if layout.pairs {
        for u in 0..2 {
            let word = (0..4).fold(0, |word, f| word | (words[4 * u + f] >> above & 0x0303_0303) << (2 * f));
            write(out, layout.pairs_at() + u * VECTOR, r, word);
        }
        above += 2;
    }
    if layout.singles {
        let word = (0..QUADS).fold(0, |word, p| word | (words[p] >> above & 0x0101_0101) << p);
        write(out, layout.singles_at(), r, word);
    }
}

/// The lower nibbles of all words.
fn pack_nibbles(words: &[u32; QUADS], r: usize, out: &mut [u8]) {
    for v in 0..4 {
        let word = words[v] & 0x0f0f_0f0f | (words[v + 4] & 0x0f0f_0f0f) << 4;
        write(out, v * VECTOR, r, word);
    }
}

fn write(out: &mut [u8], vector: usize, r: usize, word: u32) {
    out[vector + 4 * r..vector + 4 * r + 4].copy_from_slice(&word.to_le_bytes());
}

/// Packs a group of plain numbers of `SIZE` bytes: column after column, the eight rows of each together.
pub fn pack_numbers<const SIZE: usize>(rows: &[u8], row_bytes: usize, group: &mut [u8]) {
    let columns = group.as_chunks_mut::<SIZE>().0;
    for (r, row) in rows.chunks_exact(row_bytes).enumerate() {
        for (column, number) in columns.chunks_exact_mut(ROWS).zip(row.as_chunks::<SIZE>().0) {
            column[r] = *number;
        }
    }
}
