//! Bytes to tensors: incremental readers of GGUF and safetensors, quantisation block layouts.
//!
//! A reader is fed a file's bytes in order, in chunks of any size, and keeps none of the tensor data:
//! it says which range of the chunk belongs to which tensor, and the caller moves it on to a device.

pub mod gguf;
pub mod quant;
pub mod safetensors;

mod error;
mod layout;
mod mistaken;
mod reader;

pub use error::FormatError;
pub(crate) use mistaken::instead_of_json;
pub use reader::Reader;

use crate::tensor::TensorDesc;
use std::ops::Range;

/// A tensor of a file and where its bytes lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name, element type and shape.
    pub desc: TensorDesc,
    /// First byte of the data, counted from the beginning of the file.
    pub offset: u64,
    /// Bytes of the data.
    pub bytes: usize,
}

/// A part of a pushed chunk that is tensor data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Index in the header's `tensors`.
    pub tensor: usize,
    /// Where in the tensor's bytes the piece begins. The pieces of a tensor come in order, without gaps.
    pub offset: usize,
    /// The bytes, as a range of the chunk that was pushed.
    pub range: Range<usize>,
}
