//! The automaton over a passage's bytes: which tokens may begin an answer and which may go on with it, if the answer has to be a
//! span of the passage.
//!
//! Its states are places in the passage. A token leads from place `p` to `p + n` where its `n` bytes stand there. An answer may begin
//! wherever a word does, with the space before it or without, also within what the tokenizer would make one token with what stands
//! before; it may end wherever a word does.

use std::collections::HashMap;
use std::ops::Range;

use super::scripts::{Script, is_mark, is_vowel_before, is_vowel_behind, is_word, paired};
use super::shown::Shown;
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Longest token that is looked for, in bytes.
const LONGEST_TOKEN: usize = 32;
/// Signs that may begin an answer, beside letters and digits.
const OPENERS: &str = "-.$€£#\"'`([</~+_@&“‘「『《〈【（￥";
/// Signs that do not end an answer.
const NO_ENDS: &str = ",;:([<{-–—，、；：「『《〈【（";
/// Prepositions of Chinese and particles of Japanese that no answer begins with where something stands right before them.
const PARTICLES: &str = "在于於はがをにのでとへも";
/// Full stops beside that of ASCII.
const STOPS: [&str; 4] = ["。", "．", "｡", "।"];

/// A place where a path stands: it began at `start` and has come to `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// First byte of the answer.
    pub start: usize,
    /// Byte behind what has been said.
    pub at: usize,
}

/// What may be said about one passage.
#[derive(Debug, Default)]
pub struct Automaton {
    /// Tokens that begin an answer, with the places that they lead to.
    starts: Vec<(u32, Vec<Place>)>,
    /// Tokens by the byte where they begin, with their lengths.
    edges: Vec<Vec<(u32, usize)>>,
    /// Whether an answer may end before this byte.
    ends: Vec<bool>,
    /// Ends of the sentences: an answer stays within one.
    sentences: Vec<Range<usize>>,
}

/// Tokens that end any answer.
#[derive(Clone, Debug, Default)]
pub struct Closers {
    /// Those that begin with a line break, and marks of the end.
    pub line: Vec<u32>,
    /// Those that begin with a full stop and hold nothing but signs and space.
    pub stop: Vec<u32>,
}

/// The automata of some passages, and what ends an answer, from one walk through the vocabulary.
///
/// # Errors
/// A vocabulary whose tokens have no bytes.
pub fn build(tokenizer: &Tokenizer, passages: &[Shown]) -> Result<(Vec<Automaton>, Closers), TokenizerError> {
    let mut automata: Vec<Automaton> = passages.iter().map(Automaton::of).collect();
    let mut found: HashMap<&[u8], Vec<(usize, usize)>> = HashMap::new();
    for (index, passage) in passages.iter().enumerate() {
        let bytes = passage.text.as_bytes();
        for at in 0..bytes.len() {
            for end in at + 1..=bytes.len().min(at + LONGEST_TOKEN) {
                found.entry(&bytes[at..end]).or_default().push((index, at));
            }
        }
    }
    let starts: Vec<Vec<bool>> = passages.iter().map(|passage| answer_starts(&passage.text)).collect();
    let mut closers = Closers::default();
    for id in 0..tokenizer.vocab_size() {
        if tokenizer.is_end_of_generation(id) {
            closers.line.push(id);
            continue;
        }
        if tokenizer.is_special(id) {
            continue;
        }
        let piece = tokenizer.piece(id)?;
        match piece.split_first() {
            None => continue,
            Some((b'\n', _)) => closers.line.push(id),
            Some(_) if is_stop(&piece) => closers.stop.push(id),
            Some(_) => {}
        }
        for &(index, at) in found.get(piece.as_slice()).into_iter().flatten() {
            automata[index].edges[at].push((id, piece.len()));
            if starts[index][at] {
                automata[index].add_start(id, Place { start: at, at: at + piece.len() });
            }
        }
        // With a space that is not in the passage: the answer stands behind a colon.
        let Some((b' ', rest)) = piece.split_first() else { continue };
        if rest.is_empty() {
            // Numbers, in vocabularies that have digits by themselves: the space is said first.
            for (automaton, starts) in automata.iter_mut().zip(&starts) {
                for at in (0..starts.len()).filter(|&at| starts[at]) {
                    automaton.add_start(id, Place { start: at, at });
                }
            }
        }
        for &(index, at) in found.get(rest).into_iter().flatten() {
            if starts[index][at] {
                automata[index].add_start(id, Place { start: at, at: at + rest.len() });
            }
        }
    }
    Ok((automata, closers))
}

/// Whether a token begins with a full stop and holds nothing else than signs.
fn is_stop(piece: &[u8]) -> bool {
    let ends = |byte: &u8| !byte.is_ascii_alphanumeric() && byte.is_ascii();
    match piece.strip_prefix(b".") {
        Some(rest) => rest.iter().all(ends),
        None => STOPS
            .iter()
            .filter_map(|stop| piece.strip_prefix(stop.as_bytes()))
            .any(|rest| rest.iter().all(ends)),
    }
}

impl Automaton {
    fn of(passage: &Shown) -> Self {
        Automaton {
            starts: Vec::new(),
            edges: vec![Vec::new(); passage.text.len()],
            ends: answer_ends(&passage.text),
            sentences: passage.sentences.clone(),
        }
    }

    fn add_start(&mut self, id: u32, place: Place) {
        if place.at > self.limit(place.start) {
            return;
        }
        match self.starts.last_mut() {
            Some((last, places)) if *last == id => places.push(place),
            _ => self.starts.push((id, vec![place])),
        }
    }

    /// Tokens that may begin an answer, with where they lead.
    pub fn starts(&self) -> &[(u32, Vec<Place>)] {
        &self.starts
    }

    /// End of the sentence that an answer from this byte has to stay in.
    pub fn limit(&self, start: usize) -> usize {
        self.sentences.iter().find(|sentence| sentence.contains(&start)).map_or(0, |sentence| sentence.end)
    }

    /// Tokens that may follow at a place, with where they lead.
    pub fn next(&self, place: Place) -> impl Iterator<Item = (u32, Place)> {
        let limit = self.limit(place.start);
        let edges = self.edges.get(place.at).map(Vec::as_slice).unwrap_or_default();
        edges
            .iter()
            .map(move |&(id, length)| (id, Place { start: place.start, at: place.at + length }))
            .filter(move |(_, next)| next.at <= limit)
    }

    /// Whether an answer may end here.
    pub fn may_end(&self, at: usize) -> bool {
        self.ends.get(at).copied().unwrap_or(false)
    }
}

/// Letters, digits and marks of scripts that put spaces between words.
fn joins(c: char) -> bool {
    // Where there are none, and in Hangul, whose particles stand at the words, a word may begin at any character.
    is_word(c) && paired(c).is_none()
}

/// Whether a word or number goes on from `before` to `here`: `1,024.5` is one, and `80.1%` as well.
fn goes_on(earlier: char, before: char, here: char, later: char) -> bool {
    let within = |sign: char| matches!(sign, '.' | ',' | ':');
    let katakana = |c: char| paired(c) == Some(Script::Katakana);
    (joins(before) && joins(here))
        || (katakana(before) && katakana(here))
        || is_mark(here)
        || is_vowel_before(before)
        || is_vowel_behind(here)
        || (within(before) && earlier.is_ascii_digit() && here.is_ascii_digit())
        || (within(here) && before.is_ascii_digit() && later.is_ascii_digit())
        || (before.is_ascii_digit() && here == '%')
}

/// For each byte, whether an answer may begin there.
fn answer_starts(text: &str) -> Vec<bool> {
    let mut starts = vec![false; text.len()];
    let (mut earlier, mut before) = (' ', ' ');
    for (at, c) in text.char_indices() {
        let particle = PARTICLES.contains(c) && is_word(before);
        starts[at] =
            (c.is_alphanumeric() || OPENERS.contains(c)) && !particle && !goes_on(earlier, before, c, ' ');
        (earlier, before) = (before, c);
    }
    starts
}

/// For each byte and the end, whether an answer may end before it.
fn answer_ends(text: &str) -> Vec<bool> {
    let mut ends = vec![false; text.len() + 1];
    let (mut earlier, mut before) = (' ', ' ');
    let mut later = text.chars().skip(1).chain([' ', ' ']);
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        let later = later.next().unwrap_or(' ');
        ends[at] =
            !before.is_whitespace() && !NO_ENDS.contains(before) && !goes_on(earlier, before, c, later);
        (earlier, before) = (before, c);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::super::passages::{Passage, Sentence};
    use super::super::view::View;
    use super::*;

    #[test]
    fn answers_begin_and_end_with_words() {
        let text = "He paid $4.50 (80.1%), then (finally) left 東京.";
        let (starts, ends) = (answer_starts(text), answer_ends(text));
        let at = |part: &str| text.find(part).unwrap();
        for part in ["He", "paid", "$4", "4.50", "80", "(finally", "finally", "東", "京"] {
            assert!(starts[at(part)], "{part}");
        }
        assert!(
            !starts[at("50")] && !starts[at("1%")] && !ends[at(".50")] && !ends[at(".1")] && !ends[at("%")]
        );
        assert!(ends[at(" (80")] && ends[at("),")]);
        assert!(!starts[at("aid")] && !starts[at(" paid")] && !starts[at(") left")]);
        for part in [" paid", " (80", ")", ") left", " left", "京"] {
            assert!(ends[at(part)], "before {part}");
        }
        assert!(!ends[at("aid")] && !ends[at("paid")] && !ends[at(" then")]);
        assert!(ends[text.len()]);
    }

    #[test]
    fn answers_begin_and_end_with_characters_where_there_are_no_spaces() {
        for (text, begins, not) in [
            ("เวลาเจ็ดโมง", vec!["เจ็ด", "โมง", "ด"], vec!["า", "็", "จ"]),
            ("हिन्दी में", vec!["हि", "में"], vec!["्", "दी"]),
            ("이름은런던", vec!["런던", "은"], vec![]),
            ("42メートル", vec!["メ"], vec!["ト"]),
        ] {
            let (starts, ends) = (answer_starts(text), answer_ends(text));
            for part in begins {
                let at = text.find(part).unwrap();
                assert!(starts[at] && (at == 0 || ends[at] || text[..at].ends_with(' ')), "{part} of {text}");
            }
            for part in not {
                let at = text.find(part).unwrap();
                assert!(!starts[at] && !ends[at], "{part} of {text}");
            }
        }
        let text = "面包店在星期一の東京";
        let starts = answer_starts(text);
        for (part, wanted) in [("在", false), ("星", true), ("の", false), ("東", true)] {
            assert_eq!(starts[text.find(part).unwrap()], wanted, "{part}");
        }
        assert!(is_stop(b". ") && is_stop("。".as_bytes()) && is_stop("。\n".as_bytes()));
        assert!(!is_stop(b".5") && !is_stop("。灯".as_bytes()) && !is_stop(b""));
    }

    #[test]
    fn a_sentence_holds_its_answers() {
        let sentences = [Sentence { document: 0, view: 0..4 }, Sentence { document: 0, view: 5..9 }];
        let passage = Passage { document: 0, view: 0..9, sentences: 0..2 };
        let shown = Shown::new(&View::new("One. Two.", str::to_owned), &passage, &sentences);
        let mut automaton = Automaton::of(&shown);
        automaton.add_start(7, Place { start: 0, at: 3 });
        automaton.add_start(7, Place { start: 5, at: 8 });
        automaton.add_start(8, Place { start: 0, at: 5 });
        assert_eq!(automaton.starts().len(), 1, "what goes beyond a sentence is no answer");
        automaton.edges[3].extend([(1, 1), (2, 3)]);
        let next: Vec<_> = automaton.next(Place { start: 0, at: 3 }).collect();
        assert_eq!(next, [(1, Place { start: 0, at: 4 })]);
    }
}
