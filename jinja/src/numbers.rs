//! Numbers: literals of templates, and texts that are turned into numbers.

use super::letters::ascii_digits;
use super::lexer::Token;
use super::strings::is_space;

/// The number that `rest`, which begins with a digit, starts with, and its length. Behind a dot there are no fractions: `x.0.1`.
pub(super) fn literal(rest: &str, behind_dot: bool) -> Result<(Token, usize), String> {
    if !behind_dot && let Some(bytes) = float_length(rest) {
        let text = rest[..bytes].replace('_', "");
        let value = text.parse().map_err(|_| format!("{text} is no number"))?;
        return Ok((Token::Float(value), bytes));
    }
    let (radix, prefix) = match rest.get(..2) {
        Some("0b" | "0B") => (2, 2),
        Some("0o" | "0O") => (8, 2),
        Some("0x" | "0X") => (16, 2),
        _ => (10, 0),
    };
    let length = prefix + digits(&rest[prefix..], radix, prefix > 0);
    if prefix > 0 && length > prefix {
        return integer(&rest[prefix..length], radix).map(|value| (Token::Int(value), length));
    }
    // A zero in front is a number of its own, and what follows another.
    let bytes = match rest.starts_with('0') {
        true => {
            let zeros = rest.bytes().take_while(|b| matches!(b, b'0' | b'_')).count();
            rest[..zeros].trim_end_matches('_').len()
        }
        false => digits(rest, 10, false),
    };
    integer(&rest[..bytes], 10).map(|value| (Token::Int(value), bytes))
}

fn integer(digits: &str, radix: u32) -> Result<i128, String> {
    let text = digits.replace('_', "");
    i128::from_str_radix(&text, radix)
        .map_err(|_| format!("{text}: an integer of over 127 bits is not supported"))
}

/// Length of digits with single underscores between them; `leading`: also before the first.
fn digits(text: &str, radix: u32, leading: bool) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(|b| char::from(*b).is_digit(radix));
    let mut at = 0;
    loop {
        if is_digit(at) {
            at += 1;
        } else if bytes.get(at) == Some(&b'_') && is_digit(at + 1) && (at > 0 || leading) {
            at += 2;
        } else {
            return at;
        }
    }
}

/// Length of a number with a fraction or an exponent.
fn float_length(text: &str) -> Option<usize> {
    let mut at = digits(text, 10, false);
    let mut is_float = false;
    if text[at..].starts_with('.') {
        let fraction = digits(&text[at + 1..], 10, false);
        if fraction > 0 {
            at += 1 + fraction;
            is_float = true;
        }
    }
    if text[at..].starts_with(['e', 'E']) {
        let sign = usize::from(text[at + 1..].starts_with(['+', '-']));
        let exponent = digits(&text[at + 1 + sign..], 10, false);
        if exponent > 0 {
            at += 1 + sign + exponent;
            is_float = true;
        }
    }
    is_float.then_some(at)
}

/// As Python's `int(text, base)`. `None`: it is no such number.
pub(super) fn parse_int(text: &str, base: u32) -> Option<Result<i128, String>> {
    let text = ascii_digits(text.trim_matches(is_space));
    let text = &*text;
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = |letter: char| {
        text.len() > 2
            && text.starts_with('0')
            && text[1..].starts_with([letter, letter.to_ascii_uppercase()])
    };
    let (base, prefixed) = match base {
        2 | 8 | 16 | 0 => {
            let kinds = [('b', 2), ('o', 8), ('x', 16)];
            match kinds.iter().find(|(letter, radix)| prefix(*letter) && (base == 0 || base == *radix)) {
                Some((_, radix)) => (*radix, true),
                None => (if base == 0 { 10 } else { base }, false),
            }
        }
        other => (other, false),
    };
    let digits_here: String = match prefixed {
        true => text[2..].strip_prefix('_').unwrap_or(&text[2..]).to_owned(),
        false => text.to_owned(),
    };
    let length = digits(&digits_here, base, false);
    if length == 0 || length != digits_here.len() {
        return None;
    }
    Some(integer(&digits_here, base).map(|value| if negative { -value } else { value }))
}

/// As Python's `float(text)`.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let text = ascii_digits(text.trim_matches(is_space));
    let text = &*text;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), "inf" | "infinity" | "nan") {
        return text.parse().ok();
    }
    let bytes = unsigned.as_bytes();
    let underscored = |at: usize| {
        let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
        digit(at.checked_sub(1)) && digit(Some(at + 1))
    };
    let plain = bytes.iter().enumerate().all(|(at, b)| match b {
        b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-' => true,
        b'_' => underscored(at),
        _ => false,
    });
    if !plain {
        return None;
    }
    text.replace('_', "").parse().ok()
}
