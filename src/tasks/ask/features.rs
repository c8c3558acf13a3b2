//! What speaks for a span: the model's probabilities, the search, and the words.

use std::ops::Range;

use super::cues;
use super::library::{Found, Library};
use super::read::{Candidate, Reading};
use super::scripts::{is_sign, paired, words};
use super::shown::Shown;
use super::terms::{self, Term};

/// Number of features.
pub const COUNT: usize = 20;
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
    "counted",
    "function_word",
    "cut",
    "said",
    "number",
];

const LOGPROB: usize = 0;
const CONSTRAINED: usize = 1;
const LENGTH: usize = 2;
/// Places in [`NAMES`] of what is in the model's nats.
pub const NATS: [usize; 5] = [LOGPROB, CONSTRAINED, 3, 4, 5];
/// Spans that tell how far apart a model's scores are: the likeliest.
const LIKELIEST: usize = 10;
/// How far they are behind the best on average, in nats: about so in both models that the weights were fitted on.
const USUAL: f64 = 2.3;

/// How far the best span may be behind certainty, in these nats: where a question hardly tells the spans of a text apart, being brought
/// to scale would make all that is left of the model's opinion count for everything.
const FARTHEST: f64 = 8.0;

/// Brings what the model says about the spans of a question to one scale: one that is surer than others, in the right as in the wrong,
/// has the same features. What it says is divided by the mean distance of the likeliest spans from the best.
pub fn to_scale(spans: &mut [[f64; COUNT]]) {
    let mut logprobs: Vec<f64> = spans.iter().map(|features| features[0]).collect();
    logprobs.sort_by(|a, b| b.total_cmp(a));
    logprobs.truncate(LIKELIEST);
    let Some(&best) = logprobs.first() else { return };
    let apart = logprobs.iter().map(|logprob| best - logprob).sum::<f64>() / logprobs.len() as f64;
    if !(apart.is_finite() && apart > 0.0) {
        // One span, or all alike: nothing to go by.
        return;
    }
    let scale = (USUAL / apart).min(if best < 0.0 { FARTHEST / -best } else { f64::INFINITY });
    for features in spans {
        for at in NATS {
            features[at] *= scale;
        }
    }
}

/// A question, taken apart once.
pub struct Query {
    /// Different stems.
    pub stems: Vec<String>,
    kind: Option<cues::Kind>,
    /// Stems of what it asks the number of.
    counted: Vec<String>,
}

impl Query {
    /// Takes a question about these documents apart.
    pub fn new(library: &Library, question: &str) -> Self {
        Query {
            stems: library.query(question),
            kind: cues::kind(question),
            counted: library.query(cues::counted(question)),
        }
    }
}

/// Words from a beginning on that say what kind of thing begins there.
const BEGINNING: usize = 3;

/// Bytes of the first words of a text; in scripts without spaces two characters count as one.
fn beginning(text: &str, words: usize) -> usize {
    let mut halves = 0;
    for (at, c) in text.char_indices() {
        halves += if c.is_whitespace() { 2 } else { usize::from(paired(c).is_some()) };
        if halves >= 2 * words {
            return at + c.len_utf8();
        }
    }
    text.len()
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
    /// Products of the question's vector with each sentence's; `None` for one without a vector.
    pub similarities: Option<&'a [Option<f32>]>,
}

impl Context<'_> {
    /// The features of a span.
    pub fn features(&self, reading: &Reading, candidate: &Candidate) -> [f64; COUNT] {
        let mut features = self.of_words(candidate);
        let model = [
            candidate.logprob,
            candidate.constrained,
            candidate.first - candidate.first_unasked,
            candidate.logprob - reading.null,
            reading.question,
        ];
        for (at, feature) in NATS.into_iter().zip(model) {
            features[at] = feature;
        }
        features[LENGTH] = (candidate.tokens as f64).ln();
        features
    }

    /// What the words and the search say for an answer that begins at this byte, before the model is asked, in nats.
    pub fn prior(&self, start: usize) -> f64 {
        let Some(within) = self.shown.sentence_at(start) else { return 0.0 };
        let end = self.shown.sentences.get(within).map_or(start, |sentence| sentence.end);
        let rest = self.shown.text.get(start..end).unwrap_or_default();
        let (span, behind) = rest.split_at(beginning(rest, BEGINNING));
        let first = Candidate { start, end: start + beginning(rest, 1), ..Candidate::default() };
        let kind = cues::fits(self.query.kind, span, behind, self.opens_sentence(&first, within));
        let (similarity, coverage) = self.of_sentence(within);
        5.0 * similarity + 3.0 * coverage + 2.0 * kind + 10.0 * self.near(&first, within)
    }

    /// How near the question's vector is to a sentence's, and how much of the question stands in it.
    fn of_sentence(&self, within: usize) -> (f64, f64) {
        let passage = self.library.passages().get(self.found.passage);
        let sentence = passage.map_or(0, |passage| passage.sentences.start) + within;
        let similarity = self.similarities.and_then(|all| *all.get(sentence)?).map_or(0.0, f64::from);
        (similarity, self.library.by_sentence().coverage(sentence, &self.query.stems))
    }

    /// The features that are not the model's.
    fn of_words(&self, candidate: &Candidate) -> [f64; COUNT] {
        let span = self.shown.text.get(candidate.start..candidate.end).unwrap_or_default();
        let behind = self.shown.text.get(candidate.end..).unwrap_or_default();
        let within = self.shown.sentence_at(candidate.start).unwrap_or_default();
        let (similarity, coverage) = self.of_sentence(within);
        let stems = &self.query.stems;
        let is = |truth: bool| f64::from(u8::from(truth));
        let echo = self.echo(span);
        [
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            0.0,
            similarity,
            self.found.similarity,
            coverage,
            self.library.by_passage().coverage(self.found.passage, stems),
            echo,
            cues::fits(self.query.kind, span, behind, self.opens_sentence(candidate, within)),
            self.near(candidate, within),
            // Nothing but words that say nothing.
            is(terms::terms(span).is_empty()),
            is(span.ends_with(is_sign)),
            is(self.counted(candidate)),
            is(cues::ends_with_function_word(span)),
            is(self.cuts(candidate, within)),
            // Nothing but what the question says.
            is(echo >= 1.0),
            is(cues::is_unasked_number(self.query.kind, span)),
        ]
    }

    fn cuts(&self, candidate: &Candidate, sentence: usize) -> bool {
        let Some(range) = self.shown.sentences.get(sentence) else { return false };
        let text = |range: Range<usize>| self.shown.text.get(range).unwrap_or_default();
        let Candidate { start, end, .. } = *candidate;
        cues::cuts(text(range.start..start), text(start..end), text(end..range.end))
    }

    fn opens_sentence(&self, candidate: &Candidate, sentence: usize) -> bool {
        self.shown.sentences.get(sentence).is_some_and(|range| range.start == candidate.start)
    }

    /// Whether the span has a number, and right behind it what the question asks the number of: `ten` in `ten images` for `how many images`.
    fn counted(&self, candidate: &Candidate) -> bool {
        let text = self.shown.text.get(candidate.start..).unwrap_or_default();
        let behind = cues::behind_number(text, candidate.end - candidate.start);
        behind.is_some_and(|words| {
            terms::terms(words).iter().any(|term| self.query.counted.contains(&term.stem))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_sure_a_model_is_of_everything_changes_nothing() {
        let spans: Vec<[f64; COUNT]> = (0..14)
            .map(|span| std::array::from_fn(|at| -1.0 - f64::from((span * 7 + at as u32 * 5) % 23)))
            .collect();
        let mut scaled = spans.clone();
        to_scale(&mut scaled);
        for factor in [0.2, 1.0, 6.0] {
            let mut surer = spans.clone();
            for features in &mut surer {
                for at in NATS {
                    features[at] *= factor;
                }
            }
            to_scale(&mut surer);
            for (a, b) in surer.iter().flatten().zip(scaled.iter().flatten()) {
                assert!((a - b).abs() < 1e-9, "{factor}: {a} {b}");
            }
        }
        assert_ne!(scaled, spans);
        // What is not the model's stays as it is.
        for at in (0..COUNT).filter(|at| !NATS.contains(at)) {
            assert!(spans.iter().zip(&scaled).all(|(a, b)| a[at] == b[at]), "{}", NAMES[at]);
        }
    }

    #[test]
    fn one_span_has_no_scale() {
        let mut one = [[-3.0; COUNT]];
        to_scale(&mut one);
        assert_eq!(one, [[-3.0; COUNT]]);
        to_scale(&mut []);
        let mut infinite = [[-3.0; COUNT], [f64::NEG_INFINITY; COUNT]];
        to_scale(&mut infinite);
        assert_eq!(infinite[0], [-3.0; COUNT]);
    }
}
