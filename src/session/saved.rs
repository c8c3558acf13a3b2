//! A conversation as bytes: its tokens and what the caches hold of them, to be taken up later, elsewhere, by the same model.
//!
//! Little-endian, without padding:
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | `RLKV` and the version, 1 |
//! | 8 | fingerprint of the model file, its parts one behind the other (`fingerprint.rs`): vocabulary and weights |
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

use half::f16;
use thiserror::Error;
use twox_hash::XxHash64;

use super::{Head, Session, SessionError};
use crate::model::blocks::names;
use crate::plan::Executor;
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

/// Numbers of a header, in their order after the version.
struct Header {
    model: u64,
    kv: u32,
    layers: u32,
    kv_heads: u32,
    head_dim: u32,
    tokens: usize,
    oldest: usize,
}

/// One cache of a layer, as both the file and the executor see it.
pub(super) struct Cache {
    pub name: String,
    /// Bytes of one position of one head.
    pub row: usize,
    pub heads: usize,
    pub slots: usize,
    local: bool,
}

impl Cache {
    /// Bytes of the whole state.
    fn bytes(&self) -> usize {
        self.heads * self.slots * self.row
    }

    /// Bytes in a file that brings so many positions.
    fn saved(&self, positions: usize) -> u64 {
        (self.heads * self.row) as u64 * positions as u64
    }

    /// Where a position of a head is in the state.
    pub fn slot(&self, head: usize, position: usize) -> std::ops::Range<usize> {
        let at = (head * self.slots + position % self.slots) * self.row;
        at..at + self.row
    }
}

impl Session {
    /// Runs a text so that the caches hold it, and nothing after it: a frame or a document that prompts will begin with. Returns
    /// its number of tokens.
    ///
    /// # Errors
    /// As [`start`](Session::start).
    pub async fn hold(&mut self, text: &str) -> Result<usize, SessionError> {
        let ids = self.model.tokenizer.encode(text, Default::default())?;
        self.generation = None;
        self.model.host.cancel.reset();
        self.check_prompt(&ids)?;
        self.forget_unread().await?;
        let from = self.held.reusable(&ids);
        self.prefill(Head::None, &ids, from, super::MAX_CHUNK).await?;
        self.check_unread().await?;
        Ok(ids.len())
    }

    /// The conversation so far, for [`import`](Session::import).
    ///
    /// # Errors
    /// Nothing was said yet, or the device failed.
    pub async fn export(&mut self) -> Result<Vec<u8>, SessionError> {
        self.check_unread().await?;
        let (ids, oldest) = (self.held.ids().to_vec(), self.held.oldest());
        if ids.is_empty() {
            return Err(SavedError::Empty.into());
        }
        let plan = self.plan(Head::None)?;
        let ready = self.prepared(Head::None)?;
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out.extend(self.fingerprint.to_le_bytes());
        for number in self.geometry().into_iter().chain([ids.len() as u32, oldest as u32]) {
            out.extend(number.to_le_bytes());
        }
        out.extend(bytemuck::cast_slice::<u32, u8>(&ids));
        for cache in self.caches() {
            let unknown = || crate::plan::ExecError::Unknown {
                operation: "export",
                what: "cache",
                name: cache.name.clone(),
            };
            let value = plan.find(&cache.name).ok_or_else(unknown)?;
            let state = self.model.executor.read(ready.plan, value).await?;
            self.model.breathe_if_due().await;
            for head in 0..cache.heads {
                for position in if cache.local { oldest } else { 0 }..ids.len() {
                    out.extend(state.get(cache.slot(head, position)).ok_or_else(unknown)?);
                }
            }
        }
        out.extend(hash(&out).to_le_bytes());
        Ok(out)
    }

    /// Takes up a conversation that a session of the same model [`export`](Session::export)ed. A prompt that begins with it runs
    /// only what is new. An answer that was being written is dropped. Returns the number of tokens.
    ///
    /// # Errors
    /// Bytes that are no conversation, damaged, of another model or type of cache, or longer than the context. The session is then
    /// as before, unless the device failed.
    pub fn import(&mut self, bytes: &[u8]) -> Result<usize, SessionError> {
        let header = self.check_saved(bytes)?;
        let Header { tokens, oldest, .. } = header;
        let ids: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes[HEADER..HEADER + 4 * tokens]);
        let vocabulary = self.model.tokenizer.vocab_size();
        if ids.iter().any(|&id| id >= vocabulary) {
            return Err(damaged(format!("token ids below {vocabulary}"), "others"));
        }
        if tokens >= self.context {
            return Err(SessionError::Context {
                what: "the conversation",
                needed: tokens + 1,
                context: self.context,
                advice: "load the model with a larger context",
            });
        }
        let caches = self.caches();
        let positions = |cache: &Cache| if cache.local { oldest } else { 0 }..tokens;
        // In 64 bits, since the file says how many.
        let saved: u64 = caches.iter().map(|cache| cache.saved(positions(cache).len())).sum();
        let expected = (HEADER + 4 * tokens + CHECKSUM) as u64 + saved;
        if bytes.len() as u64 != expected {
            return Err(damaged(format!("{expected} bytes"), format!("{} bytes", bytes.len())));
        }
        // A shorter ring than that of the session it comes from holds fewer positions.
        let ring = self.ring();
        let kept = ring.map_or(oldest, |ring| oldest.max(tokens.saturating_sub(ring.slots)));
        if !self.windows_fit(tokens, kept) {
            return Err(damaged("a whole window of each local layer", "a part of it"));
        }
        if !self.all_finite(&bytes[HEADER + 4 * tokens..bytes.len() - CHECKSUM]) {
            return Err(damaged("keys and values that are numbers", "NaN or an infinity"));
        }
        self.generation = None;
        // What earlier runs wrote is written over.
        self.unread = None;
        self.model.executor.forget_fault();
        self.held.replace(Vec::new(), 0);
        let mut at = HEADER + 4 * tokens;
        for cache in caches {
            let mut state = vec![0; cache.bytes()];
            for head in 0..cache.heads {
                for position in positions(&cache) {
                    // Those of a ring that is shorter are written over by later ones.
                    state[cache.slot(head, position)].copy_from_slice(&bytes[at..at + cache.row]);
                    at += cache.row;
                }
            }
            self.model.executor.write(&cache.name, &state)?;
        }
        self.held.replace(ids, kept);
        Ok(tokens)
    }

    /// Everything about the bytes that can be said before their caches are looked at.
    fn check_saved(&self, bytes: &[u8]) -> Result<Header, SessionError> {
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
        let header = Header {
            model: long(8),
            kv: number(16),
            layers: number(20),
            kv_heads: number(24),
            head_dim: number(28),
            tokens: number(32) as usize,
            oldest: number(36) as usize,
        };
        let Header { model, kv, layers, kv_heads, head_dim, tokens, oldest } = header;
        if model != self.fingerprint || [layers, kv_heads, head_dim] != self.geometry()[1..] {
            let name = |fingerprint: u64| format!("the model with the hash {fingerprint:016x}");
            let expected = format!("{} ({})", name(self.fingerprint), self.model.name);
            return Err(SavedError::Other { expected, got: name(model) }.into());
        }
        if kv != self.geometry()[0] {
            let name = |kv: u32| format!("a cache in {}", if kv == 0 { "f32" } else { "f16" });
            return Err(SavedError::Other { expected: name(self.geometry()[0]), got: name(kv) }.into());
        }
        // A sound sum over nonsense: somebody wrote it on purpose, or a version that never was.
        if tokens == 0 || oldest > tokens || tokens > (bytes.len() - HEADER) / 4 {
            return Err(damaged(whole, format!("{tokens} tokens from {oldest} on")));
        }
        Ok(header)
    }

    /// Whether bytes of caches are all numbers.
    fn all_finite(&self, bytes: &[u8]) -> bool {
        match self.kv {
            DType::F16 => bytes.as_chunks::<2>().0.iter().all(|half| f16::from_le_bytes(*half).is_finite()),
            _ => bytes.as_chunks::<4>().0.iter().all(|number| f32::from_le_bytes(*number).is_finite()),
        }
    }

    /// Type of the cache, layers, key-value heads, width of a head.
    fn geometry(&self) -> [u32; 4] {
        let kv = u32::from(self.kv == DType::F16);
        [
            kv,
            self.model.config.layers as u32,
            self.model.config.kv_heads as u32,
            self.model.config.head_dim as u32,
        ]
    }

    /// Whether the next token finds whole windows in local layers that hold `oldest..tokens`.
    fn windows_fit(&self, tokens: usize, oldest: usize) -> bool {
        self.model
            .config
            .local
            .as_ref()
            .is_none_or(|local| (tokens + 1).saturating_sub(local.window) >= oldest)
    }

    /// Every cache, in the order of the file.
    pub(super) fn caches(&self) -> Vec<Cache> {
        let options = self.plan_options(Head::None);
        let row = self.model.config.head_dim * self.kv.block_bytes();
        let cache = |layer: usize, what: &str| Cache {
            name: names::cache(layer, what),
            row,
            heads: self.model.config.kv_heads,
            slots: options.slots(&self.model.config, layer),
            local: self.model.config.is_local(layer),
        };
        (0..self.model.config.layers).flat_map(|layer| ["k", "v"].map(|what| cache(layer, what))).collect()
    }
}
