//! Where keys and values lie: `[kv_heads, slots, head_dim]` for each layer, a position's slot being its remainder by `slots`.

use std::ops::Range;

use crate::model::blocks::names;
use crate::plan::ExecError;
use crate::session::model::State;
use crate::session::{Model, SessionError};

/// Keys or values of one layer.
pub(super) struct CacheTensor {
    state: State,
    /// Bytes of one position of one head.
    row: usize,
    heads: usize,
    /// Positions that it holds: all of the context, or a ring of the last ones.
    pub slots: usize,
    /// Whether its layer sees a sliding window only.
    pub is_local: bool,
}

impl CacheTensor {
    /// Those of a decoder whose plans are prepared: keys, then values, of each layer.
    pub fn all(model: &Model) -> Result<Vec<Self>, SessionError> {
        let config = &model.config;
        let tensor = |layer: usize, what: &str| {
            Ok(CacheTensor {
                state: model.state(&names::cache(layer, what))?,
                row: config.head_dim * model.kv.block_bytes(),
                heads: config.kv_heads,
                slots: model.slots(layer),
                is_local: config.is_local(layer),
            })
        };
        (0..config.layers).flat_map(|layer| ["k", "v"].map(|what| tensor(layer, what))).collect()
    }

    /// Bytes of so many positions.
    pub fn bytes(&self, positions: usize) -> u64 {
        (self.heads * self.row) as u64 * positions as u64
    }

    /// Where some positions are, as stretches of bytes in the order `[kv_heads, positions, head_dim]`. Of more positions than there are
    /// slots, later ones are where earlier ones were.
    fn stretches(&self, positions: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        (0..self.heads).flat_map(move |head| {
            let mut position = positions.start;
            let end = positions.end;
            std::iter::from_fn(move || {
                let slot = position % self.slots;
                // Up to where the ring begins anew.
                let count = (self.slots - slot).min(end.saturating_sub(position));
                let at = (head * self.slots + slot) * self.row;
                position += count;
                (count > 0).then_some(at..at + count * self.row)
            })
        })
    }

    /// Appends what some positions hold, `[kv_heads, positions, head_dim]`.
    pub async fn read(
        &self,
        model: &mut Model,
        positions: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Result<(), SessionError> {
        let state = model.read_state(&self.state).await?;
        for stretch in self.stretches(positions) {
            out.extend_from_slice(state.get(stretch.clone()).ok_or_else(|| short(&stretch, state.len()))?);
        }
        Ok(())
    }

    /// Writes some positions, given as [`read`](Self::read) gives them; others stay as they are.
    pub fn write(&self, model: &mut Model, positions: Range<usize>, rows: &[u8]) -> Result<(), SessionError> {
        let mut at = 0;
        for stretch in self.stretches(positions) {
            let behind = at + stretch.len();
            let rows = rows.get(at..behind).ok_or_else(|| short(&(at..behind), rows.len()))?;
            model.write_state(&self.state, stretch.start, rows)?;
            at = behind;
        }
        Ok(())
    }
}

fn short(expected: &Range<usize>, got: usize) -> SessionError {
    ExecError::Mismatch {
        operation: "copying",
        name: "keys and values".to_owned(),
        expected: format!("at least {} bytes", expected.end),
        got: got.to_string(),
    }
    .into()
}
