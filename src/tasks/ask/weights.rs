//! How the features are weighed.

use super::features::COUNT;

/// Weights of the score that spans are ranked by, in the order of [`NAMES`](super::features::NAMES).
pub const RANK: [f64; COUNT] = [0.3, 0.3, 0.2, 0.3, 0.1, 0.3, 3.0, 1.0, 1.0, 0.5, -2.0, 1.0, 1.0];
/// Weights of the log-odds that the best span is an answer: its features, how far it is ahead of the next, and a constant.
pub const ANSWER: [f64; COUNT + 2] =
    [0.1, 0.1, 0.0, 0.1, 0.1, 0.2, 3.0, 1.0, 2.0, 1.0, -1.0, 0.5, 1.0, 0.1, -1.0];
/// Below this probability the documents have no answer.
pub const LEAST: f64 = 0.5;
