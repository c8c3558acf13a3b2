//! Blocks repacked into planes, so that WGSL reads aligned u32 words.
//!
//! A storage buffer is read in 32-bit words and most block sizes are not a multiple of four bytes, so
//! those types go to the GPU as planes: all quant bytes of a run of blocks, then all high bits, then
//! all scales, each plane contiguous. No bit moves within a field, the planes of a run take exactly the
//! bytes of its blocks, and a block's part of a plane starts at `block * bytes_per_block`.

use super::{QuantError, whole_blocks};
use crate::tensor::DType;

/// One plane of a repacked type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// What it holds: `quants`, `high`, `scales`, `scale`, ...
    pub name: &'static str,
    /// Bytes that one block contributes.
    pub bytes_per_block: usize,
    /// Where these bytes begin in the file's block.
    offset: usize,
}

/// A row of the tables below; `offset` is the field's place in the file's block.
const fn plane(name: &'static str, bytes_per_block: usize, offset: usize) -> Plane {
    Plane { name, bytes_per_block, offset }
}

const Q4_0: &[Plane] = &[plane("quants", 16, 2), plane("scale", 2, 0)];
const Q4_1: &[Plane] = &[plane("quants", 16, 4), plane("scales", 4, 0)];
const Q5_0: &[Plane] = &[plane("quants", 16, 6), plane("high", 4, 2), plane("scale", 2, 0)];
const Q5_1: &[Plane] = &[plane("quants", 16, 8), plane("high", 4, 4), plane("scales", 4, 0)];
const Q8_0: &[Plane] = &[plane("quants", 32, 2), plane("scale", 2, 0)];
const Q2_K: &[Plane] = &[plane("quants", 64, 16), plane("scales", 16, 0), plane("d_dmin", 4, 80)];
const Q3_K: &[Plane] =
    &[plane("quants", 64, 32), plane("hmask", 32, 0), plane("scales", 12, 96), plane("d", 2, 108)];
const Q6_K: &[Plane] =
    &[plane("ql", 128, 0), plane("qh", 64, 128), plane("scales", 16, 192), plane("d", 2, 208)];

/// The planes that the GPU layout of `dtype` has, in buffer order; empty where the file's bytes stay
/// as they are (plain types, and Q4_K and Q5_K whose blocks are a multiple of 16 bytes).
pub const fn planes(dtype: DType) -> &'static [Plane] {
    match dtype {
        DType::Q4_0 => Q4_0,
        DType::Q4_1 => Q4_1,
        DType::Q5_0 => Q5_0,
        DType::Q5_1 => Q5_1,
        DType::Q8_0 => Q8_0,
        DType::Q2_K => Q2_K,
        DType::Q3_K => Q3_K,
        DType::Q6_K => Q6_K,
        DType::F32 | DType::F16 | DType::BF16 | DType::U32 | DType::Q4_K | DType::Q5_K => &[],
    }
}

/// Splits consecutive whole `blocks` into one buffer a plane: `out[p]` takes
/// `blocks * planes(dtype)[p].bytes_per_block` bytes.
pub fn split_blocks(dtype: DType, blocks: &[u8], out: &mut [&mut [u8]]) -> Result<(), QuantError> {
    let lengths = out.iter().map(|plane| plane.len());
    check(dtype, "split_blocks", blocks.len(), lengths)?;
    for (plane, buffer) in planes(dtype).iter().zip(out) {
        let parts = buffer.chunks_exact_mut(plane.bytes_per_block);
        for (block, part) in blocks.chunks_exact(dtype.block_bytes()).zip(parts) {
            part.copy_from_slice(&block[plane.offset..plane.offset + plane.bytes_per_block]);
        }
    }
    Ok(())
}

/// The inverse of [`split_blocks`]: the file's bytes from the planes.
pub fn join_blocks(dtype: DType, planes_in: &[&[u8]], blocks: &mut [u8]) -> Result<(), QuantError> {
    let lengths = planes_in.iter().map(|plane| plane.len());
    check(dtype, "join_blocks", blocks.len(), lengths)?;
    for (plane, buffer) in planes(dtype).iter().zip(planes_in) {
        let parts = buffer.chunks_exact(plane.bytes_per_block);
        for (block, part) in blocks.chunks_exact_mut(dtype.block_bytes()).zip(parts) {
            block[plane.offset..plane.offset + plane.bytes_per_block].copy_from_slice(part);
        }
    }
    Ok(())
}

/// That the block bytes are whole blocks and every plane buffer has the length they need.
fn check(
    dtype: DType,
    operation: &'static str,
    block_bytes: usize,
    mut lengths: impl ExactSizeIterator<Item = usize>,
) -> Result<(), QuantError> {
    let planes = planes(dtype);
    if planes.is_empty() {
        return Err(QuantError::Unsupported { operation, dtype });
    }
    let blocks = whole_blocks(operation, dtype, block_bytes)?;
    for (index, plane) in planes.iter().enumerate() {
        let (expected, got) = (blocks * plane.bytes_per_block, lengths.next().unwrap_or(0));
        if expected != got {
            return Err(QuantError::Plane { operation, dtype, plane: index, expected, got });
        }
    }
    match lengths.next() {
        Some(got) => Err(QuantError::Plane { operation, dtype, plane: planes.len(), expected: 0, got }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_tile_the_block() {
        for dtype in DType::WEIGHTS {
            let mut fields: Vec<_> =
                planes(dtype).iter().map(|p| (p.offset, p.offset + p.bytes_per_block)).collect();
            fields.sort_unstable();
            let mut end = 0;
            for (from, to) in &fields {
                assert_eq!(*from, end, "{dtype}: fields leave no gap and don't overlap");
                end = *to;
            }
            assert!(fields.is_empty() || end == dtype.block_bytes(), "{dtype}");
            assert!(!fields.is_empty() || dtype.block_bytes() % 16 == 0 || dtype.block_elements() == 1);
        }
    }

    #[test]
    fn planes_join_back_to_the_file_bytes() {
        for dtype in DType::WEIGHTS.into_iter().filter(|d| !planes(*d).is_empty()) {
            let blocks = 5;
            let file: Vec<u8> = (0..blocks * dtype.block_bytes()).map(|i| (i * 31 % 251) as u8).collect();
            let mut buffers: Vec<_> =
                planes(dtype).iter().map(|p| vec![0; p.bytes_per_block * blocks]).collect();
            let mut slices: Vec<&mut [u8]> = buffers.iter_mut().map(Vec::as_mut_slice).collect();
            split_blocks(dtype, &file, &mut slices).unwrap();
            assert_eq!(buffers.iter().map(Vec::len).sum::<usize>(), file.len(), "{dtype}");
            let slices: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
            let mut back = vec![0; file.len()];
            join_blocks(dtype, &slices, &mut back).unwrap();
            assert_eq!(back, file, "{dtype}");
        }
    }

    #[test]
    fn wrong_buffers_are_named() {
        let error = split_blocks(DType::Q4_0, &[0; 18], &mut [&mut [0; 16], &mut [0; 3]]).unwrap_err();
        let expected = QuantError::Plane {
            operation: "split_blocks",
            dtype: DType::Q4_0,
            plane: 1,
            expected: 2,
            got: 3,
        };
        assert_eq!(error, expected);
        assert!(split_blocks(DType::Q4_0, &[0; 17], &mut [&mut [0; 16], &mut [0; 2]]).is_err());
        assert!(split_blocks(DType::Q4_K, &[0; 144], &mut []).is_err());
        assert!(split_blocks(DType::Q4_0, &[0; 18], &mut [&mut [0; 16], &mut [0; 2], &mut [0; 1]]).is_err());
    }
}
