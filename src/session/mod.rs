//! A loaded model and its KV cache: prefill, decode, stop, cancel; or one that makes embeddings.

mod along;
pub mod backend;
mod embed;
mod error;
mod faults;
mod fingerprint;
mod forecast;
mod generate;
mod held;
mod host;
mod load;
mod loaded;
mod logits;
mod probe;
pub mod report;
mod saved;
mod score;
mod shelves;
pub mod spans;

pub use backend::{AdapterHint, AnyExecutor, BackendChoice};
pub use embed::{EmbedStats, Embedder, Embeddings};
pub use error::SessionError;
pub use forecast::{Forecast, Forecaster};
pub use generate::{Event, Finish, GenerateOptions, Piece, Stats, TopToken};
pub use host::{Breathe, CancelFlag, Host};
pub use load::{LoadOptions, LoadTimings, Loader};
pub use saved::SavedError;
pub use score::Score;
pub use spans::SpanReader;

use crate::model::blocks::names;
use crate::model::{self, Head, PlanOptions, rope};
use crate::plan::executor::{MemoryUse, PlanId};
use crate::plan::{BackendInfo, Executor, Extent, Plan, ValueId};
use crate::tensor::DType;
use crate::tokenizer::Tokenizer;
use backend::Chosen;
use generate::Generation;
use held::{Held, Ring};
use load::ModelHead;
use loaded::Loaded;
use shelves::Shelves;

/// Most tokens of a prompt that one run takes.
pub const MAX_CHUNK: usize = 64;
/// Fewest: below it the weights are read too often.
const MIN_CHUNK: usize = 4;
/// Milliseconds after which a run is left, so that an abort is heard.
const SLICE_MS: f64 = 40.0;
/// Longest that a GPU may be held by one submit before the chunk is made smaller; watchdogs bite at seconds, pages feel less.
const LONG_SLICE_MS: f64 = 100.0;

/// A prepared plan with the value that the host reads after it.
#[derive(Clone, Copy, Debug)]
struct Ready {
    plan: PlanId,
    output: Option<ValueId>,
    /// Rows of logits that the run gave.
    rows: usize,
    /// Position of the first of them.
    first_row: usize,
}

/// A model that answers.
pub struct Session {
    model: Loaded,
    chat_template: Option<String>,
    /// What tells the model's file from others.
    fingerprint: u64,
    context: usize,
    kv: DType,
    /// Prepared plans by what they end with; made when first needed.
    ready: Vec<(Head, Ready)>,
    /// Tokens of the next chunk of a prompt.
    chunk: usize,
    generation: Option<Generation>,
    /// What the caches hold.
    held: Held,
    /// Beside them: stretches of prompts that come again.
    shelves: Shelves,
    /// First position of the runs that nobody has read from since.
    unread: Option<usize>,
    /// Tokens that went through the model since it was loaded.
    tokens_run: u64,
}

/// Facts about a session, for people and pages.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// Name in the file.
    pub name: String,
    /// Architecture.
    pub architecture: &'static str,
    /// Number of weights.
    pub parameters: u64,
    /// Bytes of weights in the file.
    pub weight_bytes: u64,
    /// Size of the vocabulary.
    pub vocabulary: usize,
    /// Positions that the cache holds.
    pub context: usize,
    /// Positions that the model was trained for.
    pub trained_context: usize,
    /// Type of the cache.
    pub kv: DType,
    /// Elements of an embedding; `None` for a model that writes text.
    pub dimensions: Option<usize>,
    /// Whether the file brings a chat template.
    pub chat: bool,
    /// Executor and device.
    pub backend: BackendInfo,
    /// Why that executor.
    pub reason: String,
    /// Where the time of the load went.
    pub timings: LoadTimings,
}

impl Session {
    pub(self) fn new(
        chosen: Chosen,
        host: Host,
        mut head: ModelHead,
        context: usize,
        kv: DType,
    ) -> Result<Self, SessionError> {
        let chat_template = head.chat_template.take();
        let host_tensors = std::mem::take(&mut head.host_tensors);
        let fingerprint = head.fingerprint;
        let mut session = Session {
            model: Loaded::new(chosen, host, head),
            chat_template,
            fingerprint,
            context,
            kv,
            ready: Vec::new(),
            chunk: MAX_CHUNK.min(context),
            generation: None,
            held: Held::default(),
            shelves: Shelves::default(),
            unread: None,
            tokens_run: 0,
        };
        session.held = Held::new(session.ring());
        // Made now, so that a missing tensor or a lack of room shows at load.
        for wanted in [Head::None, Head::Greedy] {
            session.prepared(wanted)?;
        }
        session.write_rope_tables(&host_tensors)?;
        Ok(session)
    }

    /// Facts for people.
    pub fn info(&self) -> SessionInfo {
        SessionInfo { kv: self.kv, chat: self.chat_template.is_some(), ..self.model.info(self.context) }
    }

    /// Where the bytes are.
    pub fn memory(&self) -> MemoryUse {
        let held = self.model.executor.memory();
        MemoryUse { states: held.states + self.shelves.bytes(), ..held }
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.model.tokenizer
    }

    /// The template that makes a prompt of a conversation, as the file brings it.
    pub fn chat_template(&self) -> Option<&str> {
        self.chat_template.as_deref()
    }

    /// The flag that ends whatever this session is doing.
    pub fn cancel_flag(&self) -> CancelFlag {
        self.model.host.cancel.clone()
    }

    /// Tokens that went through the model since it was loaded: of prompts, where they were not in the cache already, of
    /// answers, and of texts that were scored.
    pub fn tokens_run(&self) -> u64 {
        self.tokens_run
    }

    /// Tokens of a prompt that the caches hold already, and that need not run again.
    pub fn reusable(&self, ids: &[u32]) -> usize {
        self.held.reusable(ids)
    }

    fn max_tokens(&self) -> usize {
        MAX_CHUNK.min(self.context)
    }

    fn plan_options(&self, head: Head) -> PlanOptions {
        PlanOptions { context: self.context, max_tokens: self.max_tokens(), kv: self.kv, head }
    }

    /// The ring of the local layers, unless it holds the whole context.
    fn ring(&self) -> Option<Ring> {
        let local = (0..self.model.config.layers).find(|&layer| self.model.config.is_local(layer))?;
        let slots = self.plan_options(Head::None).slots(&self.model.config, local);
        let window = self.model.config.local.as_ref()?.window;
        (slots < self.context).then_some(Ring { window, slots })
    }

    /// The plan that ends with `head`, built on first use.
    pub fn plan(&self, head: Head) -> Result<Plan, SessionError> {
        Ok(model::build(&self.model.config, &self.model.tensors, self.plan_options(head))?)
    }

    fn prepared(&mut self, head: Head) -> Result<Ready, SessionError> {
        if let Some((_, ready)) = self.ready.iter().find(|(known, _)| *known == head) {
            return Ok(*ready);
        }
        let plan = self.plan(head)?;
        let output = match head {
            Head::None => None,
            Head::Logits | Head::AllLogits => plan.find(names::LOGITS),
            Head::Greedy => plan.find(names::TOKEN),
        };
        let max_tokens = match head {
            Head::AllLogits => score::CHUNK.min(self.max_tokens()),
            _ => self.max_tokens(),
        };
        let plan = self.model.executor.prepare(&plan, max_tokens)?;
        let ready = Ready { plan, output, rows: 1, first_row: 0 };
        self.ready.push((head, ready));
        Ok(ready)
    }

    /// The tables of cosines and sines; Llama 3's factors come from the file.
    fn write_rope_tables(&mut self, host_tensors: &[(String, Vec<f32>)]) -> Result<(), SessionError> {
        let config = &self.model.config;
        let factors = host_tensors
            .iter()
            .find(|(name, _)| name == names::ROPE_FACTORS)
            .map(|(_, factors)| factors.as_slice());
        let local = config.local.as_ref().map(|local| (names::ROPE_LOCAL, local.rope_base, 1.0, None));
        let global = (names::ROPE_GLOBAL, config.rope_base, config.rope_scaling.linear, factors);
        for (name, base, linear, factors) in local.into_iter().chain([global]) {
            let layers = 0..config.layers;
            let used = layers.into_iter().any(|layer| config.is_local(layer) == (name == names::ROPE_LOCAL));
            if used {
                let table = rope::table(self.context, config.rope_dims, base, linear, factors);
                self.model.executor.write(name, bytemuck::cast_slice(&table))?;
            }
        }
        Ok(())
    }

    /// Runs a plan over tokens that begin at `pos`.
    async fn run(&mut self, head: Head, ids: &[u32], pos: usize) -> Result<Ready, SessionError> {
        let ready = self.prepared(head)?;
        self.model.executor.write(names::IDS, bytemuck::cast_slice(ids))?;
        self.held.begin(pos, ids.len());
        self.unread = Some(self.unread.map_or(pos, |unread| unread.min(pos)));
        let longest = self.model.run(ready.plan, Extent { tokens: ids.len(), pos }, "the run").await?;
        self.held.end(ids);
        self.tokens_run += ids.len() as u64;
        if ids.len() == self.chunk {
            self.adapt_chunk(longest);
        }
        let last = ids.len().saturating_sub(1);
        Ok(match head {
            Head::AllLogits => Ready { rows: ids.len(), first_row: pos, ..ready },
            Head::None | Head::Logits | Head::Greedy => Ready { rows: 1, first_row: pos + last, ..ready },
        })
    }

    /// Halves the chunk when a slice held the device for long, doubles it when there is room.
    fn adapt_chunk(&mut self, longest_ms: f64) {
        if longest_ms > LONG_SLICE_MS {
            self.chunk = (self.chunk / 2).max(MIN_CHUNK.min(self.context));
        } else if longest_ms < LONG_SLICE_MS / 3.0 {
            self.chunk = (self.chunk * 2).min(self.max_tokens());
        }
    }

    /// Runs `ids` from position `from` on, in chunks of at most `largest`; only the last one ends with `head`.
    async fn prefill(
        &mut self,
        head: Head,
        ids: &[u32],
        from: usize,
        largest: usize,
    ) -> Result<Ready, SessionError> {
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
}
