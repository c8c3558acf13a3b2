//! A passage that the context has no room for, in parts that it has: documents may be anything, and the question is not to blame.

use std::ops::Range;

use super::AskError;
use super::frame::Frame;
use super::read::LONGEST_ANSWER;
use super::scripts::{is_mark, is_word};
use super::shown::Shown;
use crate::session::{Session, SessionError};
use crate::tokenizer::EncodeOptions;

/// Tokens of a passage that there has to be room for: with less, the question or the context is at fault.
const LEAST: usize = 48;
/// Tokens that differ where the parts of a prompt meet.
const SEAMS: usize = 4;

/// Tokens that a passage may have beside a frame, a question and an answer; none where even a short one has no room.
///
/// # Errors
/// A text that the vocabulary has no tokens for, or a chat template that fails.
pub fn of_passage(session: &Session, frame: &Frame, question: &str) -> Result<Option<usize>, AskError> {
    let needed = frame.prompt(session.tokenizer(), "", question)?.len() + LONGEST_ANSWER + 1 + SEAMS;
    Ok(session.info().context.checked_sub(needed).filter(|&room| room >= LEAST))
}

/// The passage in parts of so many tokens at most: halved until they fit, rather between words. Without a room it stays whole, and
/// reading it says what is missing.
///
/// # Errors
/// A text that the vocabulary has no tokens for.
pub fn parts(session: &Session, shown: Shown, room: Option<usize>) -> Result<Vec<Shown>, AskError> {
    let Some(room) = room else { return Ok(vec![shown]) };
    let options = EncodeOptions { add_special: false, parse_special: false };
    let mut waiting = Vec::from([(0, shown.text.len())]);
    let mut parts = Vec::new();
    while let Some((start, end)) = waiting.pop() {
        let text = shown.text.get(start..end).unwrap_or_default();
        let tokens = session.tokenizer().encode(text, options).map_err(SessionError::from)?.len();
        match middle(text) {
            Some(middle) if tokens > room => {
                waiting.push((start + middle.end, end));
                waiting.push((start, start + middle.start));
            }
            _ => parts.push(shown.part(&(start..end))),
        }
    }
    Ok(parts)
}

/// Where a text is cut in two, and the space that is left out there: nearest to the middle, behind a space, else behind a sign, else
/// between characters.
fn middle(text: &str) -> Option<Range<usize>> {
    let half = text.len() / 2;
    let mut before = None;
    let mut best: Option<(u8, usize, Range<usize>)> = None;
    for (at, c) in text.char_indices() {
        if let Some(before) = before
            && !is_mark(c)
        {
            let (rank, cut) = match () {
                () if c.is_whitespace() => (0, at..at + c.len_utf8()),
                () if !is_word(before) && is_word(c) => (1, at..at),
                () => (2, at..at),
            };
            let away = at.abs_diff(half);
            // A place that is better, but far from the middle, is none.
            let rank = if away > text.len() / 4 { 3 } else { rank };
            if best.as_ref().is_none_or(|(known, distance, _)| (rank, away) < (*known, *distance)) {
                best = Some((rank, away, cut));
            }
        }
        before = Some(c);
    }
    best.map(|(.., cut)| cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_near_its_middle() {
        let cut = |text: &'static str| middle(text).map(|at| (&text[..at.start], &text[at.end..]));
        assert_eq!(cut("one two three four"), Some(("one two", "three four")));
        assert_eq!(cut("aaaa/bbbb+ccccc"), Some(("aaaa/", "bbbb+ccccc")));
        assert_eq!(cut("灯塔高四"), Some(("灯塔", "高四")));
        assert_eq!(cut("e\u{301}"), None);
        assert_eq!(cut(""), None);
        assert_eq!(cut("abcdefgh"), Some(("abcd", "efgh")));
    }
}
