//! What a caller may ask of the sampler, and the ranges.

use super::SamplerError;

/// How to choose tokens. The default is greedy, with every other stage off.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Divides the logits before the draw; 0 takes the greatest.
    pub temperature: f32,
    /// Keep so many of the greatest logits; 0 keeps all.
    pub top_k: usize,
    /// Keep the most probable tokens until they have this much probability together; 1 keeps all.
    pub top_p: f32,
    /// Keep tokens with at least this share of the greatest probability; 0 keeps all.
    pub min_p: f32,
    /// Divides positive and multiplies other logits of recent tokens; 1 is off.
    pub repetition_penalty: f32,
    /// Subtracted from a recent token's logit for each time it occurs; 0 is off.
    pub frequency_penalty: f32,
    /// Subtracted once from a recent token's logit; 0 is off.
    pub presence_penalty: f32,
    /// How many of the last tokens are recent.
    pub penalty_window: usize,
    /// Added to the logits of tokens; -inf forbids one.
    pub logit_bias: Vec<(u32, f32)>,
    /// Same seed, same draws.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            penalty_window: 64,
            logit_bias: Vec::new(),
            seed: 0,
        }
    }
}

impl Settings {
    /// Checks every range.
    pub fn validate(&self) -> Result<(), SamplerError> {
        let unit = |value: f32| (0.0..=1.0).contains(&value);
        let checks = [
            (
                "temperature",
                self.temperature,
                "at least 0",
                self.temperature.is_finite() && self.temperature >= 0.0,
            ),
            ("top_p", self.top_p, "0 to 1", unit(self.top_p)),
            ("min_p", self.min_p, "0 to 1", unit(self.min_p)),
            (
                "repetition_penalty",
                self.repetition_penalty,
                "greater than 0",
                self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0,
            ),
            ("frequency_penalty", self.frequency_penalty, "a number", self.frequency_penalty.is_finite()),
            ("presence_penalty", self.presence_penalty, "a number", self.presence_penalty.is_finite()),
        ];
        let biases = self.logit_bias.iter().map(|&(_, bias)| {
            ("logit_bias", bias, "numbers or -inf", !bias.is_nan() && bias != f32::INFINITY)
        });
        match checks.into_iter().chain(biases).find(|(.., in_range)| !in_range) {
            None => Ok(()),
            Some((setting, got, expected, _)) => {
                Err(SamplerError::BadSetting { setting, expected, got: got.to_string() })
            }
        }
    }

    /// Whether logits change before they are compared.
    pub(super) fn adjusts(&self) -> bool {
        !self.logit_bias.is_empty() || self.penalises()
    }

    pub(super) fn penalises(&self) -> bool {
        self.penalty_window > 0
            && (self.repetition_penalty != 1.0
                || self.frequency_penalty != 0.0
                || self.presence_penalty != 0.0)
    }
}
