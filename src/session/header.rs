//! What the headers of a model's files say, known long before its weights have come: configuration, vocabulary, tensors.

use std::sync::Arc;

use super::{Host, LoadOptions, LoadTimings, SessionError};
use crate::formats::Reader;
use crate::formats::gguf::{GgufReader, Metadata};
use crate::formats::safetensors::SafetensorsReader;
use crate::model::arch::Body;
use crate::model::blocks::names;
use crate::model::{self, Config, Head, ModelError, PlanOptions};
use crate::tensor::TensorDesc;
use crate::tokenizer::Tokenizer;
use crate::trace::span;

/// Largest context that a session takes when none is asked for: the caches of most models then stay under 200 MB.
const DEFAULT_CONTEXT: usize = 4096;

/// What the headers of a model's files say.
pub(super) struct ModelHeader {
    pub config: Config,
    pub tokenizer: Arc<Tokenizer>,
    pub name: String,
    /// The template that makes a prompt of a conversation.
    pub chat_template: Option<String>,
    /// What tells the files from others.
    pub fingerprint: u64,
    pub tensors: Vec<TensorDesc>,
    /// Llama 3's factors on RoPE's frequencies, which the host reads.
    pub rope_factors: Option<Vec<f32>>,
    pub timings: LoadTimings,
}

impl ModelHeader {
    /// From a model's metadata: everything but its tensors.
    pub fn read(metadata: &Metadata, host: &Host) -> Result<Self, SessionError> {
        let config = Config::from_metadata(metadata)?;
        let before = host.now();
        let tokenizer = {
            let _span = span!("tokenizer").entered();
            Arc::new(Tokenizer::from_metadata(metadata)?)
        };
        let timings = LoadTimings { tokenizer_ms: host.now() - before, ..LoadTimings::default() };
        let name: Option<&str> = metadata.get("general.name").map_err(ModelError::from)?;
        let chat_template: Option<&str> =
            metadata.get("tokenizer.chat_template").map_err(ModelError::from)?;
        Ok(ModelHeader {
            name: name.unwrap_or(config.arch.name).to_owned(),
            chat_template: chat_template.map(str::to_owned),
            fingerprint: 0,
            config,
            tokenizer,
            tensors: Vec::new(),
            rope_factors: None,
            timings,
        })
    }

    /// Refuses what can't run; without tensors, what can be said without them.
    pub fn examine(
        mut self,
        tensors: Option<Vec<TensorDesc>>,
        options: &LoadOptions,
    ) -> Result<Self, SessionError> {
        let context = self.wanted_context(options)?;
        if let Some(tensors) = tensors {
            self.tensors = tensors;
            self.check()?;
            let plan = PlanOptions { context, max_tokens: 1, kv: options.kv, head: Head::Logits };
            match self.config.arch.body {
                Body::Decoder => model::build(&self.config, &self.tensors, plan)?,
                Body::Encoder => model::build_encoder(&self.config, &self.tensors)?,
            };
        }
        Ok(self)
    }

    /// Positions that the caches are to hold; tokens that an encoder's texts are cut to.
    pub fn wanted_context(&self, options: &LoadOptions) -> Result<usize, SessionError> {
        let config = &self.config;
        let default =
            config.encoder.map_or(config.context.min(DEFAULT_CONTEXT), |encoder| encoder.max_tokens);
        let wanted = options.context.unwrap_or(default);
        if wanted < 2 || wanted > config.context {
            return Err(SessionError::Option {
                option: "context",
                expected: format!("2 to {}, the model's", config.context),
                got: wanted.to_string(),
            });
        }
        Ok(wanted)
    }

    /// What the builder of plans can't see: the vocabulary has a row of the embedding table for each token, and the factors on RoPE's
    /// frequencies fit them.
    pub fn check(&self) -> Result<(), ModelError> {
        let vocabulary = self.tokenizer.vocab_size() as usize;
        if let Some(table) = self.tensors.iter().find(|desc| desc.name == names::EMBEDDING)
            && table.shape.rows() != vocabulary
        {
            return Err(ModelError::TensorShape {
                name: table.name.clone(),
                expected: format!("[{vocabulary}, {}], a row for each token", self.config.width),
                got: table.shape.to_string(),
            });
        }
        let Some(factors) = &self.rope_factors else { return Ok(()) };
        let (name, pairs) = (names::ROPE_FACTORS.to_owned(), self.config.rope_dims / 2);
        if factors.len() != pairs {
            let (expected, got) = (format!("[1, {pairs}]"), format!("[{}]", factors.len()));
            return Err(ModelError::TensorShape { name, expected, got });
        }
        match factors.iter().find(|factor| !(factor.is_finite() && **factor > 0.0)) {
            None => Ok(()),
            Some(got) => Err(ModelError::Value {
                key: name,
                expected: "positive numbers".to_owned(),
                got: got.to_string(),
            }),
        }
    }
}

/// A reader of a file's bytes, in the format that the model comes in.
pub(super) fn reader(safetensors: bool, file_len: Option<u64>) -> Reader {
    if safetensors {
        let reader = file_len.map_or_else(SafetensorsReader::new, SafetensorsReader::with_file_len);
        Reader::Safetensors(reader)
    } else {
        Reader::Gguf(file_len.map_or_else(GgufReader::new, GgufReader::with_file_len))
    }
}
