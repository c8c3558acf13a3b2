//! What a run of a plan takes, by its text alone: steps, bytes, work. In 64 bits: a browser's addresses have 32.

use super::{Plan, Storage};
use crate::kernel::{Extent, Io, Operand};

/// What a run takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Kernels that run: dispatches, where no weight is bound in parts.
    pub steps: u64,
    /// Bytes of weights that are multiplied with or read as vectors; of a table that is looked up, the rows.
    pub weight_bytes: u64,
    /// Bytes of everything else that is read.
    pub read_bytes: u64,
    /// Bytes that are written; of a state that is updated, what changes.
    pub written_bytes: u64,
    /// Work in multiply-adds or elements moved.
    pub work: u64,
}

impl Counts {
    /// Of a run of this extent.
    pub fn of(plan: &Plan, extent: Extent) -> Self {
        let mut counts = Counts::default();
        for step in &plan.steps {
            let operands = |ids: &[super::ValueId]| -> Vec<Operand> {
                ids.iter().map(|&id| plan.operand(id, extent)).collect()
            };
            let inputs = operands(&step.reads);
            let outputs: Vec<Operand> = step.changes().map(|id| plan.operand(id, extent)).collect();
            let kernel = step.op.kernel();
            let io = Io { inputs: &inputs, outputs: &outputs, extent, row_start: 0 };
            counts.steps += 1;
            counts.work += kernel.cost(&io);
            for (&id, operand) in step.reads.iter().zip(&inputs) {
                let rows = Operand { rows: extent.tokens.min(operand.rows), ..*operand };
                match plan.value(id).storage {
                    Storage::Weight if kernel.looks_up() => counts.weight_bytes += rows.bytes(),
                    Storage::Weight => counts.weight_bytes += operand.bytes(),
                    _ => counts.read_bytes += operand.bytes(),
                }
            }
            counts.written_bytes += operands(&step.writes).iter().map(Operand::bytes).sum::<u64>();
            if !step.updates.is_empty() {
                counts.written_bytes += inputs.first().map_or(0, Operand::bytes);
            }
        }
        counts
    }
}
