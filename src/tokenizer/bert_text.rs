//! How BERT prepares a text for its vocabulary: cleaning, accents, letter case, and the cut into words.
//!
//! As the `tokenizers` crate's `BertNormalizer` and `BertPreTokenizer` do it (after Google's `tokenization.py` of 2018), except that
//! marks of several classes behind one letter are not brought into canonical order: those that are not stripped are in no
//! published vocabulary, so that their word is unknown either way.

use super::bert_table::{BASES, DROPPED, MARKS, PUNCTUATION, SEQUENCES};

/// What is done to a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Preparation {
    /// Leave out control characters, make every white space a space.
    pub clean: bool,
    /// Put spaces around Chinese characters.
    pub chinese: bool,
    /// Decompose and leave out nonspacing marks.
    pub strip_accents: bool,
    /// Lower case.
    pub lowercase: bool,
}

/// Blocks of Chinese characters that become words of their own.
const CHINESE: [(u32, u32); 8] = [
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    // As the reference has it; the block begins at 2B820.
    (0x2B920, 0x2CEAF),
    (0x2F800, 0x2FA1F),
];

impl Preparation {
    /// The prepared text.
    pub fn apply(self, text: &str) -> String {
        let mut out = String::with_capacity(text.len() + text.len() / 8);
        for char in text.chars() {
            let char = match char {
                '\t' | '\n' | '\r' if self.clean => ' ',
                char if self.clean && in_runs(&DROPPED, char) => continue,
                char if self.clean && char.is_whitespace() => ' ',
                char => char,
            };
            if self.chinese && in_runs(&CHINESE, char) {
                out.push(' ');
                self.letter(char, &mut out);
                out.push(' ');
            } else {
                self.letter(char, &mut out);
            }
        }
        out
    }

    fn letter(self, char: char, out: &mut String) {
        if self.strip_accents && !char.is_ascii() {
            decomposed(char, |part| self.cased(part, out));
        } else {
            self.cased(char, out);
        }
    }

    fn cased(self, char: char, out: &mut String) {
        match (self.lowercase, char.is_ascii()) {
            (false, _) => out.push(char),
            (true, true) => out.push(char.to_ascii_lowercase()),
            (true, false) => out.extend(char.to_lowercase()),
        }
    }
}

/// Gives `take` the canonical decomposition of a character without its nonspacing marks.
fn decomposed(char: char, mut take: impl FnMut(char)) {
    let code = u32::from(char);
    if in_runs(&MARKS, char) {
        return;
    }
    if let Some(index) = code.checked_sub(HANGUL).filter(|index| *index < HANGUL_COUNT) {
        let (lead, vowel, tail) = (index / 588, index % 588 / 28, index % 28);
        let tail = (tail > 0).then_some(0x11A7 + tail);
        [Some(0x1100 + lead), Some(0x1161 + vowel), tail]
            .into_iter()
            .flatten()
            .filter_map(char::from_u32)
            .for_each(take);
    } else if let Ok(place) = BASES.binary_search_by_key(&code, |entry| entry.0) {
        BASES.get(place).and_then(|entry| char::from_u32(entry.1)).into_iter().for_each(take);
    } else if let Ok(place) = SEQUENCES.binary_search_by_key(&code, |entry| entry.0) {
        let parts = SEQUENCES.get(place).into_iter().flat_map(|entry| entry.1);
        parts.take_while(|part| *part > 0).filter_map(char::from_u32).for_each(take);
    } else {
        take(char);
    }
}

/// First Hangul syllable, and how many there are: they decompose by a formula (The Unicode Standard, section 3.12).
const HANGUL: u32 = 0xAC00;
const HANGUL_COUNT: u32 = 11_172;

/// Whether a character lies in one of the runs, which ascend.
fn in_runs(runs: &[(u32, u32)], char: char) -> bool {
    let code = u32::from(char);
    let behind = runs.partition_point(|run| run.0 <= code);
    behind.checked_sub(1).and_then(|place| runs.get(place)).is_some_and(|run| code <= run.1)
}

/// The words of a prepared text: what stands between white space, and each punctuation mark by itself.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(char::is_whitespace).flat_map(|part| {
        let mut rest = part;
        std::iter::from_fn(move || {
            let first = rest.chars().next()?;
            let end = match is_punctuation(first) {
                true => first.len_utf8(),
                false => rest.find(is_punctuation).unwrap_or(rest.len()),
            };
            let (word, behind) = rest.split_at_checked(end)?;
            rest = behind;
            Some(word)
        })
    })
}

/// Where the words of a text stand in it, before it is prepared.
pub(crate) fn word_ranges(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = None;
    for (at, char) in text.char_indices().chain([(text.len(), ' ')]) {
        let alone = is_punctuation(char) || in_runs(&CHINESE, char);
        if alone || char.is_whitespace() {
            ranges.extend(start.take().map(|from| from..at));
        }
        if alone {
            ranges.push(at..at + char.len_utf8());
        } else if start.is_none() && !char.is_whitespace() {
            start = Some(at);
        }
    }
    ranges
}

fn is_punctuation(char: char) -> bool {
    if char.is_ascii() { char.is_ascii_punctuation() } else { in_runs(&PUNCTUATION, char) }
}
