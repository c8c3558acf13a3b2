//! Merges a long text a window at a time, with the result of merging it whole, so that memory does not grow with the text.
//!
//! What makes that exact: merging always takes the best pair of neighbours there is, the leftmost of equals. So
//! 1. what stands between two boundaries of the result is the result of merging it alone, since no pair that was taken reaches
//!    over them, and of all others the best one is taken in the same order;
//! 2. two results stand side by side unchanged where their last and first symbol do, merged as a text of their own: the first
//!    pair over the boundary that the whole would take is a pair of parts of these two, and those two alone would take it as well.
//!
//! A window is therefore merged, and cut at one of its boundaries well before its end; the next window begins there, and the cut holds
//! if the symbols on both sides of it do. Where no cut holds the window is made longer, which may change its first symbol: then the cut
//! before it has to hold again, or that one is taken back too.

use std::ops::Range;

/// Bytes that are merged at once; a text of up to twice as many is merged whole.
pub(super) const WINDOW: usize = 1 << 16;
/// Cuts of a window that are tried before it is made longer.
const CUTS: usize = 8;

/// A piece of the text that no further pair takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Merged {
    /// Length in bytes of the text.
    pub bytes: u32,
    /// What the encoder knows it by.
    pub id: u32,
}

/// A window that was cut: where it began, how long the output was there, and the bytes of the symbol before it.
struct Cut {
    start: usize,
    mark: usize,
    left: Option<usize>,
}

/// Appends what `emit` makes of each symbol of a text of `length` bytes, in order, to `out`; `emit` is told where the symbol begins.
/// `merge` merges a range alone and replaces what is in the list by its symbols; ranges begin and end where `boundary` says that
/// they may, at or before the byte asked for.
pub(super) fn merge_long<T>(
    length: usize,
    mut window: usize,
    boundary: impl Fn(usize) -> usize,
    mut merge: impl FnMut(Range<usize>, &mut Vec<Merged>),
    mut emit: impl FnMut(Merged, usize, &mut Vec<T>),
    out: &mut Vec<T>,
) {
    let end_of = |start: usize, span: usize| match length - start <= 2 * span {
        true => length,
        false => boundary(start + span).max(start),
    };
    let (mut held, mut next, mut pair) = (Vec::new(), Vec::new(), Vec::new());
    let mut cuts: Vec<Cut> = Vec::new();
    let (mut start, mut span, mut left) = (0, window, None::<usize>);
    merge(start..end_of(start, span), &mut held);
    'windows: while end_of(start, span) < length {
        // Not among the last symbols, which what follows may still change.
        let mut before = held.len() - held.len() / 16 - usize::from(!held.is_empty());
        let step = (held.len() / (2 * CUTS)).max(1);
        for _ in 0..CUTS {
            let neighbours =
                before.checked_sub(1).and_then(|last| Some((*held.get(last)?, *held.get(before)?)));
            let Some((last, right)) = neighbours else { break };
            let at = start + bytes_of(held.get(..before).unwrap_or_default());
            merge(at..end_of(at, window), &mut next);
            let Some(behind) = next.first().copied() else { break };
            let last = last.bytes as usize;
            // Two that already stand side by side do so alone as well, by the first of the rules.
            let holds = behind.bytes == right.bytes || {
                merge(at - last..at + behind.bytes as usize, &mut pair);
                stands(&pair, last)
            };
            if holds {
                cuts.push(Cut { start, mark: out.len(), left });
                emit_all(held.get(..before).unwrap_or_default(), start, &mut emit, out);
                std::mem::swap(&mut held, &mut next);
                (start, span, left) = (at, window, Some(last));
                continue 'windows;
            }
            before = before.saturating_sub(step);
        }
        span *= 2;
        loop {
            merge(start..end_of(start, span), &mut held);
            let (Some(last), Some(first)) = (left, held.first()) else { break };
            merge(start - last..start + first.bytes as usize, &mut pair);
            if stands(&pair, last) {
                break;
            }
            let Some(cut) = cuts.pop() else { break };
            out.truncate(cut.mark);
            // Of such a text all further windows are longer, so that this can't go round in a circle.
            window *= 2;
            span = (span + start - cut.start).max(window);
            (start, left) = (cut.start, cut.left);
        }
    }
    emit_all(&held, start, &mut emit, out);
}

/// Whether two symbols merged as a text of their own are these two still.
fn stands(pair: &[Merged], left: usize) -> bool {
    pair.len() == 2 && pair.first().is_some_and(|first| first.bytes as usize == left)
}

fn bytes_of(symbols: &[Merged]) -> usize {
    symbols.iter().map(|symbol| symbol.bytes as usize).sum()
}

fn emit_all<T>(
    symbols: &[Merged],
    start: usize,
    emit: &mut impl FnMut(Merged, usize, &mut Vec<T>),
    out: &mut Vec<T>,
) {
    let mut at = start;
    for &symbol in symbols {
        emit(symbol, at, out);
        at += symbol.bytes as usize;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// The rule itself, with the best of all pairs looked for at each step.
    fn merged(text: &[u8], scores: &HashMap<Vec<u8>, u8>) -> Vec<Merged> {
        let mut symbols: Vec<Vec<u8>> = text.iter().map(|&byte| vec![byte]).collect();
        loop {
            let pairs = symbols
                .windows(2)
                .enumerate()
                .filter_map(|(at, pair)| Some((*scores.get(&pair.concat())?, at)));
            let best = pairs.min_by_key(|&(score, at)| (std::cmp::Reverse(score), at));
            let Some((_, at)) = best else { break };
            let right = symbols.remove(at + 1);
            symbols[at].extend(right);
        }
        symbols.iter().map(|symbol| Merged { bytes: symbol.len() as u32, id: 0 }).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn windows_say_what_the_whole_says(
            tokens in prop::collection::vec(("[ab]{2,6}", 0u8..6), 1..24),
            text in "[ab]{0,20}(a{0,60}|b{0,60}|(ab){0,40})[ab]{0,60}c?[ab]{0,20}",
            window in 1usize..24,
        ) {
            // One score a token: the first one given.
            let mut scores = HashMap::new();
            for (token, score) in tokens {
                scores.entry(token.into_bytes()).or_insert(score);
            }
            let text = text.as_bytes();
            let mut got = vec![Merged { bytes: 0, id: 7 }];
            merge_long(text.len(), window, |at| at, |range, out| *out = merged(&text[range], &scores), |s, _, out| out.push(s), &mut got);
            prop_assert_eq!(got.remove(0).id, 7);
            prop_assert_eq!(got, merged(text, &scores));
        }
    }
}
