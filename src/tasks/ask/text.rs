//! Sentences, and offsets in the units of both worlds.

use std::ops::Range;

/// Where the sentences of a text end, in bytes, by UAX #29. A browser has `Intl.Segmenter` for it.
#[cfg(not(target_arch = "wasm32"))]
pub fn sentence_ends(text: &str) -> Vec<usize> {
    use unicode_segmentation::UnicodeSegmentation;
    let mut ends = Vec::new();
    for (at, sentence) in text.split_sentence_bound_indices() {
        ends.push(at + sentence.len());
    }
    ends
}

/// The sentences between those ends, without the white space around them; empty ones are left out.
pub fn sentences(text: &str, ends: &[usize]) -> Vec<Range<usize>> {
    let mut from = 0;
    let mut ranges = Vec::new();
    for &end in ends.iter().chain([&text.len()]) {
        let Some(piece) = text.get(from..end) else { continue };
        let trimmed = piece.trim_start();
        let start = end - trimmed.len();
        let stop = start + trimmed.trim_end().len();
        if start < stop {
            ranges.push(start..stop);
        }
        from = end;
    }
    ranges
}

/// UTF-16 units before some bytes, found in one pass.
pub struct Utf16<'a> {
    text: &'a str,
    /// Bytes and units that were counted.
    at: (usize, usize),
}

impl<'a> Utf16<'a> {
    /// Counts from the beginning.
    pub fn new(text: &'a str) -> Self {
        Utf16 { text, at: (0, 0) }
    }

    /// Units before this byte, which must be one where a character begins.
    pub fn units(&mut self, byte: usize) -> usize {
        if byte < self.at.0 {
            self.at = (0, 0);
        }
        let between = self.text.get(self.at.0..byte).unwrap_or_default();
        self.at = (byte, self.at.1 + between.encode_utf16().count());
        self.at.1
    }
}

/// Bytes before each of some ascending UTF-16 offsets; those within a character are moved behind it.
pub fn bytes_of_utf16(text: &str, offsets: &[usize]) -> Vec<usize> {
    let mut bytes = Vec::with_capacity(offsets.len());
    let mut chars = text.char_indices();
    let (mut units, mut at) = (0, 0);
    for &offset in offsets {
        while units < offset {
            let Some((start, c)) = chars.next() else { break };
            units += c.len_utf16();
            at = start + c.len_utf8();
        }
        bytes.push(at);
    }
    bytes
}

/// A stretch of a text without the mark that ends its sentence or clause: that belongs to the sentence, not to what it says. A full stop
/// within or behind an abbreviation (`a.m.`, `J.`, `Inc.`) stays.
pub fn without_end_mark(text: &str) -> &str {
    const MARKS: [char; 12] = ['.', ',', ';', ':', '!', '?', '。', '，', '；', '：', '！', '？'];
    const SHORTENED: [&str; 9] = ["Inc", "Ltd", "Co", "Corp", "Jr", "Sr", "St", "etc", "No"];
    let Some(rest) = text.strip_suffix(MARKS) else { return text };
    let word = rest.rsplit(char::is_whitespace).next().unwrap_or_default();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let is_shortened = text.ends_with('.') && (word.contains('.') || is_initial || SHORTENED.contains(&word));
    if rest.trim().is_empty() || is_shortened || rest.ends_with(MARKS) { text } else { rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_marks_belong_to_sentences() {
        for (text, said) in [
            ("lamps.", "lamps"),
            ("Zo\u{eb} Brandt,", "Zo\u{eb} Brandt"),
            ("星期一。", "星期一"),
            ("at 7 a.m.", "at 7 a.m."),
            ("Acme Inc.", "Acme Inc."),
            ("John F.", "John F."),
            ("wait ...", "wait ..."),
            ("4.5", "4.5"),
            (".", "."),
            ("", ""),
        ] {
            assert_eq!(without_end_mark(text), said, "{text}");
        }
    }

    #[test]
    fn sentences_have_no_space_around_them() {
        let text = "  One is here. Two is, too!\n\n Three";
        let found: Vec<&str> =
            sentences(text, &sentence_ends(text)).into_iter().map(|at| &text[at]).collect();
        assert_eq!(found, ["One is here.", "Two is, too!", "Three"]);
        assert!(sentences(" \n", &[1, 2]).is_empty());
        assert_eq!(
            sentences("ab", &[9]),
            std::slice::from_ref(&(0..2)),
            "ends outside the text count for nothing"
        );
    }

    #[test]
    fn offsets_go_both_ways() {
        let text = "aé😀b";
        let mut utf16 = Utf16::new(text);
        let bytes = [0, 1, 3, 7, 8];
        let units = bytes.map(|byte| utf16.units(byte));
        assert_eq!(units, [0, 1, 2, 4, 5]);
        assert_eq!(bytes_of_utf16(text, &units), bytes);
        assert_eq!(bytes_of_utf16(text, &[3, 99]), [7, 8]);
        assert_eq!(utf16.units(1), 1);
    }
}
