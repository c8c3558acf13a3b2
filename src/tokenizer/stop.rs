//! Watches a growing text for stop strings.

use super::error::TokenizerError;

/// Finds the first stop string in a text that comes in pieces, and holds back what may still become one.
///
/// The first is the one that ends first, as if the text came character by character; of several that end at
/// the same place it is the longest. How the text is cut into pieces makes no difference.
///
/// ```
/// use rushlight::tokenizer::{StopMatcher, Stopped};
/// let mut matcher = StopMatcher::new(["\n\n", "END"])?;
/// assert_eq!(matcher.push("a\n"), ("a".to_string(), None));
/// assert_eq!(matcher.push("b E"), ("\nb ".to_string(), None));
/// assert_eq!(matcher.push("NDS"), (String::new(), Some(Stopped { index: 1 })));
/// # Ok::<(), rushlight::tokenizer::TokenizerError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StopMatcher {
    stops: Vec<String>,
    /// The end of the text that has not been given out.
    held: String,
    stopped: Option<Stopped>,
}

/// Which stop string ended the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Place in the list given to [`StopMatcher::new`].
    pub index: usize,
}

impl StopMatcher {
    /// A matcher for these strings, none of which may be empty.
    pub fn new<S: Into<String>>(stops: impl IntoIterator<Item = S>) -> Result<Self, TokenizerError> {
        let stops: Vec<String> = stops.into_iter().map(Into::into).collect();
        if let Some(index) = stops.iter().position(String::is_empty) {
            return Err(TokenizerError::EmptyStop { index });
        }
        Ok(StopMatcher { stops, held: String::new(), stopped: None })
    }

    /// Adds text. Returns what may be shown now, without any part of a stop string, and the stop string
    /// once one is complete; from then on all further text is dropped.
    pub fn push(&mut self, text: &str) -> (String, Option<Stopped>) {
        if self.stopped.is_some() {
            return (String::new(), self.stopped);
        }
        let seen = self.held.len();
        self.held.push_str(text);
        let new_ends = self.held.char_indices().map(|(start, char)| start + char.len_utf8());
        for end in new_ends.filter(|&end| end > seen) {
            let read = self.held.get(..end).unwrap_or_default();
            let longest_first = |(index, stop): &(usize, &String)| (stop.len(), std::cmp::Reverse(*index));
            let found = self
                .stops
                .iter()
                .enumerate()
                .filter(|(_, stop)| read.ends_with(*stop))
                .max_by_key(longest_first);
            if let Some((index, stop)) = found {
                let safe = read.len() - stop.len();
                self.stopped = Some(Stopped { index });
                self.held.truncate(safe);
                return (std::mem::take(&mut self.held), self.stopped);
            }
        }
        let pending = self
            .held
            .char_indices()
            .map(|(start, _)| start)
            .find(|&start| {
                let tail = self.held.get(start..).unwrap_or_default();
                self.stops.iter().any(|stop| stop.starts_with(tail))
            })
            .unwrap_or(self.held.len());
        let held = self.held.split_off(pending);
        (std::mem::replace(&mut self.held, held), None)
    }

    /// The text has ended: what was held back was no stop string.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// The stop string that was found, if one was.
    pub fn stopped(&self) -> Option<Stopped> {
        self.stopped
    }
}
