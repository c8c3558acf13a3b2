//! Ids to text as they come: whole characters only.

use std::ops::Deref;

use super::error::TokenizerError;
#[cfg(feature = "tokenizer-json")]
use super::hf;
use super::{Kind, Tokenizer};

/// Decodes ids one by one, with a tokenizer that it borrows or shares. What [`StreamDecoder::push`] returns, joined, and [`StreamDecoder::finish`]
/// behind it, is [`Tokenizer::decode`] of all ids.
///
/// ```
/// use rushlight::tokenizer::{FlatStrings, GgufVocab, Tokenizer};
/// let tokens: FlatStrings = ["<0xC3>", "<0xA9>", "caf"].iter().collect();
/// let tokenizer = Tokenizer::from_gguf(GgufVocab {
///     token_types: vec![6, 6, 1].into(),
///     ..GgufVocab::new("llama", tokens)
/// })?;
/// let mut stream = tokenizer.stream(true);
/// assert_eq!(stream.push(2)?, "caf");
/// assert_eq!(stream.push(0)?, ""); // the first byte of é
/// assert_eq!(stream.push(1)?, "é");
/// assert_eq!(stream.finish(), "");
/// # Ok::<(), rushlight::tokenizer::TokenizerError>(())
/// ```
#[derive(Debug)]
pub struct StreamDecoder<T> {
    tokenizer: T,
    skip_special: bool,
    /// Bytes of a character that is not complete yet.
    pending: Vec<u8>,
    after_special: bool,
    #[cfg(feature = "tokenizer-json")]
    window: hf::Window,
}

impl<T: Deref<Target = Tokenizer>> StreamDecoder<T> {
    pub(super) fn new(tokenizer: T, skip_special: bool, prompt: &[u32]) -> Self {
        let after_special = match (&tokenizer.kind, prompt.last()) {
            (Kind::Gguf(gguf), Some(&last)) => {
                gguf.vocab.attr(last).is_none_or(|attr| attr.any(super::vocab::Attr::SPECIAL))
            }
            _ => true,
        };
        StreamDecoder {
            tokenizer,
            skip_special,
            pending: Vec::new(),
            after_special,
            #[cfg(feature = "tokenizer-json")]
            window: hf::Window::after(prompt),
        }
    }

    /// Adds an id; returns the text that is complete with it, often one word, sometimes nothing.
    pub fn push(&mut self, id: u32) -> Result<String, TokenizerError> {
        match &self.tokenizer.kind {
            Kind::Gguf(gguf) => {
                gguf.decode_one(id, self.skip_special, &mut self.after_special, &mut self.pending)?;
                Ok(take_whole_characters(&mut self.pending))
            }
            #[cfg(feature = "tokenizer-json")]
            Kind::Json(json) => self.window.push(json, id, self.skip_special),
        }
    }

    /// The ids have ended: half a character that was held back becomes U+FFFD.
    pub fn finish(&mut self) -> String {
        #[cfg(feature = "tokenizer-json")]
        if let Kind::Json(json) = &self.tokenizer.kind {
            return self.window.finish(json, self.skip_special);
        }
        let rest = std::mem::take(&mut self.pending);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// Takes everything but an unfinished character at the end. Bytes that can't become one are U+FFFD, cut
/// the way `String::from_utf8_lossy` cuts them.
fn take_whole_characters(pending: &mut Vec<u8>) -> String {
    let mut text = String::new();
    let mut done = 0;
    for chunk in pending.utf8_chunks() {
        text.push_str(chunk.valid());
        done += chunk.valid().len();
        let invalid = chunk.invalid();
        if invalid.is_empty() {
            continue;
        }
        let at_end = done + invalid.len() == pending.len();
        let unfinished = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if at_end && unfinished {
            break;
        }
        text.push(char::REPLACEMENT_CHARACTER);
        done += invalid.len();
    }
    pending.drain(..done);
    text
}
