//! One sequence: a prompt and what is written after it, token by token, until something says stop.
//!
//! A sequence names what has to run for its next token and takes what that gave. It knows no executor and no cache, so that several may
//! share one model.

use std::sync::Arc;

use super::SessionError;
use crate::model::Head;
use crate::sampler::{self, Sampler, Settings};
use crate::tokenizer::{StopMatcher, StreamDecoder, Tokenizer};
use crate::trace::{Span, span};

/// How to write.
#[derive(Clone, Debug)]
pub struct GenerateOptions {
    /// Most tokens that are written; as many as the context holds by default.
    pub max_tokens: Option<usize>,
    /// How the next token is picked. Greedy by default.
    pub sampling: Settings,
    /// Texts that end the answer; they are not part of it.
    pub stop: Vec<String>,
    /// Tokens that end the answer, beside those that the vocabulary names.
    pub stop_ids: Vec<u32>,
    /// Write on after the vocabulary's own end tokens.
    pub ignore_eos: bool,
    /// Give each token's log-probability and those of so many of the likeliest.
    pub logprobs: Option<usize>,
    /// Whether special tokens are recognised in the prompt.
    pub parse_special: bool,
    /// Take from the cache what the prompt has in common with the one before it and its answer.
    pub reuse: bool,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        GenerateOptions {
            max_tokens: None,
            sampling: Settings { temperature: 0.0, ..Settings::default() },
            stop: Vec::new(),
            stop_ids: Vec::new(),
            ignore_eos: false,
            logprobs: None,
            parse_special: true,
            reuse: true,
        }
    }
}

/// A token that might have been.
#[derive(Clone, Debug, PartialEq)]
pub struct TopToken {
    /// Its id.
    pub id: u32,
    /// Its text, with U+FFFD where it is half a character.
    pub text: String,
    /// Natural logarithm of its probability in the raw distribution.
    pub logprob: f32,
}

/// One token of the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Its id.
    pub id: u32,
    /// The text that is complete with it: empty while half a character or a possible stop text is held back.
    pub text: String,
    /// Natural logarithm of its probability in the raw distribution, if asked for.
    pub logprob: Option<f32>,
    /// The likeliest tokens, if asked for.
    pub top: Vec<TopToken>,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model wrote an end token, or one of `stop_ids`.
    EndToken,
    /// A stop text appeared.
    StopText,
    /// `max_tokens` are written.
    Length,
    /// The context is full.
    Context,
    /// Somebody stopped it.
    Cancelled,
}

impl Finish {
    /// One word for programs.
    pub fn name(self) -> &'static str {
        match self {
            Finish::EndToken => "stop",
            Finish::StopText => "stop_text",
            Finish::Length => "length",
            Finish::Context => "context",
            Finish::Cancelled => "cancelled",
        }
    }
}

/// What an answer took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stats {
    /// Why it ended.
    pub finish: Finish,
    /// Tokens of the prompt, those in the cache included.
    pub prompt_tokens: usize,
    /// Tokens of the prompt that were in the cache, from the prompts and answers before it.
    pub cached_tokens: usize,
    /// Tokens that were written.
    pub tokens: usize,
    /// From the start to the first token.
    pub first_token_ms: f64,
    /// Time of the prompt.
    pub prefill_ms: f64,
    /// Time of all tokens after the first.
    pub decode_ms: f64,
}

impl Stats {
    /// Tokens of the prompt per second, those in the cache not counted.
    pub fn prefill_per_second(&self) -> f64 {
        rate(self.prompt_tokens.saturating_sub(self.cached_tokens), self.prefill_ms)
    }

    /// Tokens per second after the first.
    pub fn decode_per_second(&self) -> f64 {
        rate(self.tokens.saturating_sub(1), self.decode_ms)
    }
}

fn rate(count: usize, ms: f64) -> f64 {
    if ms > 0.0 { count as f64 * 1e3 / ms } else { 0.0 }
}

/// What [`Session::next`](super::Session::next) gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// One more token.
    Piece(Piece),
    /// The answer has ended; `text` is what was still held back.
    Done {
        /// The rest of the text.
        text: String,
        /// What it took.
        stats: Stats,
    },
}

/// A prompt and the answer to it that is being written.
pub(super) struct Sequence {
    options: GenerateOptions,
    sampler: Sampler,
    tokenizer: Arc<Tokenizer>,
    text: StreamDecoder<Arc<Tokenizer>>,
    stop: StopMatcher,
    /// Prompt and answer.
    ids: Vec<u32>,
    /// How many of them a cache holds.
    computed: usize,
    prompt_tokens: usize,
    cached_tokens: usize,
    max_tokens: usize,
    finish: Option<Finish>,
    started: f64,
    prefill_ms: f64,
    first_token_at: f64,
    last_token_at: f64,
    span: Span,
}

impl Sequence {
    /// Of the next token: a decode step, once the prompt is through.
    pub fn step_span(&self) -> Span {
        let position = self.ids.len() - 1;
        if position < self.prompt_tokens {
            return self.span.clone();
        }
        let _generation = self.span.clone().entered();
        span!("decode", position = position)
    }

    /// Begins after a prompt of fewer than `context` tokens; `now` in milliseconds, as all times here.
    ///
    /// # Errors
    /// A prompt that leaves no room for `max_tokens`, or options that make no sense.
    pub fn new(
        tokenizer: &Arc<Tokenizer>,
        ids: Vec<u32>,
        options: GenerateOptions,
        context: usize,
        now: f64,
    ) -> Result<Self, SessionError> {
        let room = context - ids.len();
        if let Some(max) = options.max_tokens
            && max > room
        {
            return Err(SessionError::Context {
                what: "the prompt with max_tokens",
                needed: ids.len().saturating_add(max),
                context,
                advice: "lower max_tokens, shorten the prompt or load the model with a larger context",
            });
        }
        let max_tokens = options.max_tokens.unwrap_or(room);
        Ok(Sequence {
            sampler: Sampler::new(options.sampling.clone())?,
            tokenizer: Arc::clone(tokenizer),
            text: Tokenizer::stream_owned(Arc::clone(tokenizer), &ids, true),
            stop: StopMatcher::new(options.stop.iter().cloned())?,
            computed: 0,
            prompt_tokens: ids.len(),
            cached_tokens: 0,
            max_tokens,
            finish: (max_tokens == 0).then_some(Finish::Length),
            span: span!("generation", prompt_tokens = ids.len(), max_tokens = max_tokens),
            ids,
            options,
            started: now,
            prefill_ms: 0.0,
            first_token_at: now,
            last_token_at: now,
        })
    }

    /// Prompt and answer so far.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How many of them need not run any more. The last one always has to.
    pub fn computed(&self) -> usize {
        self.computed
    }

    /// What a run over the others has to end with.
    pub fn head(&self) -> Head {
        let greedy = self.sampler.is_plain_greedy() && self.options.logprobs.is_none();
        if greedy { Head::Greedy } else { Head::Logits }
    }

    /// Whether nothing is written yet.
    pub fn is_new(&self) -> bool {
        self.written() == 0
    }

    /// Whether it has ended, or somebody stopped it.
    pub fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    fn written(&self) -> usize {
        self.ids.len() - self.prompt_tokens
    }

    /// Before its first run: a cache holds the first `tokens` of the prompt. Without effect where it is not to reuse them.
    pub fn reuse(&mut self, tokens: usize) {
        if self.options.reuse {
            (self.computed, self.cached_tokens) = (tokens, tokens);
        }
    }

    /// Somebody stopped it.
    pub fn cancel(&mut self) {
        self.finish = Some(Finish::Cancelled);
    }

    /// Picks the next token.
    ///
    /// # Errors
    /// Logits that the sampler refuses.
    pub fn sample(&mut self, logits: &[f32]) -> Result<u32, SessionError> {
        Ok(self.sampler.sample(logits, &self.ids, self.ids.len() as u64)?)
    }

    /// Takes the next token, after all of [`ids`](Self::ids) have run, with the logits that it was picked from where the host has them.
    /// `None` when the token ends the answer without being part of it.
    ///
    /// # Errors
    /// A token that the vocabulary does not have.
    pub fn push(&mut self, id: u32, logits: Option<&[f32]>, now: f64) -> Result<Option<Piece>, SessionError> {
        if self.is_new() {
            self.prefill_ms = now - self.started;
            self.first_token_at = now;
        }
        self.last_token_at = now;
        self.computed = self.ids.len();
        let ends = self.options.stop_ids.contains(&id)
            || (!self.options.ignore_eos && self.tokenizer.is_end_of_generation(id));
        if ends {
            self.finish = Some(Finish::EndToken);
            return Ok(None);
        }
        self.ids.push(id);
        let mut piece = Piece { id, text: String::new(), logprob: None, top: Vec::new() };
        if let (Some(top), Some(logits)) = (self.options.logprobs, logits) {
            let probabilities = sampler::logprobs(logits, id, top)?;
            piece.logprob = Some(probabilities.logprob);
            for (id, logprob) in probabilities.top {
                let text = String::from_utf8_lossy(&self.tokenizer.piece(id)?).into_owned();
                piece.top.push(TopToken { id, text, logprob });
            }
        }
        let decoded = self.text.push(id)?;
        let (text, stopped) = self.stop.push(&decoded);
        piece.text = text;
        if stopped.is_some() {
            self.finish = Some(Finish::StopText);
        } else if self.written() >= self.max_tokens {
            // Without a wish of the user's the limit is the context.
            let by_wish = self.options.max_tokens.is_some();
            self.finish = Some(if by_wish { Finish::Length } else { Finish::Context });
        }
        Ok(Some(piece))
    }

    /// The end, with what was held back.
    pub fn done(mut self) -> Event {
        let mut text = String::new();
        if self.stop.stopped().is_none() {
            let (rest, _) = self.stop.push(&self.text.finish());
            text = rest;
            text.push_str(&self.stop.finish());
        }
        let stats = Stats {
            finish: self.finish.unwrap_or(Finish::EndToken),
            prompt_tokens: self.prompt_tokens,
            cached_tokens: self.cached_tokens,
            tokens: self.written(),
            first_token_ms: self.first_token_at - self.started,
            prefill_ms: self.prefill_ms,
            decode_ms: self.last_token_at - self.first_token_at,
        };
        Event::Done { text, stats }
    }
}
