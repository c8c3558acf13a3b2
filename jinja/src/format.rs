//! `str.format` as Python's `string.Formatter` has it, which the sandbox uses.

use std::rc::Rc;

use super::error::{Result, type_error, unsupported, value_error};
use super::percent::{Shape, float_digits, number, radix_digits, sign_of};
use super::render::Renderer;
use super::text::float;
use super::value::Value;

struct Fields<'a> {
    positional: &'a [Value],
    named: &'a dyn Fn(&str) -> Result<Option<Value>>,
    /// Which comes next where fields have no names; `None` once one had a number.
    next: Option<usize>,
    numbered: bool,
}

impl Renderer<'_> {
    pub fn format(&self, pattern: &str, positional: &[Value], named: &[(Rc<str>, Value)]) -> Result<Value> {
        let find =
            |name: &str| Ok(named.iter().find(|(known, _)| **known == *name).map(|(_, value)| value.clone()));
        self.format_fields(pattern, positional, &find)
    }

    pub fn format_map(&self, pattern: &str, map: &Value) -> Result<Value> {
        let Value::Dict(map) = map else { return type_error("format_map() takes a mapping") };
        self.format_fields(pattern, &[], &|name| Ok(map.get_str(name).cloned()))
    }

    fn format_fields(
        &self,
        pattern: &str,
        positional: &[Value],
        named: &dyn Fn(&str) -> Result<Option<Value>>,
    ) -> Result<Value> {
        let mut fields = Fields { positional, named, next: Some(0), numbered: false };
        let mut out = String::new();
        self.format_into(pattern, &mut fields, 3, &mut out)?;
        self.made(out)
    }

    fn format_into(
        &self,
        pattern: &str,
        fields: &mut Fields<'_>,
        depth: u32,
        out: &mut String,
    ) -> Result<()> {
        if depth == 0 {
            return value_error("Max string recursion exceeded");
        }
        let mut rest = pattern;
        while let Some(at) = rest.find(['{', '}']) {
            self.budget.work(1)?;
            self.push(&rest[..at], out)?;
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix(brace) {
                self.push(brace, out)?;
                rest = behind;
                continue;
            }
            if brace == "}" {
                return value_error("Single '}' encountered in format string");
            }
            let (field, behind) = braced(rest)?;
            rest = behind;
            self.format_field(field, fields, depth, out)?;
        }
        self.push(rest, out)
    }

    fn format_field(&self, field: &str, fields: &mut Fields<'_>, depth: u32, out: &mut String) -> Result<()> {
        // A bracket may hold what would end the name.
        let mut inside = false;
        let end = field.find(|c: char| {
            inside = (inside || c == '[') && c != ']';
            !inside && matches!(c, '!' | ':')
        });
        let (name, mut rest) = field.split_at(end.unwrap_or(field.len()));
        let mut conversion = None;
        if let Some(behind) = rest.strip_prefix('!') {
            let mut chars = behind.chars();
            conversion = chars.next();
            rest = chars.as_str();
            if conversion.is_none() || !(rest.is_empty() || rest.starts_with(':')) {
                return value_error("expected ':' after conversion specifier");
            }
        }
        let mut value = self.field_value(name, fields)?;
        value = match conversion {
            None => value,
            Some('s') => Value::Str(self.text_of(&value)?),
            Some('r') => Value::Str(self.repr_of(&value, false)?),
            Some('a') => Value::Str(self.repr_of(&value, true)?),
            Some(other) => return value_error(format!("Unknown conversion specifier {other}")),
        };
        let mut spec = String::new();
        self.format_into(rest.strip_prefix(':').unwrap_or(rest), fields, depth - 1, &mut spec)?;
        self.format_value(&value, &spec, out)
    }

    fn field_value(&self, name: &str, fields: &mut Fields<'_>) -> Result<Value> {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut rest) = name.split_at(end);
        let at = match (first.is_empty(), first.bytes().all(|b| b.is_ascii_digit())) {
            (true, _) => {
                let Some(next) = fields.next.filter(|_| !fields.numbered) else {
                    return value_error(
                        "cannot switch from manual field specification to automatic field numbering",
                    );
                };
                fields.next = Some(next + 1);
                Some(next)
            }
            (false, true) => {
                if fields.next != Some(0) {
                    return value_error(
                        "cannot switch from automatic field numbering to manual field specification",
                    );
                }
                fields.numbered = true;
                Some(number(first)?.0)
            }
            _ => None,
        };
        let found = match at {
            Some(at) => fields.positional.get(at).cloned(),
            None => (fields.named)(first)?,
        };
        let Some(mut value) = found else {
            return value_error(format!("str.format: nothing is given for '{{{name}}}'"));
        };
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('.') {
                let end = behind.find(['.', '[']).unwrap_or(behind.len());
                if end == 0 {
                    return value_error("Empty attribute in format string");
                }
                value = self.attribute(&value, &behind[..end].into())?;
                rest = &behind[end..];
            } else if let Some((index, behind)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'))
            {
                let digits = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit());
                let index = match digits {
                    true => Value::Int(number(index)?.0 as i128),
                    false if index.is_empty() => return value_error("Empty attribute in format string"),
                    false => Value::str(index),
                };
                value = self.item(&value, &index)?;
                rest = behind;
            } else {
                return value_error("Only '.' or '[' may follow ']' in format field specifier");
            }
        }
        Ok(value)
    }

    /// As Python's `format(value, spec)`.
    fn format_value(&self, value: &Value, spec: &str, out: &mut String) -> Result<()> {
        if spec.is_empty() {
            return self.write_str(value, out);
        }
        let (mut shape, kind, aligned) = parse(spec)?;
        match value {
            Value::Str(text) => {
                if !aligned {
                    shape.align = '<';
                }
                if !matches!(kind, None | Some('s'))
                    || shape.sign != '\0'
                    || shape.align == '='
                    || shape.alternate
                    || shape.grouping.is_some()
                {
                    return value_error(format!(
                        "Invalid format specifier '{spec}' for object of type 'str'"
                    ));
                }
                let shown: String = match shape.precision {
                    Some(most) => text.chars().take(most).collect(),
                    None => text.to_string(),
                };
                self.put("", &shown, &shape, out)
            }
            Value::Float(number) => self.format_float(*number, &shape, kind, out),
            Value::Int(_) | Value::Bool(_) => {
                let whole = value.as_int().unwrap_or(0);
                match kind {
                    None | Some('d' | 'b' | 'o' | 'x' | 'X' | 'n') => {
                        if shape.precision.is_some() {
                            return value_error("Precision not allowed in integer format specifier");
                        }
                        let (digits, prefix) = radix_digits(whole, kind.unwrap_or('d'));
                        let group = if matches!(kind, Some('b' | 'o' | 'x' | 'X')) { 4 } else { 3 };
                        if group == 4 && shape.grouping == Some(',') {
                            return value_error("Cannot specify ',' with this type");
                        }
                        let digits = grouped(&digits, shape.grouping, group, &shape)?;
                        let prefix = if shape.alternate { prefix } else { "" };
                        let sign = sign_of(whole < 0, shape.sign);
                        self.put(&format!("{sign}{prefix}"), &digits, &shape, out)
                    }
                    Some('c') => match u32::try_from(whole).ok().and_then(char::from_u32) {
                        Some(c) if shape.sign == '\0' && !shape.alternate => {
                            self.put("", c.encode_utf8(&mut [0; 4]), &shape, out)
                        }
                        _ => value_error("%c arg not in range"),
                    },
                    Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%') => {
                        self.format_float(whole as f64, &shape, kind, out)
                    }
                    Some(other) => {
                        value_error(format!("Unknown format code '{other}' for object of type 'int'"))
                    }
                }
            }
            Value::Markup(_) => unsupported("formatting of escaped text"),
            other => {
                type_error(format!("unsupported format string passed to {}.__format__", other.type_name()))
            }
        }
    }

    fn format_float(&self, value: f64, shape: &Shape, kind: Option<char>, out: &mut String) -> Result<()> {
        let magnitude = value.abs();
        let body = match (kind, shape.precision) {
            (None, None) => float(magnitude),
            (None, Some(precision)) => {
                // As `g`, but always with a fraction, and exponents from one digit less.
                let text = float_digits(magnitude, 'g', precision, shape.alternate)?;
                let whole_digits = text.bytes().all(|b| b.is_ascii_digit());
                if !whole_digits {
                    text
                } else if text.len() >= precision.max(1) {
                    float_digits(magnitude, 'e', precision.max(1) - 1, false)
                        .map(|text| trim_exponential(&text))?
                } else {
                    text + ".0"
                }
            }
            (Some('%'), precision) => {
                float_digits(magnitude * 100.0, 'f', precision.unwrap_or(6), shape.alternate)? + "%"
            }
            (Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G')), precision) => {
                float_digits(magnitude, kind, precision.unwrap_or(6), shape.alternate)?
            }
            (Some('n'), _) => return unsupported("the format 'n'"),
            (Some(other), _) => {
                return value_error(format!("Unknown format code '{other}' for object of type 'float'"));
            }
        };
        let sign = sign_of(value.is_sign_negative() && !value.is_nan(), shape.sign);
        let end = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
        let tail = &body[end..];
        let inner = Shape { width: shape.width.saturating_sub(tail.len()), ..*shape };
        let digits = grouped(&body[..end], shape.grouping, 3, &inner)?;
        self.put(sign, &format!("{digits}{tail}"), shape, out)
    }
}

fn trim_exponential(text: &str) -> String {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "+00"));
    let digits =
        if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{digits}e{exponent}")
}

/// Digits with a mark between groups.
fn grouped(digits: &str, mark: Option<char>, group: usize, shape: &Shape) -> Result<String> {
    let Some(mark) = mark else { return Ok(digits.to_owned()) };
    if shape.align == '=' && shape.fill == '0' && shape.width > digits.len() {
        return unsupported("a format with zeros and a mark between thousands");
    }
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(group) {
            out.push(mark);
        }
        out.push(digit);
    }
    Ok(out)
}

/// `[[fill]align][sign][#][0][width][grouping][.precision][type]`; last: whether it says how to align.
fn parse(spec: &str) -> Result<(Shape, Option<char>, bool)> {
    let is_align = |c: char| matches!(c, '<' | '>' | '=' | '^');
    let mut shape = Shape {
        fill: ' ',
        align: '>',
        sign: '\0',
        alternate: false,
        width: 0,
        precision: None,
        grouping: None,
    };
    let mut rest = spec;
    let mut aligned = false;
    let mut chars = spec.chars();
    match (chars.next(), chars.next()) {
        (Some(fill), Some(align)) if is_align(align) => {
            (shape.fill, shape.align, aligned) = (fill, align, true);
            rest = chars.as_str();
        }
        (Some(align), _) if is_align(align) => {
            (shape.align, aligned) = (align, true);
            rest = &spec[1..];
        }
        _ => {}
    }
    if let Some(sign) = rest.chars().next().filter(|c| matches!(c, '+' | '-' | ' ')) {
        shape.sign = sign;
        rest = &rest[1..];
    }
    if let Some(behind) = rest.strip_prefix('#') {
        shape.alternate = true;
        rest = behind;
    }
    if let Some(behind) = rest.strip_prefix('0') {
        if !aligned {
            (shape.fill, shape.align) = ('0', '=');
        } else if shape.fill == ' ' && spec.chars().nth(1).is_none_or(|c| !is_align(c)) {
            shape.fill = '0';
        }
        rest = behind;
    }
    (shape.width, rest) = number(rest)?;
    if let Some(mark) = rest.chars().next().filter(|c| matches!(c, ',' | '_')) {
        shape.grouping = Some(mark);
        rest = &rest[1..];
    }
    if let Some(behind) = rest.strip_prefix('.') {
        let (precision, behind_digits) = number(behind)?;
        if behind_digits.len() == behind.len() {
            return value_error("Format specifier missing precision");
        }
        shape.precision = Some(precision);
        rest = behind_digits;
    }
    let mut kinds = rest.chars();
    match (kinds.next(), kinds.next()) {
        (kind, None) => Ok((shape, kind, aligned)),
        _ => value_error(format!("Invalid format specifier '{spec}'")),
    }
}

/// What is between braces that were opened, and what is behind them.
fn braced(rest: &str) -> Result<(&str, &str)> {
    let mut depth = 1;
    for (at, c) in rest.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if depth == 0 {
            return Ok((&rest[..at], &rest[at + 1..]));
        }
    }
    value_error("expected '}' before end of string")
}
