//! An extractive reader: an encoder that says of each token of a text how well it begins and how well it ends the answer to a question.
//!
//! A text that does not fit beside the question is read in windows that overlap, each with the question in front:
//! `[CLS] question [SEP] window [SEP]`.

use std::ops::Range;

use super::model::{Input, Prepared};
use super::{Model, SessionError};
use crate::kernel::facts::{Row, Segment};
use crate::model::arch::Body;
use crate::model::blocks::names;
use crate::model::{self, ModelError};
use crate::plan::Extent;
use crate::tensor::first_not_finite;
use crate::tokenizer::EncodeOptions;

/// Tokens that a window takes over from the one before it; at most half of its own.
const STRIDE: usize = 128;
/// Tokens of the text that a window has to have room for.
const LEAST: usize = 16;

/// A model that marks answers.
pub struct SpanReader {
    model: Model,
    prepared: Prepared,
}

/// A token of the text within a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// Bytes of the word that the token is of.
    pub word: Range<usize>,
    /// Logit of the answer's beginning.
    pub start: f32,
    /// Logit of its end.
    pub end: f32,
}

/// What a window gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Tokens of the text, in their order.
    pub edges: Vec<Edge>,
    /// Logits of the first token: that there is no answer.
    pub null: (f32, f32),
}

/// What a run says of a token: (beginning, end).
type Logits = [f32; 2];

impl SpanReader {
    /// Makes the plan ready. The model's context is what a window holds, with the question.
    ///
    /// # Errors
    /// The model writes text, has no head that marks answers, or its vocabulary no `[CLS]` and `[SEP]`; or the device has no room.
    pub fn new(mut model: Model) -> Result<Self, SessionError> {
        model.expect(Body::Encoder)?;
        let plan = model::build_span_reader(&model.config, &model.tensors)?;
        let tokenizer = &model.tokenizer;
        if tokenizer.word_ranges("").is_none() || tokenizer.bos().is_none() || tokenizer.eos().is_none() {
            return Err(ModelError::Value {
                key: "tokenizer.json".to_owned(),
                expected: "a BERT vocabulary with [CLS] and [SEP]".to_owned(),
                got: tokenizer.name().to_owned(),
            }
            .into());
        }
        let prepared = model.prepare(&plan, Some(names::EDGES), Extent::tokens(model.context))?;
        model.end_loading();
        Ok(SpanReader { model, prepared })
    }

    /// The model: facts, memory, vocabulary.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Reads a text for a question, window by window.
    ///
    /// # Errors
    /// A question that leaves no room for the text, a failing run, or an abort.
    pub async fn read(&mut self, question: &str, text: &str) -> Result<Vec<Window>, SessionError> {
        self.model.host.cancel.reset();
        let plain = EncodeOptions { add_special: false, parse_special: false };
        let question = self.model.tokenizer.encode(question, plain)?;
        let (mut ids, mut words) = (Vec::new(), Vec::new());
        for word in self.model.tokenizer.word_ranges(text).unwrap_or_default() {
            let tokens = self.model.tokenizer.encode(text.get(word.clone()).unwrap_or_default(), plain)?;
            words.resize(words.len() + tokens.len(), word);
            ids.extend(tokens);
            self.model.pause("reading").await?;
        }
        // [CLS], and [SEP] behind each.
        let room = self.model.context.saturating_sub(question.len() + 3);
        let stride = STRIDE.min(room / 2);
        if room < LEAST.min(ids.len()) {
            return Err(SessionError::Context {
                what: "the question with a part of the text",
                needed: question.len() + 3 + LEAST.min(ids.len()),
                context: self.model.context,
                advice: "shorten the question",
            });
        }
        let mut windows = Vec::new();
        let mut first = 0;
        loop {
            let end = ids.len().min(first + room);
            let logits = self.run(&question, ids.get(first..end).unwrap_or_default()).await?;
            let null = logits.first().copied().unwrap_or_default();
            let behind = logits.get(question.len() + 2..).unwrap_or_default();
            let edges = words.get(first..end).unwrap_or_default().iter().zip(behind);
            windows.push(Window {
                edges: edges.map(|(word, &[start, end])| Edge { word: word.clone(), start, end }).collect(),
                null: (null[0], null[1]),
            });
            if end == ids.len() {
                return Ok(windows);
            }
            first = end - stride;
        }
    }

    async fn run(&mut self, question: &[u32], text: &[u32]) -> Result<Vec<Logits>, SessionError> {
        let (cls, sep) = (self.model.tokenizer.bos(), self.model.tokenizer.eos());
        let ids: Vec<u32> = cls
            .into_iter()
            .chain(question.iter().copied())
            .chain(sep)
            .chain(text.iter().copied())
            .chain(sep)
            .collect();
        let rows = Row::sequence(&ids, 0);
        let segment = Segment { first: 0, end: ids.len() as u32 };
        let types: Vec<u32> = (0..ids.len()).map(|at| u32::from(at >= question.len() + 2)).collect();
        let inputs: [(Input, &[u8]); 3] = [
            (Input::Rows, bytemuck::cast_slice(&rows)),
            (Input::Segments, bytemuck::bytes_of(&segment)),
            (Input::Types, bytemuck::cast_slice(&types)),
        ];
        let run = self.model.run(self.prepared, Extent::tokens(ids.len()), &inputs, "reading").await?;
        let bytes = self.model.take(run).await?;
        let numbers: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        let (pairs, _) = numbers.as_chunks::<2>();
        let read = &numbers[..numbers.len().min(2 * ids.len())];
        if let Some(index) = first_not_finite(read) {
            return Err(SessionError::BadNumbers { what: "the scores of token", at: index / 2 });
        }
        Ok(pairs.get(..ids.len()).unwrap_or_default().to_vec())
    }
}
