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

    /// Calls `found(rank, position)` for each occurrence of each special token.
    fn occurrences(&self, text: &[u8], mut found: impl FnMut(u32, usize)) {
        let Some(&root) = self.nodes.first() else { return };
        for position in 0..text.len() {
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
    pub fn partition(&self, text: &str, parse_special: bool) -> Vec<Fragment> {
        let bytes = text.as_bytes();
        let whole = Fragment::Text { start: 0, end: bytes.len() };
        let mut counts: Vec<u32> = Vec::new();
        let matched = |rank: u32| {
            self.order.get(rank as usize).is_some_and(|token| parse_special || !token.attr.any(Attr::HIDDEN))
        };
        self.occurrences(bytes, |rank, _| {
            if matched(rank) {
                counts.resize(self.order.len(), 0);
                if let Some(count) = counts.get_mut(rank as usize) {
                    *count += 1;
                }
            }
        });
        if bytes.is_empty() {
            return Vec::new();
        }
        if counts.is_empty() {
            return vec![whole];
        }

        // Occurrences bucketed by token: a counting sort of (rank, position).
        let total: u32 = counts.iter().sum();
        let mut starts: Vec<u32> = Vec::with_capacity(counts.len());
        let mut sum = 0;
        for count in &counts {
            starts.push(sum);
            sum += count;
        }
        let mut positions = vec![0u32; total as usize];
        let mut next = starts.clone();
        self.occurrences(bytes, |rank, position| {
            if matched(rank)
                && let Some(slot) = next.get_mut(rank as usize)
            {
                if let Some(place) = positions.get_mut(*slot as usize) {
                    *place = position as u32;
                }
                *slot += 1;
            }
        });

        let mut taken = Taken { bytes: vec![false; bytes.len()], tokens: Vec::new() };
        for ((token, &start), &count) in self.order.iter().zip(&starts).zip(&counts) {
            let bucket = positions.get(start as usize..(start + count) as usize).unwrap_or_default();
            for &position in bucket {
                taken.take(bytes, *token, position as usize);
            }
        }
        taken.fragments(bytes.len())
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
    tokens: Vec<(usize, usize, u32)>,
}

impl Taken {
    fn take(&mut self, text: &[u8], token: SpecialToken, position: usize) {
        let mut start = position;
        let mut end = position + token.bytes as usize;
        // Whatever was taken before is at least as long as this token, so an overlap covers an end of it.
        let free = |at: usize| self.bytes.get(at) == Some(&false);
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
            self.tokens.push((start, end, token.id));
        }
    }

    fn fragments(mut self, length: usize) -> Vec<Fragment> {
        self.tokens.sort_unstable();
        let mut fragments = Vec::with_capacity(self.tokens.len() * 2 + 1);
        let mut at = 0;
        for (start, end, id) in self.tokens {
            if at < start {
                fragments.push(Fragment::Text { start: at, end: start });
            }
            fragments.push(Fragment::Token(id));
            at = end;
        }
        if at < length {
            fragments.push(Fragment::Text { start: at, end: length });
        }
        fragments
    }
}

/// C's `isspace`: what llama.cpp strips around such tokens.
fn is_c_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0B | 0x0C | b'\r')
}
