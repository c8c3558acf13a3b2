//! Steps of a plan: a kernel on some values.

use super::ValueId;
use crate::kernel::Op;

/// One kernel on some values. It is bound to them in this order: what it reads, what it writes, what it updates.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The operation.
    pub op: Op,
    /// Values it reads.
    pub reads: Vec<ValueId>,
    /// Values it writes whole.
    pub writes: Vec<ValueId>,
    /// States of which it writes a part, in place.
    pub updates: Vec<ValueId>,
}

impl Step {
    /// Everything that is another after it.
    pub fn changes(&self) -> impl Iterator<Item = ValueId> + '_ {
        self.writes.iter().chain(&self.updates).copied()
    }

    /// Everything that it touches.
    pub fn touches(&self) -> impl Iterator<Item = ValueId> + '_ {
        self.reads.iter().copied().chain(self.changes())
    }
}
