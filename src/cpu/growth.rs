//! The memory that a plan needs beside what is there.

use std::collections::HashMap;

use super::buffer::{Buffer, no_room};
use super::{CpuExecutor, Place, mismatch};
use crate::kernel::Operand;
use crate::plan::memory::Assignment;
use crate::plan::{ExecError, Storage, Value};
use crate::tensor::DType;

/// Name of the memory of temporaries in errors.
const TEMPORARIES: &str = "temporaries";

/// Memory that a plan needs beside what is there. It is taken over when all of it has been had, so that a plan which can't be prepared
/// leaves everything as it was.
#[derive(Default)]
pub(super) struct Growth {
    /// Behind the executor's buffers.
    made: Vec<Buffer>,
    /// In place of buffers that are too small, with their content.
    larger: Vec<(usize, Buffer)>,
    shared: Vec<(String, Shared)>,
    scratch: Vec<(DType, usize)>,
}

/// Buffer, operand and kind of an input or a state.
pub(super) type Shared = (usize, Operand, Storage);

impl Growth {
    /// A new buffer; its index.
    pub(super) fn make(
        &mut self,
        executor: &CpuExecutor,
        operand: Operand,
        name: &str,
    ) -> Result<usize, ExecError> {
        self.made.push(Buffer::zeros(operand, name)?);
        Ok(executor.buffers.len() + self.made.len() - 1)
    }

    /// Room for an operand in a buffer of its type.
    pub(super) fn grow(
        &mut self,
        executor: &CpuExecutor,
        index: usize,
        operand: Operand,
        name: &str,
    ) -> Result<(), ExecError> {
        let old = executor.buffers[index].bytes();
        if (old.len() as u64) < operand.bytes() {
            let mut larger = Buffer::zeros(operand, name)?;
            larger.bytes_mut()[..old.len()].copy_from_slice(old);
            self.larger.push((index, larger));
        }
        Ok(())
    }
}

impl CpuExecutor {
    /// Buffers for temporaries of a plan: the n-th of a type lies in the n-th that there is of it, made or grown where needed.
    pub(super) fn scratch_places(
        &self,
        assignment: &Assignment,
        growth: &mut Growth,
    ) -> Result<Vec<usize>, ExecError> {
        let mut places = Vec::with_capacity(assignment.buffer_bytes.len());
        let mut used: HashMap<DType, usize> = HashMap::new();
        for (&bytes, &dtype) in assignment.buffer_bytes.iter().zip(&assignment.buffer_dtype) {
            let blocks = usize::try_from(bytes / dtype.block_bytes() as u64);
            let blocks = blocks.map_err(|_| no_room(TEMPORARIES, bytes))?;
            let operand = Operand::new(dtype, blocks, dtype.block_elements());
            let nth = used.entry(dtype).or_default();
            let known = self.scratch.iter().filter(|(of, _)| *of == dtype).nth(*nth);
            *nth += 1;
            places.push(match known {
                Some(&(_, index)) => {
                    growth.grow(self, index, operand, TEMPORARIES)?;
                    index
                }
                None => {
                    let index = growth.make(self, operand, TEMPORARIES)?;
                    growth.scratch.push((dtype, index));
                    index
                }
            });
        }
        Ok(places)
    }

    /// The place of an input or a state, made on first sight.
    pub(super) fn shared_place(
        &self,
        value: &Value,
        operand: Operand,
        growth: &mut Growth,
    ) -> Result<Place, ExecError> {
        let Some(&(index, known, storage)) = self.shared.get(&value.name) else {
            let index = growth.make(self, operand, &value.name)?;
            growth.shared.push((value.name.clone(), (index, operand, value.storage)));
            return Ok(Place::Buffer(index));
        };
        let same = (known.dtype, known.cols, storage) == (operand.dtype, operand.cols, value.storage);
        if !same || (!value.dims.is_symbolic() && known.rows != operand.rows) {
            return Err(mismatch("prepare", &value.name, format!("{known:?}"), format!("{operand:?}")));
        }
        if known.rows < operand.rows {
            growth.grow(self, index, operand, &value.name)?;
            growth.shared.push((value.name.clone(), (index, operand, storage)));
        }
        Ok(Place::Buffer(index))
    }

    /// Makes what a plan needs the executor's own.
    pub(super) fn take_over(&mut self, growth: Growth) {
        self.buffers.extend(growth.made);
        for (index, larger) in growth.larger {
            self.buffers[index] = larger;
        }
        self.shared.extend(growth.shared);
        self.scratch.extend(growth.scratch);
    }
}
