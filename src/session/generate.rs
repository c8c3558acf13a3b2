//! Writing: what a sequence asks for is run, until it has ended.

use super::sequence::Sequence;
use super::{Event, GenerateOptions, Head, MAX_CHUNK, Piece, Session, SessionError};
use crate::tokenizer::EncodeOptions;
use crate::trace::{InSpan, span};

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
        self.sequence = None;
        self.model.check_prompt(&ids)?;
        let (context, now) = (self.model.context, self.model.host.now());
        let sequence = Sequence::new(&self.model.tokenizer, ids, options, context, now)?;
        self.model.host.cancel.reset();
        self.sequence = Some(sequence);
        Ok(())
    }

    /// The next token, or the end; `None` when there is nothing more to give.
    ///
    /// # Errors
    /// The device failed, or the model computed something that is no number. The answer is dropped.
    pub async fn next(&mut self) -> Result<Option<Event>, SessionError> {
        let Some(mut sequence) = self.sequence.take() else { return Ok(None) };
        if !sequence.is_finished() && self.model.host.cancel.is_cancelled() {
            sequence.cancel();
        }
        if sequence.is_finished() {
            return Ok(Some(sequence.done()));
        }
        let span = sequence.step_span();
        match self.next_token(&mut sequence).in_span(span).await {
            Ok(Some(piece)) => {
                self.sequence = Some(sequence);
                return Ok(Some(Event::Piece(piece)));
            }
            Ok(None) => {}
            Err(SessionError::Cancelled { .. }) => sequence.cancel(),
            Err(error) => return Err(error),
        }
        Ok(Some(sequence.done()))
    }

    /// Runs what a sequence needs and picks its next token; `None` when the pick ends it without being part of it.
    async fn next_token(&mut self, sequence: &mut Sequence) -> Result<Option<Piece>, SessionError> {
        let is_new = sequence.is_new();
        if is_new {
            self.cache.forget_unread(&mut self.model).await?;
            sequence.reuse(self.cache.reusable(sequence.ids()));
        }
        let head = sequence.head();
        let (ids, from) = (sequence.ids(), sequence.computed());
        let work = self.run_from(head, ids, from, MAX_CHUNK);
        let run = match is_new {
            true => work.in_span(span!("prefill", tokens = ids.len() - from, position = from)).await?,
            false => work.await?,
        };
        let (id, logits) = match head {
            Head::Greedy => (self.read_token(run).await?, None),
            _ => {
                let logits = self.read_logits(run).await?;
                (sequence.sample(&logits)?, Some(logits))
            }
        };
        sequence.push(id, logits.as_deref(), self.model.host.now())
    }

    /// Runs a text so that the caches hold it, and nothing after it: a frame or a document that prompts will begin with. Returns
    /// its number of tokens. An answer that was being written is dropped.
    ///
    /// # Errors
    /// As [`start`](Session::start); also a failing run, or an abort.
    pub async fn prefill(&mut self, text: &str) -> Result<usize, SessionError> {
        let ids = self.model.tokenizer.encode(text, EncodeOptions::default())?;
        self.sequence = None;
        self.model.host.cancel.reset();
        self.model.check_prompt(&ids)?;
        self.cache.forget_unread(&mut self.model).await?;
        let from = self.cache.reusable(&ids);
        let span = span!("prefill", tokens = ids.len() - from, position = from);
        self.run_from(Head::None, &ids, from, MAX_CHUNK).in_span(span).await?;
        self.cache.check_unread(&mut self.model).await?;
        Ok(ids.len())
    }
}
