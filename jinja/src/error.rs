//! Why a template gives no text.

use thiserror::Error;

/// Why a template gives no text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JinjaError {
    /// It is no Jinja.
    #[error("line {line}: {said}")]
    Syntax {
        /// Line of the source, from 1.
        line: usize,
        /// What was expected.
        said: String,
    },
    /// The template itself refuses what it was given, by `raise_exception`.
    #[error("{said}")]
    Raised {
        /// What it says.
        said: String,
    },
    /// An operation and a type that do not go together: Python's `TypeError`.
    #[error("{said}")]
    Type {
        /// Operation and types.
        said: String,
    },
    /// An operation and a value that do not go together: Python's `ValueError` and its kin.
    #[error("{said}")]
    Value {
        /// Operation and value.
        said: String,
    },
    /// Something that is not there was used.
    #[error("{said}")]
    Undefined {
        /// What is not there.
        said: String,
    },
    /// jinja2 may do it; this does not.
    #[error("{what} is not supported")]
    Unsupported {
        /// Which feature.
        what: String,
    },
    /// It would take more than a chat template ever needs.
    #[error("expected at most {most} {what}, got a template that takes more")]
    Limit {
        /// Of what.
        what: &'static str,
        /// The limit.
        most: u64,
    },
}

pub(super) type Result<T> = std::result::Result<T, JinjaError>;

pub(super) fn type_error<T>(said: impl Into<String>) -> Result<T> {
    Err(JinjaError::Type { said: said.into() })
}

pub(super) fn value_error<T>(said: impl Into<String>) -> Result<T> {
    Err(JinjaError::Value { said: said.into() })
}

pub(super) fn undefined_error<T>(said: impl Into<String>) -> Result<T> {
    Err(JinjaError::Undefined { said: said.into() })
}

pub(super) fn unsupported<T>(what: impl Into<String>) -> Result<T> {
    Err(JinjaError::Unsupported { what: what.into() })
}
