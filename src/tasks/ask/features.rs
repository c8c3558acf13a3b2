//! What speaks for a span: the model's probabilities, the search, and the words.

use super::cues;
use super::library::{Found, Library};
use super::read::{Candidate, Reading};
use super::scripts::{is_sign, words};
use super::shown::Shown;
use super::terms::{self, Term};

/// Number of features.
pub const COUNT: usize = 15;
/// What they are, in their order.
pub const NAMES: [&str; COUNT] = [
    "logprob",
    "constrained",
    "length",
    "asked",
    "over_null",
    "question",
    "sentence_similarity",
    "passage_similarity",
    "sentence_coverage",
    "passage_coverage",
    "echo",
    "kind",
    "near",
    "empty",
    "sign",
];

/// A question, taken apart once.
pub struct Query {
    /// Different stems.
    pub stems: Vec<String>,
    kind: Option<cues::Kind>,
}

impl Query {
    /// Takes a question about these documents apart.
    pub fn new(library: &Library, question: &str) -> Self {
        Query { stems: library.query(question), kind: cues::kind(question) }
    }
}

/// A passage that was read, with what does not depend on the span.
pub struct Context<'a> {
    /// All documents.
    pub library: &'a Library,
    /// The question.
    pub query: &'a Query,
    /// Where the passage came from.
    pub found: &'a Found,
    /// The passage.
    pub shown: &'a Shown,
    /// What the model made of it.
    pub reading: &'a Reading,
    /// Products of the question's vector with each sentence's; `None` for one without a vector.
    pub similarities: Option<&'a [Option<f32>]>,
}

impl Context<'_> {
    /// The features of a span.
    pub fn features(&self, candidate: &Candidate) -> [f64; COUNT] {
        let span = self.shown.text.get(candidate.start..candidate.end).unwrap_or_default();
        let passage = self.library.passages().get(self.found.passage);
        let within = self.shown.sentence_at(candidate.start).unwrap_or_default();
        let sentence = passage.map_or(0, |passage| passage.sentences.start) + within;
        let similarity = self.similarities.and_then(|all| *all.get(sentence)?).map_or(0.0, f64::from);
        let stems = &self.query.stems;
        [
            candidate.logprob,
            candidate.constrained,
            (candidate.tokens as f64).ln(),
            candidate.first - candidate.first_unasked,
            candidate.logprob - self.reading.null,
            self.reading.question,
            similarity,
            self.found.similarity,
            self.library.by_sentence().coverage(sentence, stems),
            self.library.by_passage().coverage(self.found.passage, stems),
            self.echo(span),
            cues::fits(self.query.kind, span),
            self.near(candidate, within),
            // Nothing but words that say nothing.
            f64::from(u8::from(terms::terms(span).is_empty())),
            f64::from(u8::from(span.ends_with(is_sign))),
        ]
    }

    /// Share of the span's words that are the question's.
    fn echo(&self, span: &str) -> f64 {
        let terms = terms::terms(span);
        let known = terms.iter().filter(|term| self.query.stems.contains(&term.stem)).count();
        known as f64 / terms.len().max(1) as f64
    }

    /// How near the question's words stand to the span within its sentence: `Σ idf / (1 + d / 5) / Σ idf`, `d` being the words between.
    fn near(&self, candidate: &Candidate, sentence: usize) -> f64 {
        let Some(range) = self.shown.sentences.get(sentence) else { return 0.0 };
        let text = self.shown.text.get(range.clone()).unwrap_or_default();
        let terms: Vec<Term> = terms::all(text);
        let span = candidate.start - range.start..candidate.end.saturating_sub(range.start);
        let distance = |at: usize| {
            let between = |from: usize, to: usize| text.get(from..to).map_or(0, words);
            if at < span.start { between(at, span.start) } else { between(span.end, at) }
        };
        let (mut total, mut all) = (0.0, 0.0);
        for stem in &self.query.stems {
            let idf = self.library.by_sentence().idf(stem);
            all += idf;
            let nearest = terms
                .iter()
                .filter(|term| term.stem == *stem && !span.contains(&term.at))
                .map(|term| distance(term.at))
                .min();
            total += nearest.map_or(0.0, |words| idf / (1.0 + words as f64 / 5.0));
        }
        if all > 0.0 { total / all } else { 0.0 }
    }
}
