//! How the features are weighed: chosen by `tests/tools/ask_weights.py` on the dev half of `tests/fixtures/qa/questions.json`.

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
        0.279, 0.265, 0.867, 0.328, 0.088, 0.432, 3.178, 2.067, 1.74, 1.214, -1.419, 0.708, 2.945, -1.578,
        0.181,
    ],
    answer: [
        0.222, 0.1, 0.657, 0.252, 0.055, 0.02, 3.544, 2.51, 3.007, 3.766, -0.822, 0.289, 1.676, -0.078, 2.66,
        0.085, -6.59,
    ],
};

/// Without: the features of the vectors are 0 then.
pub const BY_WORDS: Weights = Weights {
    rank: [
        0.274, 0.26, 0.893, 0.338, 0.083, 0.461, 0.0, 0.0, 2.38, 1.393, -1.239, 0.602, 3.715, -1.664, 0.161,
    ],
    answer: [
        0.344, 0.008, 0.796, 0.237, 0.027, -0.07, 0.0, 0.0, 3.356, 3.681, -1.121, 0.471, 1.862, -0.271,
        2.166, 0.082, -3.569,
    ],
};
