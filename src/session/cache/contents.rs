//! What the KV cache holds: the token of each position, and from which position on the rings of sliding-window layers still have
//! theirs.
//!
//! A prompt that begins as the last one did need not run its beginning again. Global layers keep every position; a local layer
//! keeps the last `slots` that were written, of which a query sees `window`. Where going back needs older ones than those,
//! everything is run again.

/// The ring of sliding-window layers; it may hold the whole context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ring {
    /// Positions that a query sees, its own included.
    pub window: usize,
    /// Positions that it holds.
    pub slots: usize,
}

/// Tokens whose keys and values are in the caches.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// By position.
    ids: Vec<u32>,
    /// First position that the rings hold.
    oldest: usize,
    ring: Option<Ring>,
}

impl Contents {
    /// Caches that hold nothing yet.
    pub fn new(ring: Option<Ring>) -> Self {
        Contents { ring, ..Contents::default() }
    }

    /// Tokens by position.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// First position that every layer still has.
    pub fn oldest(&self) -> usize {
        self.oldest
    }

    /// A run over `tokens` positions from `pos` on begins. Until it has ended, what it writes is not to be relied on.
    pub fn begin(&mut self, pos: usize, tokens: usize) {
        self.ids.truncate(pos);
        if pos == 0 {
            self.oldest = 0;
        }
        if let Some(ring) = self.ring {
            self.oldest = self.oldest.max((pos + tokens).saturating_sub(ring.slots));
        }
    }

    /// That run has ended.
    pub fn end(&mut self, ids: &[u32]) {
        self.ids.extend_from_slice(ids);
    }

    /// What the same caches hold once everything in them was replaced from outside: positions `oldest..` of local layers, as far as
    /// their ring has room, and all positions of global ones.
    pub fn replaced(&self, ids: Vec<u32>, oldest: usize) -> Self {
        let lost = self.ring.map_or(0, |ring| ids.len().saturating_sub(ring.slots));
        Contents { oldest: oldest.max(lost), ids, ring: self.ring }
    }

    /// Tokens of `ids` that need not run again: all that they have in common with what is held but the last, whose logits are
    /// wanted; none where the first of the others would miss a part of its window.
    pub fn reusable(&self, ids: &[u32]) -> usize {
        let common = self.ids.iter().zip(ids).take_while(|(own, id)| own == id).count();
        let pos = common.min(ids.len().saturating_sub(1));
        if self.sees_all(pos) { pos } else { 0 }
    }

    /// Whether a query at `pos` finds its whole window.
    pub fn sees_all(&self, pos: usize) -> bool {
        let first = self.ring.map_or(0, |ring| (pos + 1).saturating_sub(ring.window));
        first >= self.oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring written slot by slot, as an executor does, tells for each position what it holds.
    struct Simulated {
        slots: Vec<Option<(usize, u32)>>,
    }

    impl Simulated {
        fn write(&mut self, pos: usize, ids: &[u32]) {
            for (offset, &id) in ids.iter().enumerate() {
                let slot = (pos + offset) % self.slots.len();
                self.slots[slot] = Some((pos + offset, id));
            }
        }

        fn has_window(&self, ids: &[u32], pos: usize, window: usize) -> bool {
            ((pos + 1).saturating_sub(window)..pos)
                .all(|at| self.slots[at % self.slots.len()] == Some((at, ids[at])))
        }
    }

    #[test]
    fn what_is_reused_is_what_a_ring_still_has() {
        let (window, slots) = (5, 9);
        let mut contents = Contents::new(Some(Ring { window, slots }));
        let mut ring = Simulated { slots: vec![None; slots] };
        let (mut reused, mut refused) = (0, 0);
        let mut random = 1_u32;
        let mut next = |below: usize| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as usize % below
        };
        let mut ids: Vec<u32> = Vec::new();
        for turn in 0..4000 {
            // Another end, and what goes before it kept.
            ids.truncate(next(ids.len() + 1));
            ids.extend((0..1 + next(12)).map(|offset| turn * 16 + offset as u32));
            let from = contents.reusable(&ids);
            let common =
                contents.ids().iter().zip(&ids).take_while(|(a, b)| a == b).count().min(ids.len() - 1);
            assert!(ring.has_window(&ids, from, window), "turn {turn}: {from} of {}", ids.len());
            // Nothing is run again that need not be.
            assert_eq!(from == common, ring.has_window(&ids, common, window) || common == 0, "turn {turn}");
            if common > 0 {
                *(if from > 0 { &mut reused } else { &mut refused }) += 1;
            }
            // In chunks of at most `slots - window`; now and then one is left before it has ended.
            let mut pos = from;
            while pos < ids.len() {
                let chunk = (ids.len() - pos).min(1 + next(slots - window));
                contents.begin(pos, chunk);
                ring.write(pos, &ids[pos..pos + chunk]);
                if next(20) == 0 {
                    break;
                }
                contents.end(&ids[pos..pos + chunk]);
                pos += chunk;
            }
        }
        assert!(reused > 100 && refused > 100, "{reused} reused, {refused} refused");
    }

    #[test]
    fn without_a_ring_everything_in_common_is_reused() {
        let mut contents = Contents::new(None);
        contents.begin(0, 4);
        assert_eq!(contents.reusable(&[1, 2]), 0, "a run that has not ended counts for nothing");
        contents.end(&[1, 2, 3, 4]);
        for (ids, expected) in [
            (&[1, 2, 3, 4, 5][..], 4),
            (&[1, 2, 3, 4], 3),
            (&[1, 2], 1),
            (&[1, 9, 3], 1),
            (&[9], 0),
            (&[], 0),
        ] {
            assert_eq!(contents.reusable(ids), expected, "{ids:?}");
        }
        contents.begin(2, 1);
        assert_eq!(contents.reusable(&[1, 2, 3, 4]), 2, "what is being written over is gone");
    }

    #[test]
    fn what_comes_from_another_ring_is_reused_where_a_window_is_whole() {
        let ids: Vec<u32> = (0..20).collect();
        let next: Vec<u32> = (0..21).collect();
        // A ring that holds the whole context loses nothing more than the other one had; one of 9 slots keeps positions from 11 on.
        for (slots, oldest, first_seen) in [(100, 0, 0), (100, 10, 14), (9, 10, 15), (9, 12, 16)] {
            let taken = Contents::new(Some(Ring { window: 5, slots })).replaced(ids.clone(), oldest);
            assert_eq!(taken.reusable(&next), 20, "{slots}, {oldest}");
            let seen = (0..20).find(|&pos| taken.sees_all(pos));
            assert_eq!(seen, Some(first_seen), "{slots}, {oldest}");
        }
        assert!(
            !Contents::new(None).replaced(ids, 3).sees_all(20),
            "layers without a window need every position"
        );
    }
}
