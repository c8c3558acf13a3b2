//! What crosses the wasm boundary as JSON, in the words of `pkg/src/engine.ts`. Names no wasm-bindgen.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::hf;
use crate::sampler::Settings;
use crate::session::{Forecast, GenerateOptions, ModelInfo, SessionError};
use crate::tasks::chat::{Message, Overflow};
use crate::tensor::DType;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateOptions {
    pub backend: String,
    pub kv: String,
    pub context: Option<usize>,
    pub adapter: Option<Adapter>,
    pub file_bytes: Option<u64>,
    pub threads: Option<usize>,
    pub precision: Option<String>,
    pub files: Option<ModelFiles>,
    /// Only say what the load would take.
    #[serde(default)]
    pub plan: bool,
}

/// What lies beside safetensors, as text.
#[derive(Deserialize)]
pub(super) struct ModelFiles {
    pub config: String,
    pub tokenizer: String,
    pub sentence: Option<String>,
    pub pooling: Option<String>,
}

impl From<ModelFiles> for hf::Files {
    fn from(ModelFiles { config, tokenizer, sentence, pooling }: ModelFiles) -> Self {
        let optional = |file: Option<String>| file.map(String::into_bytes);
        hf::Files {
            config: config.into_bytes(),
            tokenizer: tokenizer.into_bytes(),
            sentence: optional(sentence),
            pooling: optional(pooling),
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Adapter {
    pub name: String,
    pub software: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Request {
    /// Either this
    pub prompt: Option<String>,
    /// or a conversation.
    pub messages: Option<Vec<Message>>,
    /// What happens when it has outgrown the context.
    #[serde(default)]
    pub overflow: OverflowChoice,
    pub max_tokens: Option<usize>,
    pub temperature: Option<f32>,
    pub top_k: Option<usize>,
    pub top_p: Option<f32>,
    pub min_p: Option<f32>,
    pub repetition_penalty: Option<f32>,
    pub frequency_penalty: Option<f32>,
    pub presence_penalty: Option<f32>,
    pub seed: Option<u64>,
    pub reuse: Option<bool>,
    #[serde(default)]
    pub stop: Vec<String>,
    pub logprobs: Option<usize>,
    /// JSON has no infinities: JavaScript writes `null` for the -inf that forbids a token.
    #[serde(default)]
    pub logit_bias: BTreeMap<u32, Option<f32>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OverflowChoice {
    #[default]
    Error,
    Trim,
}

/// What an answer answers.
pub(super) enum Prompt {
    Text(String),
    Messages(Vec<Message>, Overflow),
}

impl Request {
    /// `None` without a prompt.
    pub fn into_options(self) -> Option<(Prompt, GenerateOptions)> {
        let prompt = match self.messages {
            Some(messages) => {
                let overflow = match self.overflow {
                    OverflowChoice::Error => Overflow::Error,
                    OverflowChoice::Trim => Overflow::Trim,
                };
                Prompt::Messages(messages, overflow)
            }
            None => Prompt::Text(self.prompt?),
        };
        let off = Settings::default();
        let sampling = Settings {
            temperature: self.temperature.unwrap_or(off.temperature),
            top_k: self.top_k.unwrap_or(off.top_k),
            top_p: self.top_p.unwrap_or(off.top_p),
            min_p: self.min_p.unwrap_or(off.min_p),
            repetition_penalty: self.repetition_penalty.unwrap_or(off.repetition_penalty),
            frequency_penalty: self.frequency_penalty.unwrap_or(off.frequency_penalty),
            presence_penalty: self.presence_penalty.unwrap_or(off.presence_penalty),
            seed: self.seed.unwrap_or(off.seed),
            logit_bias: self
                .logit_bias
                .into_iter()
                .map(|(id, bias)| (id, bias.unwrap_or(f32::NEG_INFINITY)))
                .collect(),
            ..off
        };
        let options = GenerateOptions {
            max_tokens: self.max_tokens,
            sampling,
            stop: self.stop,
            logprobs: self.logprobs,
            reuse: self.reuse.unwrap_or(true),
            ..GenerateOptions::default()
        };
        Some((prompt, options))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Info {
    pub name: String,
    pub architecture: &'static str,
    pub parameters: u64,
    pub vocabulary: usize,
    pub context: usize,
    pub trained_context: usize,
    pub kv: &'static str,
    /// Elements of an embedding.
    pub dimensions: Option<usize>,
    /// Whether there is a chat template.
    pub chat: bool,
    pub backend: Backend,
    pub timings: Timings,
}

impl Info {
    pub fn of(info: ModelInfo) -> Self {
        Info {
            name: info.name,
            architecture: info.architecture,
            parameters: info.parameters,
            vocabulary: info.vocabulary,
            context: info.context,
            trained_context: info.trained_context,
            kv: if info.kv == DType::F32 { "f32" } else { "f16" },
            dimensions: info.dimensions,
            chat: info.chat,
            backend: Backend {
                kind: info.backend.kind.to_string(),
                device: info.backend.device,
                software: info.backend.software,
                build: if cfg!(target_feature = "atomics") { "full" } else { "compat" },
                threads: info.backend.threads,
                reason: info.reason,
            },
            timings: Timings { header: info.timings.header_ms, tokenizer: info.timings.tokenizer_ms },
        }
    }
}

/// What a load would take.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CorePlan {
    pub code: Option<&'static str>,
    /// Why it fails, or why that backend.
    pub reason: String,
    pub architecture: String,
    pub name: String,
    pub quantisation: String,
    pub parameters: u64,
    pub file_bytes: u64,
    pub memory_bytes: u64,
    pub backend: PlannedBackend,
    pub context: usize,
    pub trained_context: usize,
    pub chat: bool,
    pub tokens_per_second: Option<f64>,
}

#[derive(Serialize)]
pub(super) struct PlannedBackend {
    pub kind: String,
    pub device: String,
    pub reason: String,
}

impl From<Forecast> for CorePlan {
    fn from(forecast: Forecast) -> Self {
        let (kind, device) = match forecast.backend {
            Some(info) => (info.kind.to_string(), info.device),
            None => ("cpu".to_owned(), String::new()),
        };
        let backend = PlannedBackend { kind, device, reason: forecast.reason };
        CorePlan {
            code: forecast.failure.as_ref().map(SessionError::code),
            reason: forecast.failure.map_or_else(|| backend.reason.clone(), |failure| failure.to_string()),
            architecture: forecast.architecture,
            name: forecast.name,
            quantisation: forecast.quantisation,
            parameters: forecast.parameters,
            file_bytes: forecast.file_bytes,
            memory_bytes: forecast.memory_bytes,
            backend,
            context: forecast.context,
            trained_context: forecast.trained_context,
            chat: forecast.chat,
            tokens_per_second: forecast.tokens_per_second,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Backend {
    pub kind: String,
    pub device: String,
    pub software: bool,
    pub reason: String,
    pub build: &'static str,
    pub threads: usize,
}

/// Milliseconds.
#[derive(Serialize)]
pub(super) struct Timings {
    pub header: f64,
    pub tokenizer: f64,
}

/// What [`Engine::next`] gives, with one field for what it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Step {
    Piece(Piece),
    End(End),
}

#[derive(Serialize)]
pub(super) struct Piece {
    pub id: u32,
    pub text: String,
    pub logprob: Option<f32>,
    pub top: Vec<Alternative>,
}

#[derive(Serialize)]
pub(super) struct Alternative {
    pub id: u32,
    pub text: String,
    pub logprob: f32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct End {
    pub reason: &'static str,
    pub text: String,
    pub prompt_tokens: usize,
    pub cached_tokens: usize,
    pub dropped_turns: usize,
    pub tokens: usize,
    pub first_token_ms: f64,
    pub prefill_tokens_per_second: f64,
    pub decode_tokens_per_second: f64,
}

/// Bytes.
#[derive(Serialize)]
pub(super) struct Memory {
    pub weights: u64,
    pub kv: u64,
    pub scratch: u64,
    pub tokenizer: usize,
}
