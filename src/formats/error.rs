//! The one error of this room: what was wrong, where, what was expected and what was there.

use thiserror::Error;

/// Why bytes are not a model file that can be read, or metadata not what the caller asked for.
///
/// `at` is a byte offset from the beginning of the file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The first bytes belong to no format that is read here.
    #[error("not a model file: expected {expected} at byte 0, got {got}")]
    Magic {
        /// The formats that would have been accepted.
        expected: &'static str,
        /// The first bytes, and what kind of file they suggest.
        got: String,
    },
    /// A version of the format that is not read.
    #[error("unsupported GGUF version at byte 4: expected {expected}, got {got}")]
    Version {
        /// Versions that are read.
        expected: &'static str,
        /// The version in the file.
        got: String,
    },
    /// The file ends, or its stated length ends, before something that must be there.
    #[error("truncated: {what} at byte {at} needs the file to have {expected} bytes, got {got}")]
    Truncated {
        /// The thing that is cut off.
        what: String,
        /// Where it starts.
        at: u64,
        /// File length that is needed at least.
        expected: u64,
        /// Bytes that the file has.
        got: u64,
    },
    /// A count or a length beyond what any honest file has.
    #[error("{what} at byte {at}: expected at most {limit}, got {got}")]
    Limit {
        /// The count or length.
        what: String,
        /// Where it stands.
        at: u64,
        /// The largest value that is accepted.
        limit: u64,
        /// The value in the file.
        got: u64,
    },
    /// A field with a value that it can't have.
    #[error("{what} at byte {at}: expected {expected}, got {got}")]
    Invalid {
        /// The field, with the key or tensor it belongs to.
        what: String,
        /// Where it stands.
        at: u64,
        /// Values it may have.
        expected: String,
        /// The value in the file.
        got: String,
    },
    /// The same key or tensor name twice.
    #[error("duplicate {what} {name:?} at byte {at}: expected each name once, got it again")]
    Duplicate {
        /// `metadata key` or `tensor`.
        what: &'static str,
        /// The repeated name.
        name: String,
        /// Where the second one stands.
        at: u64,
    },
    /// Two tensors claim the same bytes.
    #[error("tensor {name:?} overlaps {other:?}: expected its data at byte {expected} or later, got {got}")]
    Overlap {
        /// The tensor that begins too early.
        name: String,
        /// The tensor whose bytes it takes.
        other: String,
        /// First byte after the other tensor.
        expected: u64,
        /// Where the tensor's data begins.
        got: u64,
    },
    /// An element type that exists but that nothing here computes with.
    #[error("tensor {name:?}: element type {got} is not supported, expected one of {expected}")]
    UnsupportedType {
        /// The tensor.
        name: String,
        /// Supported types.
        expected: &'static str,
        /// The type's published name, or its number where it has none.
        got: String,
    },
    /// Metadata that must be there is not.
    #[error("metadata key {key:?} is missing, expected {expected}")]
    MissingKey {
        /// The key.
        key: String,
        /// Its type.
        expected: &'static str,
    },
    /// Metadata of another type, or a value that the type asked for can't hold.
    #[error("metadata key {key:?}: expected {expected}, got {got}")]
    KeyType {
        /// The key.
        key: String,
        /// The type asked for.
        expected: &'static str,
        /// The type (and value, where short) in the file.
        got: String,
    },
    /// A later part of a split model where the first is asked for.
    #[error(
        "this file is part {part} of a model in {count} files: give the first, whose name ends in \
         -00001-of-{count:05}.gguf"
    )]
    LaterPart {
        /// Number of the part, from 1.
        part: usize,
        /// Number of all parts.
        count: usize,
    },
    /// The first part of a split model without the others.
    #[error(
        "this file is part 1 of a model in {count} files, of which {got} came: the others are looked for beside it, \
         by its name, which has to end in -00001-of-{count:05}.gguf"
    )]
    PartsMissing {
        /// Number of all parts.
        count: usize,
        /// Parts that came.
        got: usize,
    },
    /// Parts of a split model that don't belong together.
    #[error("part {part} of a split model, {what}: expected {expected}, got {got}")]
    Split {
        /// Number of the part in the order read, from 1.
        part: usize,
        /// What does not fit.
        what: &'static str,
        /// The value that fits.
        expected: String,
        /// The value in the part.
        got: String,
    },
    /// The writer was given something that the format can't hold.
    #[error("cannot write {what}: expected {expected}, got {got}")]
    Write {
        /// Key or tensor.
        what: String,
        /// What the format asks for.
        expected: String,
        /// What was given.
        got: String,
    },
}

impl FormatError {
    /// Stable code that users see.
    pub fn code(&self) -> &'static str {
        match self {
            FormatError::Version { .. } | FormatError::UnsupportedType { .. } => "ERR_UNSUPPORTED",
            FormatError::Write { .. } => "ERR_BAD_ARGUMENT",
            _ => "ERR_BAD_FILE",
        }
    }
}
