//! Cuts a text at its special tokens before anything else is encoded.
//!
//! As llama.cpp does it (`tokenizer_st_partition`): the special tokens are gone through from the longest
//! to the shortest; each takes its leftmost occurrences in what the ones before it left over. That is not
//! a leftmost-longest scan: a longer token further right wins over a shorter one that overlaps it.
//! Instead of one search of the text per special token (6,414 of them in Gemma 3), one pass with a trie
//! lists all occurrences by token, then the tokens take theirs in order.

use super::vocab::{Attr, Vocab};

/// A stretch of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// Bytes `start..end`, to be encoded.
    Text {
        /// First byte.
        start: usize,
        /// After the last byte.
        end: usize,
    },
    /// A special token.
    Token(u32),
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// Its edges are `edges[first..first + count]`, sorted by byte.
    first: u32,
    count: u16,
    /// Place in [`SpecialTokens::order`] of the token that ends here.
    rank: u32,
}

const NO_RANK: u32 = u32::MAX;
/// Occurrences that a list has room for, however short the text.
const LEAST_ROOM: usize = 4096;

/// The special tokens of a vocabulary.
#[derive(Clone, Debug)]
pub(crate) struct SpecialTokens {
    /// Ids, longest text first, then by id.
    order: Vec<SpecialToken>,
    nodes: Vec<Node>,
    /// Byte and node it leads to.
    edges: Vec<(u8, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct SpecialToken {
    id: u32,
    bytes: u32,
    attr: Attr,
}

impl SpecialTokens {
    /// Collects the special tokens of `vocab`.
    pub fn new(vocab: &Vocab) -> Self {
        let text_of = |id: u32| vocab.pieces.text(id).unwrap_or_default();
        let mut order: Vec<SpecialToken> = (0..vocab.len() as u32)
            .filter_map(|id| Some((id, vocab.attr(id)?)))
            .filter(|(_, attr)| attr.any(Attr::SPECIAL))
            .map(|(id, attr)| SpecialToken { id, bytes: text_of(id).len() as u32, attr })
            .collect();
        order.sort_by_key(|token| std::cmp::Reverse(token.bytes));
        // Of several of one text the first takes every occurrence.
        let mut texts = std::collections::HashSet::new();
        order.retain(|token| texts.insert(text_of(token.id)));

        let mut by_text: Vec<(&[u8], u32)> =
            order.iter().enumerate().map(|(rank, token)| (text_of(token.id), rank as u32)).collect();
        by_text.sort_unstable();
        let mut specials = SpecialTokens {
            order,
            nodes: vec![Node { first: 0, count: 0, rank: NO_RANK }],
            edges: Vec::new(),
        };
        specials.build(&by_text);
        specials
    }

    /// Breadth first, so that the edges of a node lie side by side: every queue entry is a node and the
    /// range of `by_text` that shares its prefix.
    fn build(&mut self, by_text: &[(&[u8], u32)]) {
        let mut queue = std::collections::VecDeque::from([(0usize, by_text, 0usize)]);
        while let Some((node, mut range, depth)) = queue.pop_front() {
            let first = self.edges.len() as u32;
            let mut rank = NO_RANK;
            if let Some(((text, own), rest)) = range.split_first()
                && text.len() == depth
            {
                (rank, range) = (*own, rest);
            }
            while let Some(byte) = range.first().and_then(|(text, _)| text.get(depth).copied()) {
                let same = range.partition_point(|(text, _)| text.get(depth).copied() <= Some(byte));
                let (group, rest) = range.split_at(same);
                let child = self.nodes.len();
                self.nodes.push(Node { first: 0, count: 0, rank: NO_RANK });
                self.edges.push((byte, child as u32));
                queue.push_back((child, group, depth + 1));
                range = rest;
            }
            let count = (self.edges.len() as u32 - first) as u16;
            if let Some(node) = self.nodes.get_mut(node) {
                *node = Node { first, count, rank };
            }
        }
    }

    fn child(&self, node: Node, byte: u8) -> Option<Node> {
        let first = node.first as usize;
        let edges = self.edges.get(first..first + usize::from(node.count))?;
        let place = edges.binary_search_by_key(&byte, |&(label, _)| label).ok()?;
        self.nodes.get(edges.get(place)?.1 as usize).copied()
    }

    /// Calls `found(rank, position)` for each occurrence of each special token that begins where `open` says so.
    fn occurrences(&self, text: &[u8], open: impl Fn(usize) -> bool, mut found: impl FnMut(u32, usize)) {
        let Some(&root) = self.nodes.first() else { return };
        for position in (0..text.len()).filter(|&position| open(position)) {
            let mut node = root;
            for &byte in text.get(position..).unwrap_or_default() {
                match self.child(node, byte) {
                    Some(next) => node = next,
                    None => break,
                }
                if node.rank != NO_RANK {
                    found(node.rank, position);
                }
            }
        }
    }

    /// Cuts `text`. Control and unknown tokens are taken for text unless `parse_special`; user-defined
    /// ones are always cut out.
    pub fn partition(&self, text: &str, parse_special: bool) -> impl Iterator<Item = Fragment> {
        let bytes = text.as_bytes();
        let mut taken = Taken { bytes: vec![false; bytes.len()], tokens: Vec::new() };
        let mut from = 0;
        while from < self.order.len() {
            let until = self.take_some(bytes, from, parse_special, &mut taken);
            from = until.unwrap_or(self.order.len());
        }
        taken.fragments()
    }

    /// Lets tokens from rank `from` on take their occurrences: as many tokens as a list of half the text's length has room for,
    /// since a line break repeated is an occurrence of thirty tokens at each byte. Gives the first that is left; `None` where no
    /// further one occurs.
    fn take_some(&self, bytes: &[u8], from: usize, parse_special: bool, taken: &mut Taken) -> Option<usize> {
        let wanted = |rank: u32| {
            let token = self.order.get(rank as usize).filter(|_| rank as usize >= from);
            token.is_some_and(|token| parse_special || !token.attr.any(Attr::HIDDEN))
        };
        let mut counts: Vec<u32> = Vec::new();
        self.occurrences(
            bytes,
            |at| taken.is_free(at),
            |rank, _| {
                if wanted(rank) {
                    counts.resize(self.order.len(), 0);
                    if let Some(count) = counts.get_mut(rank as usize) {
                        *count += 1;
                    }
                }
            },
        );
        if counts.is_empty() {
            return None;
        }
        // Occurrences bucketed by token: a counting sort of (rank, position).
        let room = (bytes.len() / 2).max(LEAST_ROOM);
        let (mut until, mut total) = (from, 0);
        let mut starts: Vec<usize> = Vec::new();
        for &count in counts.iter().skip(from) {
            if total > 0 && total + count as usize > room {
                break;
            }
            starts.push(total);
            total += count as usize;
            until += 1;
        }
        let mut positions = vec![0u32; total];
        let mut next = starts.clone();
        self.occurrences(
            bytes,
            |at| taken.is_free(at),
            |rank, position| {
                if wanted(rank)
                    && let Some(slot) = next.get_mut(rank as usize - from)
                {
                    if let Some(place) = positions.get_mut(*slot) {
                        *place = position as u32;
                    }
                    *slot += 1;
                }
            },
        );
        drop(next);
        let tokens = self.order.iter().zip(&counts).skip(from);
        for ((token, &count), &start) in tokens.zip(&starts) {
            let bucket = positions.get(start..start + count as usize).unwrap_or_default();
            for &position in bucket {
                taken.take(bytes, *token, position as usize);
            }
        }
        Some(until)
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.order.capacity() * size_of::<SpecialToken>()
            + self.nodes.capacity() * size_of::<Node>()
            + self.edges.capacity() * size_of::<(u8, u32)>()
    }
}

/// Which bytes belong to special tokens so far.
struct Taken {
    bytes: Vec<bool>,
    /// Start, end with the whitespace that the token strips, id.
    tokens: Vec<(u32, u32, u32)>,
}

impl Taken {
    fn is_free(&self, at: usize) -> bool {
        self.bytes.get(at) == Some(&false)
    }

    fn take(&mut self, text: &[u8], token: SpecialToken, position: usize) {
        let mut start = position;
        let mut end = position + token.bytes as usize;
        // Whatever was taken before is at least as long as this token, so an overlap covers an end of it.
        let free = |at: usize| self.is_free(at);
        if token.bytes == 0 || !free(start) || !free(end - 1) {
            return;
        }
        let strippable = |at: usize| free(at) && text.get(at).is_some_and(|&byte| is_c_space(byte));
        if token.attr.any(Attr::LSTRIP) {
            while start > 0 && strippable(start - 1) {
                start -= 1;
            }
        }
        if token.attr.any(Attr::RSTRIP) {
            while strippable(end) {
                end += 1;
            }
        }
        if let Some(range) = self.bytes.get_mut(start..end) {
            range.fill(true);
            self.tokens.push((start as u32, end as u32, token.id));
        }
    }

    /// The tokens, and the stretches of text between them.
    fn fragments(self) -> impl Iterator<Item = Fragment> {
        let Taken { bytes, mut tokens } = self;
        let length = bytes.len();
        drop(bytes);
        tokens.sort_unstable();
        let text = |start: usize, end: usize| (start < end).then_some(Fragment::Text { start, end });
        let mut at = 0;
        let mut tokens = tokens.into_iter();
        let mut pending = None;
        std::iter::from_fn(move || {
            if let Some(fragment) = pending.take() {
                return Some(fragment);
            }
            let Some((start, end, id)) = tokens.next() else {
                let rest = text(at, length);
                at = length;
                return rest;
            };
            let before = text(at, start as usize);
            at = end as usize;
            match before {
                Some(before) => {
                    pending = Some(Fragment::Token(id));
                    Some(before)
                }
                None => Some(Fragment::Token(id)),
            }
        })
    }
}

/// C's `isspace`: what llama.cpp strips around such tokens.
fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0B | 0x0C | b'\r')
}
