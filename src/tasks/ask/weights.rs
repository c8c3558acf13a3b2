//! How the features are weighed. Which span is the best: chosen by `tests/tools/ask_weights.py` on the dev half of
//! `tests/fixtures/qa/questions.json` and on `tests/fixtures/qa/short.json`, as Gemma 3 270M (Q4_K_M) and SmolLM2-135M-Instruct (Q4_1) read
//! them, 26 November 2026, on 60 questions of Gemma's and 112 of SmolLM2's; the last four of them later, on all 221 of both. (A fit of all
//! weights anew chose longer answers, which are seldom exact.) Whether it is an answer: as chosen on Gemma's dev half alone; weights of
//! both models recognised fewer unanswerable questions.

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
        0.644, 4.05, -1.3, -1.8, -1.8, -1.7,
    ],
    answer: [
        0.222, 0.1, 0.657, 0.252, 0.055, 0.02, 3.544, 2.51, 3.007, 3.766, -0.822, 0.289, 1.676, -0.078, 2.66,
        0.0, 0.0, 0.0, 0.0, 0.0, 0.085, -6.59,
    ],
};

/// Without: the features of the vectors are 0 then.
pub const BY_WORDS: Weights = Weights {
    rank: [
        0.271, 0.247, 1.025, 0.357, 0.079, 0.441, 0.0, 0.0, 2.096, 1.657, -2.976, 0.997, 5.858, -1.253,
        0.768, 4.007, -1.3, -1.8, -1.8, -1.7,
    ],
    answer: [
        0.344, 0.008, 0.796, 0.237, 0.027, -0.07, 0.0, 0.0, 3.356, 3.681, -1.121, 0.471, 1.862, -0.271,
        2.166, 0.0, 0.0, 0.0, 0.0, 0.0, 0.082, -3.569,
    ],
};
