//! A conversation that has outgrown the context: which of its oldest turns to leave out.
//!
//! A turn is a message of the user with all that follows it up to the next one; what stands before the first of them (the system
//! message) is always kept, and so is the last turn. Leaving out one turn more each time would change the beginning of every prompt, and
//! the cache would be of no use. So where turns have to go, as many go as leave half of the room free, and the same ones stay out
//! until the room is used up again: what is in the cache tells which those were.

use super::{ChatError, ChatTemplate, Conversation, LocalTime, Message, ids};
use crate::session::Session;

/// What happens to a conversation that the context does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It is refused (`ERR_CONTEXT`).
    #[default]
    Error,
    /// Its oldest turns are left out of the prompt.
    Trim,
}

/// A prompt, and how many of the oldest turns it leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitted {
    /// Tokens.
    pub ids: Vec<u32>,
    /// Turns that were left out.
    pub dropped_turns: usize,
}

/// The share of the context that is kept free for an answer of no stated length.
const ANSWER_SHARE: usize = 4;

/// Where each turn begins.
fn turns(messages: &[Message]) -> Vec<usize> {
    let is_user = |(_, message): &(usize, &Message)| message.role() == "user";
    messages.iter().enumerate().filter(is_user).map(|(index, _)| index).collect()
}

/// The prompt of the conversation, without as many of its oldest turns as its length asks for. `max_tokens` are those of the answer.
pub(super) fn fit(
    session: &Session,
    template: &ChatTemplate,
    conversation: Conversation<'_>,
    max_tokens: Option<usize>,
    now: LocalTime,
) -> Result<Fitted, ChatError> {
    let messages = conversation.messages;
    let turns = turns(messages);
    let render = |dropped: usize| -> Result<Vec<u32>, ChatError> {
        let start = turns.first().copied().unwrap_or(0);
        let rest = turns.get(dropped).copied().unwrap_or(start);
        let kept = messages.get(..start).into_iter().chain(messages.get(rest..)).flatten();
        let kept: Vec<Message> = kept.cloned().collect();
        ids(session, template, Conversation { messages: &kept, ..conversation }, now)
    };
    let context = session.info().context;
    let answer = max_tokens.unwrap_or(context / ANSWER_SHARE).max(1);
    let room = context.saturating_sub(answer);
    let whole = render(0)?;
    let most = turns.len().saturating_sub(1);
    if whole.len() <= room || most == 0 {
        return Ok(Fitted { ids: whole, dropped_turns: 0 });
    }
    let mut fitting = Vec::new();
    for dropped in 1..=most {
        let ids = render(dropped)?;
        if ids.len() <= room || dropped == most {
            let reused = session.reusable(&ids);
            fitting.push((dropped, ids, reused));
        }
    }
    // What all of them have in common is no sign of which turns were left out before.
    let (first, last) = (fitting.first(), fitting.last());
    let common = first.zip(last).map_or(0, |((_, a, _), (_, b, _))| {
        if a == b { 0 } else { a.iter().zip(b).take_while(|(a, b)| a == b).count() }
    });
    let best =
        fitting.iter().enumerate().max_by_key(|(index, (.., reused))| (*reused, std::cmp::Reverse(*index)));
    let known = best.filter(|(_, (.., reused))| *reused > common).map(|(index, _)| index);
    let chosen = known
        .or_else(|| fitting.iter().position(|(_, ids, _)| ids.len() <= room / 2))
        .unwrap_or(fitting.len() - 1);
    let (dropped_turns, ids, _) = fitting.swap_remove(chosen);
    Ok(Fitted { ids, dropped_turns })
}
