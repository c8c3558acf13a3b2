//! Gives the temporaries of a plan their buffers: two of the same type share one when no step needs both.
//!
//! A buffer is never shared by an input and an output of the same step: WebGPU forbids one buffer bound read-only and
//! read-write in a dispatch, and no kernel is written to run in place.

use super::{Extent, Plan, Storage};
use crate::tensor::DType;

/// Which buffer each temporary lies in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Bytes of each shared buffer.
    pub buffer_bytes: Vec<u64>,
    /// Element type of each shared buffer: an executor that keeps numbers by their type can't take another one's memory.
    pub buffer_dtype: Vec<DType>,
    /// Buffer of each value of the plan, by its id; `None` for values that are no temporaries.
    pub buffer_of: Vec<Option<usize>>,
}

impl Assignment {
    /// Bytes of all shared buffers.
    pub fn total_bytes(&self) -> u64 {
        self.buffer_bytes.iter().sum()
    }
}

/// Assigns buffers for runs of up to this extent: a linear scan over the steps that takes the free buffer whose
/// size fits best, and grows the largest one when none fits.
pub fn assign(plan: &Plan, largest: Extent) -> Assignment {
    let mut last_use = vec![0; plan.values.len()];
    for (index, step) in plan.steps.iter().enumerate() {
        for id in step.touches() {
            last_use[id.index()] = index;
        }
    }
    let mut assignment = Assignment { buffer_of: vec![None; plan.values.len()], ..Assignment::default() };
    let mut free: Vec<usize> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        for id in step.changes() {
            let slot = id.index();
            if plan.value(id).storage != Storage::Temp || assignment.buffer_of[slot].is_some() {
                continue;
            }
            let operand = plan.operand(id, largest);
            let (bytes, dtype) = (operand.bytes(), operand.dtype);
            let size = |&&buffer: &&usize| assignment.buffer_bytes[buffer];
            let of_type = || free.iter().filter(|&&buffer| assignment.buffer_dtype[buffer] == dtype);
            let fitting = of_type().filter(|buffer| size(buffer) >= bytes).min_by_key(size).copied();
            let chosen = fitting.or_else(|| of_type().max_by_key(size).copied());
            let buffer = match chosen {
                Some(buffer) => {
                    free.retain(|&other| other != buffer);
                    assignment.buffer_bytes[buffer] = assignment.buffer_bytes[buffer].max(bytes);
                    buffer
                }
                None => {
                    assignment.buffer_bytes.push(bytes);
                    assignment.buffer_dtype.push(dtype);
                    assignment.buffer_bytes.len() - 1
                }
            };
            assignment.buffer_of[slot] = Some(buffer);
        }
        for id in step.touches() {
            let slot = id.index();
            if let Some(buffer) = assignment.buffer_of[slot]
                && last_use[slot] == index
                && !free.contains(&buffer)
            {
                free.push(buffer);
            }
        }
    }
    assignment
}
