//! Messages as JSON has them: a template reads what it knows of, in the order in which it was said.

use serde::de::{Deserialize, Deserializer, Error};

use super::ChatError;
use rushlight_jinja::Data;

/// One message of a conversation: who says it, what is said, and whatever else a template reads, such as `tool_calls`, `tool_call_id`,
/// `name` or `reasoning_content`.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    fields: Vec<(String, Data)>,
}

impl Message {
    /// A message of text.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Message {
            fields: vec![
                ("role".to_owned(), Data::Text(role.into())),
                ("content".to_owned(), Data::Text(content.into())),
            ],
        }
    }

    /// A message of JSON, with all that stands in it.
    ///
    /// # Errors
    /// It is no object, has no role, or has a number that 64 bits do not hold.
    pub fn of(data: Data) -> Result<Self, ChatError> {
        let wrong = |got: &str| Err(ChatError::BadMessage { got: got.to_owned() });
        if data.may_have_lost_digits() {
            return wrong("one with a number that 64 bits do not hold");
        }
        let Data::Object(fields) = data else { return wrong("one that is no object") };
        let message = Message { fields };
        match message.field("role") {
            Some(Data::Text(_)) => Ok(message),
            Some(_) => wrong("one whose role is no text"),
            None => wrong("one without a role"),
        }
    }

    /// Who says it: `system`, `user`, `assistant`, or what else the template knows.
    pub fn role(&self) -> &str {
        self.field("role").and_then(Data::as_text).unwrap_or_default()
    }

    /// What is said, where it is one text and not in parts.
    pub fn text(&self) -> Option<&str> {
        self.field("content").and_then(Data::as_text)
    }

    /// Everything that it has.
    pub fn fields(&self) -> &[(String, Data)] {
        &self.fields
    }

    fn field(&self, name: &str) -> Option<&Data> {
        self.fields.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Message::of(Data::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// What a template is told: messages, and other values by name, such as `tools`, `documents` or `enable_thinking`.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'m> {
    /// What was said.
    pub messages: &'m [Message],
    /// Other values.
    pub given: &'m [(String, Data)],
}

impl<'m> From<&'m [Message]> for Conversation<'m> {
    fn from(messages: &'m [Message]) -> Self {
        Conversation { messages, given: &[] }
    }
}

impl<'m, const N: usize> From<&'m [Message; N]> for Conversation<'m> {
    fn from(messages: &'m [Message; N]) -> Self {
        Conversation { messages, given: &[] }
    }
}

impl<'m> From<&'m Vec<Message>> for Conversation<'m> {
    fn from(messages: &'m Vec<Message>) -> Self {
        Conversation { messages, given: &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_whose_digits_are_lost_is_no_message() {
        let message = |number: &str| {
            serde_json::from_str::<Message>(&format!(
                r#"{{"role": "tool", "content": {{"ids": [{number}]}}}}"#
            ))
        };
        for whole in ["18446744073709551615", "-9223372036854775808", "0.1", "1e18"] {
            assert!(message(whole).is_ok(), "{whole}");
        }
        for lost in ["18446744073709551616", "-9223372036854775809", "1e30"] {
            let error = message(lost).unwrap_err().to_string();
            assert!(error.contains("64 bits"), "{lost}: {error}");
        }
    }
}
