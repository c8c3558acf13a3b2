//! Tensors of a file that no plan reads. Each changes what the model was trained to say, unless it is known to be harmless: so a file
//! that has one is refused by the tensor's name, before memory is taken for it.

use std::collections::BTreeSet;

use super::blocks::names;
use super::{Config, Head, ModelError, PlanOptions, build_everything, hf};
use crate::formats::Reader;
use crate::tensor::{DType, TensorDesc};

/// A tensor without which a model says the same. The list is short, and each row has its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Harmless {
    /// `general.architecture` of the models that may have it.
    pub arch: &'static str,
    /// Its name in the file; one that ends with `*` is the beginning of several.
    pub name: &'static str,
    /// Why nothing is lost without it.
    pub reason: &'static str,
}

/// In files of GGUF.
pub const HARMLESS: &[Harmless] = &[
    Harmless {
        arch: "gemma3",
        name: "v.*",
        reason: "the encoder of pictures, in files that have it beside the text model: text does not go through it",
    },
    Harmless {
        arch: "gemma3",
        name: "mm.*",
        reason: "what fits pictures to the text model: text does not go through it",
    },
];

/// In files of safetensors, without the prefix `bert.`. What stands here lies behind the last layer, whose rows are all that vectors
/// and marked answers are made of, or is written by each run.
pub const HARMLESS_SAFETENSORS: &[Harmless] = &[
    Harmless {
        arch: "bert",
        name: "embeddings.position_ids",
        reason: "0, 1, 2, ...: a run brings its positions",
    },
    Harmless { arch: "bert", name: "embeddings.token_type_ids", reason: "zeros: a run brings its types" },
    Harmless {
        arch: "bert",
        name: "pooler.dense.*",
        reason: "of pre-training's second task: vectors are means or first rows of the last layer",
    },
    Harmless {
        arch: "bert",
        name: "cls.predictions.*",
        reason: "the head that fills masks in, behind the last layer",
    },
    Harmless {
        arch: "bert",
        name: "cls.seq_relationship.*",
        reason: "the head that says whether sentences follow each other, behind the last layer",
    },
];

impl Harmless {
    fn is(&self, arch: &str, name: &str) -> bool {
        self.arch == arch
            && match self.name.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == self.name,
            }
    }
}

/// What the plans of a model read.
#[derive(Clone, Debug)]
pub struct Readable {
    arch: &'static str,
    layers: usize,
    /// Names by GGUF, those within a layer as of layer 0.
    names: BTreeSet<String>,
}

impl Readable {
    /// Of a model with this configuration: every tensor that its row of the table may have.
    ///
    /// # Errors
    /// None for a configuration that was read from metadata.
    pub fn of(config: &Config) -> Result<Self, ModelError> {
        // All layers have tensors of the same names.
        let one_layer = Config { layers: 1, ..config.clone() };
        let options = PlanOptions { context: 2, max_tokens: 1, kv: DType::F32, head: Head::Logits };
        let mut names = BTreeSet::new();
        for plan in build_everything(&one_layer, options)? {
            names.extend(plan.weights().map(|value| value.name.clone()));
        }
        if config.arch.rope_factors {
            // Read by the host, for the tables.
            names.insert(names::ROPE_FACTORS.to_owned());
        }
        Ok(Readable { arch: config.arch.name, layers: config.layers, names })
    }

    fn has(&self, name: &str) -> bool {
        let Some((layer, within)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
            return self.names.contains(name);
        };
        let number: Option<usize> = layer.parse().ok();
        // `01` and `+1` are other names than `1`.
        number.is_some_and(|number| number < self.layers && number.to_string() == layer)
            && self.names.contains(&format!("blk.0.{within}"))
    }

    /// The tensors of a file whose header is there, in the reader's order and by GGUF's names; `None` for one that is harmless and left
    /// out.
    ///
    /// # Errors
    /// A tensor that no plan reads and that is not known to be harmless.
    pub fn tensors_of(&self, reader: &Reader) -> Result<Vec<Option<TensorDesc>>, ModelError> {
        let safetensors = reader.safetensors();
        // In types that no weight has.
        for skipped in safetensors.into_iter().flat_map(|header| &header.skipped) {
            self.left_out(&skipped.name, HARMLESS_SAFETENSORS)?;
        }
        let tensors = reader.tensors().unwrap_or_default().iter();
        match safetensors {
            Some(_) => tensors.map(|tensor| self.safetensors(&tensor.desc)).collect(),
            None => tensors.map(|tensor| self.gguf(&tensor.desc)).collect(),
        }
    }

    /// A tensor of a GGUF file; `None` for one that is harmless and left out.
    ///
    /// # Errors
    /// As [`tensors_of`](Readable::tensors_of).
    pub fn gguf(&self, desc: &TensorDesc) -> Result<Option<TensorDesc>, ModelError> {
        match self.has(&desc.name) {
            true => Ok(Some(desc.clone())),
            false => self.left_out(&desc.name, HARMLESS).map(|()| None),
        }
    }

    /// A tensor of a safetensors file under its name in GGUF; `None` for one that is harmless and left out.
    ///
    /// # Errors
    /// As [`tensors_of`](Readable::tensors_of).
    pub fn safetensors(&self, desc: &TensorDesc) -> Result<Option<TensorDesc>, ModelError> {
        match hf::gguf_name(&desc.name).filter(|name| self.has(name)) {
            Some(name) => Ok(Some(TensorDesc { name, ..desc.clone() })),
            None => self.left_out(&desc.name, HARMLESS_SAFETENSORS).map(|()| None),
        }
    }

    fn left_out(&self, name: &str, harmless: &[Harmless]) -> Result<(), ModelError> {
        match harmless.iter().any(|known| known.is(self.arch, hf::without_prefix(name))) {
            true => Ok(()),
            false => Err(ModelError::UnreadTensor { name: name.to_owned(), arch: self.arch }),
        }
    }
}
