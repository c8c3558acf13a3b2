//! Conversations: messages become a prompt by the template that the model's file brings, and the answer is written as any other.
//!
//! A template is a program from outside. It runs without files or network, for a bounded number of steps, and sees the messages
//! as data: `{{` in a message is text.

mod calendar;
mod template;

use thiserror::Error;

pub use calendar::LocalTime;
pub use template::ChatTemplate;

use crate::session::{GenerateOptions, Session, SessionError};
use crate::tokenizer::{EncodeOptions, Tokenizer, TokenizerError};

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who says it: `system`, `user`, `assistant`, or what else the template knows.
    pub role: String,
    /// What is said.
    pub content: String,
}

impl Message {
    /// A message.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Message { role: role.into(), content: content.into() }
    }
}

/// Why a conversation could not be continued.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The file brings no template.
    #[error(
        "chat: expected a model with a chat template, got {name}, which has none: write its prompt with generate"
    )]
    NoTemplate {
        /// The model.
        name: String,
    },
    /// The template is broken, uses something that is not there, or refuses the messages.
    #[error("chat template: {said}")]
    Template {
        /// What it, or its interpreter, says.
        said: String,
    },
    /// No messages.
    #[error("messages: expected at least one, got none")]
    NoMessages,
    /// The answer.
    #[error(transparent)]
    Session(#[from] SessionError),
}

impl ChatError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ChatError::NoTemplate { .. } => "ERR_NO_TEMPLATE",
            ChatError::Template { .. } => "ERR_TEMPLATE",
            ChatError::NoMessages => "ERR_BAD_ARGUMENT",
            ChatError::Session(error) => error.code(),
        }
    }
}

/// Begins the answer to the last of `messages`. Of a conversation that goes on, only what is new runs.
///
/// # Errors
/// A file without a template, a template that fails, or what [`Session::start_ids`] fails with.
pub fn start(
    session: &mut Session,
    messages: &[Message],
    options: GenerateOptions,
    now: LocalTime,
) -> Result<(), ChatError> {
    let ids = prompt(session, messages, now)?;
    Ok(session.start_ids(ids, options)?)
}

/// The tokens that `messages` become.
///
/// # Errors
/// A file without a template, or a template that fails.
pub fn prompt(session: &Session, messages: &[Message], now: LocalTime) -> Result<Vec<u32>, ChatError> {
    if messages.is_empty() {
        return Err(ChatError::NoMessages);
    }
    let no_template = || ChatError::NoTemplate { name: session.info().name };
    let source = session.chat_template().ok_or_else(no_template)?;
    let tokenizer = session.tokenizer();
    let text = ChatTemplate::new(source, tokenizer)?.render(messages, now)?;
    Ok(encode(tokenizer, &text).map_err(SessionError::from)?)
}

/// Ids of a rendered conversation. Its special tokens are recognised; BOS is put before it only where the template has not done so.
fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, TokenizerError> {
    let mut ids = tokenizer.encode(text, EncodeOptions { add_special: false, parse_special: true })?;
    let bos = tokenizer.bos().filter(|bos| tokenizer.adds_bos() && ids.first() != Some(bos));
    if let Some(bos) = bos {
        ids.insert(0, bos);
    }
    Ok(ids)
}
