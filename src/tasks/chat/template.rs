//! A chat template: Jinja as the model's makers render it with Python's jinja2, and what it is told.

use super::message::Conversation;
use super::{ChatError, LocalTime};
use crate::tokenizer::Tokenizer;
use rushlight_jinja::{Data, Template};

/// A template that was parsed.
pub struct ChatTemplate {
    template: Template,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Parses a template; `bos_token` and `eos_token` in it are the vocabulary's.
    ///
    /// # Errors
    /// It is no Jinja.
    pub fn new(source: &str, tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        let (bos, eos) = special_texts(tokenizer);
        Self::with_tokens(source, bos, eos)
    }

    /// As [`new`](ChatTemplate::new), with the texts of the two tokens.
    ///
    /// # Errors
    /// It is no Jinja.
    pub fn with_tokens(source: &str, bos: String, eos: String) -> Result<Self, ChatError> {
        Ok(ChatTemplate { template: Template::new(source)?, bos, eos })
    }

    /// The text of a conversation, up to where the next answer begins.
    ///
    /// # Errors
    /// The template raises, does what Python refuses, or takes more than a template may.
    pub fn render<'m>(
        &self,
        conversation: impl Into<Conversation<'m>>,
        now: LocalTime,
    ) -> Result<String, ChatError> {
        let conversation = conversation.into();
        let messages = conversation.messages.iter().map(|message| Data::Object(message.fields().to_vec()));
        // What Python's side passes, whether a template asks for it or not: `tools is none` has to hold, not only `undefined`.
        let mut given = vec![
            ("messages", Data::List(messages.collect())),
            ("add_generation_prompt", Data::Bool(true)),
            ("tools", Data::Null),
            ("documents", Data::Null),
            ("bos_token", Data::text(self.bos.clone())),
            ("eos_token", Data::text(self.eos.clone())),
        ];
        for (name, value) in conversation.given {
            given.retain(|(known, _)| known != name);
            given.push((name, value.clone()));
        }
        Ok(self.template.render(&given, &|pattern| now.format(pattern))?)
    }
}

/// The texts of BOS and EOS; empty where a vocabulary has none.
pub fn special_texts(tokenizer: &Tokenizer) -> (String, String) {
    let text = |id: Option<u32>| -> String {
        let piece = id.and_then(|id| tokenizer.piece(id).ok()).unwrap_or_default();
        String::from_utf8_lossy(&piece).into_owned()
    };
    (text(tokenizer.bos()), text(tokenizer.eos()))
}

#[cfg(test)]
mod tests {
    use super::super::Message;
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
}
