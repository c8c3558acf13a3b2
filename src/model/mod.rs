//! From a model file's metadata and tensor names to a [`Plan`](crate::plan::Plan).
//!
//! [`arch`] is a table with one row an architecture; [`config`] fills a [`Config`] from metadata over the row's defaults;
//! [`blocks`] turns it into steps. There is no file per model.

pub mod arch;
pub mod blocks;
pub mod config;
pub mod rope;

use thiserror::Error;

use crate::formats::FormatError;
pub use blocks::{Head, PlanOptions, build};
pub use config::Config;

/// Why a file is no model that can run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Metadata is missing or of the wrong type.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// No row of the table has this name.
    #[error("architecture {got} is not supported; expected one of {expected}")]
    Architecture {
        /// The name in the file.
        got: String,
        /// The names in the table.
        expected: String,
    },
    /// A value in the metadata that this build can't serve.
    #[error("{key}: expected {expected}, got {got}")]
    Value {
        /// Metadata key.
        key: String,
        /// What would be served.
        expected: String,
        /// What the file says.
        got: String,
    },
    /// A tensor that the architecture needs is not in the file.
    #[error("tensor {name}: expected {expected}, got none")]
    MissingTensor {
        /// Its name.
        name: String,
        /// The shape it should have.
        expected: String,
    },
    /// A tensor has another shape than the metadata says.
    #[error("tensor {name}: expected {expected}, got {got}")]
    TensorShape {
        /// Its name.
        name: String,
        /// The shape from the metadata.
        expected: String,
        /// The shape in the file.
        got: String,
    },
}

impl ModelError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ModelError::Architecture { .. } => "ERR_UNSUPPORTED_MODEL",
            _ => "ERR_BAD_FILE",
        }
    }
}
