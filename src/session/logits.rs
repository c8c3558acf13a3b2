//! Raw logits of a prompt, for comparisons and for callers with a sampler of their own.

use super::{Head, Session, SessionError};

impl Session {
    /// Logits after the last of `ids`, which are run from position 0 in chunks of at most `largest_chunk` tokens: 1 is how an
    /// answer is written, [`MAX_CHUNK`](super::MAX_CHUNK) how a prompt is read. An answer that was being written is dropped.
    ///
    /// # Errors
    /// No ids, ids outside the vocabulary, more than the context holds, or a failing run.
    pub async fn logits(&mut self, ids: &[u32], largest_chunk: usize) -> Result<Vec<f32>, SessionError> {
        self.generation = None;
        self.check_prompt(ids)?;
        self.model.host.cancel.reset();
        self.forget_unread().await?;
        let ready = self.prefill(Head::Logits, ids, 0, largest_chunk.max(1)).await?;
        self.read_logits(ready).await
    }
}
