//! Writing: a prompt becomes tokens, tokens become text, until something says stop.

use std::sync::Arc;

use super::{Head, MAX_CHUNK, Ready, Session, SessionError};
use crate::kernel::argmax::NOT_FINITE;
use crate::sampler::{self, Sampler, Settings};
use crate::tokenizer::{EncodeOptions, StopMatcher, StreamDecoder, Tokenizer};

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

/// What [`Session::next`] gives.
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

/// An answer that is being written.
pub(super) struct Generation {
    options: GenerateOptions,
    sampler: Sampler,
    decoder: StreamDecoder<Arc<Tokenizer>>,
    stop: StopMatcher,
    /// Prompt and answer.
    ids: Vec<u32>,
    prompt_tokens: usize,
    cached_tokens: usize,
    max_tokens: usize,
    finish: Option<Finish>,
    started: f64,
    prefill_ms: f64,
    first_token_at: f64,
    last_token_at: f64,
}

impl Session {
    /// Begins an answer; one that was not finished is dropped.
    ///
    /// # Errors
    /// A prompt (with what is to follow it) that the context can't hold, or options that make no sense.
    pub fn start(&mut self, prompt: &str, options: GenerateOptions) -> Result<(), SessionError> {
        let encode = EncodeOptions { add_special: true, parse_special: options.parse_special };
        let ids = self.model.tokenizer.encode(prompt, encode)?;
        self.start_ids(ids, options)
    }

    /// As [`start`](Session::start), from token ids.
    ///
    /// # Errors
    /// As [`start`](Session::start); also ids outside the vocabulary.
    pub fn start_ids(&mut self, ids: Vec<u32>, options: GenerateOptions) -> Result<(), SessionError> {
        self.generation = None;
        self.check_prompt(&ids)?;
        if let Some(max) = options.max_tokens
            && max > self.context - ids.len()
        {
            return Err(SessionError::Context {
                what: "the prompt with max_tokens",
                needed: ids.len().saturating_add(max),
                context: self.context,
                advice: "lower max_tokens, shorten the prompt or load the model with a larger context",
            });
        }
        let sampler = Sampler::new(options.sampling.clone())?;
        let now = self.model.host.now();
        let max_tokens = options.max_tokens.unwrap_or(self.context - ids.len());
        self.model.host.cancel.reset();
        self.generation = Some(Generation {
            sampler,
            decoder: Tokenizer::stream_owned(Arc::clone(&self.model.tokenizer), &ids, true),
            stop: StopMatcher::new(options.stop.iter().cloned())?,
            prompt_tokens: ids.len(),
            cached_tokens: 0,
            max_tokens,
            finish: (max_tokens == 0).then_some(Finish::Length),
            ids,
            options,
            started: now,
            prefill_ms: 0.0,
            first_token_at: now,
            last_token_at: now,
        });
        Ok(())
    }

    /// Whether the caches hold the prompt and a token more, and the vocabulary has all of it.
    pub(super) fn check_prompt(&self, ids: &[u32]) -> Result<(), SessionError> {
        let vocabulary = self.model.tokenizer.vocab_size();
        if ids.is_empty() || ids.iter().any(|&id| id >= vocabulary) {
            return Err(SessionError::Option {
                option: "prompt",
                expected: format!("at least one token, all below {vocabulary}"),
                got: format!("{} tokens", ids.len()),
            });
        }
        if ids.len() >= self.context {
            return Err(SessionError::Context {
                what: "the prompt",
                needed: ids.len() + 1,
                context: self.context,
                advice: "shorten the prompt or load the model with a larger context",
            });
        }
        Ok(())
    }

    /// The next token, or the end; `None` when there is nothing more to give.
    ///
    /// # Errors
    /// The device failed, or the model computed something that is no number. The answer is dropped.
    pub async fn next(&mut self) -> Result<Option<Event>, SessionError> {
        let Some(mut generation) = self.generation.take() else { return Ok(None) };
        if generation.finish.is_none() && self.model.host.cancel.is_cancelled() {
            generation.finish = Some(Finish::Cancelled);
        }
        if generation.finish.is_some() {
            return Ok(Some(generation.done()));
        }
        match self.next_token(&mut generation).await {
            Ok(Some(piece)) => {
                self.generation = Some(generation);
                Ok(Some(Event::Piece(piece)))
            }
            Ok(None) => Ok(Some(generation.done())),
            Err(SessionError::Cancelled { .. }) => {
                generation.finish = Some(Finish::Cancelled);
                Ok(Some(generation.done()))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs the model and picks; `None` when the pick ends the answer without being part of it.
    async fn next_token(&mut self, generation: &mut Generation) -> Result<Option<Piece>, SessionError> {
        let greedy = generation.sampler.is_plain_greedy() && generation.options.logprobs.is_none();
        let head = if greedy { Head::Greedy } else { Head::Logits };
        let written = generation.ids.len() - generation.prompt_tokens;
        let ready = if written == 0 {
            self.forget_unread().await?;
            if generation.options.reuse {
                generation.cached_tokens = self.held.reusable(&generation.ids);
            }
            self.prefill(head, &generation.ids, generation.cached_tokens, MAX_CHUNK).await?
        } else {
            let last = generation.ids.len() - 1;
            self.run(head, &generation.ids[last..], last).await?
        };
        let (id, logits) = self.pick(generation, ready, greedy).await?;
        let now = self.model.host.now();
        if written == 0 {
            generation.prefill_ms = now - generation.started;
            generation.first_token_at = now;
        }
        generation.last_token_at = now;
        let ends = generation.options.stop_ids.contains(&id)
            || (!generation.options.ignore_eos && self.model.tokenizer.is_end_of_generation(id));
        if ends {
            generation.finish = Some(Finish::EndToken);
            return Ok(None);
        }
        generation.ids.push(id);
        let mut piece = Piece { id, text: String::new(), logprob: None, top: Vec::new() };
        if let (Some(top), Some(logits)) = (generation.options.logprobs, logits) {
            let probabilities = sampler::logprobs(&logits, id, top)?;
            piece.logprob = Some(probabilities.logprob);
            for (id, logprob) in probabilities.top {
                let text = String::from_utf8_lossy(&self.model.tokenizer.piece(id)?).into_owned();
                piece.top.push(TopToken { id, text, logprob });
            }
        }
        let decoded = generation.decoder.push(id)?;
        let (text, stopped) = generation.stop.push(&decoded);
        piece.text = text;
        generation.finish = if stopped.is_some() {
            Some(Finish::StopText)
        } else if written + 1 >= generation.max_tokens {
            // Without a wish of the user's the limit is the context.
            Some(if generation.options.max_tokens.is_some() { Finish::Length } else { Finish::Context })
        } else {
            None
        };
        Ok(Some(piece))
    }

    /// The next id, and the logits if they came to the host.
    async fn pick(
        &mut self,
        generation: &mut Generation,
        ready: Ready,
        greedy: bool,
    ) -> Result<(u32, Option<Vec<f32>>), SessionError> {
        if greedy {
            let bytes = self.read_output(ready).await?;
            let id = bytes.first_chunk().map_or(NOT_FINITE, |bytes| u32::from_le_bytes(*bytes));
            return if id == NOT_FINITE { Err(self.no_choice(ready)) } else { Ok((id, None)) };
        }
        let logits = self.read_logits(ready).await?;
        let position = generation.ids.len() as u64;
        let id = generation.sampler.sample(&logits, &generation.ids, position)?;
        Ok((id, Some(logits)))
    }
}

impl Generation {
    /// The end, with what was held back.
    fn done(&mut self) -> Event {
        let mut text = String::new();
        if self.stop.stopped().is_none() {
            let (rest, _) = self.stop.push(&self.decoder.finish());
            text = rest;
            text.push_str(&self.stop.finish());
        }
        let tokens = self.ids.len() - self.prompt_tokens;
        let stats = Stats {
            finish: self.finish.unwrap_or(Finish::EndToken),
            prompt_tokens: self.prompt_tokens,
            cached_tokens: self.cached_tokens,
            tokens,
            first_token_ms: self.first_token_at - self.started,
            prefill_ms: self.prefill_ms,
            decode_ms: self.last_token_at - self.first_token_at,
        };
        Event::Done { text, stats }
    }
}
