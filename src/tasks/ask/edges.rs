//! Answers from an extractive reader's logits: as Hugging Face's question-answering pipeline weighs them, with its defaults.
//!
//! Within a window, beginnings and ends each get a softmax over the text's tokens and the null token; a span's score is the product of
//! its two probabilities. Windows compete by that score; the null score is the least of theirs.

use std::ops::Range;

use super::library::Library;
use super::view::View;
use super::{Answer, AskError, checked};
use crate::session::SpanReader;
use crate::session::spans::Window;

/// Tokens of an answer, at most.
pub const LONGEST_ANSWER: usize = 15;

/// A span with its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Edged {
    /// Bytes of the text, from the beginning of a word to the end of one.
    pub bytes: Range<usize>,
    /// Product of two probabilities.
    pub score: f64,
}

/// The best spans of some windows, each once, and the null score.
pub fn decode(windows: &[Window], longest: usize, most: usize) -> (Vec<Edged>, f64) {
    let mut best: Vec<Edged> = Vec::new();
    let mut null = 1.0_f64;
    for window in windows {
        let starts = softmax(window.null.0, window.edges.iter().map(|edge| edge.start));
        let ends = softmax(window.null.1, window.edges.iter().map(|edge| edge.end));
        null = null.min(starts.0 * ends.0);
        for (first, start) in starts.1.iter().enumerate() {
            for (offset, end) in ends.1.iter().skip(first).take(longest).enumerate() {
                let score = start * end;
                // Most spans are worse than what there is: none of those is looked at twice.
                if best.len() == most && best.last().is_some_and(|last| score <= last.score) {
                    continue;
                }
                let (Some(from), Some(to)) = (window.edges.get(first), window.edges.get(first + offset))
                else {
                    continue;
                };
                keep(&mut best, Edged { bytes: from.word.start..to.word.end, score }, most);
            }
        }
    }
    (best, null)
}

/// Puts a span into its place, unless it is there with a better score.
fn keep(best: &mut Vec<Edged>, span: Edged, most: usize) {
    if let Some(known) = best.iter().position(|known| known.bytes == span.bytes) {
        if best[known].score >= span.score {
            return;
        }
        best.remove(known);
    }
    let place = best.partition_point(|known| known.score >= span.score);
    best.insert(place, span);
    best.truncate(most);
}

/// Probabilities of the null token and of the others.
fn softmax(null: f32, others: impl Iterator<Item = f32> + Clone) -> (f64, Vec<f64>) {
    let largest = f64::from(others.clone().fold(null, f32::max));
    let weigh = |logit: f32| (f64::from(logit) - largest).exp();
    let total: f64 = weigh(null) + others.clone().map(weigh).sum::<f64>();
    (weigh(null) / total, others.map(|logit| weigh(logit) / total).collect())
}

/// Answers a question about the documents of a library, each read whole.
///
/// # Errors
/// An empty question or one that leaves no room for the text, a failing run, or an abort.
pub async fn answer(
    reader: &mut SpanReader,
    library: &Library,
    question: &str,
    alternatives: usize,
) -> Result<Answer, AskError> {
    let question = checked(library, question)?;
    let mut spans = Vec::new();
    let mut null_score = 1.0_f64;
    for document in 0..library.documents() {
        let text = library.view(document).map(View::text).unwrap_or_default();
        let windows = reader.read(&question, text).await?;
        let (best, null) = decode(&windows, LONGEST_ANSWER, alternatives + 1);
        null_score = null_score.min(null);
        spans.extend(best.into_iter().map(|span| library.span_of_view(document, &span.bytes, span.score)));
    }
    spans.sort_by(|a, b| b.confidence.total_cmp(&a.confidence));
    spans.truncate(alternatives + 1);
    let best = spans.first().map_or(0.0, |span| span.confidence);
    if null_score > best {
        let (answer, confidence) = (String::new(), null_score);
        return Ok(Answer {
            answer,
            confidence,
            null_score,
            spans: Vec::new(),
            alternatives: spans,
            passages: Vec::new(),
        });
    }
    let alternatives = spans.split_off(1.min(spans.len()));
    Ok(Answer {
        answer: spans.first().map(|span| library.words(span)).unwrap_or_default(),
        confidence: best,
        null_score,
        spans,
        alternatives,
        passages: Vec::new(),
    })
}
