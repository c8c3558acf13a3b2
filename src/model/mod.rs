//! From a model file's metadata and tensor names to a [`Plan`](crate::plan::Plan).
//!
//! [`arch`] is a table with one row an architecture; [`config`] fills a [`Config`] from metadata over the row's defaults;
//! [`blocks`] and [`encoder`] turn it into steps. There is no file per model. [`hf`] makes that metadata where a model comes
//! without it, as safetensors.

pub mod arch;
pub mod blocks;
pub mod config;
pub mod encoder;
pub mod hf;
pub mod rope;

use thiserror::Error;

use crate::formats::FormatError;
pub use blocks::{Head, PlanOptions, build};
pub use config::Config;
pub use encoder::{build_encoder, build_span_reader};

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
    /// A model of the other kind than was asked for.
    #[error("architecture {got} {does}; expected one that {expected}")]
    Purpose {
        /// Its name.
        got: &'static str,
        /// What it does.
        does: &'static str,
        /// What was asked for.
        expected: &'static str,
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
            ModelError::Architecture { .. } | ModelError::Purpose { .. } => "ERR_UNSUPPORTED_MODEL",
            _ => "ERR_BAD_FILE",
        }
    }
}
