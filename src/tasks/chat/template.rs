//! A chat template: Jinja as the model's makers render it with Python's jinja2, run by minijinja.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State};
use minijinja_contrib::pycompat;

use super::{ChatError, LocalTime, Message};
use crate::tokenizer::Tokenizer;

/// Steps of the interpreter that a template may take: some hundred a message are usual.
const FUEL: u64 = 10_000_000;
/// What the template is called in its errors.
const NAME: &str = "chat";

/// A template that was parsed.
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Parses a template; `bos_token` and `eos_token` in it are the vocabulary's.
    ///
    /// # Errors
    /// It is no Jinja.
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        let text = |id: Option<u32>| -> String {
            let piece = id.and_then(|id| tokenizer.piece(id).ok()).unwrap_or_default();
            String::from_utf8_lossy(&piece).into_owned()
        };
        Self::with_tokens(source, text(tokenizer.bos()), text(tokenizer.eos()))
    }

    /// As [`new`](ChatTemplate::new), with the texts of the two tokens.
    ///
    /// # Errors
    /// It is no Jinja.
    pub fn with_tokens(source: &str, bos: String, eos: String) -> Result<Self, ChatError> {
        let mut environment = Environment::new();
        let mut syntax = SyntaxConfig::builder();
        syntax.trim_blocks(true).lstrip_blocks(true);
        environment.set_syntax(syntax.build().map_err(failed)?);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(pycompat::unknown_method_callback);
        environment.set_formatter(write_as_python);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", |said: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, said))
        });
        environment.add_template_owned(NAME, without_generation_tags(source)).map_err(failed)?;
        Ok(ChatTemplate { environment, bos, eos })
    }

    /// The text of a conversation, up to where the next answer begins.
    ///
    /// # Errors
    /// The template raises, or does what its interpreter can't.
    pub fn render(&self, messages: &[Message], now: LocalTime) -> Result<String, ChatError> {
        let pair = |message: &Message| {
            Value::from_pairs([("role", message.role.clone()), ("content", message.content.clone())])
        };
        let strftime = Value::from_function(move |pattern: String| now.format(&pattern));
        // What Python's side passes, whether a template asks for it or not: `tools is none` has to hold, not only `undefined`.
        let context = Value::from_pairs([
            ("messages", messages.iter().map(pair).collect::<Value>()),
            ("add_generation_prompt", Value::from(true)),
            ("tools", Value::from(())),
            ("documents", Value::from(())),
            ("bos_token", Value::from(self.bos.clone())),
            ("eos_token", Value::from(self.eos.clone())),
            ("strftime_now", strftime),
        ]);
        self.environment.get_template(NAME).and_then(|template| template.render(context)).map_err(failed)
    }
}

/// What went wrong, with everything that it came from.
fn failed(error: Error) -> ChatError {
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        said = format!("{said}: {cause}");
        source = cause.source();
    }
    ChatError::Template { said }
}

/// As Python writes what is no text.
fn write_as_python(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let word = match value.kind() {
        ValueKind::None => "None",
        ValueKind::Bool if value.is_true() => "True",
        ValueKind::Bool => "False",
        _ => return minijinja::escape_formatter(out, state, value),
    };
    out.write_str(word).map_err(|_| Error::from(ErrorKind::WriteFailure))
}

/// As Python's `json.dumps` writes it with `ensure_ascii=False`; minijinja's own filter escapes for HTML.
fn to_json(value: Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    // Python's defaults in any other case; these change nothing of what is written here.
    for ignored in ["ensure_ascii", "separators", "sort_keys"] {
        options.get::<Option<Value>>(ignored)?;
    }
    options.assert_all_used()?;
    let mut out = String::new();
    write_json(&value, indent, 0, &mut out)?;
    Ok(out)
}

fn write_json(value: &Value, indent: Option<usize>, depth: usize, out: &mut String) -> Result<(), Error> {
    let wrong = |said: &str| Error::new(ErrorKind::BadSerialization, said.to_owned());
    let text = |text: &str| serde_json::to_string(text).map_err(|error| wrong(&error.to_string()));
    match value.kind() {
        ValueKind::None | ValueKind::Undefined => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::String => out.push_str(&text(&value.to_string())?),
        kind @ (ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) => {
            let (open, close) = if kind == ValueKind::Map { ('{', '}') } else { ('[', ']') };
            let line = |out: &mut String, depth: usize| {
                if let Some(indent) = indent {
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', indent * depth));
                }
            };
            out.push(open);
            let mut empty = true;
            for item in value.try_iter()? {
                if !empty {
                    out.push_str(if indent.is_some() { "," } else { ", " });
                }
                empty = false;
                line(out, depth + 1);
                if kind == ValueKind::Map {
                    out.push_str(&text(&item.to_string())?);
                    out.push_str(": ");
                    write_json(&value.get_item(&item)?, indent, depth + 1, out)?;
                } else {
                    write_json(&item, indent, depth + 1, out)?;
                }
            }
            if !empty {
                line(out, depth);
            }
            out.push(close);
        }
        other => return Err(wrong(&format!("{other} has no JSON"))),
    }
    Ok(())
}

/// `{% generation %}` and `{% endgeneration %}` mark, for training, what the model says. They do nothing to the text, but their
/// whitespace control does: they become a condition that holds.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        out.push_str(before);
        rest = tag;
        let body = tag.trim_start_matches(['-', '+']).trim_start();
        for (word, instead) in [("generation", "if true"), ("endgeneration", "endif")] {
            let Some(behind) = body.strip_prefix(word) else { continue };
            let closing = behind.trim_start();
            if closing.starts_with("%}") || closing.starts_with("-%}") || closing.starts_with("+%}") {
                out.push_str(&tag[..tag.len() - body.len()]);
                out.push_str(instead);
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, messages: &[Message]) -> Result<String, ChatError> {
        ChatTemplate::with_tokens(source, "<s>".into(), "</s>".into())?.render(messages, LocalTime(0))
    }

    #[test]
    fn messages_are_data() {
        let content = "{{ 7 * 7 }} {% for %} {# #} <b>&'\"</b>";
        let messages = [Message::new("user", content)];
        let text = render("{{ bos_token }}{{ messages[0].content }}{{ messages[0]['role'] }}", &messages);
        assert_eq!(text.expect("it renders"), format!("<s>{content}user"));
    }

    #[test]
    fn what_a_template_says_is_passed_on() {
        let raised = render("{{ raise_exception('roles must alternate') }}", &[]).expect_err("it raises");
        assert_eq!(raised.code(), "ERR_TEMPLATE");
        assert!(raised.to_string().contains("roles must alternate"), "{raised}");
        for broken in ["{% if %}", "{{ nothing.at.all }}", "{{ 'a' | no_such_filter }}", "{% include 'x' %}"]
        {
            assert_eq!(render(broken, &[]).expect_err("it is broken").code(), "ERR_TEMPLATE", "{broken}");
        }
    }

    #[test]
    fn a_template_without_end_is_ended() {
        let nested = "{% for a in range(9999) %}".repeat(4) + &"{% endfor %}".repeat(4);
        let error = render(&nested, &[]).expect_err("a quadrillion steps");
        assert!(error.to_string().contains("fuel"), "{error}");
    }
}
