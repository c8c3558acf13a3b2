//! Prompts for an answer in the model's own words, and what in the documents supports it.

use super::library::{Found, Library};
use super::terms::Index;
use super::{Answer, AskError, Span, checked, frame};
use crate::session::{GenerateOptions, Session, SessionError};
use crate::tasks::chat::{self, LocalTime, Message};
use crate::tokenizer::EncodeOptions;

/// Where such an answer ends.
pub const STOP: &str = "\n";
/// Tokens of an answer, at most, where nothing else is said.
pub const TOKENS: usize = 24;
/// The same of a model that is told to chat: those answer in sentences.
pub const CHAT_TOKENS: usize = 128;
/// Tokens that a chat template may put around a message.
const TEMPLATE: usize = 64;
/// Share of the answer's and question's words that a sentence has to have to support it.
const SUPPORT: f64 = 0.3;
/// Sentences that are given as support.
const MOST: usize = 2;

fn count(session: &Session, text: &str) -> Result<usize, AskError> {
    let options = EncodeOptions { add_special: true, parse_special: false };
    Ok(session.tokenizer().encode(text, options).map_err(SessionError::from)?.len())
}

/// What an answer is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A text that the model goes on with: the few-shot frame. The answer ends at [`STOP`].
    Text(String),
    /// What a user says to a model whose file brings a chat template.
    Message(String),
}

impl Prompt {
    /// Tokens of the answer, at most, where nothing else is said.
    pub fn tokens(&self) -> usize {
        match self {
            Prompt::Text(_) => TOKENS,
            Prompt::Message(_) => CHAT_TOKENS,
        }
    }
}

/// The prompt over the passages that were found, in the order of the documents.
///
/// # Errors
/// An empty question, or one that leaves no room for a passage.
pub fn prompt(
    session: &Session,
    library: &Library,
    found: &[Found],
    question: &str,
) -> Result<Prompt, AskError> {
    let mut chosen: Vec<usize> = found.iter().map(|found| found.passage).collect();
    chosen.sort_unstable();
    let texts: Vec<String> = chosen
        .iter()
        .filter_map(|&passage| library.passages().get(passage))
        .filter_map(|passage| library.show(passage))
        .map(|shown| shown.text)
        .collect();
    let (text, question) = (texts.join(" "), checked(library, question)?);
    if session.chat_template().is_some() {
        let (before, behind) = frame::around_turn(&question);
        return over(session, &before, &text, &behind, CHAT_TOKENS + TEMPLATE).map(Prompt::Message);
    }
    framed(session, &frame::frame(), &text, &question).map(Prompt::Text)
}

/// The plain prompt over a whole text, cut where the context is full.
///
/// # Errors
/// An empty question, or one that leaves no room for text.
pub fn plain_prompt(session: &Session, library: &Library, question: &str) -> Result<String, AskError> {
    let texts = (0..library.documents()).filter_map(|document| library.view(document));
    let words: Vec<&str> = texts.flat_map(|view| view.text().split_whitespace()).collect();
    framed(session, &frame::plain_frame(), &words.join(" "), &checked(library, question)?)
}

fn framed(session: &Session, frame: &str, text: &str, question: &str) -> Result<String, AskError> {
    let (before, behind) = frame::around_text(frame, question);
    over(session, &before, text, &behind, TOKENS)
}

/// A text between two others, cut so that `reserved` tokens are left of the context.
fn over(
    session: &Session,
    before: &str,
    text: &str,
    behind: &str,
    reserved: usize,
) -> Result<String, AskError> {
    let context = session.info().context;
    // A token more for each place where two of the parts meet.
    let needed = count(session, before)? + count(session, behind)? + reserved + 3;
    let Some(room @ 1..) = context.checked_sub(needed) else {
        return Err(AskError::Context { needed, context });
    };
    let options = EncodeOptions { add_special: false, parse_special: false };
    let ids = session.tokenizer().encode(text, options).map_err(SessionError::from)?;
    if ids.len() <= room {
        return Ok(format!("{before}{text}{behind}"));
    }
    let kept =
        session.tokenizer().decode(ids.get(..room).unwrap_or_default(), true).map_err(SessionError::from)?;
    Ok(format!("{before}{}{behind}", kept.trim_end_matches(char::REPLACEMENT_CHARACTER).trim_end()))
}

/// Begins an answer that goes on with a text.
///
/// # Errors
/// As [`Session::start`].
pub fn start_text(session: &mut Session, text: &str) -> Result<(), AskError> {
    let options = GenerateOptions {
        max_tokens: Some(TOKENS),
        stop: vec![STOP.to_owned()],
        parse_special: false,
        ..GenerateOptions::default()
    };
    Ok(session.start(text, options)?)
}

/// Begins an answer.
///
/// # Errors
/// As [`Session::start`], or a chat template that fails.
pub fn start(session: &mut Session, prompt: &Prompt, now: LocalTime) -> Result<(), AskError> {
    match prompt {
        Prompt::Text(text) => start_text(session, text),
        Prompt::Message(message) => {
            let options = GenerateOptions { max_tokens: Some(CHAT_TOKENS), ..GenerateOptions::default() };
            Ok(chat::start(session, &[Message::new("user", message)], options, now)?)
        }
    }
}

/// What the model said, or nothing where it said that there is no answer.
pub fn said(text: &str) -> &str {
    let text = text.trim();
    let bare = text.trim_end_matches('.').to_lowercase();
    if bare == frame::NO_ANSWER { "" } else { text }
}

/// A free answer with what supports it. A model that was not asked to choose says nothing of how sure it is: the confidence is how
/// much of the answer the best sentence has.
pub fn answer(library: &Library, found: &[Found], question: &str, written: &str) -> Answer {
    let answer = said(written).to_owned();
    let spans = if answer.is_empty() { Vec::new() } else { support(library, found, question, &answer) };
    let confidence = spans.first().map_or(0.0, |span| span.confidence);
    let passages =
        found.iter().filter_map(|found| library.passage_span(found.passage, found.score)).collect();
    Answer { answer, confidence, null_score: 1.0 - confidence, spans, alternatives: Vec::new(), passages }
}

/// The sentences of the passages that have the most of the answer's and the question's words.
pub fn support(library: &Library, found: &[Found], question: &str, answer: &str) -> Vec<Span> {
    let (asked, said) = (library.query(question), library.query(answer));
    let mut sentences: Vec<(usize, f64)> = Vec::new();
    for passage in found.iter().filter_map(|found| library.passages().get(found.passage)) {
        for sentence in passage.sentences.clone() {
            let share = |stems: &[String], index: &Index| index.coverage(sentence, stems);
            let score =
                0.7 * share(&said, library.by_sentence()) + 0.3 * share(&asked, library.by_sentence());
            if score >= SUPPORT && !sentences.iter().any(|(known, _)| *known == sentence) {
                sentences.push((sentence, score));
            }
        }
    }
    sentences.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    sentences.truncate(MOST);
    sentences.into_iter().filter_map(|(sentence, score)| library.sentence_span(sentence, score)).collect()
}
