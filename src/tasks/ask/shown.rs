//! A passage as the model is shown it: on one line, with the way back to the document.

use std::ops::Range;

use super::passages::{Passage, Sentence};

/// Text on one line.
#[derive(Clone, Debug)]
pub struct Shown {
    /// White space is one space, and none is at the ends.
    pub text: String,
    /// For each byte of it, and for its end, the byte of the document.
    origin: Vec<usize>,
    /// Where its sentences are in it.
    pub sentences: Vec<Range<usize>>,
}

impl Shown {
    /// Lays a passage of this document on one line.
    pub fn new(document: &str, passage: &Passage, sentences: &[Sentence]) -> Self {
        let mut shown = Shown { text: String::new(), origin: Vec::new(), sentences: Vec::new() };
        for sentence in sentences.get(passage.sentences.clone()).unwrap_or_default() {
            let Some(text) = document.get(sentence.bytes.clone()) else { continue };
            if !shown.text.is_empty() {
                shown.push(' ', sentence.bytes.start.saturating_sub(1));
            }
            let start = shown.text.len();
            let mut space = false;
            for (at, c) in text.char_indices() {
                if c.is_whitespace() {
                    if !space {
                        shown.push(' ', sentence.bytes.start + at);
                    }
                } else {
                    shown.push(c, sentence.bytes.start + at);
                }
                space = c.is_whitespace();
            }
            shown.sentences.push(start..shown.text.len());
        }
        shown.origin.push(passage.bytes.end);
        shown
    }

    fn push(&mut self, c: char, from: usize) {
        self.text.push(c);
        let bytes = if c == ' ' { 1 } else { c.len_utf8() };
        self.origin.extend((0..bytes).map(|offset| from + offset));
    }

    /// Bytes of the document for a stretch of the text; its last character is found, not what follows it.
    pub fn to_document(&self, bytes: &Range<usize>) -> Range<usize> {
        let start = self.origin.get(bytes.start).copied().unwrap_or_default();
        let last = bytes.end.checked_sub(1).and_then(|last| self.origin.get(last).copied());
        start..last.map_or(start, |last| last + 1)
    }

    /// The sentence that holds this byte.
    pub fn sentence_at(&self, byte: usize) -> Option<usize> {
        self.sentences.iter().position(|sentence| sentence.contains(&byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_are_found_again_in_the_document() {
        let document = "Zwei  über\n   Nacht.\n\nUnd é!";
        let sentences = [
            Sentence { document: 0, bytes: 0..document.find("\n\n").unwrap() },
            Sentence { document: 0, bytes: document.find("Und").unwrap()..document.len() },
        ];
        let passage = Passage { document: 0, bytes: 0..document.len(), sentences: 0..2 };
        let shown = Shown::new(document, &passage, &sentences);
        assert_eq!(shown.text, "Zwei über Nacht. Und é!");
        for part in ["über Nacht", "Zwei", "é!", "é", "Nacht. Und"] {
            let at = shown.text.find(part).unwrap();
            let found = &document[shown.to_document(&(at..at + part.len()))];
            assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), part);
        }
        assert_eq!(shown.sentences.len(), 2);
        assert_eq!(shown.sentence_at(shown.text.find("Und").unwrap()), Some(1));
    }
}
