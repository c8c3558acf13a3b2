//! Case and kinds of characters as Python's `str` has them.

use super::letters_table::{DIGITS, NO_LETTERS, NUMBERS, ZEROS};
use super::strings::is_space;
use super::text::is_printable;

/// Titlecase where it is no capital with small letters behind it: digraphs, and Greek letters with an iota below.
const TITLES: [(char, &str); 25] = [
    ('Ǆ', "ǅ"),
    ('ǅ', "ǅ"),
    ('ǆ', "ǅ"),
    ('Ǉ', "ǈ"),
    ('ǈ', "ǈ"),
    ('ǉ', "ǈ"),
    ('Ǌ', "ǋ"),
    ('ǋ', "ǋ"),
    ('ǌ', "ǋ"),
    ('Ǳ', "ǲ"),
    ('ǲ', "ǲ"),
    ('ǳ', "ǲ"),
    ('ŉ', "ʼN"),
    ('\u{1fb2}', "\u{1fba}\u{345}"),
    ('\u{1fb3}', "\u{1fbc}"),
    ('\u{1fb4}', "\u{386}\u{345}"),
    ('\u{1fb7}', "\u{1fbc}\u{342}"),
    ('\u{1fc2}', "\u{1fca}\u{345}"),
    ('\u{1fc3}', "\u{1fcc}"),
    ('\u{1fc4}', "\u{389}\u{345}"),
    ('\u{1fc7}', "\u{1fcc}\u{342}"),
    ('\u{1ff2}', "\u{1ffa}\u{345}"),
    ('\u{1ff3}', "\u{1ffc}"),
    ('\u{1ff4}', "\u{38f}\u{345}"),
    ('\u{1ff7}', "\u{1ffc}\u{342}"),
];

/// A text with its case changed, by the method's name.
pub(super) fn changed(method: &str, text: &str) -> Option<String> {
    Some(match method {
        "upper" => text.to_uppercase(),
        "lower" => text.to_lowercase(),
        "casefold" => casefold(text),
        "capitalize" => capitalize(text),
        "title" => title(text),
        "swapcase" => swapcase(text),
        _ => return None,
    })
}

/// Whether all of a text is of a kind, by the method's name.
pub(super) fn holds(method: &str, text: &str) -> Option<bool> {
    let all = |kind: fn(char) -> bool| !text.is_empty() && text.chars().all(kind);
    Some(match method {
        "isalnum" => all(is_alphanumeric),
        "isalpha" => all(is_letter),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(is_decimal),
        "isdigit" => all(is_digit),
        "isnumeric" => all(is_numeric),
        "isspace" => all(is_space),
        "isprintable" => text.chars().all(|c| c == ' ' || is_printable(c)),
        "isidentifier" if text.is_ascii() => {
            !text.starts_with(|c: char| c.is_ascii_digit()) && all(|c| c == '_' || c.is_ascii_alphanumeric())
        }
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(is_upper_or_title),
        "isupper" => {
            text.chars().any(char::is_uppercase) && !text.chars().any(|c| c.is_lowercase() || is_title(c))
        }
        "istitle" => is_titled(text),
        _ => return None,
    })
}

fn is_in(c: char, ranges: &[(u32, u32)]) -> bool {
    let code = u32::from(c);
    let after = ranges.partition_point(|(first, _)| *first <= code);
    after.checked_sub(1).is_some_and(|at| code <= ranges[at].1)
}

pub(super) fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { c.is_alphabetic() && !is_in(c, &NO_LETTERS) }
}

/// With decimal digits of any script as those of ASCII.
pub(super) fn ascii_digits(text: &str) -> String {
    let digit = |c: char| {
        let code = u32::from(c);
        let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&code));
        zero.and_then(|zero| char::from_digit(code - zero, 10)).unwrap_or(c)
    };
    text.chars().map(digit).collect()
}

fn is_decimal(c: char) -> bool {
    let code = u32::from(c);
    c.is_ascii_digit() || ZEROS.iter().any(|zero| (*zero..*zero + 10).contains(&code))
}

fn is_digit(c: char) -> bool {
    is_decimal(c) || is_in(c, &DIGITS)
}

fn is_numeric(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { c.is_numeric() || NUMBERS.contains(c) }
}

pub(super) fn is_alphanumeric(c: char) -> bool {
    is_letter(c) || is_numeric(c)
}

fn is_title(c: char) -> bool {
    matches!(c, 'ǅ' | 'ǈ' | 'ǋ' | 'ǲ' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}')
        || matches!(u32::from(c), 0x1f88..=0x1f8f | 0x1f98..=0x1f9f | 0x1fa8..=0x1faf)
}

fn is_upper_or_title(c: char) -> bool {
    c.is_uppercase() || is_title(c)
}

fn is_cased(c: char) -> bool {
    c.is_lowercase() || is_upper_or_title(c)
}

fn push_title(c: char, out: &mut String) {
    if let Some((_, title)) = TITLES.iter().find(|(known, _)| *known == c) {
        out.push_str(title);
        return;
    }
    match u32::from(c) {
        // Georgian has capitals for whole words only.
        0x10d0..=0x10ff => out.push(c),
        code @ 0x1f80..=0x1faf => out.extend(char::from_u32(code | 8)),
        _ if is_title(c) => out.push(c),
        _ => {
            let mut capitals = c.to_uppercase();
            out.extend(capitals.next());
            out.extend(capitals.flat_map(char::to_lowercase));
        }
    }
}

/// The small letters of what follows `before`: a sigma at a word's end has a form of its own, which the standard library knows
/// of whole texts.
fn push_lower(text: &str, from: usize, to: usize, out: &mut String) {
    for (at, c) in text[from..to].char_indices() {
        if c == 'Σ' {
            let at = from + at;
            let word = text[..at]
                .trim_end_matches(|c: char| c != 'Σ' && !is_cased(c) && !is_letter(c) && !is_space(c));
            let before = word.chars().next_back().is_some_and(is_cased);
            let behind = text[at + c.len_utf8()..]
                .chars()
                .find(|c| is_cased(*c) || is_space(*c) || c.is_ascii_punctuation());
            let ends = before && !behind.is_some_and(is_cased);
            out.push(if ends { 'ς' } else { 'σ' });
        } else {
            out.extend(c.to_lowercase());
        }
    }
}

fn capitalize(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    if let Some(first) = text.chars().next() {
        push_title(first, &mut out);
        push_lower(text, first.len_utf8(), text.len(), &mut out);
    }
    out
}

fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for (at, c) in text.char_indices() {
        if inside {
            push_lower(text, at, at + c.len_utf8(), &mut out);
        } else {
            push_title(c, &mut out);
        }
        inside = is_cased(c);
    }
    out
}

fn swapcase(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if c.is_uppercase() {
            push_lower(text, at, at + c.len_utf8(), &mut out);
        } else if c.is_lowercase() {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    out
}

/// What compares equal in any case: the small letters of the capitals, but for a few.
fn casefold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match (c, u32::from(c)) {
            ('ı', _) | (_, 0x13a0..=0x13f5) => out.push(c),
            ('ẞ', _) => out.push_str("ss"),
            (_, code @ 0x13f8..=0x13fd) => out.extend(char::from_u32(code - 8)),
            (_, code @ 0xab70..=0xabbf) => out.extend(char::from_u32(code - 0xab70 + 0x13a0)),
            _ => out.extend(c.to_uppercase().flat_map(char::to_lowercase)),
        }
    }
    out
}

fn is_titled(text: &str) -> bool {
    let (mut any, mut inside) = (false, false);
    for c in text.chars() {
        if is_upper_or_title(c) {
            if inside {
                return false;
            }
            (any, inside) = (true, true);
        } else if c.is_lowercase() {
            if !inside {
                return false;
            }
            any = true;
        } else {
            inside = false;
        }
    }
    any
}
