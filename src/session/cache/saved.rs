//! A conversation as bytes: its tokens and what the caches hold of them, to be taken up later, elsewhere, by the same model.
//!
//! Little-endian, without padding:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `RLKV` and the version, 1 |
//! | 8 | fingerprint of the model file, its parts one behind the other (`session/fingerprint.rs`): vocabulary and weights |
//! | 4 | type of the cache: 0 F32, 1 F16 |
//! | 3 · 4 | layers, key-value heads, width of a head |
//! | 4 | tokens |
//! | 4 | first position that local layers bring: their windows need no more |
//! | 4 a token | ids |
//! | | for each layer keys, then values: `[kv_heads, positions, head_dim]` |
//! | 8 | XXH64 of everything before |
//!
//! Positions, not slots: the length of a context, and with it that of the rings, is the session's own. Keys and values are the same
//! numbers on every backend up to rounding, so that what was computed natively is continued in a tab.

use std::hash::Hasher;
use std::ops::Range;

use half::f16;
use thiserror::Error;
use twox_hash::XxHash64;

use super::Cache;
use super::contents::Contents;
use super::layout::CacheTensor;
use crate::session::{Model, SessionError};
use crate::tensor::DType;

const MAGIC: [u8; 4] = *b"RLKV";
const VERSION: u32 = 1;
/// Bytes before the ids.
const HEADER: usize = 40;
/// Bytes of the checksum.
const CHECKSUM: usize = 8;

/// Why bytes are no conversation of this session.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SavedError {
    /// Nothing has been said yet.
    #[error("save: expected a conversation, got none: nothing has been generated since the model was loaded")]
    Empty,
    /// No such file, of a version to come, or damaged.
    #[error("restore: expected {expected}, got {got}")]
    Damaged {
        /// What a sound file has there.
        expected: String,
        /// What was found.
        got: String,
    },
    /// A sound file, but not of this model or this cache.
    #[error("restore: expected a conversation of {expected}, got one of {got}")]
    Other {
        /// This session.
        expected: String,
        /// The file.
        got: String,
    },
}

impl SavedError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            SavedError::Empty => "ERR_BAD_ARGUMENT",
            SavedError::Damaged { .. } => "ERR_BAD_FILE",
            SavedError::Other { .. } => "ERR_OTHER_MODEL",
        }
    }
}

fn damaged(expected: impl Into<String>, got: impl Into<String>) -> SessionError {
    SavedError::Damaged { expected: expected.into(), got: got.into() }.into()
}

/// XXH64 with seed 0.
fn hash(bytes: &[u8]) -> u64 {
    let mut hash = XxHash64::with_seed(0);
    hash.write(bytes);
    hash.finish()
}

/// Type of the cache, layers, key-value heads, width of a head: the numbers of a header behind the fingerprint.
fn geometry(model: &Model) -> [u32; 4] {
    let config = &model.config;
    let kv = u32::from(model.kv == DType::F16);
    [kv, config.layers as u32, config.kv_heads as u32, config.head_dim as u32]
}

/// Positions that a file brings of a cache.
fn positions(tensor: &CacheTensor, tokens: usize, oldest: usize) -> Range<usize> {
    if tensor.is_local { oldest..tokens } else { 0..tokens }
}

/// A conversation whose bytes have been found sound, of this model and not too long.
pub(in crate::session) struct Saved<'a> {
    contents: Contents,
    /// First position that it brings of local layers; of those, shorter rings hold only the last ones.
    oldest: usize,
    /// Keys and values.
    rows: &'a [u8],
}

impl Cache {
    /// What the caches hold, as bytes.
    ///
    /// # Errors
    /// They hold nothing, or the device failed.
    pub async fn export(&mut self, model: &mut Model) -> Result<Vec<u8>, SessionError> {
        self.check_unread(model).await?;
        let (ids, oldest) = (self.contents.ids(), self.contents.oldest());
        if ids.is_empty() {
            return Err(SavedError::Empty.into());
        }
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(model.fingerprint.to_le_bytes());
        for number in geometry(model).into_iter().chain([ids.len() as u32, oldest as u32]) {
            out.extend(number.to_le_bytes());
        }
        out.extend(bytemuck::cast_slice::<u32, u8>(ids));
        for tensor in &self.tensors {
            tensor.read(model, positions(tensor, ids.len(), oldest), &mut out).await?;
            model.breathe_if_due().await;
        }
        out.extend(hash(&out).to_le_bytes());
        Ok(out)
    }

    /// Looks through bytes that [`export`](Self::export) made, before anything is changed.
    ///
    /// # Errors
    /// Bytes that are no conversation, damaged, of another model or type of cache, or longer than the context.
    pub fn parse_saved<'a>(&self, model: &Model, bytes: &'a [u8]) -> Result<Saved<'a>, SessionError> {
        let (tokens, oldest) = parse_header(model, bytes)?;
        let (ids, rows) = bytes[HEADER..bytes.len() - CHECKSUM].split_at(4 * tokens);
        let ids: Vec<u32> = bytemuck::pod_collect_to_vec(ids);
        let vocabulary = model.tokenizer.vocab_size();
        if ids.iter().any(|&id| id >= vocabulary) {
            return Err(damaged(format!("token ids below {vocabulary}"), "others"));
        }
        if tokens >= model.context {
            return Err(SessionError::Context {
                what: "the conversation",
                needed: tokens + 1,
                context: model.context,
                advice: "load the model with a larger context",
            });
        }
        // In 64 bits, since the file says how many.
        let bytes_of = |tensor: &CacheTensor| tensor.bytes(positions(tensor, tokens, oldest).len());
        let expected =
            (HEADER + 4 * tokens + CHECKSUM) as u64 + self.tensors.iter().map(bytes_of).sum::<u64>();
        if bytes.len() as u64 != expected {
            return Err(damaged(format!("{expected} bytes"), format!("{} bytes", bytes.len())));
        }
        let contents = self.contents.replaced(ids, oldest);
        if !contents.sees_all(tokens) {
            return Err(damaged("a whole window of each local layer", "a part of it"));
        }
        let is_finite = match model.kv {
            DType::F16 => rows.as_chunks::<2>().0.iter().all(|half| f16::from_le_bytes(*half).is_finite()),
            _ => rows.as_chunks::<4>().0.iter().all(|number| f32::from_le_bytes(*number).is_finite()),
        };
        if !is_finite {
            return Err(damaged("keys and values that are numbers", "NaN or an infinity"));
        }
        Ok(Saved { contents, oldest, rows })
    }

    /// Holds a saved conversation in place of what was held; its number of tokens.
    ///
    /// # Errors
    /// The device failed. Nothing is held then.
    pub fn import(&mut self, model: &mut Model, saved: Saved<'_>) -> Result<usize, SessionError> {
        let Saved { contents, oldest, mut rows } = saved;
        let tokens = contents.ids().len();
        // What earlier runs wrote is written over.
        self.unread = None;
        model.forget_fault();
        self.contents.begin(0, 0);
        for tensor in &self.tensors {
            let positions = positions(tensor, tokens, oldest);
            let (of_tensor, behind) = rows.split_at(tensor.bytes(positions.len()) as usize);
            tensor.write(model, positions, of_tensor)?;
            rows = behind;
        }
        self.contents = contents;
        Ok(tokens)
    }
}

/// Everything about the bytes that can be said before their ids are looked at: the number of tokens, and the first position of local
/// layers.
fn parse_header(model: &Model, bytes: &[u8]) -> Result<(usize, usize), SessionError> {
    let whole = "a saved conversation (RLKV, version 1)";
    if bytes.len() < HEADER + CHECKSUM || bytes[..4] != MAGIC {
        return Err(damaged(whole, format!("{} bytes of something else", bytes.len())));
    }
    let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let long = |at: usize| u64::from(number(at)) | u64::from(number(at + 4)) << 32;
    if number(4) != VERSION {
        return Err(damaged(whole, format!("version {}", number(4))));
    }
    let end = bytes.len() - CHECKSUM;
    if hash(&bytes[..end]) != long(end) {
        return Err(damaged("a whole file", "one that is damaged: its checksum is another"));
    }
    let (fingerprint, [kv, layers @ ..]) = (long(8), [16, 20, 24, 28].map(number));
    let [own_kv, own_layers @ ..] = geometry(model);
    if fingerprint != model.fingerprint || layers != own_layers {
        let name = |fingerprint: u64| format!("the model with the hash {fingerprint:016x}");
        let expected = format!("{} ({})", name(model.fingerprint), model.name);
        return Err(SavedError::Other { expected, got: name(fingerprint) }.into());
    }
    if kv != own_kv {
        let name = |kv: u32| format!("a cache in {}", if kv == 0 { "f32" } else { "f16" });
        return Err(SavedError::Other { expected: name(own_kv), got: name(kv) }.into());
    }
    let (tokens, oldest) = (number(32) as usize, number(36) as usize);
    // A sound sum over nonsense: somebody wrote it on purpose, or a version that never was.
    if tokens == 0 || oldest > tokens || tokens > (bytes.len() - HEADER - CHECKSUM) / 4 {
        return Err(damaged(whole, format!("{tokens} tokens from {oldest} on")));
    }
    Ok((tokens, oldest))
}
