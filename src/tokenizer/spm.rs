//! The SentencePiece "llama" encoder: neighbouring symbols merge, best score first, until no pair of
//! neighbours is a token.
//!
//! Order as in llama.cpp (`llm_tokenizer_spm_session`): of equal scores the leftmost pair merges first.

use std::collections::BinaryHeap;
use std::ops::Range;

use super::error::TokenizerError;
use super::vocab::Vocab;
use super::windows::{Merged, WINDOW, merge_long};

/// What stands for a space in token texts.
pub(super) const SPACE_MARK: &str = "\u{2581}";
const NONE: u32 = u32::MAX;

/// Scores of the tokens and what to do with bytes that no token covers.
#[derive(Clone, Debug)]
pub(crate) struct Spm {
    /// Per token, ordered like the score: see [`ordered`].
    scores: Vec<u32>,
    byte_tokens: Vec<Option<u32>>,
    /// Whether a text that opens the input or follows a special token gets a space put before it.
    pub add_space_prefix: bool,
}

#[derive(Clone, Copy, Debug)]
struct Symbol {
    start: u32,
    /// 0 once it has been merged into its left neighbour.
    bytes: u32,
    previous: u32,
    next: u32,
    /// [`NONE`] for a character that has not been merged yet.
    id: u32,
}

/// A pair of neighbours whose concatenation is a token; the greatest merges first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Merge {
    score: u32,
    /// `!left`, so that of equal scores the leftmost is the greatest.
    left_reversed: u32,
    right: u32,
    bytes: u32,
    id: u32,
}

/// Buffers that windows share.
#[derive(Default)]
struct Work {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Merge>,
}

impl Spm {
    /// `scores` is empty (all equal) or at least as long as the vocabulary.
    pub fn new(vocab: &Vocab, scores: &[f32], add_space_prefix: bool) -> Result<Self, TokenizerError> {
        super::vocab::check_length("scores", scores.len(), vocab.len())?;
        if let Some(place) = scores.iter().position(|score| score.is_nan()) {
            return Err(TokenizerError::BadVocabulary {
                what: "scores",
                expected: "numbers".into(),
                got: format!("NaN for token {place}"),
            });
        }
        let scores = match scores.is_empty() {
            true => vec![ordered(0.0); vocab.len()],
            false => scores.iter().take(vocab.len()).map(|&score| ordered(score)).collect(),
        };
        let byte_tokens = (0..=255).map(|byte| vocab.byte_token(byte)).collect();
        Ok(Spm { scores, byte_tokens, add_space_prefix })
    }

    /// Appends the ids of one fragment to `ids`.
    pub fn encode(
        &self,
        vocab: &Vocab,
        fragment: &str,
        after_special: bool,
        ids: &mut Vec<u32>,
    ) -> Result<(), TokenizerError> {
        let prefix = if self.add_space_prefix && after_special { SPACE_MARK } else { "" };
        let mut escaped = String::with_capacity(prefix.len() + fragment.len());
        escaped.push_str(prefix);
        for (index, part) in fragment.split(' ').enumerate() {
            escaped.push_str(if index > 0 { SPACE_MARK } else { "" });
            escaped.push_str(part);
        }
        let text = escaped.as_bytes();

        let mut work = Work::default();
        let mut failed = None;
        merge_long(
            text.len(),
            WINDOW,
            |at| escaped.floor_char_boundary(at),
            |range, merged| self.merge_all(vocab, &escaped, range, &mut work, merged),
            |symbol, at, ids| {
                let piece = text.get(at..at + symbol.bytes as usize).unwrap_or_default();
                failed = failed.take().or_else(|| self.emit(vocab, piece, symbol.id, ids).err());
            },
            ids,
        );
        failed.map_or(Ok(()), Err)
    }

    /// Merges the characters of `escaped[range]`, as if nothing stood around them.
    fn merge_all(
        &self,
        vocab: &Vocab,
        escaped: &str,
        range: Range<usize>,
        work: &mut Work,
        merged: &mut Vec<Merged>,
    ) {
        merged.clear();
        let Work { symbols, queue } = work;
        let Some(part) = escaped.get(range) else { return };
        let text = part.as_bytes();
        let count = part.chars().count() as u32;
        symbols.clear();
        symbols.extend(part.char_indices().zip(0u32..).map(|((start, char), place)| Symbol {
            start: start as u32,
            bytes: char.len_utf8() as u32,
            previous: place.checked_sub(1).unwrap_or(NONE),
            next: if place + 1 < count { place + 1 } else { NONE },
            id: NONE,
        }));
        queue.clear();
        for right in 1..count {
            queue.extend(self.merge(vocab, text, symbols, right - 1, right));
        }
        while let Some(merge) = queue.pop() {
            let (left, right) = (!merge.left_reversed, merge.right);
            let (Some(&a), Some(&b)) = (symbols.get(left as usize), symbols.get(right as usize)) else {
                continue;
            };
            // One of the two has changed since: a longer pair has been queued in its place.
            if a.bytes == 0 || b.bytes == 0 || a.bytes + b.bytes != merge.bytes {
                continue;
            }
            if let Some(symbol) = symbols.get_mut(left as usize) {
                *symbol = Symbol { bytes: merge.bytes, next: b.next, id: merge.id, ..a };
            }
            if let Some(symbol) = symbols.get_mut(right as usize) {
                symbol.bytes = 0;
            }
            if let Some(symbol) = symbols.get_mut(b.next as usize) {
                symbol.previous = left;
            }
            queue.extend(self.merge(vocab, text, symbols, a.previous, left));
            queue.extend(self.merge(vocab, text, symbols, left, b.next));
        }
        let mut at = if symbols.is_empty() { NONE } else { 0 };
        while let Some(symbol) = symbols.get(at as usize) {
            merged.push(Merged { bytes: symbol.bytes, id: symbol.id });
            at = symbol.next;
        }
    }

    fn merge(&self, vocab: &Vocab, text: &[u8], symbols: &[Symbol], left: u32, right: u32) -> Option<Merge> {
        let (a, b) = (symbols.get(left as usize)?, symbols.get(right as usize)?);
        let bytes = a.bytes + b.bytes;
        let id = vocab.find(text.get(a.start as usize..(a.start + bytes) as usize)?)?;
        let score = *self.scores.get(id as usize)?;
        Some(Merge { score, left_reversed: !left, right, bytes, id })
    }

    fn emit(&self, vocab: &Vocab, piece: &[u8], id: u32, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        if id != NONE {
            ids.push(id);
            return Ok(());
        }
        if let Some(id) = vocab.find(piece) {
            ids.push(id);
            return Ok(());
        }
        for &byte in piece {
            let token = self.byte_tokens.get(usize::from(byte)).copied().flatten();
            ids.push(token.or(vocab.unk).ok_or(TokenizerError::Unencodable { byte })?);
        }
        Ok(())
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.scores.capacity() * size_of::<u32>() + self.byte_tokens.capacity() * size_of::<Option<u32>>()
    }
}

/// Bits of a score that compare as integers the way the scores compare as numbers.
fn ordered(score: f32) -> u32 {
    let bits = (score + 0.0).to_bits(); // + 0.0 makes -0.0 and 0.0 the same number
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}
