//! What a session can fail with.

use thiserror::Error;

use super::cache::SavedError;
use crate::formats::FormatError;
use crate::formats::quant::QuantError;
use crate::model::ModelError;
use crate::plan::ExecError;
use crate::sampler::SamplerError;
use crate::tokenizer::TokenizerError;

/// Any failure between a file's first byte and the answer's last.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The file is damaged or no model file.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Numbers that can't be turned into another type.
    #[error(transparent)]
    Quant(#[from] QuantError),
    /// The file is sound, but no model that can run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The vocabulary or a text.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The sampling settings, or logits that are no numbers.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// The device.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// More tokens than the caches hold.
    #[error("context overflow: {what} needs {needed} positions, the context holds {context}; {advice}")]
    Context {
        /// The prompt, or the prompt and what is to follow it.
        what: &'static str,
        /// Positions it needs.
        needed: usize,
        /// Positions there are.
        context: usize,
        /// What the person can do.
        advice: &'static str,
    },
    /// An option that makes no sense.
    #[error("{option}: expected {expected}, got {got}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// What would do.
        expected: String,
        /// What came.
        got: String,
    },
    /// Bytes that are no conversation of this session.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// The model computed something that is no number: from its file, or because its numbers outgrow a type.
    #[error(
        "{what} {at}: expected numbers, got NaN or an infinity: the model file is damaged or was made wrongly, or its numbers are too \
         large for a cache in f16 (try f32)"
    )]
    BadNumbers {
        /// What is no number.
        what: &'static str,
        /// Position in the sequence of tokens, or index among the texts.
        at: usize,
    },
    /// Somebody asked to stop.
    #[error("{operation} was stopped")]
    Cancelled {
        /// What was going on.
        operation: &'static str,
    },
}

impl SessionError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            SessionError::Format(error) => error.code(),
            SessionError::Quant(error) => error.code(),
            SessionError::Model(error) => error.code(),
            SessionError::Tokenizer(error) => error.code(),
            SessionError::Sampler(error) => error.code(),
            SessionError::Exec(error) => error.code(),
            SessionError::Context { .. } => "ERR_CONTEXT",
            SessionError::Option { .. } => "ERR_BAD_ARGUMENT",
            SessionError::Saved(error) => error.code(),
            SessionError::BadNumbers { .. } => "ERR_BAD_LOGITS",
            SessionError::Cancelled { .. } => "ERR_ABORTED",
        }
    }
}
