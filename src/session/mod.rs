//! A model file becomes a [`Model`]; a model becomes a [`Session`] that writes text, an [`Embedder`] that makes vectors, or a
//! [`SpanReader`] that marks answers.
//!
//! A session is a model, a cache (`cache/`) and at most one sequence (`sequence.rs`) that is being written.

mod backend;
mod cache;
mod embed;
mod error;
mod fingerprint;
mod forecast;
mod generate;
mod header;
mod host;
mod load;
mod logits;
mod model;
mod probe;
pub mod report;
mod score;
mod sequence;
pub mod spans;

pub use backend::{AdapterHint, AnyExecutor, BackendChoice};
pub use cache::SavedError;
pub use embed::{EmbedStats, Embedder, Embeddings};
pub use error::SessionError;
pub use forecast::{Forecast, Forecaster};
pub use host::{Breathe, CancelFlag, Host};
pub use load::{LoadOptions, LoadTimings, Loader};
pub use model::{MAX_CHUNK, Model, ModelInfo, ModelKind};
pub use score::Score;
pub use sequence::{Event, Finish, GenerateOptions, Piece, Stats, TopToken};
pub use spans::SpanReader;

use crate::kernel::argmax::NOT_FINITE;
use crate::kernel::facts::Row;
use crate::model::Head;
use crate::plan::Extent;
use crate::plan::executor::MemoryUse;
use crate::tensor::first_not_finite;
use crate::tokenizer::Tokenizer;
use cache::Cache;
use model::{Input, Run};
use sequence::Sequence;

/// Fewest tokens of a chunk of a prompt: below it the weights are read too often.
const MIN_CHUNK: usize = 4;
/// Longest that a GPU may be held by one submit before the chunk is made smaller; watchdogs bite at seconds, pages feel less.
const LONG_SLICE_MS: f64 = 100.0;
/// What is said of logits that are no numbers.
const LOGITS: &str = "the logits after position";

/// A model that writes text, with what it has read so far.
pub struct Session {
    model: Model,
    cache: Cache,
    sequence: Option<Sequence>,
    /// Tokens of the next chunk of a prompt.
    chunk: usize,
    /// Tokens that went through the model since it was loaded.
    tokens_run: u64,
}

impl Session {
    /// Makes plans and caches ready.
    ///
    /// # Errors
    /// The model writes no text, a tensor is missing, or the device has no room.
    pub fn new(mut model: Model) -> Result<Self, SessionError> {
        model.prepare_decoder()?;
        let cache = Cache::new(&model)?;
        model.end_loading();
        Ok(Session { cache, sequence: None, chunk: model.max_tokens(), tokens_run: 0, model })
    }

    /// The model that writes.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Facts for people.
    pub fn info(&self) -> ModelInfo {
        self.model.info()
    }

    /// Where the bytes are.
    pub fn memory(&self) -> MemoryUse {
        let memory = self.model.memory();
        MemoryUse { states: memory.states + self.cache.kept_bytes(), ..memory }
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        self.model.tokenizer()
    }

    /// The template that makes a prompt of a conversation, as the file brings it.
    pub fn chat_template(&self) -> Option<&str> {
        self.model.chat_template.as_deref()
    }

    /// The flag that ends whatever this session is doing.
    pub fn cancel_flag(&self) -> CancelFlag {
        self.model.cancel_flag()
    }

    /// Tokens that went through the model since it was loaded: of prompts, where they were not in the cache already, of
    /// answers, and of texts that were scored.
    pub fn tokens_run(&self) -> u64 {
        self.tokens_run
    }

    /// Tokens of a prompt that the caches hold already, and that need not run again.
    pub fn reusable(&self, ids: &[u32]) -> usize {
        self.cache.reusable(ids)
    }

    /// The conversation so far, for [`import`](Session::import).
    ///
    /// # Errors
    /// Nothing was said yet, or the device failed.
    pub async fn export(&mut self) -> Result<Vec<u8>, SessionError> {
        self.cache.export(&mut self.model).await
    }

    /// Takes up a conversation that a session of the same model [`export`](Session::export)ed. A prompt that begins with it runs
    /// only what is new. An answer that was being written is dropped. Returns the number of tokens.
    ///
    /// # Errors
    /// Bytes that are no conversation, damaged, of another model or type of cache, or longer than the context. The session is then
    /// as before, unless the device failed.
    pub fn import(&mut self, bytes: &[u8]) -> Result<usize, SessionError> {
        let saved = self.cache.parse_saved(&self.model, bytes)?;
        self.sequence = None;
        self.cache.import(&mut self.model, saved)
    }

    /// Runs tokens at positions from `pos` on, at most a chunk of them.
    async fn run(&mut self, head: Head, ids: &[u32], pos: usize) -> Result<Run, SessionError> {
        let prepared = self.model.prepared(head)?;
        self.cache.begin(pos, ids.len());
        let rows = Row::sequence(ids, pos);
        let last = ids.len().saturating_sub(1) as u32;
        let extent = Extent { keys: pos + ids.len(), ..Extent::tokens(ids.len()) };
        let inputs: [(Input, &[u8]); 2] =
            [(Input::Rows, bytemuck::cast_slice(&rows)), (Input::Wanted, bytemuck::bytes_of(&last))];
        let run = self.model.run(prepared, extent, &inputs, "the run").await?;
        self.cache.end(ids);
        self.tokens_run += ids.len() as u64;
        if ids.len() == self.chunk {
            self.adapt_chunk(run.longest_ms);
        }
        Ok(run)
    }

    /// Halves the chunk when a slice held the device for long, doubles it when there is room.
    fn adapt_chunk(&mut self, longest_ms: f64) {
        if longest_ms > LONG_SLICE_MS {
            self.chunk = (self.chunk / 2).max(MIN_CHUNK.min(self.model.context));
        } else if longest_ms < LONG_SLICE_MS / 3.0 {
            self.chunk = (self.chunk * 2).min(self.model.max_tokens());
        }
    }

    /// Runs `ids` from position `from` on, in chunks of at most `largest`; only the last one ends with `head`.
    async fn run_from(
        &mut self,
        head: Head,
        ids: &[u32],
        from: usize,
        largest: usize,
    ) -> Result<Run, SessionError> {
        let mut pos = from;
        loop {
            let rest = &ids[pos..];
            let chunk = self.chunk.min(largest);
            if rest.len() <= chunk {
                return self.run(head, rest, pos).await;
            }
            self.run(Head::None, &rest[..chunk], pos).await?;
            pos += chunk;
        }
    }

    /// The output of a run.
    async fn read_output(&mut self, run: Run) -> Result<Vec<u8>, SessionError> {
        let bytes = self.model.take(run).await?;
        self.cache.check_read(&mut self.model)?;
        Ok(bytes)
    }

    /// The output of a run as logits, row by row: of its last tokens, as many as there are rows.
    async fn read_logits(&mut self, run: Run) -> Result<Vec<f32>, SessionError> {
        let logits: Vec<f32> = bytemuck::pod_collect_to_vec(&self.read_output(run).await?);
        let Some(index) = first_not_finite(&logits) else { return Ok(logits) };
        let vocabulary = (self.model.tokenizer.vocab_size() as usize).max(1);
        let rows = logits.len() / vocabulary;
        let first_row = run.extent.keys.saturating_sub(rows);
        Err(self.cache.reject(&mut self.model, LOGITS, first_row + index / vocabulary))
    }

    /// The output of a run as the greedy choice, which is none where a logit is no number.
    async fn read_token(&mut self, run: Run) -> Result<u32, SessionError> {
        let bytes = self.read_output(run).await?;
        match bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) {
            Some(id) if id != NOT_FINITE => Ok(id),
            _ => {
                let last = run.extent.keys.saturating_sub(1);
                Err(self.cache.reject(&mut self.model, LOGITS, last))
            }
        }
    }
}
