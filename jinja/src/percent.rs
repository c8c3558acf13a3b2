//! `"%s" % value`: formatting as Python's `str` has it by the operator, and the parts that `str.format` shares.

use std::rc::Rc;

use super::error::{Result, type_error, unsupported, value_error};
use super::render::Renderer;
use super::text::{float, quote};
use super::value::Value;

/// A field's shape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub fill: char,
    /// `<`, `>`, `^`, or `=`: behind the sign.
    pub align: char,
    /// `+`, a space, or `-` for none.
    pub sign: char,
    /// `#`
    pub alternate: bool,
    pub width: usize,
    pub precision: Option<usize>,
    /// `,` or `_` between thousands.
    pub grouping: Option<char>,
}

/// Digits behind the point: more than any float has, and less than would take memory.
const PRECISION: usize = 1_200;

impl Renderer<'_> {
    /// Puts a field in: sign and prefix, then the digits or the text.
    pub fn put(&self, sign: &str, body: &str, shape: &Shape, out: &mut String) -> Result<()> {
        let len = sign.len() + body.chars().count();
        let missing = shape.width.saturating_sub(len);
        self.budget.grow(missing.saturating_mul(shape.fill.len_utf8()).saturating_add(body.len()))?;
        let (left, inside) = match shape.align {
            '<' => (0, 0),
            '^' => (missing / 2, 0),
            '=' => (0, missing),
            _ => (missing, 0),
        };
        let fill = |count: usize, out: &mut String| out.extend(std::iter::repeat_n(shape.fill, count));
        fill(left, out);
        out.push_str(sign);
        fill(inside, out);
        out.push_str(body);
        fill(missing - left - inside, out);
        Ok(())
    }

    pub fn percent_format(&self, pattern: &str, with: &Value) -> Result<Value> {
        let arguments: Vec<Value> = match with {
            Value::Tuple(items) | Value::Group(items) => items.items.clone(),
            single => vec![single.clone()],
        };
        let mut given = arguments.iter();
        let mut out = String::new();
        let mut rest = pattern;
        while let Some(at) = rest.find('%') {
            self.push(&rest[..at], &mut out)?;
            self.budget.work(1)?;
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix('%') {
                self.push("%", &mut out)?;
                rest = behind;
                continue;
            }
            let mut key = None;
            if rest.starts_with('(') {
                let (name, behind) = bracketed(rest)?;
                let Value::Dict(dict) = with else { return type_error("format requires a mapping") };
                let found = dict.get(&Value::str(name))?;
                let Some(found) = found else { return value_error(format!("no key '{name}' to format")) };
                key = Some(found.clone());
                rest = behind;
            }
            let mut field = Field::default();
            rest = field.flags(rest);
            let take = |given: &mut std::slice::Iter<'_, Value>| match given.next() {
                Some(value) => Ok(value.clone()),
                None => type_error("not enough arguments for format string"),
            };
            (field.width, rest) = match rest.strip_prefix('*') {
                Some(behind) => {
                    let width = star(&take(&mut given)?)?;
                    field.left |= width < 0;
                    (width.unsigned_abs(), behind)
                }
                None => number(rest)?,
            };
            if let Some(behind) = rest.strip_prefix('.') {
                let (precision, behind) = match behind.strip_prefix('*') {
                    Some(behind) => (star(&take(&mut given)?)?.max(0).unsigned_abs(), behind),
                    None => number(behind)?,
                };
                field.precision = Some(precision);
                rest = behind;
            }
            rest = rest.strip_prefix(['h', 'l', 'L']).unwrap_or(rest);
            let Some(kind) = rest.chars().next() else { return value_error("incomplete format") };
            rest = &rest[kind.len_utf8()..];
            let value = match key {
                Some(value) => value,
                None => take(&mut given)?,
            };
            self.percent_field(&field, kind, &value, &mut out)?;
        }
        self.push(rest, &mut out)?;
        // What has items by key may be given and not used.
        let may_stay =
            matches!(with, Value::Dict(_) | Value::List(_) | Value::Range(_) | Value::Undefined(_));
        if given.next().is_some() && !may_stay {
            return type_error("not all arguments converted during string formatting");
        }
        self.made(out)
    }

    fn percent_field(&self, field: &Field, kind: char, value: &Value, out: &mut String) -> Result<()> {
        let mut shape = Shape {
            fill: ' ',
            align: if field.left { '<' } else { '>' },
            sign: if field.plus {
                '+'
            } else if field.space {
                ' '
            } else {
                '-'
            },
            alternate: field.alternate,
            width: field.width,
            precision: field.precision,
            grouping: None,
        };
        match kind {
            's' | 'r' | 'a' => {
                let text = match kind {
                    's' => self.text_of(value)?,
                    _ => self.repr_of(value, kind == 'a')?,
                };
                let shown: String = match field.precision {
                    Some(most) => text.chars().take(most).collect(),
                    None => text.to_string(),
                };
                self.put("", &shown, &shape, out)
            }
            'c' => {
                let shown = match (value.as_int(), value.as_str()) {
                    (Some(code), _) => u32::try_from(code).ok().and_then(char::from_u32).map(String::from),
                    (None, Some(text)) if text.chars().count() == 1 => Some(text.to_string()),
                    _ => None,
                };
                match shown {
                    Some(shown) => self.put("", &shown, &shape, out),
                    None => type_error("%c requires int or char"),
                }
            }
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' => {
                let whole = match (value, kind) {
                    (Value::Float(number), 'd' | 'i' | 'u') if number.is_finite() && number.abs() < 1e38 => {
                        number.trunc() as i128
                    }
                    (Value::Float(_), 'd' | 'i' | 'u') => {
                        return value_error("cannot convert float to integer");
                    }
                    (other, _) => match other.as_int() {
                        Some(whole) => whole,
                        None => {
                            return type_error(format!(
                                "%{kind} format: a real number is required, not {}",
                                other.type_name()
                            ));
                        }
                    },
                };
                let (digits, prefix) =
                    radix_digits(whole, if matches!(kind, 'i' | 'u') { 'd' } else { kind });
                let least = field.precision.unwrap_or(0);
                let zeros = least.saturating_sub(digits.len());
                self.budget.grow(zeros)?;
                let digits = "0".repeat(zeros) + &digits;
                let prefix = if field.alternate { prefix } else { "" };
                if field.zero && !field.left {
                    (shape.fill, shape.align) = ('0', '=');
                }
                let sign = sign_of(whole < 0, shape.sign);
                self.put(&format!("{sign}{prefix}"), &digits, &shape, out)
            }
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let number = match value {
                    Value::Float(number) => *number,
                    other => match other.as_int() {
                        Some(whole) => whole as f64,
                        None => return type_error(format!("must be real number, not {}", other.type_name())),
                    },
                };
                if field.zero && !field.left {
                    (shape.fill, shape.align) = ('0', '=');
                }
                let precision = field.precision.unwrap_or(6);
                let body = float_digits(number.abs(), kind, precision, field.alternate)?;
                let sign = sign_of(number.is_sign_negative() && !number.is_nan(), shape.sign);
                self.put(sign, &body, &shape, out)
            }
            other => value_error(format!("unsupported format character '{other}'")),
        }
    }

    pub fn repr_of(&self, value: &Value, ascii: bool) -> Result<Rc<str>> {
        let mut out = String::new();
        match value.as_str() {
            Some(text) if ascii => {
                self.budget.grow(10 * text.len())?;
                quote(text, true, &mut out);
            }
            _ => self.write_repr(value, &mut out)?,
        }
        if ascii && !out.is_ascii() {
            return unsupported("'%a' of lists with other than ASCII text");
        }
        Ok(out.into())
    }
}

#[derive(Default)]
struct Field {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

impl Field {
    fn flags<'p>(&mut self, pattern: &'p str) -> &'p str {
        let mut rest = pattern;
        while let Some(flag) = rest.chars().next() {
            match flag {
                '-' => self.left = true,
                '+' => self.plus = true,
                ' ' => self.space = true,
                '#' => self.alternate = true,
                '0' => self.zero = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        rest
    }
}

/// `(name)`, in which parentheses may lie in one another.
fn bracketed(rest: &str) -> Result<(&str, &str)> {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        if depth == 0 {
            return Ok((&rest[1..at], &rest[at + 1..]));
        }
    }
    value_error("incomplete format key")
}

/// Digits, and what is behind them.
pub(super) fn number(text: &str) -> Result<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((0, text));
    }
    // Whoever asks for so many gets as many as memory allows.
    match text[..end].parse::<u32>() {
        Ok(number) => Ok((number as usize, &text[end..])),
        _ => value_error("Too many decimal digits in format string"),
    }
}

fn star(value: &Value) -> Result<isize> {
    match value.as_int() {
        Some(number) if number.unsigned_abs() < 1 << 31 => Ok(number as isize),
        Some(_) => value_error("width too big"),
        None => type_error("* wants int"),
    }
}

pub(super) fn sign_of(negative: bool, sign: char) -> &'static str {
    match (negative, sign) {
        (true, _) => "-",
        (false, '+') => "+",
        (false, ' ') => " ",
        _ => "",
    }
}

/// Digits without a sign, and the prefix of their radix.
pub(super) fn radix_digits(whole: i128, kind: char) -> (String, &'static str) {
    let whole = whole.unsigned_abs();
    match kind {
        'o' => (format!("{whole:o}"), "0o"),
        'x' => (format!("{whole:x}"), "0x"),
        'X' => (format!("{whole:X}"), "0X"),
        'b' => (format!("{whole:b}"), "0b"),
        _ => (whole.to_string(), ""),
    }
}

/// A float that is not negative, as C's `printf` writes it.
pub(super) fn float_digits(value: f64, kind: char, precision: usize, alternate: bool) -> Result<String> {
    let capital = kind.is_ascii_uppercase();
    if !value.is_finite() {
        let text = float(value);
        return Ok(if capital { text.to_uppercase() } else { text });
    }
    if precision > PRECISION {
        return value_error(format!("a precision of at most {PRECISION} digits is supported"));
    }
    let point = if alternate { "." } else { "" };
    let text = match kind.to_ascii_lowercase() {
        'f' => format!("{value:.precision$}{}", if precision == 0 { point } else { "" }),
        'e' => exponential(value, precision, point),
        _ => {
            let precision = precision.max(1);
            let (_, exponent) = split_exponent(&format!("{value:.*e}", precision - 1));
            let text = if exponent < -4 || exponent >= precision as i32 {
                exponential(value, precision - 1, point)
            } else {
                let behind = (precision as i32 - 1 - exponent).max(0) as usize;
                format!("{value:.behind$}{}", if behind == 0 { point } else { "" })
            };
            if alternate { text } else { without_zeros(&text) }
        }
    };
    Ok(if capital { text.to_uppercase() } else { text })
}

fn split_exponent(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (mantissa.to_owned(), exponent.parse().unwrap_or(0))
}

fn exponential(value: f64, precision: usize, point: &str) -> String {
    let (mantissa, exponent) = split_exponent(&format!("{value:.precision$e}"));
    let point = if precision == 0 { point } else { "" };
    format!("{mantissa}{point}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// Without zeros at the end of the fraction.
fn without_zeros(text: &str) -> String {
    let (digits, exponent) = match text.find('e') {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    match digits.contains('.') {
        true => format!("{}{exponent}", digits.trim_end_matches('0').trim_end_matches('.')),
        false => text.to_owned(),
    }
}
