//! Methods of Python's `str`. Places in a text are counted in code points.

use std::rc::Rc;

use super::arguments::{Given, as_count, as_text};
use super::error::{Result, type_error, unsupported, value_error};
use super::letters;
use super::render::Renderer;
use super::value::Value;

pub(super) const METHODS: [&str; 47] = [
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

/// What `str.isspace`, `strip` and `split` take for white space.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

fn ends_line(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Lines as `str.splitlines` has them.
pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.char_indices().find(|(_, c)| ends_line(*c));
        let Some((at, c)) = end else {
            lines.push(rest);
            break;
        };
        let after = at + if rest[at..].starts_with("\r\n") { 2 } else { c.len_utf8() };
        lines.push(&rest[..if keep_ends { after } else { at }]);
        rest = &rest[after..];
    }
    lines
}

/// Fills up to `width` code points; `left` of what is missing goes before the text.
fn padded(text: &str, missing: usize, left: usize, fill: char) -> String {
    let mut out = String::with_capacity(text.len() + missing * fill.len_utf8());
    out.extend(std::iter::repeat_n(fill, left));
    out.push_str(text);
    out.extend(std::iter::repeat_n(fill, missing - left));
    out
}

/// The byte range of `text[start:stop]`, and where it begins in code points; `None` where the start is behind the end.
fn window(text: &str, start: Option<Value>, stop: Option<Value>) -> Result<Option<(usize, usize, usize)>> {
    let set = |value: &Option<Value>| value.as_ref().is_some_and(|value| !matches!(value, Value::None));
    if !set(&start) && !set(&stop) {
        return Ok(Some((0, text.len(), 0)));
    }
    let len = text.chars().count() as i64;
    let bound = |value: Option<Value>, default: i64| match value {
        None | Some(Value::None) => Ok(default),
        Some(value) => as_count("slice", &value).map(|at| if at < 0 { (at + len).max(0) } else { at }),
    };
    let start = bound(start, 0)?;
    let stop = bound(stop, len)?.min(len);
    if start > stop {
        return Ok(None);
    }
    let byte = |at: i64| text.char_indices().nth(at as usize).map_or(text.len(), |(byte, _)| byte);
    Ok(Some((byte(start), byte(stop), start as usize)))
}

impl Renderer<'_> {
    #[inline(never)]
    pub fn call_text_method(&self, text: &Rc<str>, name: &'static str, given: Given) -> Result<Value> {
        self.budget.read(text.len())?;
        if let Some(changed) = letters::changed(name, text) {
            given.places::<0>(name, 0)?;
            return self.made(changed);
        }
        if let Some(holds) = letters::holds(name, text) {
            given.places::<0>(name, 0)?;
            return Ok(Value::Bool(holds));
        }
        match name {
            "strip" | "lstrip" | "rstrip" => {
                let [chars] = given.places(name, 0)?;
                self.made(self.stripped(text, name, chars)?)
            }
            "split" | "rsplit" => {
                let [separator, most] = given.bind(name, ["sep", "maxsplit"], 0)?;
                self.split(text, separator, most, name == "rsplit")
            }
            "splitlines" => {
                let [keep] = given.bind(name, ["keepends"], 0)?;
                self.all_made(lines(text, keep.is_some_and(|keep| keep.truth())))
            }
            "startswith" | "endswith" => {
                let [wanted, start, stop] = given.places(name, 1)?;
                self.begins_or_ends(text, name, &wanted.unwrap_or(Value::None), start, stop)
            }
            "find" | "rfind" | "index" | "rindex" | "count" => self.search(text, name, given),
            "replace" => {
                let [old, new, count] = given.places(name, 2)?;
                let old = as_text(name, &old.unwrap_or(Value::None))?;
                let new = as_text(name, &new.unwrap_or(Value::None))?;
                let count = count.map_or(Ok(-1), |count| as_count(name, &count))?;
                self.made(self.replaced(text, &old, &new, count)?)
            }
            "partition" | "rpartition" => {
                let [separator] = given.places(name, 1)?;
                let separator = as_text(name, &separator.unwrap_or(Value::None))?;
                if separator.is_empty() {
                    return value_error("empty separator");
                }
                let parts = match name {
                    "partition" => text.split_once(&*separator),
                    _ => text.rsplit_once(&*separator),
                };
                let parts = match parts {
                    Some((before, after)) => [before, &*separator, after],
                    None if name == "partition" => [text, "", ""],
                    None => ["", "", text],
                };
                let parts = parts.into_iter().map(|part| self.made(part)).collect::<Result<_>>()?;
                Value::tuple(parts)
            }
            "removeprefix" | "removesuffix" => {
                let [end] = given.places(name, 1)?;
                let end = as_text(name, &end.unwrap_or(Value::None))?;
                let rest = match name {
                    "removeprefix" => text.strip_prefix(&*end),
                    _ => text.strip_suffix(&*end),
                };
                self.made(rest.unwrap_or(text))
            }
            "join" => {
                let [items] = given.places(name, 1)?;
                self.join(text, &items.unwrap_or(Value::None))
            }
            "center" | "ljust" | "rjust" | "zfill" => self.pad(text, name, given),
            "expandtabs" => {
                let [size] = given.bind(name, ["tabsize"], 0)?;
                let size = size.map_or(Ok(8), |size| as_count(name, &size))?;
                self.expand_tabs(text, size)
            }
            "format" => self.format(text, &given.positional, &given.named),
            "format_map" => {
                let [map] = given.places(name, 1)?;
                self.format_map(text, &map.unwrap_or(Value::None))
            }
            other => unsupported(format!("str.{other}")),
        }
    }

    /// A text that was made of another.
    pub fn made(&self, text: impl AsRef<str>) -> Result<Value> {
        let text = text.as_ref();
        self.budget.grow(text.len() + 16)?;
        Ok(Value::str(text))
    }

    fn all_made(&self, parts: Vec<&str>) -> Result<Value> {
        self.budget.grow(size_of::<Value>() * parts.len())?;
        Value::list(parts.into_iter().map(|part| self.made(part)).collect::<Result<_>>()?)
    }

    pub fn stripped<'s>(&self, text: &'s str, name: &str, chars: Option<Value>) -> Result<&'s str> {
        let chars = match chars {
            None | Some(Value::None) => None,
            Some(chars) => Some(as_text(name, &chars)?),
        };
        if let Some(chars) = &chars {
            self.budget.work(chars.len().saturating_mul(1 + text.len() / 64))?;
        }
        let goes = |c: char| chars.as_ref().map_or_else(|| is_space(c), |chars| chars.contains(c));
        Ok(match name {
            "lstrip" => text.trim_start_matches(goes),
            "rstrip" => text.trim_end_matches(goes),
            _ => text.trim_matches(goes),
        })
    }

    fn split(
        &self,
        text: &str,
        separator: Option<Value>,
        most: Option<Value>,
        reverse: bool,
    ) -> Result<Value> {
        let most = most.map_or(Ok(-1), |most| as_count("split", &most))?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let separator = match separator {
            None | Some(Value::None) => None,
            Some(separator) => Some(as_text("split", &separator)?),
        };
        let Some(separator) = separator else {
            return self.all_made(if reverse { words_from_end(text, most) } else { words(text, most) });
        };
        if separator.is_empty() {
            return value_error("empty separator");
        }
        let most = most.saturating_add(1);
        if !reverse {
            return self.all_made(text.splitn(most, &*separator).collect());
        }
        let mut parts: Vec<&str> = text.rsplitn(most, &*separator).collect();
        parts.reverse();
        self.all_made(parts)
    }

    fn begins_or_ends(
        &self,
        text: &str,
        name: &str,
        wanted: &Value,
        start: Option<Value>,
        stop: Option<Value>,
    ) -> Result<Value> {
        let window = window(text, start, stop)?.and_then(|(start, stop, _)| text.get(start..stop));
        let test = |wanted: &Value| -> Result<bool> {
            let wanted = as_text(name, wanted)?;
            Ok(window.is_some_and(|text| match name {
                "startswith" => text.starts_with(&*wanted),
                _ => text.ends_with(&*wanted),
            }))
        };
        if let Value::Tuple(all) = wanted {
            for wanted in &all.items {
                if test(wanted)? {
                    return Ok(Value::Bool(true));
                }
            }
            return Ok(Value::Bool(false));
        }
        test(wanted).map(Value::Bool)
    }

    fn search(&self, text: &str, name: &'static str, given: Given) -> Result<Value> {
        let [wanted, start, stop] = given.places(name, 1)?;
        let wanted = as_text(name, &wanted.unwrap_or(Value::None))?;
        let window = window(text, start, stop)?;
        if name == "count" {
            let count = window.and_then(|(start, stop, _)| text.get(start..stop)).map_or(0, |text| {
                if wanted.is_empty() { text.chars().count() + 1 } else { text.matches(&*wanted).count() }
            });
            return Ok(Value::Int(count as i128));
        }
        let found = window.and_then(|(start, stop, before)| {
            let text = text.get(start..stop)?;
            let at = if name.starts_with('r') { text.rfind(&*wanted) } else { text.find(&*wanted) }?;
            Some(before + text[..at].chars().count())
        });
        match found {
            Some(at) => Ok(Value::Int(at as i128)),
            None if name.ends_with("index") => value_error("substring not found"),
            None => Ok(Value::Int(-1)),
        }
    }

    /// As `str.replace`; a negative count replaces all.
    pub fn replaced(&self, text: &str, old: &str, new: &str, count: i64) -> Result<String> {
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let found = match old.is_empty() {
            true => text.chars().count() + 1,
            false => text.matches(old).count(),
        };
        let found = found.min(most);
        self.budget.grow(text.len().saturating_add(found.saturating_mul(new.len())))?;
        Ok(text.replacen(old, new, found))
    }

    /// As `str.join`.
    fn join(&self, separator: &str, items: &Value) -> Result<Value> {
        let mut out = String::new();
        let mut items = self.iter(items)?;
        let mut first = true;
        while let Some(item) = items.next(self)? {
            if !std::mem::take(&mut first) {
                self.push(separator, &mut out)?;
            }
            match item.as_str() {
                Some(text) => self.push(text, &mut out)?,
                None => {
                    return type_error(format!(
                        "sequence item: expected str instance, {} found",
                        item.type_name()
                    ));
                }
            }
        }
        self.made(out)
    }

    fn pad(&self, text: &str, name: &'static str, given: Given) -> Result<Value> {
        let [width, fill] = given.places(name, 1)?;
        let width = as_count(name, &width.unwrap_or(Value::None))?;
        let fill = match (fill, name) {
            (Some(_), "zfill") => return type_error("zfill() takes exactly one argument"),
            (Some(fill), _) => {
                let fill = as_text(name, &fill)?;
                let mut chars = fill.chars();
                match (chars.next(), chars.next()) {
                    (Some(fill), None) => fill,
                    _ => return type_error("The fill character must be exactly one character long"),
                }
            }
            (None, "zfill") => '0',
            (None, _) => ' ',
        };
        self.made(self.padded(text, name, width, fill)?)
    }

    /// As `str.center` and the like.
    pub fn padded(&self, text: &str, name: &str, width: i64, fill: char) -> Result<String> {
        let len = text.chars().count();
        let width = usize::try_from(width).unwrap_or(0);
        let missing = width.saturating_sub(len);
        self.budget.grow(text.len().saturating_add(missing.saturating_mul(fill.len_utf8())))?;
        let left = match name {
            "ljust" => 0,
            "center" => missing / 2 + (missing & width & 1),
            _ => missing,
        };
        if let (true, Some(sign)) = (name == "zfill", text.chars().next().filter(|c| matches!(c, '+' | '-')))
        {
            return Ok(format!("{sign}{}", padded(&text[1..], missing, left, fill)));
        }
        Ok(padded(text, missing, left, fill))
    }

    fn expand_tabs(&self, text: &str, size: i64) -> Result<Value> {
        let size = usize::try_from(size).unwrap_or(0);
        let tabs = text.matches('\t').count();
        self.budget.grow(text.len().saturating_add(tabs.saturating_mul(size)))?;
        let mut out = String::new();
        let mut column = 0;
        for c in text.chars() {
            match c {
                '\t' => {
                    let missing = if size == 0 { 0 } else { size - column % size };
                    out.extend(std::iter::repeat_n(' ', missing));
                    column += missing;
                }
                '\n' | '\r' => {
                    out.push(c);
                    column = 0;
                }
                _ => {
                    out.push(c);
                    column += 1;
                }
            }
        }
        self.made(out)
    }
}

/// Words between white space, split at most `most` times.
fn words(text: &str, most: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        if words.len() == most {
            words.push(rest);
            break;
        }
        let end = rest.find(is_space).unwrap_or(rest.len());
        words.push(&rest[..end]);
        rest = rest[end..].trim_start_matches(is_space);
    }
    words
}

fn words_from_end(text: &str, most: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim_end_matches(is_space);
    while !rest.is_empty() {
        if words.len() == most {
            words.push(rest);
            break;
        }
        let begin =
            rest.char_indices().rev().find(|(_, c)| is_space(*c)).map_or(0, |(at, c)| at + c.len_utf8());
        words.push(&rest[begin..]);
        rest = rest[..begin].trim_end_matches(is_space);
    }
    words.reverse();
    words
}
