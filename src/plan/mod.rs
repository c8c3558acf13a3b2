//! A schedule as data: which kernels run, in which order, on which values.
//!
//! Values are in single-assignment form; only a [`Storage::State`] is updated in place. What a run brings (tokens, sequences, rows that
//! are wanted) are symbols bound by an [`Extent`] when a plan runs, so that one plan serves every length; which token a row is and at
//! which position it stands is data, in an input of the run. A plan prints as text (`text.rs`).

pub mod count;
pub mod executor;
mod fuse;
pub mod memory;
mod step;
mod text;
pub mod uses;
mod value;
pub mod verify;

pub use crate::kernel::Extent;
use crate::kernel::{Op, Operand};
use crate::tensor::DType;
pub use executor::{BackendInfo, BackendKind, Clock, ExecError, Executor, Precision, Progress};
pub use step::Step;
pub use value::{Dim, Dims, Storage, Value, ValueId};

/// A schedule.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Every value, indexed by [`ValueId`].
    pub values: Vec<Value>,
    /// The steps, in the order they run.
    pub steps: Vec<Step>,
}

impl Plan {
    /// A plan without steps.
    pub fn new() -> Self {
        Plan::default()
    }

    /// The value behind an id that this plan gave out.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// A value with this name, if there is one.
    pub fn find(&self, name: &str) -> Option<ValueId> {
        self.values.iter().position(|value| value.name == name).map(|index| ValueId(index as u32))
    }

    /// The weights that it reads.
    pub fn weights(&self) -> impl Iterator<Item = &Value> {
        self.values.iter().filter(|value| value.storage == Storage::Weight)
    }

    /// Adds a value. Weights, inputs and states are found again by their name, so that adding one twice gives the same id.
    pub fn add(&mut self, storage: Storage, name: &str, dtype: DType, dims: impl Into<Dims>) -> ValueId {
        if storage != Storage::Temp
            && let Some(id) = self.find(name)
        {
            return id;
        }
        self.values.push(Value { name: name.to_owned(), dtype, dims: dims.into(), storage });
        ValueId((self.values.len() - 1) as u32)
    }

    /// Adds a step that writes one new F32 temporary, and returns that.
    pub fn step(
        &mut self,
        op: impl Into<Op>,
        reads: &[ValueId],
        name: &str,
        dims: impl Into<Dims>,
    ) -> ValueId {
        let output = self.add(Storage::Temp, name, DType::F32, dims);
        self.step_into(op, reads, output);
        output
    }

    /// Adds a step that writes a value that is there already: an output.
    pub fn step_into(&mut self, op: impl Into<Op>, reads: &[ValueId], output: ValueId) {
        self.steps.push(Step {
            op: op.into(),
            reads: reads.to_vec(),
            writes: vec![output],
            updates: Vec::new(),
        });
    }

    /// Adds a step that writes a part of a state, in place.
    pub fn step_updating(&mut self, op: impl Into<Op>, reads: &[ValueId], state: ValueId) {
        self.steps.push(Step {
            op: op.into(),
            reads: reads.to_vec(),
            writes: Vec::new(),
            updates: vec![state],
        });
    }

    /// Drops the steps whose temporaries nobody reads, and the values that only they had: what a run that only fills caches would
    /// compute after the last of them. Ids change.
    pub fn drop_unused_steps(&mut self) {
        let mut read = vec![false; self.values.len()];
        let mut kept = Vec::with_capacity(self.steps.len());
        for step in std::mem::take(&mut self.steps).into_iter().rev() {
            let used = |id: ValueId| {
                let storage = self.values[id.index()].storage;
                read[id.index()] || matches!(storage, Storage::State | Storage::Output)
            };
            if step.changes().any(used) {
                step.reads.iter().for_each(|id| read[id.index()] = true);
                kept.push(step);
            }
        }
        kept.reverse();
        let mut ids = vec![None; self.values.len()];
        let mut values = Vec::new();
        for step in &mut kept {
            for id in step.reads.iter_mut().chain(&mut step.writes).chain(&mut step.updates) {
                let new = *ids[id.index()].get_or_insert_with(|| {
                    values.push(self.values[id.index()].clone());
                    ValueId((values.len() - 1) as u32)
                });
                *id = new;
            }
        }
        (self.steps, self.values) = (kept, values);
    }

    /// The operand that a value is in a run of this extent.
    pub fn operand(&self, id: ValueId, extent: Extent) -> Operand {
        self.value(id).operand(extent)
    }
}
