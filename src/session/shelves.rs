//! Keys and values of stretches that prompts have in common behind the same beginning, kept beside the caches: a document's passage
//! that is asked about again and again is put back instead of run.
//!
//! A stretch is kept when it is offered for the second time, since most are never wanted again.

use std::collections::VecDeque;
use std::hash::Hasher;

use twox_hash::XxHash64;

use super::along::OPERATION;
use super::{Head, Session, SessionError};
use crate::plan::{ExecError, Executor};

/// Bytes of all stretches, at most; those used longest ago go first.
const ROOM: u64 = 64 << 20;
/// Stretches that are remembered as offered once.
const OFFERED: usize = 256;

/// A stretch of positions.
struct Shelf {
    /// Tokens from position 0 to its end.
    ids: Vec<u32>,
    /// Its first position.
    from: usize,
    /// For each cache its positions, `[kv_heads, positions, head_dim]`.
    states: Vec<Vec<u8>>,
}

impl Shelf {
    fn bytes(&self) -> u64 {
        let states: usize = self.states.iter().map(Vec::len).sum();
        (4 * self.ids.len() + states) as u64
    }
}

/// Stretches that are kept.
#[derive(Default)]
pub(super) struct Shelves {
    /// Used last, last.
    kept: Vec<Shelf>,
    /// Hashes of what was offered once.
    offered: VecDeque<u64>,
}

impl Shelves {
    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        self.kept.iter().map(Shelf::bytes).sum()
    }

    /// Whether a stretch is offered for the second time, and not kept yet.
    fn wants(&mut self, ids: &[u32]) -> bool {
        if self.kept.iter().any(|shelf| shelf.ids == ids) {
            return false;
        }
        let mut hash = XxHash64::with_seed(0);
        hash.write(bytemuck::cast_slice(ids));
        let hash = hash.finish();
        let known = self.offered.iter().position(|&known| known == hash);
        match known {
            Some(at) => _ = self.offered.remove(at),
            None => self.offered.push_back(hash),
        }
        if self.offered.len() > OFFERED {
            self.offered.pop_front();
        }
        known.is_some()
    }

    fn keep(&mut self, shelf: Shelf) {
        if shelf.bytes() > ROOM {
            return;
        }
        self.kept.push(shelf);
        while self.bytes() > ROOM {
            self.kept.remove(0);
        }
    }

    /// Takes out the longest stretch that `ids` begin with, where it begins within the first `common` of them and spares some behind
    /// those: the last id runs in any case.
    fn take(&mut self, ids: &[u32], common: usize) -> Option<Shelf> {
        let spared = |shelf: &Shelf| shelf.ids.len().min(ids.len().saturating_sub(1));
        let fits =
            |shelf: &Shelf| shelf.from <= common && spared(shelf) > common && ids.starts_with(&shelf.ids);
        let (at, _) =
            self.kept.iter().enumerate().filter(|(_, shelf)| fits(shelf)).max_by_key(|(_, s)| s.ids.len())?;
        Some(self.kept.remove(at))
    }
}

impl Session {
    /// Offers a stretch of a prompt for being kept: the positions of `ids` from `from` on, which the caches hold. The second time they
    /// are copied; [`logits_along`](Session::logits_along) puts them back where a text begins with `ids`, and the caches hold what
    /// is before `from`.
    ///
    /// # Errors
    /// The device failed.
    pub async fn shelve(&mut self, ids: &[u32], from: usize) -> Result<(), SessionError> {
        let is_held = self.held.ids().starts_with(ids) && self.held.oldest() <= from && from < ids.len();
        if !is_held || !self.shelves.wants(ids) {
            return Ok(());
        }
        let plan = self.plan(Head::None)?;
        let ready = self.prepared(Head::None)?;
        let mut states = Vec::new();
        for cache in self.caches() {
            let unknown =
                || ExecError::Unknown { operation: "shelve", what: "cache", name: cache.name.clone() };
            let value = plan.find(&cache.name).ok_or_else(unknown)?;
            let state = self.model.executor.read(ready.plan, value).await?;
            self.model.pause(OPERATION).await?;
            let mut rows = Vec::new();
            for head in 0..cache.heads {
                for position in from..ids.len() {
                    rows.extend(state.get(cache.slot(head, position)).ok_or_else(unknown)?);
                }
            }
            states.push(rows);
        }
        self.shelves.keep(Shelf { ids: ids.to_vec(), from, states });
        Ok(())
    }

    /// Puts back the stretches that spare most of `ids`, where some are kept.
    pub(super) async fn put_back(&mut self, ids: &[u32]) -> Result<(), SessionError> {
        let mut common = self.held.reusable(ids);
        while let Some(shelf) = self.shelves.take(ids, common) {
            let written = self.write_back(&shelf);
            self.shelves.kept.push(shelf);
            let spared = self.held.reusable(ids);
            // Each has to spare more than the one before, so that this ends.
            if !written? || spared <= common {
                break;
            }
            common = spared;
            self.model.pause(OPERATION).await?;
        }
        Ok(())
    }

    /// Writes a stretch into the caches; false where it would not find its whole window before it.
    fn write_back(&mut self, shelf: &Shelf) -> Result<bool, SessionError> {
        let (from, to) = (shelf.from, shelf.ids.len());
        if !self.held.sees_all(from) {
            return Ok(false);
        }
        // Positions behind `from` are written over: they count as a run.
        self.held.begin(from, to - from);
        for (cache, rows) in self.caches().iter().zip(&shelf.states) {
            let mut rows = rows.as_slice();
            for head in 0..cache.heads {
                let mut position = from;
                while position < to {
                    // Up to where the ring begins anew.
                    let count = (cache.slots - position % cache.slots).min(to - position);
                    let (stretch, behind) = rows.split_at(count * cache.row);
                    self.model.executor.write_at(&cache.name, cache.slot(head, position).start, stretch)?;
                    (rows, position) = (behind, position + count);
                }
            }
        }
        self.held.end(&shelf.ids[from..]);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(ids: &[u32], from: usize, bytes: usize) -> Shelf {
        Shelf { ids: ids.to_vec(), from, states: vec![vec![0; bytes]] }
    }

    #[test]
    fn a_stretch_is_wanted_the_second_time() {
        let mut shelves = Shelves::default();
        assert!(!shelves.wants(&[1, 2, 3]));
        assert!(!shelves.wants(&[1, 2, 4]));
        assert!(shelves.wants(&[1, 2, 3]));
        shelves.keep(shelf(&[1, 2, 3], 1, 8));
        assert!(!shelves.wants(&[1, 2, 3]), "it is kept");
        for id in 0..2 * OFFERED as u32 {
            assert!(!shelves.wants(&[id]));
        }
        assert!(!shelves.wants(&[1, 2, 4]), "that was long ago");
    }

    #[test]
    fn the_longest_that_fits_is_put_back_and_the_oldest_goes() {
        let mut shelves = Shelves::default();
        shelves.keep(shelf(&[1, 2, 3], 1, 8));
        shelves.keep(shelf(&[1, 2, 3, 4], 1, 8));
        shelves.keep(shelf(&[1, 9, 3, 4, 5], 2, 8));
        assert!(shelves.take(&[1, 2, 3, 4, 5], 0).is_none(), "what is before it is not held");
        assert!(shelves.take(&[1, 2, 3, 4, 5], 4).is_none(), "it spares nothing");
        assert!(
            shelves.take(&[1, 2, 3, 4], 3).is_none(),
            "it spares nothing but the last, which runs in any case"
        );
        assert!(shelves.take(&[1, 9, 3, 4, 5], 1).is_none(), "it begins further on");
        let taken = shelves.take(&[1, 2, 3, 4, 5], 1).map(|shelf| shelf.ids);
        assert_eq!(taken, Some(vec![1, 2, 3, 4]));
        shelves.keep(shelf(&[7], 0, ROOM as usize + 1));
        assert_eq!(shelves.kept.len(), 2, "what is larger than the room is not kept");
        shelves.keep(shelf(&[8], 0, ROOM as usize - 100));
        assert_eq!(shelves.kept.len(), 3);
        shelves.keep(shelf(&[9], 0, 100));
        assert!(shelves.bytes() <= ROOM && shelves.kept.last().is_some_and(|last| last.ids == [9]));
    }
}
