//! Questions about documents, answered by spans of them.
//!
//! Documents are cut at sentences into passages ([`passages`], [`text`]), found by their words and by the vectors of another model
//! ([`library`], [`terms`], [`pairs`], [`index`]), all in a normalised [`view`], and the best ones are read: [`read`] scores every span
//! that the [`automaton`] over a passage's bytes allows, behind the examples of the [`frame`]. [`features`] gathers what speaks for a
//! span, [`weights`] weigh it, and the best one is the
//! answer, unless it is likelier that there is none.

pub mod automaton;
pub mod cues;
pub mod edges;
mod error;
pub mod features;
pub mod frame;
pub mod free;
pub mod index;
pub mod indexes;
pub mod library;
pub mod lines;
pub mod pairs;
pub mod passages;
pub mod read;
pub mod room;
pub mod scripts;
pub mod shown;
pub mod terms;
pub mod text;
pub mod view;
pub mod weights;

use std::ops::Range;

pub use error::AskError;
pub use library::{Found, Library};

use crate::session::{Session, SessionError};
use automaton::{Automaton, Closers};
use features::{COUNT, Context, Query};
use frame::Frame;
use index::Similarities;
use read::Reader;
use shown::Shown;
use weights::Weights;

/// Passages that are read for a question, by default.
pub const PASSAGES: usize = 3;
/// Spans that are given beside the answer.
const ALTERNATIVES: usize = 5;

/// A stretch of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// Index of the document.
    pub document: usize,
    /// Its bytes there.
    pub bytes: Range<usize>,
    /// Its UTF-16 units there.
    pub utf16: Range<usize>,
    /// Its text, as it stands there.
    pub text: String,
    /// Probability that it answers the question.
    pub confidence: f64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// In the words of the document as a person reads them: on one line, without what nobody sees, words that a line's end parts put
    /// together. The spans have them as they stand. Empty where the documents have none.
    pub answer: String,
    /// Probability that the answer is right: the span's, or where there is none, of that.
    pub confidence: f64,
    /// Probability that the documents do not answer.
    pub null_score: f64,
    /// Where the answer stands; none where there is none.
    pub spans: Vec<Span>,
    /// What else it could be, the likeliest first.
    pub alternatives: Vec<Span>,
    /// The passages that were read, the best first: their stretches, with the score of the search as the confidence.
    pub passages: Vec<Span>,
}

/// A span with what speaks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Index of the document.
    pub document: usize,
    /// Its bytes there.
    pub bytes: Range<usize>,
    /// In the order of [`features::NAMES`], on the scale of [`features::to_scale`].
    pub features: [f64; COUNT],
    /// The weighted sum.
    pub score: f64,
}

/// A span as it was read.
struct Unweighed {
    document: usize,
    bytes: Range<usize>,
    features: [f64; COUNT],
}

/// A question that is being answered, a passage at a time.
pub struct Asking {
    question: String,
    query: Query,
    similarities: Option<Similarities>,
    frame: Frame,
    found: Vec<Found>,
    shown: Vec<Shown>,
    automata: Vec<Automaton>,
    closers: Closers,
    read: usize,
    spans: Vec<Unweighed>,
}

impl Asking {
    /// Finds the passages to read, of which `most` are taken. `similarities` has the product of the question's vector with that of each
    /// sentence of the library, as far as these are embedded.
    ///
    /// # Errors
    /// An empty question, similarities that belong to other documents, or a vocabulary without bytes.
    pub fn new(
        session: &Session,
        library: &Library,
        question: &str,
        similarities: Option<Similarities>,
        most: usize,
    ) -> Result<Self, AskError> {
        let question = checked(library, question)?;
        session.cancel_flag().reset();
        let mut best = library.find(&question, similarities.as_deref())?;
        best.truncate(most.max(1));
        let frame = Frame::few_shot();
        let room = room::of_passage(session, &frame, &question)?;
        let (mut found, mut shown) = (Vec::new(), Vec::new());
        for best in best {
            let whole = library.passages().get(best.passage).and_then(|passage| library.show(passage));
            let Some(whole) = whole else { continue };
            for part in room::parts(session, whole, room)? {
                found.push(best);
                shown.push(part);
            }
        }
        let (automata, closers) =
            automaton::build(session.tokenizer(), &shown).map_err(SessionError::from)?;
        Ok(Asking {
            query: Query::new(library, &question),
            question,
            similarities,
            frame,
            found,
            shown,
            automata,
            closers,
            read: 0,
            spans: Vec::new(),
        })
    }

    /// Passages that are read in all.
    pub fn total(&self) -> usize {
        self.shown.len()
    }

    /// Passages that have been read.
    pub fn done(&self) -> usize {
        self.read
    }

    /// Reads the next passage; false when all have been.
    ///
    /// # Errors
    /// A question that leaves no room in the context, a failing run, or an abort.
    pub async fn step(&mut self, session: &mut Session, library: &Library) -> Result<bool, AskError> {
        let (Some(shown), Some(automaton), Some(found)) =
            (self.shown.get(self.read), self.automata.get(self.read), self.found.get(self.read))
        else {
            return Ok(false);
        };
        let similarities = self.similarities.as_deref();
        let context = Context { library, query: &self.query, found, shown, similarities };
        let prior = |start: usize| context.prior(start);
        let mut reader =
            Reader { session, closers: &self.closers, frame: &self.frame, question: &self.question };
        let reading = reader.read(&shown.text, automaton, &prior).await?;
        let document = library.passages().get(found.passage).map_or(0, |passage| passage.document);
        for candidate in &reading.candidates {
            let features = context.features(&reading, candidate);
            let bytes = shown.to_document(&(candidate.start..candidate.end));
            self.spans.push(Unweighed { document, bytes, features });
        }
        self.read += 1;
        Ok(true)
    }

    /// The spans of what has been read, the best first; each once.
    pub fn ranked(&self) -> Vec<Scored> {
        let mut ranked = weighed(&self.spans, self.weights());
        ranked.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then((a.document, a.bytes.start, a.bytes.end).cmp(&(
                b.document,
                b.bytes.start,
                b.bytes.end,
            )))
        });
        let mut kept: Vec<Scored> = Vec::with_capacity(ranked.len());
        for span in ranked {
            if !kept.iter().any(|known| known.document == span.document && known.bytes == span.bytes) {
                kept.push(span);
            }
        }
        kept
    }

    /// The answer from what has been read.
    pub fn answer(&self, library: &Library) -> Answer {
        let ranked = self.ranked();
        let answered = answerable(&ranked, self.weights());
        // Spans share what is left by their scores.
        let best = ranked.first().map_or(0.0, |best| best.score);
        let total: f64 = ranked.iter().map(|span| (span.score - best).exp()).sum();
        let mut spans: Vec<Span> = Vec::new();
        for span in &ranked {
            let share = if total > 0.0 { (span.score - best).exp() / total } else { 0.0 };
            let whole = library.span(span.document, span.bytes.clone(), answered * share);
            let end = span.bytes.start + text::without_end_mark(&whole.text).len();
            let said = library.span(span.document, span.bytes.start..end, whole.confidence);
            // What the end mark alone sets apart is one answer.
            let is_same = |other: &Span| other.document == said.document && other.bytes == said.bytes;
            if let Some(same) = spans.iter_mut().find(|other| is_same(other)) {
                same.confidence += said.confidence;
            } else if spans.len() <= ALTERNATIVES {
                spans.push(said);
            }
        }
        let passages = self.read_passages(library);
        let null_score = 1.0 - answered;
        if spans.is_empty() || answered < weights::LEAST {
            return Answer {
                answer: String::new(),
                confidence: null_score,
                null_score,
                spans: Vec::new(),
                alternatives: spans.into_iter().take(ALTERNATIVES).collect(),
                passages,
            };
        }
        let alternatives = spans.split_off(1);
        let answer = spans.first().map(|span| library.words(span)).unwrap_or_default();
        Answer { answer, confidence: answered, null_score, spans, alternatives, passages }
    }

    fn weights(&self) -> &'static Weights {
        if self.similarities.is_some() { &weights::WITH_VECTORS } else { &weights::BY_WORDS }
    }

    fn read_passages(&self, library: &Library) -> Vec<Span> {
        let mut read: Vec<Found> = self.found.iter().take(self.read).copied().collect();
        read.dedup_by_key(|found| found.passage);
        read.iter().filter_map(|found| library.passage_span(found.passage, found.score)).collect()
    }
}

/// Spans with their features on one scale, and scored.
fn weighed(spans: &[Unweighed], weights: &Weights) -> Vec<Scored> {
    let mut features: Vec<[f64; COUNT]> = spans.iter().map(|span| span.features).collect();
    features::to_scale(&mut features);
    spans
        .iter()
        .zip(features)
        .map(|(span, features)| Scored {
            document: span.document,
            bytes: span.bytes.clone(),
            features,
            score: features.iter().zip(weights.rank).map(|(feature, weight)| feature * weight).sum(),
        })
        .collect()
}

/// Probability that the best of these spans is an answer.
fn answerable(ranked: &[Scored], weights: &Weights) -> f64 {
    let Some(best) = ranked.first() else { return 0.0 };
    // One that holds the best, or is held by it, is no rival.
    let apart = |other: &&Scored| {
        other.document != best.document
            || other.bytes.end <= best.bytes.start
            || best.bytes.end <= other.bytes.start
    };
    let ahead = ranked.iter().find(apart).map_or(10.0, |next| best.score - next.score).min(10.0);
    let evidence = best.features.into_iter().chain([ahead, 1.0]);
    let odds: f64 = evidence.zip(weights.answer).map(|(feature, weight)| feature * weight).sum();
    1.0 / (1.0 + (-odds).exp())
}

/// Whether there is something to answer.
///
/// # Errors
/// A question without a letter or digit.
pub fn check(question: &str) -> Result<(), AskError> {
    if question.chars().any(char::is_alphanumeric) {
        return Ok(());
    }
    Err(AskError::EmptyQuestion { got: question.to_owned() })
}

/// The question as the documents are read.
fn checked(library: &Library, question: &str) -> Result<String, AskError> {
    check(question)?;
    Ok(library.one_line(question))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spans as a model reads them whose scores are those of another, times a factor.
    fn spans(factor: f64) -> Vec<Unweighed> {
        let span = |index: usize| {
            let mut features: [f64; COUNT] =
                std::array::from_fn(|at| ((index * 37 + at * 11) % 17) as f64 / 17.0 - 0.5);
            for at in features::NATS {
                features[at] = factor * (5.0 * features[at] - 4.0);
            }
            Unweighed { document: 0, bytes: 10 * index..10 * index + 4, features }
        };
        (0..17).map(span).collect()
    }

    #[test]
    fn a_surer_model_decides_alike() {
        for weights in [&weights::WITH_VECTORS, &weights::BY_WORDS] {
            let decided = |factor: f64| {
                let mut ranked = weighed(&spans(factor), weights);
                ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
                let order: Vec<usize> = ranked.iter().map(|span| span.bytes.start).collect();
                (order, answerable(&ranked, weights))
            };
            let (order, probability) = decided(1.0);
            assert!(order.windows(2).any(|two| two[0] > two[1]), "not the order of the text: {order:?}");
            for factor in [0.25, 0.7, 3.0] {
                let (other, again) = decided(factor);
                assert_eq!(other, order, "{factor}");
                assert!((again - probability).abs() < 1e-9, "{factor}: {again} {probability}");
            }
        }
    }
}
