//! What a question can fail with.

use thiserror::Error;

use crate::session::SessionError;
use crate::tasks::chat::ChatError;

/// Why a question got no answer at all; that the documents have none is no error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// Nothing was asked.
    #[error("the question is empty: expected words, got {got:?}")]
    EmptyQuestion {
        /// What came.
        got: String,
    },
    /// Nothing to read.
    #[error("there is nothing to read: expected text in {documents} document(s), got only white space")]
    EmptyDocument {
        /// Documents that came.
        documents: usize,
    },
    /// More text than is searched.
    #[error(
        "document {document} is too large: expected at most {limit} bytes, got {got}; cut it into several"
    )]
    TooLarge {
        /// Its index.
        document: usize,
        /// Most bytes.
        limit: usize,
        /// Its bytes.
        got: usize,
    },
    /// The frame, one passage, the question and an answer need more positions than there are.
    #[error(
        "context overflow: the question with one passage needs {needed} positions, the context holds {context}; \
         shorten the question or load the model with a larger context"
    )]
    Context {
        /// Positions that are needed.
        needed: usize,
        /// Positions there are.
        context: usize,
    },
    /// Boundaries or similarities that do not belong to these documents.
    #[error("{what}: expected {expected}, got {got}")]
    Input {
        /// What was given.
        what: &'static str,
        /// What would have fitted.
        expected: String,
        /// What came.
        got: String,
    },
    /// The model.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Its chat template.
    #[error(transparent)]
    Chat(#[from] ChatError),
}

impl AskError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            AskError::EmptyQuestion { .. } => "ERR_EMPTY_QUESTION",
            AskError::EmptyDocument { .. } => "ERR_EMPTY_DOCUMENT",
            AskError::TooLarge { .. } | AskError::Context { .. } => "ERR_CONTEXT",
            AskError::Input { .. } => "ERR_BAD_ARGUMENT",
            AskError::Session(error) => error.code(),
            AskError::Chat(error) => error.code(),
        }
    }
}
