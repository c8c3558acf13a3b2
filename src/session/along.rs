//! Logits along a text whose beginning the caches may hold already: what it takes to score many continuations of one prompt.

use super::{Head, Session, SessionError, score};

/// What an abort ends.
pub(super) const OPERATION: &str = "reading";

impl Session {
    /// Runs `ids` as a text from position 0 and gives `each` the logits after every token from index `first` on, with the index.
    /// Only what the caches do not hold of the tokens before `first` is run; an answer that was being written is dropped. Cancels
    /// that came before the call count: reset the flag where the work as a whole begins.
    ///
    /// # Errors
    /// No ids, ids outside the vocabulary, more than the context holds, a failing run, or an abort.
    pub async fn logits_along(
        &mut self,
        ids: &[u32],
        first: usize,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), SessionError> {
        self.generation = None;
        self.check_prompt(ids)?;
        self.forget_unread().await?;
        let first = first.min(ids.len() - 1);
        self.put_back(&ids[..=first]).await?;
        let mut pos = self.held.reusable(&ids[..=first]);
        while pos < ids.len() {
            let (head, end) = match first.checked_sub(pos) {
                Some(before @ 1..) => (Head::None, pos + before.min(self.chunk)),
                _ if ids.len() - pos == 1 => (Head::Logits, ids.len()),
                _ => (Head::AllLogits, ids.len().min(pos + score::CHUNK)),
            };
            let ready = self.run(head, &ids[pos..end], pos).await?;
            if head != Head::None {
                let logits = self.read_logits(ready).await?;
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
}
