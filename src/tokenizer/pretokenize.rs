//! Splits a text into the words that BPE works on.
//!
//! Each name in `tokenizer.ggml.pre` stands for a short list of regular expressions, applied one after
//! the other to the pieces the last one left. Most are one pattern with a few points of difference;
//! [`Words`] states those points, and [`Words::end_of_match`] is that pattern as a scanner. No regex
//! engine: none with Unicode classes and look-ahead is small enough for the page.

use super::error::TokenizerError;
use super::patterns::{
    COMMON_NAMES, Contractions, Lead, Letters, Numbers, PRE_TOKENIZERS, Pass, PreTokenizer, Symbols, Tail,
    Words, any_letter, line_break, number,
};
use super::unicode::{Class, class};

impl PreTokenizer {
    /// The pre-tokenizer of a `tokenizer.ggml.pre`; none there means the default one.
    pub fn by_name(name: Option<&str>) -> Result<&'static PreTokenizer, TokenizerError> {
        let name = name.filter(|name| !name.is_empty()).unwrap_or("default");
        PRE_TOKENIZERS.iter().find(|pre| pre.names.contains(&name)).ok_or_else(|| {
            TokenizerError::Unsupported {
                what: "tokenizer.ggml.pre",
                expected: COMMON_NAMES,
                got: name.into(),
            }
        })
    }

    /// Calls `each` with the words of `text`, in order.
    pub fn split<'t>(&self, text: &'t str, mut each: impl FnMut(&'t str)) {
        split(self.passes, text, &mut each);
    }
}

/// Each pass takes the pieces that the ones before it left; what the last one leaves are words.
fn split<'t>(passes: &[Pass], piece: &'t str, each: &mut dyn FnMut(&'t str)) {
    match passes.split_first() {
        Some((pass, rest)) => pass.split(piece, &mut |finer| split(rest, finer, each)),
        None => each(piece),
    }
}

impl Pass {
    /// Calls `each` with the pieces of `piece`: each match is one, and so is what lies between two matches.
    fn split<'t>(&self, piece: &'t str, each: &mut dyn FnMut(&'t str)) {
        let text = Text(piece);
        let (mut at, mut gap) = (0, 0);
        let mut give = |range: std::ops::Range<usize>| {
            if let Some(part) = piece.get(range).filter(|part| !part.is_empty()) {
                each(part);
            }
        };
        while at < piece.len() {
            match self.end_of_match(text, at) {
                Some(end) if end > at => {
                    give(gap..at);
                    give(at..end);
                    (at, gap) = (end, end);
                }
                _ => at = text.after(at),
            }
        }
        give(gap..piece.len());
    }

    fn end_of_match(&self, text: Text<'_>, at: usize) -> Option<usize> {
        match self {
            Pass::Words(words) => words.end_of_match(text, at),
            Pass::Runs(set, most) => Some(text.run(at, *most, *set)).filter(|&end| end > at),
            Pass::SpacedRuns(set) => {
                let start = if text.char(at)?.is_whitespace() { text.after(at) } else { at };
                Some(text.run(start, usize::MAX, *set)).filter(|&end| end > start)
            }
            Pass::TrailingSpace => {
                let end = text.run(at, usize::MAX, char::is_whitespace);
                (end > at && end == text.0.len()).then_some(end)
            }
            Pass::Groups(set, size) => {
                let end = text.run(at, *size, *set);
                (text.0.get(at..end)?.chars().count() == *size).then_some(end)
            }
        }
    }
}

impl Words {
    /// The first alternative that matches at `at` decides, as in a backtracking regular expression.
    fn end_of_match(&self, text: Text<'_>, at: usize) -> Option<usize> {
        let first = text.char(at)?;
        let any_case = match self.contractions {
            Contractions::Lower => Some(false),
            Contractions::AnyCase => Some(true),
            Contractions::No | Contractions::AtWordEnd => None,
        };
        if let Some(end) = any_case.and_then(|any_case| text.contraction(at, any_case)) {
            return Some(end);
        }
        if let Some(end) = self.word(text, at, first) {
            return Some(end);
        }
        let behind_space = if first == ' ' { text.after(at) } else { at };
        match self.numbers {
            Numbers::Run => {
                let end = text.run(behind_space, usize::MAX, number);
                if end > behind_space {
                    return Some(end);
                }
            }
            Numbers::UpTo(most) => {
                let end = text.run(at, most, number);
                if end > at {
                    return Some(end);
                }
            }
            Numbers::No => {}
        }
        let symbols = text.run(behind_space, usize::MAX, |char| match self.symbols {
            Symbols::Others => {
                !char.is_whitespace() && !matches!(class(char), Class::Number) && !any_letter(char)
            }
            Symbols::OthersButMarks => {
                !char.is_whitespace()
                    && !matches!(class(char), Class::Number | Class::Mark)
                    && !any_letter(char)
            }
            Symbols::Punctuation => matches!(class(char), Class::Punctuation | Class::Symbol),
        });
        if symbols > behind_space {
            return Some(text.run(symbols, usize::MAX, |char| match self.tail {
                Tail::No => false,
                Tail::Breaks => line_break(char),
                Tail::BreaksAndSlash => line_break(char) || char == '/',
            }));
        }
        self.whitespace(text, at)
    }

    fn word(&self, text: Text<'_>, at: usize, first: char) -> Option<usize> {
        let kind = class(first);
        if self.lead == Lead::AnyPlain && first.is_ascii_punctuation() {
            let start = text.after(at);
            let end = text.run(start, usize::MAX, |char| char.is_ascii_alphabetic());
            if end > start {
                return Some(end);
            }
        }
        let may_lead = match self.lead {
            Lead::Space => first == ' ',
            Lead::AnyOther => !line_break(first) && !kind.is_letter() && kind != Class::Number,
            Lead::AnyPlain => {
                !line_break(first) && !kind.is_letter() && !matches!(kind, Class::Punctuation | Class::Symbol)
            }
        };
        let starts = [may_lead.then(|| text.after(at)), Some(at)];
        let longest = |matched: fn(Text<'_>, usize) -> Option<usize>| {
            starts.into_iter().flatten().find_map(|start| matched(text, start))
        };
        match self.letters {
            Letters::Plain => longest(|text, start| text.some_run(start, Class::is_letter)),
            Letters::WithMarks => longest(|text, start| text.some_run(start, Class::is_letter_or_mark)),
            Letters::Cased => {
                let end = longest(lowercase_word).or_else(|| longest(uppercase_word))?;
                let suffix = self.contractions == Contractions::AtWordEnd;
                Some(suffix.then(|| text.contraction(end, true)).flatten().unwrap_or(end))
            }
        }
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`
    fn whitespace(&self, text: Text<'_>, at: usize) -> Option<usize> {
        let end = text.run(at, usize::MAX, char::is_whitespace);
        let run = text.0.get(at..end).filter(|run| !run.is_empty())?;
        if self.breaks
            && let Some(last) = run.rfind(line_break)
        {
            return Some(at + last + 1);
        }
        // The last whitespace character before a word belongs to the word.
        let last = at + run.char_indices().next_back().map_or(0, |(last, _)| last);
        Some(if end == text.0.len() || last == at { end } else { last })
    }
}

/// `U*l+` of [`Letters::Cased`].
fn lowercase_word(text: Text<'_>, at: usize) -> Option<usize> {
    let upper_end = text.run(at, usize::MAX, |char| class(char).may_be_upper());
    if let Some(end) = text.some_run(upper_end, Class::may_be_lower) {
        return Some(end);
    }
    // The upper run gives back characters until one of them is of both sets.
    let run = text.0.get(at..upper_end)?;
    let (start, _) = run.char_indices().rev().find(|&(_, char)| class(char).may_be_lower())?;
    text.some_run(at + start, Class::may_be_lower)
}

/// `U+l*` of [`Letters::Cased`].
fn uppercase_word(text: Text<'_>, at: usize) -> Option<usize> {
    let end = text.some_run(at, Class::may_be_upper)?;
    Some(text.some_run(end, Class::may_be_lower).unwrap_or(end))
}

/// A piece of text as the scanners read it: by byte offset.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl Text<'_> {
    fn char(self, at: usize) -> Option<char> {
        self.0.get(at..)?.chars().next()
    }

    /// Offset behind the character at `at`.
    fn after(self, at: usize) -> usize {
        at + self.char(at).map_or(1, char::len_utf8)
    }

    /// End of the run of at most `most` characters of a set.
    fn run(self, at: usize, most: usize, set: impl Fn(char) -> bool) -> usize {
        let rest = self.0.get(at..).unwrap_or_default();
        at + rest.chars().take(most).take_while(|&char| set(char)).map(char::len_utf8).sum::<usize>()
    }

    /// End of a run of at least one character of a set of classes.
    fn some_run(self, at: usize, set: fn(Class) -> bool) -> Option<usize> {
        Some(self.run(at, usize::MAX, |char| set(class(char)))).filter(|&end| end > at)
    }

    /// `'s|'t|'re|'ve|'m|'ll|'d`. Either case means ASCII case here, as in llama.cpp.
    fn contraction(self, at: usize, any_case: bool) -> Option<usize> {
        let rest = self.0.as_bytes().get(at..)?;
        let ending = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].iter().find(|ending| {
            let start = rest.get(..ending.len()).unwrap_or_default();
            start == ending.as_bytes() || any_case && start.eq_ignore_ascii_case(ending.as_bytes())
        })?;
        Some(at + ending.len())
    }
}
