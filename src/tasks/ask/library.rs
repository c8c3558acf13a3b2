//! Documents made ready for questions: cut, indexed, laid out.

use std::ops::Range;

use super::passages::{self, Passage, Sentence};
use super::shown::Shown;
use super::terms::{self, Index};
use super::text::{self, Utf16};
use super::view::{self, Compose, View};
use super::{AskError, Span};

/// Most bytes of a document.
pub const LARGEST_DOCUMENT: usize = 1 << 24;
/// Weight of the similarity against BM25 as a share of its largest value, where a passage is looked for.
const SIMILARITY: f64 = 2.0;

/// Documents that can be asked about.
pub struct Library {
    views: Vec<View>,
    compose: Compose,
    sentences: Vec<Sentence>,
    passages: Vec<Passage>,
    by_sentence: Index,
    by_passage: Index,
}

/// A passage with how well it matches a question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Index of the passage.
    pub passage: usize,
    /// BM25 as a share of the largest, plus the weighted similarity.
    pub score: f64,
    /// Largest similarity of one of its sentences.
    pub similarity: f64,
}

impl Library {
    /// Takes in documents; `ends` has where the sentences of each end, in bytes of its view. `compose` does to a question what was done
    /// to them.
    ///
    /// # Errors
    /// Documents without text.
    pub fn new(views: Vec<View>, ends: &[Vec<usize>], compose: Compose) -> Result<Self, AskError> {
        if ends.len() != views.len() {
            return Err(AskError::Input {
                what: "sentence ends",
                expected: format!("a list for each of {} documents", views.len()),
                got: ends.len().to_string(),
            });
        }
        let texts: Vec<&str> = views.iter().map(View::text).collect();
        let mut sentences = Vec::new();
        for (document, (text, ends)) in texts.iter().zip(ends).enumerate() {
            sentences.extend(passages::short_sentences(document, text, text::sentences(text, ends)));
        }
        if sentences.is_empty() {
            return Err(AskError::EmptyDocument { documents: views.len() });
        }
        let passages = passages::cut(&sentences, &texts);
        let slice = |document: usize, bytes: &Range<usize>| {
            texts.get(document).and_then(|text| text.get(bytes.clone())).unwrap_or_default()
        };
        let by_sentence =
            Index::new(sentences.iter().map(|sentence| slice(sentence.document, &sentence.view)));
        let by_passage = Index::new(passages.iter().map(|passage| slice(passage.document, &passage.view)));
        Ok(Library { views, compose, sentences, passages, by_sentence, by_passage })
    }

    /// Lets a document's title count among the words of its passages where they are looked for. `titles` are those of the documents,
    /// in their order; an empty one adds nothing.
    pub fn titled(mut self, titles: &[&str]) -> Self {
        let words = |passage: &Passage| {
            let title = titles.get(passage.document).copied().unwrap_or_default();
            let title = view::one_line(title, self.compose);
            format!("{title}\n{}", self.slice(passage.document, &passage.view))
        };
        let texts: Vec<String> = self.passages.iter().map(words).collect();
        self.by_passage = Index::new(texts.iter().map(String::as_str));
        self
    }

    /// As [`new`](Library::new), with sentences by UAX #29.
    ///
    /// # Errors
    /// As [`views`] and [`new`](Library::new).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn of(documents: &[&str]) -> Result<Self, AskError> {
        let views = views(documents, view::compose)?;
        let ends: Vec<Vec<usize>> = views.iter().map(|view| text::sentence_ends(view.text())).collect();
        Library::new(views, &ends, view::compose)
    }

    /// The sentences, whose vectors are compared with the question's.
    pub fn sentence_texts(&self) -> Vec<&str> {
        self.sentences.iter().map(|sentence| self.slice(sentence.document, &sentence.view)).collect()
    }

    /// Number of documents.
    pub fn documents(&self) -> usize {
        self.views.len()
    }

    /// A document and its view.
    pub fn view(&self, document: usize) -> Option<&View> {
        self.views.get(document)
    }

    /// The words of a question, as they are looked for.
    pub fn query(&self, question: &str) -> Vec<String> {
        self.by_sentence.known(terms::query(&self.one_line(question)))
    }

    /// A question or an answer as the documents are read.
    pub fn one_line(&self, text: &str) -> String {
        view::one_line(text, self.compose)
    }

    /// What a stretch of a document says, on one line.
    pub fn words(&self, span: &Span) -> String {
        self.view(span.document).map(|view| view.words(&span.bytes)).unwrap_or_default()
    }

    /// The document of each of the sentences.
    pub fn documents_of_sentences(&self) -> impl Iterator<Item = usize> {
        self.sentences.iter().map(|sentence| sentence.document)
    }

    fn slice(&self, document: usize, bytes: &Range<usize>) -> &str {
        self.view(document).and_then(|view| view.text().get(bytes.clone())).unwrap_or_default()
    }

    /// The passages.
    pub fn passages(&self) -> &[Passage] {
        &self.passages
    }

    /// Words of sentences.
    pub fn by_sentence(&self) -> &Index {
        &self.by_sentence
    }

    /// Words of passages.
    pub fn by_passage(&self) -> &Index {
        &self.by_passage
    }

    /// A stretch of a document, by its bytes there.
    pub fn span(&self, document: usize, bytes: Range<usize>, confidence: f64) -> Span {
        let text = self.view(document).map(View::document).unwrap_or_default();
        let mut units = Utf16::new(text);
        let utf16 = units.units(bytes.start)..units.units(bytes.end);
        let words = text.get(bytes.clone()).unwrap_or_default().to_owned();
        Span { document, text: words, bytes, utf16, confidence }
    }

    /// A stretch of a document, by its bytes in the view.
    pub fn span_of_view(&self, document: usize, bytes: &Range<usize>, confidence: f64) -> Span {
        let bytes = self.view(document).map(|view| view.to_document(bytes)).unwrap_or_default();
        self.span(document, bytes, confidence)
    }

    /// A sentence as a stretch of its document.
    pub fn sentence_span(&self, sentence: usize, confidence: f64) -> Option<Span> {
        let sentence = self.sentences.get(sentence)?;
        Some(self.span_of_view(sentence.document, &sentence.view, confidence))
    }

    /// A passage as a stretch of its document.
    pub fn passage_span(&self, passage: usize, confidence: f64) -> Option<Span> {
        let passage = self.passages.get(passage)?;
        Some(self.span_of_view(passage.document, &passage.view, confidence))
    }

    /// A passage on one line.
    pub fn show(&self, passage: &Passage) -> Option<Shown> {
        Some(Shown::new(self.view(passage.document)?, passage, &self.sentences))
    }

    /// The passages for a question, the best first. `similarities` has the product of the question's vector with each sentence's, `None`
    /// for a sentence without a vector: passages whose sentences all have one come before the others, since only these can be compared.
    ///
    /// # Errors
    /// Similarities of another number of sentences.
    pub fn find(&self, question: &str, similarities: Option<&[Option<f32>]>) -> Result<Vec<Found>, AskError> {
        if let Some(similarities) = similarities
            && similarities.len() != self.sentences.len()
        {
            return Err(AskError::Input {
                what: "similarities",
                expected: format!("one for each of {} sentences", self.sentences.len()),
                got: similarities.len().to_string(),
            });
        }
        let query = self.query(question);
        let bm25: Vec<f64> =
            (0..self.passages.len()).map(|passage| self.by_passage.bm25(passage, &query)).collect();
        let largest = bm25.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let mut found: Vec<(bool, Found)> = self
            .passages
            .iter()
            .enumerate()
            .map(|(index, passage)| {
                let of = similarities.and_then(|all| all.get(passage.sentences.clone())).unwrap_or_default();
                let embedded = of.iter().all(Option::is_some);
                let similarity = of
                    .iter()
                    .flatten()
                    .copied()
                    .fold(None, |most: Option<f32>, one| Some(most.map_or(one, |most| most.max(one))));
                let similarity = f64::from(similarity.unwrap_or(0.0));
                let score = bm25[index] / largest + SIMILARITY * similarity;
                (embedded, Found { passage: index, score, similarity })
            })
            .collect();
        found.sort_by(|(first, a), (second, b)| {
            second.cmp(first).then(b.score.total_cmp(&a.score)).then(a.passage.cmp(&b.passage))
        });
        Ok(found.into_iter().map(|(_, found)| found).collect())
    }
}

/// Documents with their views.
///
/// # Errors
/// One that is too large.
pub fn views(documents: &[&str], compose: Compose) -> Result<Vec<View>, AskError> {
    let large = documents.iter().enumerate().find(|(_, text)| text.len() > LARGEST_DOCUMENT);
    if let Some((document, text)) = large {
        return Err(AskError::TooLarge { document, limit: LARGEST_DOCUMENT, got: text.len() });
    }
    Ok(documents.iter().map(|document| View::new(document, compose)).collect())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn a_title_leads_to_its_document() {
        let rules = "Visitors leave by six. Keys are kept at the gate.";
        let of_first = |library: &Library| {
            let found = library.find("When do visitors leave the museum?", None).expect("passages");
            library.passages()[found[0].passage].document
        };
        let library = Library::of(&[rules, rules]).expect("a library");
        assert_eq!(of_first(&library), 0, "alike, the first comes first");
        let library = library.titled(&["Castle rules.pdf", "Museum rules.pdf"]);
        assert_eq!(of_first(&library), 1);
        assert_eq!(library.sentence_texts()[0], "Visitors leave by six.", "a title is no part of the text");
    }
}
