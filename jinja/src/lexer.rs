//! A source to tokens, with blocks trimmed as jinja2 does it with `trim_blocks` and `lstrip_blocks`.

use std::rc::Rc;

use super::error::{JinjaError, Result};
use super::escapes;
use super::numbers;
use super::strings::is_space;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Text between tags.
    Data(Rc<str>),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(Rc<str>),
    Str(Rc<str>),
    Int(i128),
    Float(f64),
    Operator(&'static str),
    End,
}

/// Longest first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    line_starting: bool,
    tokens: Vec<(Token, usize)>,
}

/// Tokens of a source with the lines that they stand in.
pub(super) fn tokens(source: &str) -> Result<Vec<(Token, usize)>> {
    let mut source = source.replace("\r\n", "\n").replace('\r', "\n");
    if source.ends_with('\n') {
        source.pop();
    }
    let mut lexer = Lexer { source: &source, at: 0, line: 1, line_starting: true, tokens: Vec::new() };
    while lexer.at < lexer.source.len() {
        lexer.root()?;
    }
    let line = lexer.line;
    lexer.tokens.push((Token::End, line));
    Ok(lexer.tokens)
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches(is_space)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn push(&mut self, token: Token) {
        self.tokens.push((token, self.line));
    }

    fn fail<T>(&self, said: impl Into<String>) -> Result<T> {
        Err(JinjaError::Syntax { line: self.line, said: said.into() })
    }

    fn advance(&mut self, bytes: usize) {
        let passed = &self.rest()[..bytes];
        self.line += passed.matches('\n').count();
        self.line_starting = passed.ends_with('\n');
        self.at += bytes;
    }

    /// Text, and the tag behind it.
    fn root(&mut self) -> Result<()> {
        let rest = self.rest();
        let tag = rest.match_indices('{').find(|(at, _)| rest[at + 1..].starts_with(['%', '{', '#']));
        let Some((at, _)) = tag else {
            self.push(Token::Data(rest.into()));
            self.advance(rest.len());
            return Ok(());
        };
        let text = &rest[..at];
        let kind = rest.as_bytes()[at + 1];
        let behind = &rest[at + 2..];
        let sign = behind.chars().next().filter(|c| matches!(c, '-' | '+'));
        let stripped = match sign {
            Some('-') => text.trim_end_matches(is_space),
            None if kind != b'{' => self.line_stripped(text),
            _ => text,
        };
        if !stripped.is_empty() {
            self.push(Token::Data(stripped.into()));
        }
        let begun = at + 2 + sign.map_or(0, char::len_utf8);
        match kind {
            b'{' => {
                self.advance(begun);
                self.push(Token::VariableBegin);
                self.inside("}}")
            }
            b'#' => {
                self.advance(begun);
                self.comment()
            }
            _ => {
                if let Some(bytes) = raw_begin(&rest[begun..]) {
                    self.advance(begun + bytes);
                    return self.raw();
                }
                self.advance(begun);
                self.push(Token::BlockBegin);
                self.inside("%}")
            }
        }
    }

    /// `text` without the blanks between the last line's start and the tag that follows.
    fn line_stripped(&self, text: &'a str) -> &'a str {
        let start = text.rfind('\n').map_or(0, |at| at + 1);
        let blank = !text[start..].is_empty() && text[start..].chars().all(is_space);
        if (start > 0 || self.line_starting) && blank { &text[..start] } else { text }
    }

    fn comment(&mut self) -> Result<()> {
        let rest = self.rest();
        let Some(at) = rest.find("#}") else { return self.fail("Missing end of comment tag") };
        let before = &rest[..at];
        let mut bytes = at + 2;
        if before.ends_with('-') {
            bytes = rest.len() - skip_space(&rest[bytes..]).len();
        } else if !before.ends_with('+') && rest[bytes..].starts_with('\n') {
            bytes += 1;
        }
        self.advance(bytes);
        Ok(())
    }

    /// Everything up to the end of the raw block is text.
    fn raw(&mut self) -> Result<()> {
        let rest = self.rest();
        for (at, _) in rest.match_indices("{%") {
            let behind = &rest[at + 2..];
            let sign = behind.chars().next().filter(|c| matches!(c, '-' | '+'));
            let name = skip_space(&behind[sign.map_or(0, char::len_utf8)..]);
            let Some(close) = name.strip_prefix("endraw") else { continue };
            let Some(after) = block_end(skip_space(close)) else { continue };
            let text = match sign {
                Some('-') => rest[..at].trim_end_matches(is_space),
                Some(_) => &rest[..at],
                None => self.line_stripped(&rest[..at]),
            };
            if !text.is_empty() {
                self.push(Token::Data(text.into()));
            }
            self.advance(rest.len() - after.len());
            return Ok(());
        }
        self.fail("Missing end of raw directive")
    }

    /// The tokens of a tag, up to its end.
    fn inside(&mut self, end: &'static str) -> Result<()> {
        let mut open: Vec<char> = Vec::new();
        loop {
            let rest = self.rest();
            if open.is_empty() {
                let after = match end {
                    "%}" => block_end(rest),
                    _ => variable_end(rest),
                };
                if let Some(after) = after {
                    self.push(if end == "%}" { Token::BlockEnd } else { Token::VariableEnd });
                    self.advance(rest.len() - after.len());
                    return Ok(());
                }
            }
            let Some(first) = rest.chars().next() else { return Ok(()) };
            let blank = rest.len() - skip_space(rest).len();
            if blank > 0 {
                self.advance(blank);
            } else if first.is_ascii_digit() {
                let behind_dot = self.source[..self.at].ends_with('.');
                let (number, bytes) = match numbers::literal(rest, behind_dot) {
                    Ok(found) => found,
                    Err(said) => return self.fail(said),
                };
                self.push(number);
                self.advance(bytes);
            } else if first == '_' || first.is_alphanumeric() {
                let bytes = rest.find(|c: char| c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
                // Python compares identifiers in NFKC, which takes tables.
                if !rest[..bytes].is_ascii() {
                    return self.fail("names of other than ASCII letters are not supported");
                }
                self.push(Token::Name(rest[..bytes].into()));
                self.advance(bytes);
            } else if matches!(first, '\'' | '"') {
                let Some(bytes) = string_end(rest, first) else {
                    return self.fail(format!("unexpected char {first:?}"));
                };
                let text = match escapes::unescape(&rest[1..bytes - 1]) {
                    Ok(text) => text,
                    Err(said) => return self.fail(said),
                };
                self.push(Token::Str(text.into()));
                self.advance(bytes);
            } else if let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) {
                match first {
                    '{' => open.push('}'),
                    '(' => open.push(')'),
                    '[' => open.push(']'),
                    '}' | ')' | ']' if open.pop() != Some(first) => {
                        return self.fail(format!("unexpected '{first}'"));
                    }
                    _ => {}
                }
                self.push(Token::Operator(operator));
                self.advance(operator.len());
            } else {
                return self.fail(format!("unexpected char {first:?}"));
            }
        }
    }
}

/// What is behind the `%}` that `rest` begins with.
fn block_end(rest: &str) -> Option<&str> {
    if let Some(after) = rest.strip_prefix("-%}") {
        return Some(skip_space(after));
    }
    if let Some(after) = rest.strip_prefix("+%}") {
        return Some(after);
    }
    let after = rest.strip_prefix("%}")?;
    Some(after.strip_prefix('\n').unwrap_or(after))
}

fn variable_end(rest: &str) -> Option<&str> {
    match rest.strip_prefix("-}}") {
        Some(after) => Some(skip_space(after)),
        None => rest.strip_prefix("}}"),
    }
}

/// The length of ` raw %}`; a raw block's own line break stays.
fn raw_begin(rest: &str) -> Option<usize> {
    let name = skip_space(rest).strip_prefix("raw")?;
    let close = skip_space(name);
    let after = match close.strip_prefix("-%}") {
        Some(after) => skip_space(after),
        None => close.strip_prefix("%}")?,
    };
    Some(rest.len() - after.len())
}

/// The length of a string literal with its quotes.
fn string_end(rest: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}
