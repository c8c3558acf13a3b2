//! Logits to a token id. Pure: no model, no tokenizer, no clock; the same inputs give the same id.
//!
//! The stages and their order are llama.cpp's: logit bias, penalties over the last tokens, top-k, top-p,
//! min-p, temperature, a draw. Top-p and min-p look at the distribution before temperature. The draw
//! adds Gumbel noise to the scaled logits and takes the greatest, which draws from their softmax without
//! ever summing it ([`noise`] states the noise exactly, for other devices to repeat).

mod candidates;
pub mod noise;
mod settings;

pub use settings::Settings;

use thiserror::Error;

use candidates::Candidates;

/// Why no token could be chosen.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SamplerError {
    /// A setting outside its range.
    #[error("sampler: {setting}: expected {expected}, got {got}")]
    BadSetting {
        /// Name of the setting.
        setting: &'static str,
        /// Its range.
        expected: &'static str,
        /// The value given.
        got: String,
    },
    /// A bias for a token that the model doesn't have.
    #[error("sampler: logit bias: expected ids less than {vocab_size}, got {id}")]
    BiasOutOfRange {
        /// The id.
        id: u32,
        /// Number of logits.
        vocab_size: usize,
    },
    /// A logit that is NaN or positive infinity: the model's arithmetic went wrong before.
    #[error("sampler: logits: expected numbers or -inf, got {got} for token {id}")]
    BadLogit {
        /// The first such token.
        id: u32,
        /// Its logit.
        got: f32,
    },
    /// No logits at all, or all of them -inf.
    #[error("sampler: no token to choose: {vocab_size} logits, all of them -inf")]
    NoCandidates {
        /// Number of logits.
        vocab_size: usize,
    },
}

impl SamplerError {
    /// The stable name of the error, for callers that branch on it.
    pub fn code(&self) -> &'static str {
        match self {
            SamplerError::BadSetting { .. } => "ERR_BAD_SETTING",
            SamplerError::BiasOutOfRange { .. } => "ERR_BAD_LOGIT_BIAS",
            SamplerError::BadLogit { .. } => "ERR_BAD_LOGITS",
            SamplerError::NoCandidates { .. } => "ERR_NO_CANDIDATES",
        }
    }
}

/// Chooses tokens by fixed [`Settings`]. Holds scratch memory only: no state passes from one call to the
/// next.
///
/// ```
/// use rushlight::sampler::{Sampler, Settings};
/// let mut greedy = Sampler::new(Settings::default())?;
/// assert_eq!(greedy.sample(&[0.5, 2.0, 2.0], &[], 0)?, 1);
///
/// let mut sampler = Sampler::new(Settings { temperature: 0.8, top_k: 2, seed: 42, ..Settings::default() })?;
/// let first = sampler.sample(&[0.5, 2.0, 2.1], &[], 7)?;
/// assert!(first != 0);
/// assert_eq!(sampler.sample(&[0.5, 2.0, 2.1], &[], 7)?, first); // same seed, same position
/// # Ok::<(), rushlight::sampler::SamplerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sampler {
    settings: Settings,
    adjusted: Vec<f32>,
    candidates: Candidates,
    /// Window of the history, sorted to count.
    recent: Vec<u32>,
}

impl Sampler {
    /// A sampler, if the settings are in range.
    pub fn new(settings: Settings) -> Result<Self, SamplerError> {
        settings.validate()?;
        Ok(Sampler { settings, adjusted: Vec::new(), candidates: Candidates::default(), recent: Vec::new() })
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether the choice is the greatest logit as the model gave it, so that nothing here is needed.
    pub fn is_plain_greedy(&self) -> bool {
        self.settings.temperature == 0.0 && !self.settings.adjusts()
    }

    /// The token at `position`, given `logits` `[vocab]` and all tokens before it, the prompt's too
    /// (the last [`Settings::penalty_window`] of them count). The noise depends on seed and position alone.
    pub fn sample(&mut self, logits: &[f32], history: &[u32], position: u64) -> Result<u32, SamplerError> {
        let Sampler { settings, adjusted, candidates, recent } = self;
        let logits: &[f32] = if settings.adjusts() {
            adjusted.clear();
            adjusted.extend_from_slice(logits);
            apply_bias(adjusted, &settings.logit_bias)?;
            apply_penalties(adjusted, history, settings, recent);
            adjusted
        } else {
            logits
        };
        let best = greatest(logits)?;
        if settings.temperature == 0.0 {
            return Ok(best);
        }
        if !candidates.select(logits, best, settings) {
            let all = logits.iter().copied().zip(0u32..);
            return Ok(draw(all, logits, best, settings, position));
        }
        Ok(draw(candidates.iter(), logits, best, settings, position))
    }
}

/// The greatest logit's token, of equals the lowest.
fn greatest(logits: &[f32]) -> Result<u32, SamplerError> {
    let mut best = (f32::NEG_INFINITY, 0u32);
    for (&logit, id) in logits.iter().zip(0u32..) {
        if logit.is_nan() || logit == f32::INFINITY {
            return Err(SamplerError::BadLogit { id, got: logit });
        }
        if logit > best.0 {
            best = (logit, id);
        }
    }
    match best.0 == f32::NEG_INFINITY {
        true => Err(SamplerError::NoCandidates { vocab_size: logits.len() }),
        false => Ok(best.1),
    }
}

fn apply_bias(logits: &mut [f32], biases: &[(u32, f32)]) -> Result<(), SamplerError> {
    let vocab_size = logits.len();
    for &(id, bias) in biases {
        let logit = logits.get_mut(id as usize).ok_or(SamplerError::BiasOutOfRange { id, vocab_size })?;
        *logit += bias;
    }
    Ok(())
}

/// Once for each different token in the window: the repetition penalty divides a positive logit and
/// multiplies another, then count times frequency and once presence are subtracted.
fn apply_penalties(logits: &mut [f32], history: &[u32], settings: &Settings, recent: &mut Vec<u32>) {
    if !settings.penalises() {
        return;
    }
    let window = history.len().saturating_sub(settings.penalty_window);
    recent.clear();
    recent.extend_from_slice(history.get(window..).unwrap_or_default());
    recent.sort_unstable();
    for equal in recent.chunk_by(|a, b| a == b) {
        let Some(logit) = equal.first().and_then(|&id| logits.get_mut(id as usize)) else { continue };
        if *logit <= 0.0 {
            *logit *= settings.repetition_penalty;
        } else {
            *logit /= settings.repetition_penalty;
        }
        *logit -= equal.len() as f32 * settings.frequency_penalty + settings.presence_penalty;
    }
}

/// What rounding can make of a difference of scaled logits, and more.
const MARGIN: f32 = 0.001;

/// The candidate whose scaled logit plus noise is the greatest, of equals the lowest id.
fn draw(
    candidates: impl Iterator<Item = (f32, u32)>,
    logits: &[f32],
    best: u32,
    settings: &Settings,
    position: u64,
) -> u32 {
    let greatest = logits.get(best as usize).copied().unwrap_or_default();
    let mut noise = noise::Noise::new(settings.seed, position);
    // Relative to the greatest, so that a low temperature doesn't overflow.
    let scaled = |logit: f32| (logit - greatest) / settings.temperature;
    let mut chosen = (scaled(greatest) + noise.gumbel(best), best);
    for (logit, id) in candidates {
        let scaled = scaled(logit);
        // Most of a vocabulary can't reach what is there already, whatever its noise.
        let Some(gumbel) = noise.gumbel_above(id, chosen.0 - scaled - MARGIN) else { continue };
        let value = scaled + gumbel;
        if value > chosen.0 || value == chosen.0 && id < chosen.1 {
            chosen = (value, id);
        }
    }
    chosen.1
}

/// Log probabilities of the distribution as the model gave it.
#[derive(Clone, Debug, PartialEq)]
pub struct LogProbs {
    /// Of the token that was asked about.
    pub logprob: f32,
    /// The most probable tokens, best first, of equals the lowest id first.
    pub top: Vec<(u32, f32)>,
}

/// Log-softmax of `logits` at `id`, and its `top_n` greatest values. Sums in f64.
///
/// ```
/// let logprobs = rushlight::sampler::logprobs(&[0.0, 2f32.ln(), 0.0], 0, 1)?;
/// assert!((logprobs.logprob - 0.25f32.ln()).abs() < 1e-6);
/// assert_eq!(logprobs.top[0].0, 1);
/// # Ok::<(), rushlight::sampler::SamplerError>(())
/// ```
pub fn logprobs(logits: &[f32], id: u32, top_n: usize) -> Result<LogProbs, SamplerError> {
    let best = greatest(logits)?;
    let greatest = logits.get(best as usize).copied().map_or(0.0, f64::from);
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - greatest).exp()).sum();
    let normaliser = greatest + sum.ln();
    let logprob = |logit: f32| (f64::from(logit) - normaliser) as f32;
    let asked = logits
        .get(id as usize)
        .copied()
        .ok_or(SamplerError::BiasOutOfRange { id, vocab_size: logits.len() })?;
    let mut candidates = Candidates::default();
    let top = candidates.greatest(logits, top_n).map(|(logit, id)| (id, logprob(logit))).collect();
    Ok(LogProbs { logprob: logprob(asked), top })
}
