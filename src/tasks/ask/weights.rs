//! How the features are weighed: chosen by `tests/tools/ask_weights.py` on the dev half of `tests/fixtures/qa/questions.json` and on
//! `tests/fixtures/qa/short.json`, as Gemma 3 270M (Q4_K_M) and SmolLM2-135M-Instruct (Q4_1) read them together, 26 November 2026:
//! 60 questions of Gemma's and 112 of SmolLM2's.

use super::features::COUNT;

/// Weights for one way of searching.
pub struct Weights {
    /// Of the score that spans are ranked by, in the order of [`NAMES`](super::features::NAMES).
    pub rank: [f64; COUNT],
    /// Of the log-odds that the best span is an answer: its features, how far it is ahead of the next, and a constant.
    pub answer: [f64; COUNT + 2],
}

/// Below this probability the documents have no answer.
pub const LEAST: f64 = 0.5;

/// With the vectors of an embedder.
pub const WITH_VECTORS: Weights = Weights {
    rank: [
        0.271, 0.247, 0.98, 0.352, 0.078, 0.432, 2.657, 3.079, 1.681, 1.74, -3.183, 0.986, 5.421, -1.232,
        0.644, 4.05,
    ],
    answer: [
        0.175, -0.01, 1.144, 0.29, -0.057, -0.015, 3.317, 2.081, 3.969, 3.209, -4.006, 0.195, 0.823, -0.074,
        1.227, 0.754, 0.138, -6.029,
    ],
};

/// Without: the features of the vectors are 0 then.
pub const BY_WORDS: Weights = Weights {
    rank: [
        0.271, 0.247, 1.025, 0.357, 0.079, 0.441, 0.0, 0.0, 2.096, 1.657, -2.976, 0.997, 5.858, -1.253,
        0.768, 4.007,
    ],
    answer: [
        0.193, -0.004, 1.192, 0.266, -0.041, -0.025, 0.0, 0.0, 4.878, 3.712, -3.214, -0.018, 1.542, -1.447,
        0.89, 1.276, 0.071, -4.012,
    ],
};
