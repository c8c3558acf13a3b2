//! The "gpt2" encoder: byte-level BPE with ranked merges, word by word.
//!
//! Token texts spell bytes as visible characters (GPT-2's byte alphabet). A word starts as one symbol a
//! byte; of neighbours that have a merge, the one with the lowest rank merges first, the leftmost of
//! equals. Symbols are ids throughout: a merge is looked up by its two ids, never by text. Parts of merges
//! that are no tokens get ids past the vocabulary.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::error::TokenizerError;
use super::patterns::PreTokenizer;
use super::pieces::FlatStrings;
use super::vocab::Vocab;
use super::windows::{Merged, WINDOW, merge_long};

const NONE: u32 = u32::MAX;
const EMPTY_SLOT: u32 = u32::MAX;

/// Merges and the pre-tokenizer.
#[derive(Clone, Debug)]
pub(crate) struct Bpe {
    pre: &'static PreTokenizer,
    merges: MergeTable,
    /// Symbol of each byte.
    byte_symbols: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Symbol {
    /// [`NONE`] once it has been merged into its left neighbour.
    id: u32,
    previous: u32,
    next: u32,
}

/// The lowest rank, then the leftmost.
type Queued = Reverse<(u32, u32, Pair)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    right_place: u32,
    left: u32,
    right: u32,
    merged: u32,
}

impl Bpe {
    /// Indexes `merges`, each `"left right"`.
    pub fn new(
        vocab: &mut Vocab,
        merges: &FlatStrings,
        pre: &'static PreTokenizer,
    ) -> Result<Self, TokenizerError> {
        let mut byte_symbols = Vec::with_capacity(256);
        for byte in 0..=255 {
            let mut text = [0; 4];
            byte_symbols.push(vocab.pieces.intern(byte_char(byte).encode_utf8(&mut text).as_bytes())?);
        }
        let merges = MergeTable::new(vocab, merges)?;
        Ok(Bpe { pre, merges, byte_symbols })
    }

    /// Appends the ids of one fragment to `ids`.
    pub fn encode(&self, vocab: &Vocab, fragment: &str, ids: &mut Vec<u32>) {
        let mut work = Work::default();
        self.pre.split(fragment, |word| self.encode_word(vocab, word.as_bytes(), &mut work, ids));
    }

    fn encode_word(&self, vocab: &Vocab, word: &[u8], work: &mut Work, ids: &mut Vec<u32>) {
        if self.pre.whole_words {
            work.spelled.clear();
            work.spelled.extend(word.iter().map(|&byte| byte_char(byte)));
            if let Some(id) = vocab.find(work.spelled.as_bytes()) {
                ids.push(id);
                return;
            }
        }
        merge_long(
            word.len(),
            WINDOW,
            |at| at,
            |range, merged| self.merge_all(word.get(range).unwrap_or_default(), work, merged),
            |symbol, _, ids| self.emit(vocab, symbol.id, ids),
            ids,
        );
    }

    /// Merges the bytes of a part of a word, as if nothing stood around them.
    fn merge_all(&self, part: &[u8], work: &mut Work, merged: &mut Vec<Merged>) {
        let symbols = &mut work.symbols;
        symbols.clear();
        for (place, &byte) in (0u32..).zip(part) {
            symbols.push(Symbol {
                id: self.byte_symbols.get(usize::from(byte)).copied().unwrap_or(NONE),
                previous: place.checked_sub(1).unwrap_or(NONE),
                next: if (place as usize) + 1 < part.len() { place + 1 } else { NONE },
            });
        }
        let queue = &mut work.queue;
        queue.clear();
        for right in 1..symbols.len() as u32 {
            queue.extend(self.queued(symbols, right - 1, right));
        }
        while let Some(Reverse((_, left, pair))) = queue.pop() {
            let (Some(&a), Some(&b)) = (symbols.get(left as usize), symbols.get(pair.right_place as usize))
            else {
                continue;
            };
            if a.id != pair.left || b.id != pair.right || a.next != pair.right_place {
                continue;
            }
            if let Some(symbol) = symbols.get_mut(left as usize) {
                *symbol = Symbol { id: pair.merged, next: b.next, ..a };
            }
            if let Some(symbol) = symbols.get_mut(pair.right_place as usize) {
                symbol.id = NONE;
            }
            if let Some(symbol) = symbols.get_mut(b.next as usize) {
                symbol.previous = left;
            }
            queue.extend(self.queued(symbols, a.previous, left));
            queue.extend(self.queued(symbols, left, b.next));
        }
        merged.clear();
        let mut at = 0;
        while let Some(symbol) = symbols.get(at as usize) {
            let end = if symbol.next == NONE { part.len() as u32 } else { symbol.next };
            merged.push(Merged { bytes: end - at, id: symbol.id });
            at = symbol.next;
        }
    }

    fn queued(&self, symbols: &[Symbol], left_place: u32, right_place: u32) -> Option<Queued> {
        let left = symbols.get(left_place as usize)?.id;
        let right = symbols.get(right_place as usize)?.id;
        let (rank, merged) = self.merges.find(left, right)?;
        Some(Reverse((rank, left_place, Pair { right_place, left, right, merged })))
    }

    /// A symbol that is no token falls apart into its characters; of those the single-byte ones that are
    /// tokens are kept. A byte without a token is dropped, as llama.cpp and the tokenizers crate do.
    fn emit(&self, vocab: &Vocab, symbol: u32, ids: &mut Vec<u32>) {
        if (symbol as usize) < vocab.len() {
            ids.push(symbol);
            return;
        }
        for byte in vocab.pieces.text(symbol).unwrap_or_default() {
            ids.extend(vocab.find(&[*byte]));
        }
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.merges.memory() + self.byte_symbols.capacity() * size_of::<u32>()
    }
}

/// Buffers that words share.
#[derive(Default)]
struct Work {
    symbols: Vec<Symbol>,
    queue: BinaryHeap<Queued>,
    spelled: String,
}

/// From a pair of symbols to the rank of its merge and the merged symbol.
#[derive(Clone, Debug)]
struct MergeTable {
    /// Left, right, merged; the index is the rank.
    merges: Vec<[u32; 3]>,
    /// Power-of-two slots holding ranks.
    slots: Vec<u32>,
}

impl MergeTable {
    fn new(vocab: &mut Vocab, texts: &FlatStrings) -> Result<Self, TokenizerError> {
        let mut merges = Vec::with_capacity(texts.len());
        let mut joined = Vec::new();
        for text in texts.iter() {
            // The left part may itself begin with a space, so the cut is looked for behind its first byte.
            let cut = text.iter().skip(1).position(|&byte| byte == b' ').map(|place| place + 1);
            let parts = cut.and_then(|cut| Some((text.get(..cut)?, text.get(cut + 1..)?)));
            let Some((left, right)) = parts else {
                merges.push([NONE; 3]); // keeps the ranks behind it
                continue;
            };
            joined.clear();
            joined.extend_from_slice(left);
            joined.extend_from_slice(right);
            merges.push([
                vocab.pieces.intern(left)?,
                vocab.pieces.intern(right)?,
                vocab.pieces.intern(&joined)?,
            ]);
        }
        let mut table =
            MergeTable { slots: vec![EMPTY_SLOT; (merges.len() * 2).next_power_of_two()], merges };
        for rank in 0..table.merges.len() as u32 {
            table.place(rank);
        }
        Ok(table)
    }

    /// Of two merges of one pair the first counts.
    fn place(&mut self, rank: u32) {
        let Some(&[left, right, _]) = self.merges.get(rank as usize) else { return };
        if left == NONE || self.find(left, right).is_some() {
            return;
        }
        let mask = self.slots.len() - 1;
        let mut slot = pair_hash(left, right) & mask;
        while let Some(entry) = self.slots.get_mut(slot) {
            if *entry == EMPTY_SLOT {
                *entry = rank;
                return;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn find(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        let mask = self.slots.len() - 1;
        let mut slot = pair_hash(left, right) & mask;
        loop {
            let rank = *self.slots.get(slot)?;
            if rank == EMPTY_SLOT {
                return None;
            }
            let &[a, b, merged] = self.merges.get(rank as usize)?;
            if a == left && b == right {
                return Some((rank, merged));
            }
            slot = (slot + 1) & mask;
        }
    }

    fn memory(&self) -> usize {
        self.merges.capacity() * size_of::<[u32; 3]>() + self.slots.capacity() * size_of::<u32>()
    }
}

fn pair_hash(left: u32, right: u32) -> usize {
    let mixed = (u64::from(left) << 32 | u64::from(right)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed ^ mixed >> 32) as usize
}

/// The character that spells `byte` in GPT-2's alphabet: itself where it is a visible Latin-1 character,
/// the others in order from U+0100.
pub(super) fn byte_char(byte: u8) -> char {
    let code = match byte {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => u32::from(byte),
        0x00..=0x20 => 0x100 + u32::from(byte),
        0x7F..=0xA0 => 0x121 + u32::from(byte - 0x7F),
        0xAD => 0x143,
    };
    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that `char` spells, if it is of GPT-2's alphabet.
pub(super) fn char_byte(char: char) -> Option<u8> {
    let code = u32::from(char);
    match code {
        0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => u8::try_from(code).ok(),
        0x100..=0x120 => u8::try_from(code - 0x100).ok(),
        0x121..=0x142 => u8::try_from(code - 0x121 + 0x7F).ok(),
        0x143 => Some(0xAD),
        _ => None,
    }
}
