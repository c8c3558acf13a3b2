//! A schedule as data: which kernels run, in which order, on which values.
//!
//! Values are in single-assignment form; the only exception is a [`Storage::State`], which a step may write again. The number
//! of tokens and their position are symbols bound by an [`Extent`] when a plan runs, so that one plan serves every length.
//! A plan prints as text: see [`Plan`]'s `Display`.

pub mod executor;
pub mod memory;

use std::fmt;

use crate::kernel::{Op, Operand};
use crate::tensor::DType;
pub use executor::{BackendInfo, BackendKind, Clock, ExecError, Executor, Precision, Progress};

/// Names a value of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

/// Rows of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Known when the plan is made.
    Fixed(usize),
    /// One row a token of the run.
    Tokens,
}

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Read-only, loaded from the model file under this name.
    Weight,
    /// Written by the host before a run; shared by all plans of an executor under its name.
    Input,
    /// Lives across runs, shared by all plans of an executor under its name; zero at first.
    State,
    /// Lives within a run, as long as a step still reads it.
    Temp,
    /// Written by the plan and kept until the next run, for the host to read.
    Output,
}

/// A value of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Weight's name in the file, or what the value holds.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Rows, perhaps symbolic.
    pub rows: Rows,
    /// Elements of a row.
    pub cols: usize,
    /// Where it lives.
    pub storage: Storage,
}

/// One kernel on some values.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The operation.
    pub op: Op,
    /// Values it reads, in the order of the kernel's bindings.
    pub inputs: Vec<ValueId>,
    /// Values it writes.
    pub outputs: Vec<ValueId>,
}

/// The symbols of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Tokens in this run, at least 1.
    pub tokens: usize,
    /// Position of the first of them in the sequence.
    pub pos: usize,
}

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
        &self.values[id.0 as usize]
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
    pub fn add(&mut self, storage: Storage, name: &str, dtype: DType, rows: Rows, cols: usize) -> ValueId {
        if storage != Storage::Temp
            && let Some(id) = self.find(name)
        {
            return id;
        }
        self.values.push(Value { name: name.to_owned(), dtype, rows, cols, storage });
        ValueId((self.values.len() - 1) as u32)
    }

    /// Adds a step that writes one new F32 temporary, and returns that.
    pub fn step(
        &mut self,
        op: impl Into<Op>,
        inputs: &[ValueId],
        name: &str,
        rows: Rows,
        cols: usize,
    ) -> ValueId {
        let output = self.add(Storage::Temp, name, DType::F32, rows, cols);
        self.step_into(op, inputs, output);
        output
    }

    /// Adds a step that writes a value that is there already: a state or an output.
    pub fn step_into(&mut self, op: impl Into<Op>, inputs: &[ValueId], output: ValueId) {
        self.steps.push(Step { op: op.into(), inputs: inputs.to_vec(), outputs: vec![output] });
    }

    /// Drops the steps whose temporaries nobody reads, and the values that only they had: what a run that only fills caches would
    /// compute after the last of them. Ids change.
    pub fn drop_unused_steps(&mut self) {
        let mut read = vec![false; self.values.len()];
        let mut kept = Vec::with_capacity(self.steps.len());
        for step in std::mem::take(&mut self.steps).into_iter().rev() {
            let used = |id: &ValueId| {
                let storage = self.values[id.0 as usize].storage;
                read[id.0 as usize] || matches!(storage, Storage::State | Storage::Output)
            };
            if step.outputs.iter().any(used) {
                step.inputs.iter().for_each(|id| read[id.0 as usize] = true);
                kept.push(step);
            }
        }
        kept.reverse();
        let mut ids = vec![None; self.values.len()];
        let mut values = Vec::new();
        for id in kept.iter_mut().flat_map(|step| step.inputs.iter_mut().chain(&mut step.outputs)) {
            let new = *ids[id.0 as usize].get_or_insert_with(|| {
                values.push(self.values[id.0 as usize].clone());
                ValueId((values.len() - 1) as u32)
            });
            *id = new;
        }
        (self.steps, self.values) = (kept, values);
    }

    /// The operand that a value is in a run of this extent.
    pub fn operand(&self, id: ValueId, extent: Extent) -> Operand {
        let value = self.value(id);
        let rows = match value.rows {
            Rows::Fixed(rows) => rows,
            Rows::Tokens => extent.tokens,
        };
        Operand::new(value.dtype, rows, value.cols)
    }
}

impl fmt::Display for Plan {
    /// One line a step: `%7 h F32[T, 640] = RmsNorm { eps: 1e-6 } %2, blk.0.attn_norm.weight`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id: &ValueId| {
            let value = self.value(*id);
            match value.storage {
                Storage::Temp => format!("%{}", id.0),
                _ => value.name.clone(),
            }
        };
        for step in &self.steps {
            for output in &step.outputs {
                let value = self.value(*output);
                let rows = match value.rows {
                    Rows::Fixed(rows) => rows.to_string(),
                    Rows::Tokens => "T".to_owned(),
                };
                let label =
                    if value.storage == Storage::Temp { format!(" {}", value.name) } else { String::new() };
                write!(f, "{}{label} {}[{rows}, {}] ", name(output), value.dtype, value.cols)?;
            }
            let inputs: Vec<String> = step.inputs.iter().map(name).collect();
            // `Op`'s variants are called like the kernels in them: one name is enough.
            let op = format!("{:?}", step.op);
            let kernel = op.split_once('(').and_then(|(_, kernel)| kernel.strip_suffix(')')).unwrap_or(&op);
            writeln!(f, "= {kernel} {}", inputs.join(", "))?;
        }
        Ok(())
    }
}
