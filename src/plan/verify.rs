//! What holds for every plan: each value is written once and before it is read, states alone are updated, every kernel can do what is
//! asked of it; and for every assignment of buffers: nobody finds another value in the place of his own, and no buffer has two roles in
//! a step (WebGPU forbids it, whatever the ranges).
//!
//! Executors check a plan so in debug builds, tests in all of them.

use thiserror::Error;

use super::memory::Assignment;
use super::{Plan, Storage, ValueId};
use crate::kernel::{Extent, Io, Operand};

/// What is wrong with a plan, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("step {step} ({kernel}): {what}")]
pub struct PlanFault {
    /// Which step.
    pub step: usize,
    /// Stem of its kernel.
    pub kernel: &'static str,
    /// What is wrong with it.
    pub what: String,
}

impl Plan {
    /// Checks the plan itself, for runs of up to this extent.
    ///
    /// # Errors
    /// The first step that breaks a rule.
    pub fn verify(&self, largest: Extent) -> Result<(), PlanFault> {
        let mut written = vec![false; self.values.len()];
        for (index, step) in self.steps.iter().enumerate() {
            let fault = |what: String| PlanFault { step: index, kernel: step.op.kernel().stem(), what };
            let name = |id: ValueId| self.value(id).name.clone();
            if let Some(id) = step.touches().find(|id| id.index() >= self.values.len()) {
                return Err(fault(format!("it touches %{}, which is no value", id.0)));
            }
            for &id in &step.reads {
                if step.changes().any(|other| other == id) {
                    return Err(fault(format!("it reads and changes {}", name(id))));
                }
                let given =
                    matches!(self.value(id).storage, Storage::Weight | Storage::Input | Storage::State);
                if !given && !written[id.index()] {
                    return Err(fault(format!("it reads {}, which nobody has written", name(id))));
                }
            }
            for &id in &step.writes {
                if !matches!(self.value(id).storage, Storage::Temp | Storage::Output) {
                    return Err(fault(format!("it writes {}, which is not its to write", name(id))));
                }
                if std::mem::replace(&mut written[id.index()], true) {
                    return Err(fault(format!("it writes {} again", name(id))));
                }
            }
            if let Some(&id) = step.updates.iter().find(|id| self.value(**id).storage != Storage::State) {
                return Err(fault(format!("it updates {}, which is no state", name(id))));
            }
            let operands = |ids: &mut dyn Iterator<Item = ValueId>| -> Vec<Operand> {
                ids.map(|id| self.operand(id, largest)).collect()
            };
            let (inputs, outputs) =
                (operands(&mut step.reads.iter().copied()), operands(&mut step.changes()));
            let io = Io { inputs: &inputs, outputs: &outputs, extent: largest, row_start: 0 };
            if let Some(expected) = step.op.kernel().unsupported(&io) {
                return Err(fault(format!("expected {expected}")));
            }
        }
        Ok(())
    }

    /// Checks an assignment of buffers by a run in which every value is its own name.
    ///
    /// # Errors
    /// The first step that would find or do something wrong.
    pub fn verify_buffers(&self, assignment: &Assignment, extent: Extent) -> Result<(), PlanFault> {
        let mut held: Vec<Option<ValueId>> = vec![None; assignment.buffer_bytes.len()];
        let buffer = |id: ValueId| assignment.buffer_of[id.index()];
        for (index, step) in self.steps.iter().enumerate() {
            let fault = |what: String| PlanFault { step: index, kernel: step.op.kernel().stem(), what };
            for &id in &step.reads {
                if let Some(buffer) = buffer(id)
                    && held[buffer] != Some(id)
                {
                    return Err(fault(format!("it finds {:?} in place of {id:?}", held[buffer])));
                }
            }
            for id in step.changes() {
                let is_temp = self.value(id).storage == Storage::Temp;
                let buffer = match buffer(id) {
                    Some(buffer) if is_temp => buffer,
                    None if !is_temp => continue,
                    other => return Err(fault(format!("{:?} in {other:?}", self.value(id)))),
                };
                if step.reads.iter().any(|&read| assignment.buffer_of[read.index()] == Some(buffer)) {
                    return Err(fault(format!("it reads and writes buffer {buffer}")));
                }
                if assignment.buffer_bytes[buffer] < self.operand(id, extent).bytes() {
                    return Err(fault(format!("{id:?} does not fit buffer {buffer}")));
                }
                if assignment.buffer_dtype[buffer] != self.value(id).dtype {
                    return Err(fault(format!("{id:?} is of another type than buffer {buffer}")));
                }
                held[buffer] = Some(id);
            }
            if step.changes().any(|id| buffer(id).is_some_and(|buffer| held[buffer] != Some(id))) {
                return Err(fault("two of its outputs share a buffer".to_owned()));
            }
        }
        Ok(())
    }
}
