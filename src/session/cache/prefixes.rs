//! The prefix cache: keys and values of beginnings that prompts have in common, kept beside the caches, whole or behind another
//! beginning. A document's passage that is asked about again and again is copied back instead of run.
//!
//! A prefix is kept when it is offered for the second time, since most are never wanted again.

use std::collections::VecDeque;
use std::hash::Hasher;

use twox_hash::XxHash64;

use super::Cache;
use crate::session::logits::OPERATION;
use crate::session::{Model, SessionError};

/// Bytes of all prefixes, at most; those used longest ago go first.
const ROOM: u64 = 64 << 20;
/// Prefixes that are remembered as offered once.
const OFFERED: usize = 256;

/// Keys and values of a prefix of prompts, or of the end of one.
struct Prefix {
    /// Tokens from position 0 to its end.
    ids: Vec<u32>,
    /// First position that is kept.
    from: usize,
    /// Of each cache its positions, `[kv_heads, positions, head_dim]`.
    tensors: Vec<Vec<u8>>,
}

impl Prefix {
    fn bytes(&self) -> u64 {
        let rows: usize = self.tensors.iter().map(Vec::len).sum();
        (4 * self.ids.len() + rows) as u64
    }
}

/// Prefixes that are kept.
#[derive(Default)]
pub(super) struct PrefixCache {
    /// Used last, last.
    kept: Vec<Prefix>,
    /// Hashes of what was offered once.
    offered: VecDeque<u64>,
}

impl PrefixCache {
    /// Bytes of all.
    pub fn bytes(&self) -> u64 {
        self.kept.iter().map(Prefix::bytes).sum()
    }

    /// Whether a prefix is offered for the second time, and not kept yet.
    fn wants(&mut self, ids: &[u32]) -> bool {
        if self.kept.iter().any(|prefix| prefix.ids == ids) {
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

    fn keep(&mut self, prefix: Prefix) {
        if prefix.bytes() > ROOM {
            return;
        }
        self.kept.push(prefix);
        while self.bytes() > ROOM {
            self.kept.remove(0);
        }
    }

    /// Takes out the longest prefix that `ids` begin with, where what is kept begins within the first `common` of them and spares
    /// some behind those: the last id runs in any case.
    fn take(&mut self, ids: &[u32], common: usize) -> Option<Prefix> {
        let fits = |prefix: &Prefix| {
            let spared = prefix.ids.len().min(ids.len().saturating_sub(1));
            prefix.from <= common && spared > common && ids.starts_with(&prefix.ids)
        };
        let fitting = self.kept.iter().enumerate().filter(|(_, prefix)| fits(prefix));
        let (at, _) = fitting.max_by_key(|(_, prefix)| prefix.ids.len())?;
        Some(self.kept.remove(at))
    }
}

impl Cache {
    /// Offers the positions of `ids` from `from` on, which the caches hold, to be kept. The second time they are copied.
    ///
    /// # Errors
    /// The device failed, or an abort.
    pub async fn keep_prefix(
        &mut self,
        model: &mut Model,
        ids: &[u32],
        from: usize,
    ) -> Result<(), SessionError> {
        let is_held =
            self.contents.ids().starts_with(ids) && self.contents.oldest() <= from && from < ids.len();
        if !is_held || !self.prefixes.wants(ids) {
            return Ok(());
        }
        let mut tensors = Vec::with_capacity(self.tensors.len());
        for tensor in &self.tensors {
            let mut rows = Vec::new();
            tensor.read(model, from..ids.len(), &mut rows).await?;
            model.pause(OPERATION).await?;
            tensors.push(rows);
        }
        self.prefixes.keep(Prefix { ids: ids.to_vec(), from, tensors });
        Ok(())
    }

    /// Copies the prefixes that spare most of `ids` into the caches, where some are kept.
    ///
    /// # Errors
    /// As [`keep_prefix`](Self::keep_prefix).
    pub async fn restore_prefixes(&mut self, model: &mut Model, ids: &[u32]) -> Result<(), SessionError> {
        let mut common = self.reusable(ids);
        while let Some(prefix) = self.prefixes.take(ids, common) {
            let written = self.write_prefix(model, &prefix);
            self.prefixes.kept.push(prefix);
            let spared = self.reusable(ids);
            // Each has to spare more than the one before, so that this ends.
            if !written? || spared <= common {
                break;
            }
            common = spared;
            model.pause(OPERATION).await?;
        }
        Ok(())
    }

    /// Writes a prefix into the caches; false where it would not find its whole window before it.
    fn write_prefix(&mut self, model: &mut Model, prefix: &Prefix) -> Result<bool, SessionError> {
        let positions = prefix.from..prefix.ids.len();
        if !self.contents.sees_all(prefix.from) {
            return Ok(false);
        }
        // Positions behind `from` are written over: they count as a run.
        self.contents.begin(prefix.from, positions.len());
        for (tensor, rows) in self.tensors.iter().zip(&prefix.tensors) {
            tensor.write(model, positions.clone(), rows)?;
        }
        self.contents.end(&prefix.ids[prefix.from..]);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(ids: &[u32], from: usize, bytes: usize) -> Prefix {
        Prefix { ids: ids.to_vec(), from, tensors: vec![vec![0; bytes]] }
    }

    #[test]
    fn a_prefix_is_wanted_the_second_time() {
        let mut prefixes = PrefixCache::default();
        assert!(!prefixes.wants(&[1, 2, 3]));
        assert!(!prefixes.wants(&[1, 2, 4]));
        assert!(prefixes.wants(&[1, 2, 3]));
        prefixes.keep(prefix(&[1, 2, 3], 1, 8));
        assert!(!prefixes.wants(&[1, 2, 3]), "it is kept");
        for id in 0..2 * OFFERED as u32 {
            assert!(!prefixes.wants(&[id]));
        }
        assert!(!prefixes.wants(&[1, 2, 4]), "that was long ago");
    }

    #[test]
    fn the_longest_that_fits_is_taken_and_the_oldest_goes() {
        let mut prefixes = PrefixCache::default();
        prefixes.keep(prefix(&[1, 2, 3], 1, 8));
        prefixes.keep(prefix(&[1, 2, 3, 4], 1, 8));
        prefixes.keep(prefix(&[1, 9, 3, 4, 5], 2, 8));
        assert!(prefixes.take(&[1, 2, 3, 4, 5], 0).is_none(), "what is before it is not held");
        assert!(prefixes.take(&[1, 2, 3, 4, 5], 4).is_none(), "it spares nothing");
        assert!(
            prefixes.take(&[1, 2, 3, 4], 3).is_none(),
            "it spares nothing but the last, which runs in any case"
        );
        assert!(prefixes.take(&[1, 9, 3, 4, 5], 1).is_none(), "it begins further on");
        let taken = prefixes.take(&[1, 2, 3, 4, 5], 1).map(|prefix| prefix.ids);
        assert_eq!(taken, Some(vec![1, 2, 3, 4]));
        prefixes.keep(prefix(&[7], 0, ROOM as usize + 1));
        assert_eq!(prefixes.kept.len(), 2, "what is larger than the room is not kept");
        prefixes.keep(prefix(&[8], 0, ROOM as usize - 100));
        assert_eq!(prefixes.kept.len(), 3);
        prefixes.keep(prefix(&[9], 0, 100));
        assert!(prefixes.bytes() <= ROOM && prefixes.kept.last().is_some_and(|last| last.ids == [9]));
    }
}
