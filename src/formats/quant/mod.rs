//! Quantisation block layouts: the bytes of a weight row to f32 and back.
//!
//! A quantised row is a run of blocks; a block holds [`DType::block_elements`] consecutive weights in
//! [`DType::block_bytes`] bytes, with its own scale (and, in the `_1` and K types, minimum). The
//! layouts are those of ggml's `ggml-common.h`; each one is spelled out above its decoder in
//! `legacy` (32-element blocks) and `kquants` (256-element blocks). All fields are little-endian.

mod fields;
mod kencode;
mod kquants;
mod ksearch;
mod legacy;
mod planes;

pub use fields::Fields;
pub use planes::{Plane, join_blocks, planes, split_blocks};

use crate::tensor::DType;
use half::{bf16, f16};
use thiserror::Error;

/// What quantising or dequantising could not do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantError {
    /// The bytes are not a whole number of blocks.
    #[error("{operation} {dtype}: expected a multiple of {expected} bytes, got {got}")]
    PartialBlock {
        /// `dequantise`, `split_blocks`, ...
        operation: &'static str,
        /// Element type of the row.
        dtype: DType,
        /// Bytes of one block.
        expected: usize,
        /// Bytes that came.
        got: usize,
    },
    /// The number of elements does not match the number of blocks.
    #[error("{operation} {dtype}: expected {expected} elements, got {got}")]
    Elements {
        /// `dequantise`, `quantise`, ...
        operation: &'static str,
        /// Element type of the row.
        dtype: DType,
        /// Elements that the blocks hold, or the multiple that is needed.
        expected: usize,
        /// Elements that came.
        got: usize,
    },
    /// A plane buffer is missing or has the wrong length.
    #[error("{operation} {dtype}: plane {plane} expected {expected} bytes, got {got}")]
    Plane {
        /// `split_blocks` or `join_blocks`.
        operation: &'static str,
        /// Element type of the blocks.
        dtype: DType,
        /// Index of the plane in [`planes`].
        plane: usize,
        /// Bytes the plane needs.
        expected: usize,
        /// Bytes the caller gave, 0 where the buffer is missing.
        got: usize,
    },
    /// The type has no such operation.
    #[error("{operation} {dtype}: expected a type that has it, got {dtype}")]
    Unsupported {
        /// `dequantise`, `quantise`, ...
        operation: &'static str,
        /// The type asked for.
        dtype: DType,
    },
}

impl QuantError {
    /// Stable code that users see.
    pub fn code(&self) -> &'static str {
        match self {
            QuantError::Unsupported { .. } => "ERR_UNSUPPORTED",
            _ => "ERR_BAD_ARGUMENT",
        }
    }
}

/// Decodes whole blocks of `dtype` into f32. `out` holds exactly the elements of `bytes`.
///
/// ```
/// use rushlight::{formats::quant, tensor::DType};
/// let mut block = vec![0u8; 18]; // f16 scale 1.0, every quant 0, which stands for -8
/// block[1] = 0x3c;
/// let mut out = [0.0; 32];
/// quant::dequantise(DType::Q4_0, &block, &mut out).unwrap();
/// assert_eq!(out, [-8.0; 32]);
/// ```
pub fn dequantise(dtype: DType, bytes: &[u8], out: &mut [f32]) -> Result<(), QuantError> {
    let blocks = whole_blocks("dequantise", dtype, bytes.len())?;
    let elements = blocks.saturating_mul(dtype.block_elements());
    if elements != out.len() {
        return Err(QuantError::Elements {
            operation: "dequantise",
            dtype,
            expected: elements,
            got: out.len(),
        });
    }
    match dtype {
        DType::F32 => each_block(bytes, out, |b, [x]| *x = f32::from_le_bytes(*b)),
        DType::F16 => each_block(bytes, out, |b, [x]| *x = f16::from_le_bytes(*b).to_f32()),
        DType::BF16 => each_block(bytes, out, |b, [x]| *x = bf16::from_le_bytes(*b).to_f32()),
        DType::Q4_0 => each_block(bytes, out, legacy::q4_0),
        DType::Q4_1 => each_block(bytes, out, legacy::q4_1),
        DType::Q5_0 => each_block(bytes, out, legacy::q5_0),
        DType::Q5_1 => each_block(bytes, out, legacy::q5_1),
        DType::Q8_0 => each_block(bytes, out, legacy::q8_0),
        DType::Q2_K => each_block(bytes, out, kquants::q2_k),
        DType::Q3_K => each_block(bytes, out, kquants::q3_k),
        DType::Q4_K => each_block(bytes, out, kquants::q4_k),
        DType::Q5_K => each_block(bytes, out, kquants::q5_k),
        DType::Q6_K => each_block(bytes, out, kquants::q6_k),
        DType::U32 => return Err(QuantError::Unsupported { operation: "dequantise", dtype }),
    }
    Ok(())
}

/// Encodes `values` and appends the blocks to `out`. The legacy types give the bytes that ggml's reference quantisers give; the
/// K types search for the scales of least squared error, and err no more than ggml's do.
pub fn quantise(dtype: DType, values: &[f32], out: &mut Vec<u8>) -> Result<(), QuantError> {
    let partial = values.len() % dtype.block_elements();
    if partial != 0 {
        return Err(QuantError::Elements {
            operation: "quantise",
            dtype,
            expected: values.len() - partial + dtype.block_elements(),
            got: values.len(),
        });
    }
    match dtype {
        DType::F32 => encode_blocks(values, out, |[x]| x.to_le_bytes()),
        DType::F16 => encode_blocks(values, out, |[x]| f16::from_f32(*x).to_le_bytes()),
        DType::BF16 => encode_blocks(values, out, |[x]| bf16::from_f32(*x).to_le_bytes()),
        DType::Q4_0 => encode_blocks(values, out, legacy::encode_q4_0),
        DType::Q4_1 => encode_blocks(values, out, legacy::encode_q4_1),
        DType::Q5_0 => encode_blocks(values, out, legacy::encode_q5_0),
        DType::Q5_1 => encode_blocks(values, out, legacy::encode_q5_1),
        DType::Q8_0 => encode_blocks(values, out, legacy::encode_q8_0),
        DType::Q2_K => encode_blocks(values, out, kencode::encode_q2_k),
        DType::Q3_K => encode_blocks(values, out, kencode::encode_q3_k),
        DType::Q4_K => encode_blocks(values, out, kencode::encode_q4_k),
        DType::Q5_K => encode_blocks(values, out, kencode::encode_q5_k),
        DType::Q6_K => encode_blocks(values, out, kencode::encode_q6_k),
        DType::U32 => return Err(QuantError::Unsupported { operation: "quantise", dtype }),
    }
    Ok(())
}

/// Number of blocks in `bytes` bytes, or the error that says they are not whole.
fn whole_blocks(operation: &'static str, dtype: DType, bytes: usize) -> Result<usize, QuantError> {
    let expected = dtype.block_bytes();
    if bytes.is_multiple_of(expected) {
        Ok(bytes / expected)
    } else {
        Err(QuantError::PartialBlock { operation, dtype, expected, got: bytes })
    }
}

/// Runs a block decoder over a row; the lengths were compared by the caller.
fn each_block<const BYTES: usize, const ELEMENTS: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; ELEMENTS]),
) {
    let (blocks, _) = bytes.as_chunks::<BYTES>();
    let (rows, _) = out.as_chunks_mut::<ELEMENTS>();
    for (block, row) in blocks.iter().zip(rows) {
        decode(block, row);
    }
}

/// Runs a block encoder over a row; the length was checked by the caller.
fn encode_blocks<const BYTES: usize, const ELEMENTS: usize>(
    values: &[f32],
    out: &mut Vec<u8>,
    encode: impl Fn(&[f32; ELEMENTS]) -> [u8; BYTES],
) {
    let (blocks, _) = values.as_chunks::<ELEMENTS>();
    for block in blocks {
        out.extend_from_slice(&encode(block));
    }
}

/// An f16 field at `at` of a block.
fn half_at<const BYTES: usize>(block: &[u8; BYTES], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}
