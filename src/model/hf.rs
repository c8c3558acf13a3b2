//! A model as a folder of the Hugging Face hub holds it: the metadata that a GGUF file of it would have, and the names that its
//! tensors would have there. Everything behind this file knows only those.

use serde_json::Value as Json;

use super::ModelError;
use super::config::MAX_TOKENS_KEY;
use crate::formats::gguf::{Metadata, TOKENIZER_JSON_KEY, Value};
use crate::formats::instead_of_json;

/// The files beside `model.safetensors`, whole: they are small.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// `config.json`.
    pub config: Vec<u8>,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `sentence_bert_config.json` of sentence-transformers: how many tokens the model was trained with.
    pub sentence: Option<Vec<u8>>,
    /// `1_Pooling/config.json` of sentence-transformers: how rows become a vector.
    pub pooling: Option<Vec<u8>>,
}

/// Name of [`Files::sentence`].
const SENTENCE: &str = "sentence_bert_config.json";
/// The architecture that `model_type` names.
const BERT: &str = "bert";
/// Numbers of `config.json` and their keys in GGUF, below the architecture's name.
const COUNTS: [(&str, &str); 5] = [
    ("num_hidden_layers", "block_count"),
    ("max_position_embeddings", "context_length"),
    ("hidden_size", "embedding_length"),
    ("intermediate_size", "feed_forward_length"),
    ("num_attention_heads", "attention.head_count"),
];
/// What `config.json` may say of choices that the plan has made.
const CHOICES: [(&str, &str); 2] = [("hidden_act", "gelu"), ("position_embedding_type", "absolute")];
/// The same of what is on or off.
const SWITCHES: [(&str, bool); 2] = [("is_decoder", false), ("add_cross_attention", false)];
/// Kinds of pooling that are done here: field of `1_Pooling/config.json`, GGUF's number.
const POOLINGS: [(&str, u32); 2] = [("pooling_mode_mean_tokens", 1), ("pooling_mode_cls_token", 2)];

/// Names of tensors here and in GGUF, without what is before and behind them.
const OUTSIDE: [(&str, &str); 5] = [
    ("embeddings.word_embeddings", "token_embd"),
    ("embeddings.position_embeddings", "position_embd"),
    ("embeddings.token_type_embeddings", "token_types"),
    ("embeddings.LayerNorm", "token_embd_norm"),
    // The head of ...ForQuestionAnswering, which GGUF has no name for.
    ("qa_outputs", "qa_outputs"),
];
/// The same within a layer.
const LAYER: [(&str, &str); 8] = [
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
];

/// The metadata that a GGUF file of the model would have.
///
/// # Errors
/// A file that is no JSON, an architecture that is not served, or a choice that the plan does not make.
pub fn metadata(files: &Files) -> Result<Metadata, ModelError> {
    let config = parse("config.json", &files.config)?;
    let kind = config["model_type"].as_str().unwrap_or("none");
    if kind != BERT {
        return Err(ModelError::Architecture {
            got: kind.to_owned(),
            expected: format!("{BERT} (safetensors)"),
        });
    }
    for (key, expected) in CHOICES {
        match config[key].as_str() {
            Some(got) if got != expected => return Err(refuse("config.json", key, expected, got)),
            _ => {}
        }
    }
    for (key, expected) in SWITCHES {
        match &config[key] {
            Json::Null => {}
            got if *got == Json::Bool(expected) => {}
            got => return Err(refuse("config.json", key, &expected.to_string(), got)),
        }
    }
    let name = config["_name_or_path"].as_str().unwrap_or(BERT);
    let key = |name: &str| format!("{BERT}.{name}");
    let mut entries: Vec<(String, Value)> =
        vec![("general.architecture".to_owned(), BERT.into()), ("general.name".to_owned(), name.into())];
    for (field, name) in COUNTS {
        let got = &config[field];
        let count = got.as_u64().and_then(|count| u32::try_from(count).ok());
        let count = count.ok_or_else(|| refuse("config.json", field, "a count", got))?;
        entries.push((key(name), count.into()));
    }
    // llama.cpp asks for it, under this name.
    let types = config["type_vocab_size"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(2);
    entries.push(("tokenizer.ggml.token_type_count".to_owned(), types.into()));
    let eps = config["layer_norm_eps"].as_f64().unwrap_or(1e-12);
    entries.push((key("attention.layer_norm_epsilon"), (eps as f32).into()));
    entries.push((key("attention.causal"), false.into()));
    entries.push((key("pooling_type"), pooling(files)?.into()));
    if let Some(sentence) = &files.sentence {
        let sentence = parse(SENTENCE, sentence)?;
        if let Some(most) = sentence["max_seq_length"].as_u64() {
            entries.push((MAX_TOKENS_KEY.to_owned(), u32::try_from(most).unwrap_or(u32::MAX).into()));
        }
        // sentence-transformers lowers the text itself; a tokenizer that does it too makes that the same.
        if sentence["do_lower_case"] == Json::Bool(true)
            && parse("tokenizer.json", &files.tokenizer)?["normalizer"]["lowercase"] != Json::Bool(true)
        {
            let expected = "false, or a tokenizer that lowers case";
            return Err(refuse(SENTENCE, "do_lower_case", expected, true));
        }
    }
    if let Some(kind) = instead_of_json(&files.tokenizer) {
        return Err(refuse("tokenizer.json", "file", "JSON", kind));
    }
    let tokenizer = std::str::from_utf8(&files.tokenizer)
        .map_err(|error| refuse("tokenizer.json", "text", "UTF-8", error))?;
    entries.push((TOKENIZER_JSON_KEY.to_owned(), tokenizer.into()));
    Ok(entries.into_iter().collect())
}

/// GGUF's number for the kind of pooling; the mean where no file says.
fn pooling(files: &Files) -> Result<u32, ModelError> {
    let Some(file) = &files.pooling else { return Ok(1) };
    let said = parse("1_Pooling/config.json", file)?;
    let on: Vec<&str> = said
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| key.starts_with("pooling_mode_") && *value == &Json::Bool(true))
        .map(|(key, _)| key.as_str())
        .collect();
    match POOLINGS.iter().find(|(field, _)| on == [*field]) {
        Some((_, number)) => Ok(*number),
        None => {
            let expected = "pooling_mode_mean_tokens or pooling_mode_cls_token";
            Err(refuse("1_Pooling/config.json", "pooling_mode", expected, on.join(", ")))
        }
    }
}

/// A tensor's name without the prefix that models with a head have.
pub(super) fn without_prefix(name: &str) -> &str {
    name.strip_prefix("bert.").unwrap_or(name)
}

/// The name that GGUF gives a tensor; `None` for one that it has no name for.
pub fn gguf_name(name: &str) -> Option<String> {
    let (stem, end) = without_prefix(name).rsplit_once('.')?;
    let end = match end {
        // The first checkpoints, from TensorFlow.
        "gamma" => "weight",
        "beta" => "bias",
        end => end,
    };
    if let Some((_, short)) = OUTSIDE.iter().find(|(long, _)| *long == stem) {
        return Some(format!("{short}.{end}"));
    }
    let (layer, within) = stem.strip_prefix("encoder.layer.")?.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    let (_, short) = LAYER.iter().find(|(long, _)| *long == within)?;
    Some(format!("blk.{layer}.{short}.{end}"))
}

fn parse(file: &str, bytes: &[u8]) -> Result<Json, ModelError> {
    serde_json::from_slice(bytes).map_err(|error| {
        let kind = instead_of_json(bytes).map(str::to_owned);
        refuse(file, "file", "JSON", kind.unwrap_or_else(|| error.to_string()))
    })
}

fn refuse(file: &str, key: &str, expected: &str, got: impl ToString) -> ModelError {
    ModelError::Value { key: format!("{file}: {key}"), expected: expected.to_owned(), got: got.to_string() }
}
