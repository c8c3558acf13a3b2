//! GGUF, versions 2 and 3, little-endian: reader, metadata, writer, split files.
//!
//! A file, every number little-endian, `string` = length (u64) and that many bytes of UTF-8:
//! ```text
//! 0   magic "GGUF"
//! 4   version (u32): 2 or 3
//! 8   number of tensors (u64)
//! 16  number of metadata keys (u64)
//! 24  keys:    key (string), value type (u32), value
//!              a value of type array is: element type (u32), count (u64), elements
//!     tensors: name (string), number of extents (u32), extents (u64 each, fastest first),
//!              element type (u32), offset (u64, from the beginning of the data)
//!     zeros up to a multiple of the alignment (key general.alignment, else 32)
//!     data:    each tensor at its offset, a multiple of the alignment
//! ```

mod header;
mod metadata;
mod reader;
mod split;
mod types;
mod value;
mod window;
mod writer;

pub use header::{Header, Limits};
pub use metadata::{FromValue, Metadata};
pub use reader::GgufReader;
pub use split::{SplitSet, SplitTensor, split_names};
pub use types::ValueType;
pub use value::{Array, StringArray, Value};
pub use writer::{GgufHead, GgufWriter};

/// Metadata key of a whole `tokenizer.json`, by the specification of GGUF.
pub const TOKENIZER_JSON_KEY: &str = "tokenizer.huggingface.json";
/// The first four bytes.
pub(super) const MAGIC: &[u8; 4] = b"GGUF";
/// Whether a file can have this alignment.
fn is_alignment(value: u32) -> bool {
    value.is_power_of_two() && value <= MAX_ALIGNMENT
}
/// Alignment of a file that states none.
const DEFAULT_ALIGNMENT: u32 = 32;
/// The key that states another one (u32, a power of two).
const ALIGNMENT_KEY: &str = "general.alignment";
/// Largest alignment that is read or written: a memory page of any machine fits, and padding stays small.
const MAX_ALIGNMENT: u32 = 1 << 20;
/// What errors say an alignment must be.
const ALIGNMENT_RULE: &str = "u32, a power of two up to 1048576";
/// Extents that a ggml tensor can have at most.
const MAX_EXTENTS: u32 = 4;
/// Bytes of a key, by the specification.
const MAX_KEY_BYTES: u64 = 65_535;
/// Bytes of a tensor name. ggml keeps 63; files for other readers have had longer ones.
const MAX_NAME_BYTES: u64 = 1_024;
