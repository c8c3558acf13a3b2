//! What can go wrong between text and token ids.

use thiserror::Error;

use crate::formats::FormatError;

/// An error of the tokenizer room. [`TokenizerError::code`] is stable, the message is for people.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenizerError {
    /// The file holds no vocabulary (`tokenizer.ggml.model` is `none` or absent).
    #[error(
        "tokenizer: the model file holds no vocabulary (tokenizer.ggml.model is {got}); give a tokenizer.json"
    )]
    NoVocabulary {
        /// What the file says instead of a vocabulary kind.
        got: String,
    },
    /// The metadata holds something else where the vocabulary should be.
    #[error(transparent)]
    Metadata(#[from] FormatError),
    /// A vocabulary kind or pre-tokenizer this build does not know.
    #[error("tokenizer: unsupported {what}: expected one of {expected}, got {got:?}")]
    Unsupported {
        /// Metadata key.
        what: &'static str,
        /// The values that are supported.
        expected: &'static str,
        /// The value found.
        got: String,
    },
    /// The vocabulary contradicts itself.
    #[error("tokenizer: bad vocabulary: {what}: expected {expected}, got {got}")]
    BadVocabulary {
        /// Which part of the vocabulary.
        what: &'static str,
        /// What would have been right.
        expected: String,
        /// What was found.
        got: String,
    },
    /// A token id outside the vocabulary.
    #[error("tokenizer: unknown token id: expected less than {vocab_size}, got {id}")]
    UnknownId {
        /// The id.
        id: u32,
        /// Number of tokens.
        vocab_size: u32,
    },
    /// The vocabulary has neither a token for a character, nor for its bytes, nor an unknown token.
    #[error("tokenizer: encode: no token for byte 0x{byte:02X}, and the vocabulary has no unknown token")]
    Unencodable {
        /// The first byte without a token.
        byte: u8,
    },
    /// The text is longer than 32-bit offsets reach.
    #[error("tokenizer: encode: text too long: expected at most {limit} bytes, got {got}")]
    TextTooLong {
        /// Longest text in bytes.
        limit: usize,
        /// Length of the text in bytes.
        got: usize,
    },
    /// `tokenizer.json` is not one, or the `tokenizers` crate failed on it.
    #[error("tokenizer: tokenizer.json: {reason}")]
    Json {
        /// What the `tokenizers` crate said.
        reason: String,
    },
    /// A stop string of no characters, which would stop before the first token.
    #[error("tokenizer: stop string {index}: expected at least one character, got an empty string")]
    EmptyStop {
        /// Place in the list of stop strings.
        index: usize,
    },
}

impl TokenizerError {
    /// The stable name of the error, for callers that branch on it.
    pub fn code(&self) -> &'static str {
        match self {
            TokenizerError::NoVocabulary { .. } => "ERR_NO_TOKENIZER",
            TokenizerError::Metadata(error) => error.code(),
            TokenizerError::Unsupported { .. } => "ERR_UNSUPPORTED_TOKENIZER",
            TokenizerError::BadVocabulary { .. } => "ERR_BAD_VOCABULARY",
            TokenizerError::UnknownId { .. } => "ERR_UNKNOWN_TOKEN",
            TokenizerError::Unencodable { .. } => "ERR_UNENCODABLE",
            TokenizerError::TextTooLong { .. } => "ERR_TEXT_TOO_LONG",
            TokenizerError::Json { .. } => "ERR_BAD_TOKENIZER_JSON",
            TokenizerError::EmptyStop { .. } => "ERR_EMPTY_STOP",
        }
    }
}
