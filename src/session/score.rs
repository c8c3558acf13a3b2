//! How well a model predicts a text: mean negative log-likelihood.

use super::{Head, Session, SessionError};
use crate::plan::ExecError;
use crate::tokenizer::EncodeOptions;

/// Tokens a run of scoring takes: their logits fit 16 MB with a vocabulary of 262,144.
pub(super) const CHUNK: usize = 16;

/// Result of [`Session::score`].
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Mean negative log-likelihood a token, in nats.
    pub nll: f64,
    /// Tokens that were scored.
    pub tokens: usize,
    /// Mean of each window.
    pub windows: Vec<f64>,
}

impl Session {
    /// Scores a text: its tokens without BOS are cut into consecutive windows of `context - 1`, BOS is put before each, all tokens of
    /// full windows are scored, the rest is dropped. `on_window` hears how many of how many are done. An answer that was being
    /// written is dropped.
    ///
    /// # Errors
    /// A context that is too small or too large, a text shorter than a window, or a failing run.
    pub async fn score(
        &mut self,
        text: &str,
        context: usize,
        mut on_window: impl FnMut(usize, usize),
    ) -> Result<Score, SessionError> {
        self.sequence = None;
        self.model.host.cancel.reset();
        self.cache.forget_unread(&mut self.model).await?;
        // Without a BOS there is nothing before a window's first token, and it can't be scored.
        let unscored = usize::from(self.model.tokenizer.bos().is_none());
        if context < 2 + unscored || context > self.model.context {
            return Err(SessionError::Option {
                option: "context",
                expected: format!("{} to {}", 2 + unscored, self.model.context),
                got: context.to_string(),
            });
        }
        let plain = EncodeOptions { add_special: false, parse_special: false };
        let ids = self.model.tokenizer.encode(text, plain)?;
        let windows = ids.len() / (context - 1);
        if windows == 0 {
            return Err(SessionError::Option {
                option: "file",
                expected: format!("a text of at least {} tokens", context - 1),
                got: format!("{} tokens", ids.len()),
            });
        }
        let mut means = Vec::with_capacity(windows);
        for (index, window) in ids.chunks_exact(context - 1).enumerate() {
            let mut sequence: Vec<u32> = self.model.tokenizer.bos().into_iter().collect();
            sequence.extend_from_slice(window);
            means.push(self.window_nll(&sequence).await?);
            on_window(index + 1, windows);
        }
        let nll = means.iter().sum::<f64>() / windows as f64;
        Ok(Score { nll, tokens: windows * (context - 1 - unscored), windows: means })
    }

    /// Mean negative log-likelihood of all tokens but the first.
    async fn window_nll(&mut self, sequence: &[u32]) -> Result<f64, SessionError> {
        let mut total = 0.0;
        let mut pos = 0;
        for chunk in sequence.chunks(CHUNK) {
            let run = self.run(Head::AllLogits, chunk, pos).await?;
            let logits = self.read_logits(run).await?;
            let vocabulary = logits.len() / chunk.len();
            for (row, &next) in logits.chunks_exact(vocabulary).zip(&sequence[pos + 1..]) {
                let missing = || ExecError::Unknown {
                    operation: "score",
                    what: "logit of token",
                    name: next.to_string(),
                };
                let chosen = row.get(next as usize).ok_or_else(missing)?;
                total += log_sum_exp(row) - f64::from(*chosen);
                self.model.pause("scoring").await?;
            }
            pos += chunk.len();
        }
        Ok(total / (sequence.len() - 1) as f64)
    }
}

/// `ln Σ exp(x)` in f64.
fn log_sum_exp(logits: &[f32]) -> f64 {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let total: f64 = logits.iter().map(|&x| f64::from(x - largest).exp()).sum();
    f64::from(largest) + total.ln()
}
