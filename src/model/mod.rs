//! From a model file's metadata and tensor names to a [`Plan`](crate::plan::Plan).
//!
//! [`arch`] is a table with one row an architecture; [`config`] fills a [`Config`] from metadata over the row's defaults;
//! [`blocks`] and [`encoder`] turn it into steps. There is no file per model. [`hf`] makes that metadata where a model comes
//! without it, as safetensors. What a file brings that no plan follows is refused by name: [`unread`] tensors, unapplied metadata.

pub mod arch;
pub mod blocks;
pub mod config;
pub mod encoder;
pub mod hf;
pub mod rope;
mod unapplied;
pub mod unread;

use thiserror::Error;

use crate::formats::FormatError;
use crate::plan::Plan;
use arch::Body;
use blocks::Tensors;
pub use blocks::{Head, PlanOptions, build};
pub use config::Config;
pub use encoder::{build_encoder, build_span_reader};

/// What a person can do about a file that asks for what is not supported.
const ANOTHER_FILE: &str = "take another file of the model, or another model";

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
    /// A key of the metadata that asks for something that no plan does.
    #[error("{key} is {got}: {what} is not supported, and results would be wrong without it; {ANOTHER_FILE}")]
    Unapplied {
        /// Metadata key.
        key: String,
        /// What the file says.
        got: String,
        /// What that means.
        what: &'static str,
    },
    /// A tensor that no plan reads and that is not known to be harmless.
    #[error(
        "tensor {name}: nothing in a {arch} model as it is supported reads it, and results could be wrong without it; {ANOTHER_FILE}"
    )]
    UnreadTensor {
        /// Its name in the file.
        name: String,
        /// The architecture that the file names.
        arch: &'static str,
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
            ModelError::Architecture { .. }
            | ModelError::Purpose { .. }
            | ModelError::Unapplied { .. }
            | ModelError::UnreadTensor { .. } => "ERR_UNSUPPORTED_MODEL",
            _ => "ERR_BAD_FILE",
        }
    }
}

/// The plans of everything that a model of this configuration may be loaded for, over all tensors that any of them may read.
fn build_everything(config: &Config, options: PlanOptions) -> Result<Vec<Plan>, ModelError> {
    match config.arch.body {
        Body::Decoder => Ok(vec![blocks::build_from(config, Tensors::Everything, options)?]),
        Body::Encoder => encoder::encoders_of_everything(config),
    }
}
