//! Texts to vectors: batches of texts through an encoder.
//!
//! The texts of a batch are sorted by length and packed one behind the other, as many as a run takes; there is no padding, and no
//! text sees another.

use std::sync::Arc;

use super::backend::Chosen;
use super::load::ModelHead;
use super::{AnyExecutor, CancelFlag, Host, LoadTimings, SLICE_MS, SessionError, SessionInfo};
use crate::model::blocks::names;
use crate::model::config::{Encoder, Pooling};
use crate::model::{self, Config};
use crate::plan::executor::{MemoryUse, PlanId};
use crate::plan::{ExecError, Executor, Extent, Progress, ValueId};
use crate::tensor::{DType, TensorDesc};
use crate::tokenizer::{EncodeOptions, Tokenizer};

/// Tokens that one run takes, unless a single text has more.
const RUN_TOKENS: usize = 512;
/// Texts that one run takes.
const RUN_TEXTS: usize = 32;

/// A model that makes embeddings.
pub struct Embedder {
    executor: AnyExecutor,
    reason: String,
    host: Host,
    config: Config,
    encoder: Encoder,
    name: String,
    tensors: Vec<TensorDesc>,
    tokenizer: Arc<Tokenizer>,
    timings: LoadTimings,
    /// Tokens that a text is cut to.
    max_tokens: usize,
    plan: PlanId,
    output: ValueId,
}

/// What a batch took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EmbedStats {
    /// Tokens of all texts, with those around each.
    pub tokens: usize,
    /// Texts that were cut.
    pub truncated: usize,
    /// From the call to the last vector.
    pub ms: f64,
}

/// Vectors of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// One vector of length 1 a text, in the order of the texts.
    pub vectors: Vec<Vec<f32>>,
    /// What they took.
    pub stats: EmbedStats,
}

impl Embedder {
    pub(super) fn new(
        chosen: Chosen,
        host: Host,
        head: ModelHead,
        max_tokens: usize,
    ) -> Result<Self, SessionError> {
        let Chosen { mut executor, reason } = chosen;
        let missing =
            |what| ExecError::Unknown { operation: "prepare", what, name: names::EMBEDDINGS.to_owned() };
        let encoder = head.config.encoder.ok_or_else(|| missing("encoder"))?;
        let plan = model::build_encoder(&head.config, &head.tensors, RUN_TEXTS)?;
        let output = plan.find(names::EMBEDDINGS).ok_or_else(|| missing("output"))?;
        let plan = executor.prepare(&plan, RUN_TOKENS.max(max_tokens))?;
        Ok(Embedder {
            executor,
            reason,
            host,
            encoder,
            config: head.config,
            name: head.name,
            tensors: head.tensors,
            tokenizer: head.tokenizer,
            timings: head.timings,
            max_tokens,
            plan,
            output,
        })
    }

    /// Facts for people. The context is what a text is cut to; there is no cache.
    pub fn info(&self) -> SessionInfo {
        let weights = |count: fn(&TensorDesc) -> Option<usize>| self.tensors.iter().filter_map(count).sum();
        SessionInfo {
            name: self.name.clone(),
            architecture: self.config.arch.name,
            parameters: weights(|desc| desc.shape.elements()),
            weight_bytes: weights(TensorDesc::bytes),
            vocabulary: self.tokenizer.vocab_size() as usize,
            context: self.max_tokens,
            trained_context: self.config.context,
            kv: DType::F32,
            dimensions: Some(self.config.width),
            chat: false,
            backend: self.executor.info(),
            reason: self.reason.clone(),
            timings: self.timings,
        }
    }

    /// Elements of a vector.
    pub fn dimensions(&self) -> usize {
        self.config.width
    }

    /// Tokens that a text is cut to, those around it included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// Where the bytes are.
    pub fn memory(&self) -> MemoryUse {
        self.executor.memory()
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The flag that ends whatever this model is doing.
    pub fn cancel_flag(&self) -> CancelFlag {
        self.host.cancel.clone()
    }

    /// The vectors of some texts, in their order; a text of more than [`max_tokens`](Embedder::max_tokens) is cut.
    ///
    /// # Errors
    /// A text that the vocabulary can't encode, a failing run, or an abort.
    pub async fn embed<T: AsRef<str>>(&mut self, texts: &[T]) -> Result<Embeddings, SessionError> {
        self.host.cancel.reset();
        let started = self.host.now();
        let mut stats = EmbedStats::default();
        let mut sequences = Vec::with_capacity(texts.len());
        for text in texts {
            sequences.push(self.encode(text.as_ref(), &mut stats)?);
        }
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(sequences[index].len()));
        let mut vectors = vec![Vec::new(); texts.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let (run, behind) = rest.split_at(fitting(rest, &sequences));
            let ids: Vec<&[u32]> = run.iter().map(|&index| sequences[index].as_slice()).collect();
            let rows = self.run(&ids).await?;
            for (&index, row) in run.iter().zip(rows.chunks_exact(self.config.width)) {
                vectors[index] = row.to_vec();
            }
            rest = behind;
        }
        stats.ms = self.host.now() - started;
        Ok(Embeddings { vectors, stats })
    }

    /// Ids of a text with the tokens around it; what is too long is cut before the last of those.
    fn encode(&self, text: &str, stats: &mut EmbedStats) -> Result<Vec<u32>, SessionError> {
        let mut ids = self.tokenizer.encode(text, EncodeOptions::default())?;
        if ids.len() > self.max_tokens {
            let behind = self.tokenizer.eos().filter(|eos| ids.last() == Some(eos));
            ids.truncate(self.max_tokens - usize::from(behind.is_some()));
            ids.extend(behind);
            stats.truncated += 1;
        }
        if ids.is_empty() {
            // A vocabulary that puts nothing around a text has no token for an empty one.
            ids.push(self.tokenizer.eos().unwrap_or(0));
        }
        stats.tokens += ids.len();
        Ok(ids)
    }

    /// Runs sequences packed one behind the other; a row for each, and rows of zeros for those that a run could take more.
    async fn run(&mut self, sequences: &[&[u32]]) -> Result<Vec<f32>, SessionError> {
        let ids = sequences.concat();
        let (mut positions, mut spans) = (Vec::with_capacity(ids.len()), Vec::with_capacity(ids.len()));
        let mut segments = [[0u32; 2]; RUN_TEXTS];
        let mut first = 0;
        for (sequence, segment) in sequences.iter().zip(&mut segments) {
            let count = sequence.len() as u32;
            let end = first + count;
            positions.extend(0..count);
            spans.extend((0..count).map(|_| [first, end]));
            *segment = match self.encoder.pooling {
                Pooling::Mean => [first, end],
                Pooling::First => [first, first + 1],
            };
            first = end;
        }
        self.executor.write(names::IDS, bytemuck::cast_slice(&ids))?;
        self.executor.write(names::POSITIONS, bytemuck::cast_slice(&positions))?;
        self.executor.write(names::SPANS, bytemuck::cast_slice(&spans))?;
        self.executor.write(names::SEGMENTS, bytemuck::cast_slice(&segments))?;
        self.executor.begin(self.plan, Extent { tokens: ids.len(), pos: 0 })?;
        while self.executor.advance(SLICE_MS).await? == Progress::More {
            (self.host.breathe)().await;
            if self.host.cancel.is_cancelled() {
                return Err(SessionError::Cancelled { operation: "embedding" });
            }
        }
        Ok(bytemuck::pod_collect_to_vec(&self.executor.read(self.plan, self.output).await?))
    }
}

/// How many of the first of these sequences one run takes.
fn fitting(order: &[usize], sequences: &[Vec<u32>]) -> usize {
    let mut tokens = 0;
    let fit = order.iter().take(RUN_TEXTS).take_while(|&&index| {
        tokens += sequences[index].len();
        tokens <= RUN_TOKENS
    });
    fit.count().max(1)
}
