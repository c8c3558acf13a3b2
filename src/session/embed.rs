//! Texts to vectors: batches of texts through an encoder.
//!
//! The texts of a batch are sorted by length and packed one behind the other, as many as a run takes; there is no padding, and no
//! text sees another.

use std::hash::Hasher;

use twox_hash::XxHash64;

use super::model::{Input, Prepared};
use super::{Model, SessionError};
use crate::kernel::facts::{Row, Segment};
use crate::model;
use crate::model::arch::Body;
use crate::model::blocks::names;
use crate::plan::{Extent, Precision};
use crate::tensor::first_not_finite;
use crate::tokenizer::EncodeOptions;

/// Tokens that one run takes, unless a single text has more.
pub(super) const RUN_TOKENS: usize = 512;
/// Texts that one run takes.
pub(super) const RUN_TEXTS: usize = 32;

/// A model that makes embeddings.
pub struct Embedder {
    model: Model,
    prepared: Prepared,
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
    /// Makes the plan ready.
    ///
    /// # Errors
    /// The model writes text, a tensor is missing, or the device has no room.
    pub fn new(mut model: Model) -> Result<Self, SessionError> {
        model.expect(Body::Encoder)?;
        let plan = model::build_encoder(&model.config, &model.tensors)?;
        let prepared = model.prepare(&plan, Some(names::EMBEDDINGS), largest_run(model.context))?;
        model.end_loading();
        Ok(Embedder { model, prepared })
    }

    /// The model: facts, memory, vocabulary.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Elements of a vector.
    pub fn dimensions(&self) -> usize {
        self.model.config.width
    }

    /// Tokens that a text is cut to, those around it included.
    pub fn max_tokens(&self) -> usize {
        self.model.context
    }

    /// What tells this model's vectors from those of others: its files, the arithmetic, and what a text is cut to. Backends agree up to
    /// rounding.
    pub fn identity(&self) -> u64 {
        let mut hash = XxHash64::with_seed(self.model.fingerprint);
        hash.write(&(self.max_tokens() as u64).to_le_bytes());
        hash.write(&[u8::from(self.model.precision == Precision::Exact)]);
        hash.finish()
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
        if ids.len() > self.max_tokens() {
            let behind = self.model.tokenizer.eos().filter(|eos| ids.last() == Some(eos));
            ids.truncate(self.max_tokens() - usize::from(behind.is_some()));
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

    /// Runs sequences packed one behind the other; a row for each.
    async fn run(&mut self, sequences: &[&[u32]]) -> Result<Vec<f32>, SessionError> {
        let mut rows: Vec<Row> = Vec::new();
        let mut segments = Vec::with_capacity(sequences.len());
        for (sequence, ids) in sequences.iter().enumerate() {
            let first = rows.len() as u32;
            let of_one = Row::sequence(ids, 0).into_iter();
            rows.extend(of_one.map(|row| Row { sequence: sequence as u32, ..row }));
            segments.push(Segment { first, end: rows.len() as u32 });
        }
        let firsts: Vec<u32> = segments.iter().map(|segment| segment.first).collect();
        let inputs: [(Input, &[u8]); 3] = [
            (Input::Rows, bytemuck::cast_slice(&rows)),
            (Input::Segments, bytemuck::cast_slice(&segments)),
            (Input::Wanted, bytemuck::cast_slice(&firsts)),
        ];
        let count = sequences.len();
        let extent = Extent { wanted: count, sequences: count, ..Extent::tokens(rows.len()) };
        let run = self.model.run(self.prepared, extent, &inputs, "embedding").await?;
        Ok(bytemuck::pod_collect_to_vec(&self.model.take(run).await?))
    }
}

/// The largest run of an encoder whose texts have up to so many tokens.
pub(super) fn largest_run(max_tokens: usize) -> Extent {
    Extent { wanted: RUN_TEXTS, sequences: RUN_TEXTS, ..Extent::tokens(RUN_TOKENS.max(max_tokens)) }
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
