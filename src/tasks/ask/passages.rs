//! Documents cut at sentences into overlapping passages.

use std::ops::Range;

/// Words of a passage, unless one sentence has more.
const WORDS: usize = 80;
/// Words that a passage takes over from the one before it, at most.
const OVERLAP: usize = 30;
/// Words of a sentence that is cut because of its length.
const LONGEST_SENTENCE: usize = 120;

/// A stretch of a document that is read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Index of the document.
    pub document: usize,
    /// Its bytes there.
    pub bytes: Range<usize>,
    /// Its sentences, as indices into those of all documents.
    pub sentences: Range<usize>,
}

/// A sentence, or a part of a very long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Index of the document.
    pub document: usize,
    /// Its bytes there.
    pub bytes: Range<usize>,
}

/// Cuts sentences that are too long to be read at once; at words, since nothing better is known.
pub fn short_sentences(document: usize, text: &str, ranges: Vec<Range<usize>>) -> Vec<Sentence> {
    let mut out = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Some(sentence) = text.get(range.clone()) else { continue };
        let mut words = 0;
        let mut start = range.start;
        for (at, word) in words_of(sentence) {
            words += 1;
            if words == LONGEST_SENTENCE {
                let end = range.start + at + word.len();
                out.push(Sentence { document, bytes: start..end });
                start = end + text[end..range.end].len() - text[end..range.end].trim_start().len();
                words = 0;
            }
        }
        if start < range.end {
            out.push(Sentence { document, bytes: start..range.end });
        }
    }
    out
}

fn words_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_whitespace().map(move |word| (word.as_ptr() as usize - text.as_ptr() as usize, word))
}

/// Passages of whole sentences of one document each, `sentences` being those of all documents in their order.
pub fn cut(sentences: &[Sentence], texts: &[&str]) -> Vec<Passage> {
    let words = |sentence: &Sentence| {
        let text = texts.get(sentence.document).and_then(|text| text.get(sentence.bytes.clone()));
        text.map_or(0, |text| text.split_whitespace().count())
    };
    let counts: Vec<usize> = sentences.iter().map(words).collect();
    let mut passages: Vec<Passage> = Vec::new();
    let mut first = 0;
    while first < sentences.len() {
        let document = sentences[first].document;
        let (mut end, mut total) = (first, 0);
        while end < sentences.len()
            && sentences[end].document == document
            && (end == first || total + counts[end] <= WORDS)
        {
            total += counts[end];
            end += 1;
        }
        let bytes = sentences[first].bytes.start..sentences[end - 1].bytes.end;
        passages.push(Passage { document, bytes, sentences: first..end });
        let ended = end == sentences.len() || sentences[end].document != document;
        // The next one begins within this one, by whole sentences, but always further on.
        let (mut next, mut shared) = (end, 0);
        while !ended && next > first + 1 && shared + counts[next - 1] <= OVERLAP {
            next -= 1;
            shared += counts[next];
        }
        first = next;
    }
    passages
}

#[cfg(test)]
mod tests {
    use super::super::text::{sentence_ends, sentences};
    use super::*;

    fn cut_texts(texts: &[&str]) -> (Vec<Sentence>, Vec<Passage>) {
        let mut all = Vec::new();
        for (document, text) in texts.iter().enumerate() {
            all.extend(short_sentences(document, text, sentences(text, &sentence_ends(text))));
        }
        let passages = cut(&all, texts);
        (all, passages)
    }

    #[test]
    fn passages_overlap_and_cover_every_sentence() {
        let long: String = (0..60).map(|n| format!("Sentence number {n} has a few words in it. ")).collect();
        let texts = [long.as_str(), "Another document. It is short."];
        let (sentences, passages) = cut_texts(&texts);
        for (index, sentence) in sentences.iter().enumerate() {
            let holding = passages.iter().filter(|passage| passage.sentences.contains(&index)).count();
            assert!((1..=2).contains(&holding), "{sentence:?}: {holding}");
        }
        for passage in &passages {
            let words = texts[passage.document][passage.bytes.clone()].split_whitespace().count();
            assert!(words <= WORDS, "{words}");
        }
        for pair in passages.windows(2).filter(|pair| pair[0].document == pair[1].document) {
            assert!(pair[0].sentences.start < pair[1].sentences.start);
            assert!(pair[1].sentences.start < pair[0].sentences.end, "they overlap");
        }
        assert_eq!(passages.last().map(|passage| passage.document), Some(1));
    }

    #[test]
    fn a_sentence_without_end_is_cut_at_words() {
        let text = "word ".repeat(1000);
        let (sentences, passages) = cut_texts(&[&text]);
        assert_eq!(sentences.len(), 9);
        assert!(
            sentences
                .iter()
                .all(|sentence| text[sentence.bytes.clone()].split(' ').all(|word| word == "word"))
        );
        assert_eq!(passages.len(), 9);
        assert_eq!(sentences.iter().map(|s| text[s.bytes.clone()].split(' ').count()).sum::<usize>(), 1000);
    }
}
