//! A passage as the model is shown it: on one line, with the way back to the document.

use std::ops::Range;

use super::passages::{Passage, Sentence};
use super::view::View;

/// Text on one line.
#[derive(Clone, Debug)]
pub struct Shown {
    /// White space is one space, and none is at the ends.
    pub text: String,
    /// For each byte of it, the bytes of the document that its character comes from.
    origin: Vec<(usize, usize)>,
    /// Where its sentences are in it.
    pub sentences: Vec<Range<usize>>,
}

impl Shown {
    /// Lays a passage of this document on one line.
    pub fn new(view: &View, passage: &Passage, sentences: &[Sentence]) -> Self {
        let mut shown = Shown { text: String::new(), origin: Vec::new(), sentences: Vec::new() };
        let mut ended = passage.view.start;
        for sentence in sentences.get(passage.sentences.clone()).unwrap_or_default() {
            let Some(text) = view.text().get(sentence.view.clone()) else { continue };
            // Parts of one long word, and sentences in scripts without spaces, follow at once.
            if !shown.text.is_empty() && sentence.view.start > ended {
                shown.push(' ', view.to_document(&(ended..sentence.view.start)));
            }
            ended = sentence.view.end;
            let start = shown.text.len();
            let mut space = false;
            for (at, c) in text.char_indices() {
                let at = sentence.view.start + at;
                let from = || view.to_document(&(at..at + c.len_utf8()));
                if !c.is_whitespace() {
                    shown.push(c, from());
                } else if !space {
                    shown.push(' ', from());
                }
                space = c.is_whitespace();
            }
            shown.sentences.push(start..shown.text.len());
        }
        shown
    }

    fn push(&mut self, c: char, from: Range<usize>) {
        self.text.push(c);
        self.origin.resize(self.text.len(), (from.start, from.end));
    }

    /// Bytes of the document for a stretch of the text.
    pub fn to_document(&self, bytes: &Range<usize>) -> Range<usize> {
        let start = self.origin.get(bytes.start).map_or(0, |from| from.0);
        let last = bytes.end.checked_sub(1).and_then(|last| self.origin.get(last));
        start..last.map_or(start, |from| from.1)
    }

    /// A part of the text, in the same sentences; those beyond it are empty.
    pub fn part(&self, bytes: &Range<usize>) -> Shown {
        let place = |at: usize| at.clamp(bytes.start, bytes.end) - bytes.start;
        Shown {
            text: self.text.get(bytes.clone()).unwrap_or_default().to_owned(),
            origin: self.origin.get(bytes.clone()).unwrap_or_default().to_vec(),
            sentences: self.sentences.iter().map(|at| place(at.start)..place(at.end)).collect(),
        }
    }

    /// The sentence that holds this byte.
    pub fn sentence_at(&self, byte: usize) -> Option<usize> {
        self.sentences.iter().position(|sentence| sentence.contains(&byte))
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::super::view::compose;
    use super::*;

    fn shown(document: &str, sentences: &[&str]) -> Shown {
        let view = View::new(document, compose);
        let at = |part: &&str| {
            let start = view.text().find(part).unwrap();
            Sentence { document: 0, view: start..start + part.len() }
        };
        let sentences: Vec<Sentence> = sentences.iter().map(at).collect();
        let passage = Passage { document: 0, view: 0..view.text().len(), sentences: 0..sentences.len() };
        Shown::new(&view, &passage, &sentences)
    }

    #[test]
    fn stretches_are_found_again_in_the_document() {
        let document = "Zwei  über\n   Nacht.\n\nUnd é!";
        let shown = shown(document, &["Zwei  über\n   Nacht.", "Und é!"]);
        assert_eq!(shown.text, "Zwei über Nacht. Und é!");
        for part in ["über Nacht", "Zwei", "é!", "é", "Nacht. Und"] {
            let at = shown.text.find(part).unwrap();
            let found = &document[shown.to_document(&(at..at + part.len()))];
            assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), part);
        }
        assert_eq!(shown.sentences.len(), 2);
        assert_eq!(shown.sentence_at(shown.text.find("Und").unwrap()), Some(1));
    }

    #[test]
    fn the_model_reads_what_a_person_sees() {
        let document = "Ka\u{AD}rin paid 3\u{200B}7 crowns. Rene\u{301} did not.";
        let shown = shown(document, &["Karin paid 37 crowns.", "René did not."]);
        assert_eq!(shown.text, "Karin paid 37 crowns. René did not.");
        for (part, wanted) in
            [("Karin", "Ka\u{AD}rin"), ("37", "3\u{200B}7"), ("René", "Rene\u{301}"), ("é", "e\u{301}")]
        {
            let at = shown.text.find(part).unwrap();
            assert_eq!(&document[shown.to_document(&(at..at + part.len()))], wanted);
        }
    }

    #[test]
    fn sentences_without_spaces_between_them_get_none() {
        let shown = shown("灯塔高42米。面包店休息。", &["灯塔高42米。", "面包店休息。"]);
        assert_eq!(shown.text, "灯塔高42米。面包店休息。");
        let at = shown.text.find("店休").unwrap();
        let part = shown.part(&(at..shown.text.len()));
        assert_eq!((part.text.as_str(), part.sentence_at(0)), ("店休息。", Some(1)));
        assert_eq!(part.to_document(&(0..3)), shown.to_document(&(at..at + 3)));
    }
}
