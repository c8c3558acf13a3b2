//! Raw logits: for comparisons, for callers with a sampler of their own, and to score many continuations of one prompt.

use super::{Head, Session, SessionError, score};

/// What an abort of [`Session::logits_along`] ends.
pub(super) const OPERATION: &str = "reading";

impl Session {
    /// Logits after the last of `ids`, which are run from position 0 in chunks of at most `largest_chunk` tokens: 1 is how an
    /// answer is written, [`MAX_CHUNK`](super::MAX_CHUNK) how a prompt is read. An answer that was being written is dropped.
    ///
    /// # Errors
    /// No ids, ids outside the vocabulary, more than the context holds, or a failing run.
    pub async fn logits(&mut self, ids: &[u32], largest_chunk: usize) -> Result<Vec<f32>, SessionError> {
        self.sequence = None;
        self.model.check_prompt(ids)?;
        self.model.host.cancel.reset();
        self.cache.forget_unread(&mut self.model).await?;
        let run = self.run_from(Head::Logits, ids, 0, largest_chunk.max(1)).await?;
        self.read_logits(run).await
    }

    /// Runs `ids` as a text from position 0 and gives `each` the logits after every token from index `first` on, with the index.
    /// Only what the caches and [kept prefixes](Session::keep_prefix) do not hold of the tokens before `first` is run; an answer that was
    /// being written is dropped. Cancels that came before the call count: reset the flag where the work as a whole begins.
    ///
    /// # Errors
    /// No ids, ids outside the vocabulary, more than the context holds, a failing run, or an abort.
    pub async fn logits_along(
        &mut self,
        ids: &[u32],
        first: usize,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.sequence = None;
        self.model.check_prompt(ids)?;
        self.cache.forget_unread(&mut self.model).await?;
        let first = first.min(ids.len() - 1);
        self.cache.restore_prefixes(&mut self.model, &ids[..=first]).await?;
        let mut pos = self.cache.reusable(&ids[..=first]);
        while pos < ids.len() {
            let (head, end) = match first.checked_sub(pos) {
                Some(before @ 1..) => (Head::None, pos + before.min(self.chunk)),
                _ if ids.len() - pos == 1 => (Head::Logits, ids.len()),
                _ => (Head::AllLogits, ids.len().min(pos + score::CHUNK)),
            };
            let run = self.run(head, &ids[pos..end], pos).await?;
            if head != Head::None {
                let logits = self.read_logits(run).await?;
                let vocabulary = logits.len() / (end - pos);
                for (offset, row) in logits.chunks_exact(vocabulary.max(1)).enumerate() {
                    each(pos + offset, row);
                    self.model.pause(OPERATION).await?;
                }
            }
            pos = end;
            self.model.pause(OPERATION).await?;
        }
        Ok(())
    }

    /// Offers a prefix of prompts to be kept beside the caches: the positions of `ids` from `from` on, which the caches hold. The second
    /// time they are copied; [`logits_along`](Session::logits_along) takes them back where a text begins with `ids`, and the caches hold
    /// what is before `from`.
    ///
    /// # Errors
    /// The device failed, or an abort.
    pub async fn keep_prefix(&mut self, ids: &[u32], from: usize) -> Result<(), SessionError> {
        self.cache.keep_prefix(&mut self.model, ids, from).await
    }
}
