//! Conversations: messages become a prompt by the template that the model's file brings, and the answer is written as any other.
//!
//! A template is a program from outside. It runs without files or network, for a bounded number of steps, and sees the messages
//! as data: `{{` in a message is text.

mod calendar;
mod message;
mod overflow;
mod template;

use thiserror::Error;

pub use calendar::LocalTime;
pub use message::{Conversation, Message};
pub use overflow::{Fitted, Overflow};
pub use rushlight_jinja::Data;
pub use template::{ChatTemplate, special_texts};

use crate::session::{GenerateOptions, Session, SessionError};
use crate::tokenizer::{EncodeOptions, Tokenizer, TokenizerError};
use rushlight_jinja::JinjaError;

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
    #[error("chat template: {0}")]
    Template(#[from] JinjaError),
    /// A message that is none.
    #[error("messages: expected objects with a role, got {got}")]
    BadMessage {
        /// What it is instead.
        got: String,
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
            ChatError::Template(_) => "ERR_TEMPLATE",
            ChatError::NoMessages | ChatError::BadMessage { .. } => "ERR_BAD_ARGUMENT",
            ChatError::Session(error) => error.code(),
        }
    }
}

/// Begins the answer to the last of the messages. Of a conversation that goes on, only what is new runs.
///
/// # Errors
/// A file without a template, a template that fails, or what [`Session::start_ids`] fails with.
pub fn start<'m>(
    session: &mut Session,
    conversation: impl Into<Conversation<'m>>,
    options: GenerateOptions,
    now: LocalTime,
) -> Result<(), ChatError> {
    let template = template(session)?;
    start_with(session, &template, conversation, options, now)
}

/// As [`start`], with a template of the caller's.
///
/// # Errors
/// A template that fails, or what [`Session::start_ids`] fails with.
pub fn start_with<'m>(
    session: &mut Session,
    template: &ChatTemplate,
    conversation: impl Into<Conversation<'m>>,
    options: GenerateOptions,
    now: LocalTime,
) -> Result<(), ChatError> {
    start_fitted(session, template, conversation, options, Overflow::Error, now).map(drop)
}

/// As [`start_with`], for a conversation that may have outgrown the context. Says how many of its oldest turns were left out.
///
/// # Errors
/// As [`start_with`]; with [`Overflow::Trim`] still `ERR_CONTEXT` where the last turn alone does not fit.
pub fn start_fitted<'m>(
    session: &mut Session,
    template: &ChatTemplate,
    conversation: impl Into<Conversation<'m>>,
    options: GenerateOptions,
    overflow: Overflow,
    now: LocalTime,
) -> Result<usize, ChatError> {
    let conversation = conversation.into();
    let Fitted { ids, dropped_turns } = match overflow {
        Overflow::Error => Fitted { ids: ids(session, template, conversation, now)?, dropped_turns: 0 },
        Overflow::Trim => overflow::fit(session, template, conversation, options.max_tokens, now)?,
    };
    session.start_ids(ids, options)?;
    Ok(dropped_turns)
}

/// The tokens that a conversation becomes.
///
/// # Errors
/// A file without a template, or a template that fails.
pub fn prompt<'m>(
    session: &Session,
    conversation: impl Into<Conversation<'m>>,
    now: LocalTime,
) -> Result<Vec<u32>, ChatError> {
    ids(session, &template(session)?, conversation.into(), now)
}

fn ids(
    session: &Session,
    template: &ChatTemplate,
    conversation: Conversation<'_>,
    now: LocalTime,
) -> Result<Vec<u32>, ChatError> {
    if conversation.messages.is_empty() {
        return Err(ChatError::NoMessages);
    }
    let text = template.render(conversation, now)?;
    Ok(encode(session.tokenizer(), &text).map_err(SessionError::from)?)
}

/// The template of the model's file.
///
/// # Errors
/// A file without one, or one that is no Jinja.
pub fn template(session: &Session) -> Result<ChatTemplate, ChatError> {
    let no_template = || ChatError::NoTemplate { name: session.info().name };
    let source = session.chat_template().ok_or_else(no_template)?;
    ChatTemplate::new(source, session.tokenizer())
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
