//! Documents cut at sentences into overlapping passages.

use std::ops::Range;

use super::scripts::{is_dense, is_mark, is_vowel_before, is_vowel_behind, is_word, likely_tokens, words};

/// Words of a passage, unless one sentence has more.
const WORDS: usize = 80;
/// Words that a passage takes over from the one before it, at most.
const OVERLAP: usize = 30;
/// Words of a sentence that is cut because of its length.
const LONGEST_SENTENCE: usize = 120;
/// Tokens that a passage or a part of a sentence is likely to have, at most: what matters where words are no measure.
const TOKENS: usize = 480;
/// Characters of a part of a sentence in a script without spaces.
const DENSE: usize = 160;

/// A stretch of a document that is read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// Index of the document.
    pub document: usize,
    /// Its bytes in the document's [view](super::view::View).
    pub view: Range<usize>,
    /// Its sentences, as indices into those of all documents.
    pub sentences: Range<usize>,
}

/// A sentence, or a part of a very long one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// Index of the document.
    pub document: usize,
    /// Its bytes in the document's view.
    pub view: Range<usize>,
}

/// Cuts sentences that are too long to be read at once: between words, and words that are too long behind a sign or anywhere.
pub fn short_sentences(document: usize, text: &str, ranges: Vec<Range<usize>>) -> Vec<Sentence> {
    let mut out = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Some(sentence) = text.get(range.clone()) else { continue };
        let mut part: Option<Range<usize>> = None;
        let (mut count, mut tokens) = (0, 0);
        for piece in pieces(sentence) {
            let text = sentence.get(piece.clone()).unwrap_or_default();
            let (more, further) = (words(text), likely_tokens(text));
            let full = count + more > LONGEST_SENTENCE || tokens + further > TOKENS;
            match &mut part {
                Some(part) if full => {
                    let ended = std::mem::replace(part, piece);
                    out.push(Sentence { document, view: range.start + ended.start..range.start + ended.end });
                    (count, tokens) = (more, further);
                }
                Some(part) => {
                    part.end = piece.end;
                    (count, tokens) = (count + more, tokens + further);
                }
                None => {
                    part = Some(piece);
                    (count, tokens) = (more, further);
                }
            }
        }
        if let Some(part) = part {
            out.push(Sentence { document, view: range.start + part.start..range.start + part.end });
        }
    }
    out
}

/// What stands between white space, cut where one such is too long.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        let at = word.as_ptr() as usize - text.as_ptr() as usize;
        if words(word) <= LONGEST_SENTENCE && likely_tokens(word) <= TOKENS {
            out.push(at..at + word.len());
            continue;
        }
        let mut start = 0;
        let mut tokens = 0;
        let mut before = ' ';
        for (here, c) in word.char_indices() {
            let apart = !is_mark(c) && !is_vowel_behind(c) && !is_vowel_before(before);
            let sign = !is_word(before) && is_word(c);
            let limit = if is_dense(c) { DENSE } else { TOKENS };
            if apart && here > start && (tokens >= limit || sign && tokens >= limit / 2) {
                out.push(at + start..at + here);
                (start, tokens) = (here, 0);
            }
            tokens += if c < '\u{10000}' { 1 } else { 2 };
            before = c;
        }
        out.push(at + start..at + word.len());
    }
    out
}

/// Passages of whole sentences of one document each, `sentences` being those of all documents in their order, `texts` the views.
pub fn cut(sentences: &[Sentence], texts: &[&str]) -> Vec<Passage> {
    let size = |sentence: &Sentence| {
        let text = texts.get(sentence.document).and_then(|text| text.get(sentence.view.clone()));
        text.map_or((0, 0), |text| (words(text), likely_tokens(text)))
    };
    let counts: Vec<(usize, usize)> = sentences.iter().map(size).collect();
    let mut passages: Vec<Passage> = Vec::new();
    let mut first = 0;
    while first < sentences.len() {
        let document = sentences[first].document;
        let (mut end, mut total, mut tokens) = (first, 0, 0);
        while end < sentences.len()
            && sentences[end].document == document
            && (end == first || (total + counts[end].0 <= WORDS && tokens + counts[end].1 <= TOKENS))
        {
            total += counts[end].0;
            tokens += counts[end].1;
            end += 1;
        }
        let view = sentences[first].view.start..sentences[end - 1].view.end;
        passages.push(Passage { document, view, sentences: first..end });
        let ended = end == sentences.len() || sentences[end].document != document;
        // The next one begins within this one, by whole sentences, but always further on.
        let (mut next, mut shared) = (end, 0);
        while !ended && next > first + 1 && shared + counts[next - 1].0 <= OVERLAP {
            next -= 1;
            shared += counts[next].0;
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
            let words = texts[passage.document][passage.view.clone()].split_whitespace().count();
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
                .all(|sentence| text[sentence.view.clone()].split(' ').all(|word| word == "word"))
        );
        assert_eq!(passages.len(), 9);
        assert_eq!(sentences.iter().map(|s| text[s.view.clone()].split(' ').count()).sum::<usize>(), 1000);
    }

    #[test]
    fn what_has_no_spaces_is_bounded_as_well() {
        let base64 = "eUK98iEG8IR3YvDzy012TccHIFEVmg+J8sbayuNEuzESRf1vhN+a18Wz0HasDo9TpzVsiJE/".repeat(600);
        let json = "{\"id\":4711,\"name\":\"herring\",\"tags\":[1,2,3]},".repeat(900);
        let table = "| 1.5 | 2.25 | a | b |\n".repeat(2000);
        let chinese = "灯塔由工程师沈若兰于一九三一年建成高四十二米".repeat(1000);
        let thai = "เรือเฟอร์รี่ออกเวลาเจ็ดโมงเช้าจากท่าเรือสี่".repeat(1000);
        let emoji = "👩\u{1F3FD}".repeat(4000);
        for text in [&base64, &json, &table, &chinese, &thai, &emoji, &"a".repeat(50_000)] {
            let (sentences, passages) = cut_texts(&[text]);
            assert!(sentences.len() > 20, "{}", sentences.len());
            for passage in &passages {
                let part = &text[passage.view.clone()];
                assert!(likely_tokens(part) <= TOKENS + 2, "{} in {part}", likely_tokens(part));
                assert!(part.chars().count() <= 3 * TOKENS, "{} characters", part.chars().count());
            }
            // Nothing but white space is lost, and no vowel or mark stands by itself.
            let kept: usize = sentences.iter().map(|sentence| sentence.view.len()).sum();
            let white: usize = text.chars().filter(|c| c.is_whitespace()).count();
            assert!(kept + white >= text.len() && kept <= text.len());
            for sentence in &sentences {
                let first = text[sentence.view.clone()].chars().next().unwrap();
                assert!(!is_mark(first) && !is_vowel_behind(first), "{first:?}");
            }
        }
    }
}
