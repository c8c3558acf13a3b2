//! Texts to vectors: batches of texts through an encoder.
//!
//! The texts of a batch are sorted by length and packed one behind the other, as many as a run takes; there is no padding, and no
//! text sees another.

use std::hash::Hasher;

use twox_hash::XxHash64;

use super::backend::Chosen;
use super::load::ModelHead;
use super::loaded::Loaded;
use super::{CancelFlag, Host, SessionError, SessionInfo};
use crate::model;
use crate::model::blocks::names;
use crate::model::config::{Encoder, Pooling};
use crate::plan::executor::{MemoryUse, PlanId};
use crate::plan::{ExecError, Executor, Extent, Precision, ValueId};
use crate::tensor::first_not_finite;
use crate::tokenizer::{EncodeOptions, Tokenizer};

/// Tokens that one run takes, unless a single text has more.
pub(super) const RUN_TOKENS: usize = 512;
/// Texts that one run takes.
pub(super) const RUN_TEXTS: usize = 32;

/// A model that makes embeddings.
pub struct Embedder {
    model: Loaded,
    encoder: Encoder,
    /// Tokens that a text is cut to.
    max_tokens: usize,
    identity: u64,
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
        precision: Precision,
    ) -> Result<Self, SessionError> {
        let identity = identity(head.fingerprint, max_tokens, precision);
        let mut model = Loaded::new(chosen, host, head);
        let missing =
            |what| ExecError::Unknown { operation: "prepare", what, name: names::EMBEDDINGS.to_owned() };
        let encoder = model.config.encoder.ok_or_else(|| missing("encoder"))?;
        let plan = model::build_encoder(&model.config, &model.tensors, RUN_TEXTS)?;
        let output = plan.find(names::EMBEDDINGS).ok_or_else(|| missing("output"))?;
        let plan = model.executor.prepare(&plan, RUN_TOKENS.max(max_tokens))?;
        Ok(Embedder { model, encoder, max_tokens, identity, plan, output })
    }

    /// Facts for people. The context is what a text is cut to; there is no cache.
    pub fn info(&self) -> SessionInfo {
        SessionInfo { dimensions: Some(self.model.config.width), ..self.model.info(self.max_tokens) }
    }

    /// Elements of a vector.
    pub fn dimensions(&self) -> usize {
        self.model.config.width
    }

    /// Tokens that a text is cut to, those around it included.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// What tells this model's vectors from those of others: its files, the arithmetic, and what a text is cut to. Backends agree up to
    /// rounding.
    pub fn identity(&self) -> u64 {
        self.identity
    }

    /// Where the bytes are.
    pub fn memory(&self) -> MemoryUse {
        self.model.executor.memory()
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.model.tokenizer
    }

    /// The flag that ends whatever this model is doing.
    pub fn cancel_flag(&self) -> CancelFlag {
        self.model.host.cancel.clone()
    }

    /// The vectors of some texts, in their order; a text of more than [`max_tokens`](Embedder::max_tokens) is cut.
    ///
    /// # Errors
    /// A text that the vocabulary can't encode, a failing run, a vector that is no number, or an abort.
    pub async fn embed<T: AsRef<str>>(&mut self, texts: &[T]) -> Result<Embeddings, SessionError> {
        self.model.host.cancel.reset();
        let started = self.model.host.now();
        let mut stats = EmbedStats::default();
        let mut sequences = Vec::with_capacity(texts.len());
        for text in texts {
            sequences.push(self.encode(text.as_ref(), &mut stats)?);
            self.model.pause("embedding").await?;
        }
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(sequences[index].len()));
        let mut vectors = vec![Vec::new(); texts.len()];
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let (run, behind) = rest.split_at(fitting(rest, &sequences));
            let ids: Vec<&[u32]> = run.iter().map(|&index| sequences[index].as_slice()).collect();
            let rows = self.run(&ids).await?;
            for (&index, row) in run.iter().zip(rows.chunks_exact(self.model.config.width)) {
                if first_not_finite(row).is_some() {
                    return Err(SessionError::BadNumbers { what: "the vector of text", at: index });
                }
                vectors[index] = row.to_vec();
            }
            rest = behind;
        }
        stats.ms = self.model.host.now() - started;
        Ok(Embeddings { vectors, stats })
    }

    /// Ids of a text with the tokens around it; what is too long is cut before the last of those.
    fn encode(&self, text: &str, stats: &mut EmbedStats) -> Result<Vec<u32>, SessionError> {
        let mut ids = self.model.tokenizer.encode(text, EncodeOptions::default())?;
        if ids.len() > self.max_tokens {
            let behind = self.model.tokenizer.eos().filter(|eos| ids.last() == Some(eos));
            ids.truncate(self.max_tokens - usize::from(behind.is_some()));
            ids.extend(behind);
            stats.truncated += 1;
        }
        if ids.is_empty() {
            // A vocabulary that puts nothing around a text has no token for an empty one.
            ids.push(self.model.tokenizer.eos().unwrap_or(0));
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
        self.model.executor.write(names::IDS, bytemuck::cast_slice(&ids))?;
        self.model.executor.write(names::POSITIONS, bytemuck::cast_slice(&positions))?;
        self.model.executor.write(names::SPANS, bytemuck::cast_slice(&spans))?;
        self.model.executor.write(names::SEGMENTS, bytemuck::cast_slice(&segments))?;
        self.model.run(self.plan, Extent { tokens: ids.len(), pos: 0 }, "embedding").await?;
        Ok(bytemuck::pod_collect_to_vec(&self.model.executor.read(self.plan, self.output).await?))
    }
}

fn identity(fingerprint: u64, max_tokens: usize, precision: Precision) -> u64 {
    let mut hash = XxHash64::with_seed(fingerprint);
    hash.write(&(max_tokens as u64).to_le_bytes());
    hash.write(&[u8::from(precision == Precision::Exact)]);
    hash.finish()
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
