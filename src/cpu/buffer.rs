//! The CPU executor's memory for values: typed vectors.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::kernel::Operand;
use crate::plan::ExecError;
use crate::tensor::{DType, first_not_finite};

/// The numbers of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Buffer {
    /// Activations, tables, small weights.
    F32(Vec<f32>),
    /// Caches.
    F16(Vec<f16>),
    /// Token ids.
    U32(Vec<u32>),
    /// Quantised numbers, which tests alone have as values.
    Blocks(Vec<u8>),
}

impl Default for Buffer {
    fn default() -> Self {
        Buffer::F32(Vec::new())
    }
}

impl Buffer {
    /// Zeros for an operand.
    pub fn zeros(operand: Operand, what: &str) -> Result<Self, ExecError> {
        let n = operand.elements();
        if operand.bytes() > usize::MAX as u64 {
            return Err(no_room(what, operand.bytes()));
        }
        Ok(match operand.dtype {
            DType::F32 => Buffer::F32(zeroed(n, what)?),
            DType::F16 => Buffer::F16(zeroed(n, what)?),
            DType::U32 => Buffer::U32(zeroed(n, what)?),
            dtype => Buffer::Blocks(zeroed(n / dtype.block_elements() * dtype.block_bytes(), what)?),
        })
    }

    /// The elements, if they are F32; an empty slice otherwise, which no operand's length matches.
    pub fn f32(&self) -> &[f32] {
        if let Buffer::F32(data) = self { data } else { &[] }
    }

    /// The elements, if they are F32.
    pub fn f32_mut(&mut self) -> &mut [f32] {
        if let Buffer::F32(data) = self { data } else { &mut [] }
    }

    /// The elements, if they are U32.
    pub fn u32(&self) -> &[u32] {
        if let Buffer::U32(data) = self { data } else { &[] }
    }

    /// Writes elements at `at`, rounded to the buffer's type; false where one of them is NaN or an infinity then.
    pub fn write_f32(&mut self, at: usize, values: &[f32]) -> bool {
        match self {
            Buffer::F32(data) => {
                data[at..at + values.len()].copy_from_slice(values);
                first_not_finite(values).is_none()
            }
            Buffer::F16(data) => {
                let data = &mut data[at..at + values.len()];
                data.convert_from_f32_slice(values);
                data.iter().fold(true, |all, half| all & half.is_finite())
            }
            Buffer::U32(_) | Buffer::Blocks(_) => true,
        }
    }

    /// The bytes, little-endian on every target that Rushlight runs on.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Buffer::F32(data) => bytemuck::cast_slice(data),
            Buffer::F16(data) => bytemuck::cast_slice(data),
            Buffer::U32(data) => bytemuck::cast_slice(data),
            Buffer::Blocks(data) => data,
        }
    }

    /// The bytes, to write.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Buffer::F32(data) => bytemuck::cast_slice_mut(data),
            Buffer::F16(data) => bytemuck::cast_slice_mut(data),
            Buffer::U32(data) => bytemuck::cast_slice_mut(data),
            Buffer::Blocks(data) => data,
        }
    }
}

/// A vector of zeros, or an error where the process would otherwise be ended. The system backs it with memory as it is written.
fn zeroed<T: bytemuck::Zeroable>(n: usize, what: &str) -> Result<Vec<T>, ExecError> {
    let bytes = n as u64 * size_of::<T>() as u64;
    bytemuck::allocation::try_zeroed_vec(n).map_err(|()| no_room(what, bytes))
}

/// What is not to be had.
pub fn no_room(what: &str, bytes: u64) -> ExecError {
    ExecError::OutOfMemory {
        what: what.to_owned(),
        bytes,
        advice: "close other programs or tabs, or take a smaller model or context",
    }
}
