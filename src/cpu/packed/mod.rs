//! A weight in the CPU executor's memory: eight rows together, so that a vector works on all of them (see [`layout`]).

pub mod layout;
mod repack;
pub mod unpack;

use bytemuck::Zeroable;

use super::pool::Pool;
use super::shared::SharedMut;
use super::simd::Level;
use crate::plan::ExecError;
use crate::tensor::{DType, TensorDesc};
use layout::{Layout, ROWS};

/// Bytes of a group below which handing it to another thread costs more than it saves.
const TASK_BYTES: usize = 1 << 16;

/// Memory in whole cache lines.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes that begin on a cache line.
#[derive(Default)]
struct Lines {
    lines: Vec<Line>,
    bytes: usize,
}

impl Lines {
    /// Room that the system need not back with memory before something is written.
    fn reserved(bytes: usize, what: &str) -> Result<Self, ExecError> {
        let mut lines = Vec::new();
        lines.try_reserve_exact(bytes.div_ceil(size_of::<Line>())).map_err(|_| ExecError::OutOfMemory {
            what: what.to_owned(),
            bytes: bytes as u64,
            advice: "close other programs or tabs, or take a smaller model or context",
        })?;
        Ok(Lines { lines, bytes: 0 })
    }

    /// Appends zeros and gives them out to be written.
    fn grow(&mut self, bytes: usize) -> &mut [u8] {
        let start = self.bytes;
        self.bytes += bytes;
        self.lines.resize(self.bytes.div_ceil(size_of::<Line>()), Line::zeroed());
        &mut bytemuck::cast_slice_mut(&mut self.lines)[start..start + bytes]
    }

    fn as_bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.lines)[..self.bytes]
    }
}

/// How the numbers of a weight lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// One row of F32: norms and biases.
    Vector,
    /// Groups of plain numbers, `[cols][8]`.
    Numbers(DType),
    /// Groups of quantised blocks.
    Blocks(&'static Layout),
}

/// A weight while it arrives and after.
pub struct Weight {
    /// What it is.
    pub desc: TensorDesc,
    /// How it lies.
    pub form: Form,
    /// Groups, or the one row. A header may claim any size: memory is only used for bytes that came.
    main: Lines,
    /// Lower nibbles of Q8_0.
    low: Lines,
    /// The beginning of the next group, as the file has it.
    partial: Vec<u8>,
    /// Bytes of the whole weight in the file.
    pub bytes: usize,
    /// How many of them have come.
    pub filled: usize,
}

/// A group of eight rows.
#[derive(Clone, Copy)]
pub struct Group<'a> {
    /// Scales and quants, or numbers.
    pub main: &'a [u8],
    /// Lower nibbles of Q8_0.
    pub low: &'a [u8],
}

impl Weight {
    /// Room for a weight.
    pub fn new(desc: &TensorDesc) -> Result<Self, ExecError> {
        let bytes = crate::plan::executor::weight_bytes(desc)?;
        let rows = desc.shape.rows();
        let form = match layout::layout(desc.dtype) {
            Some(layout) => Form::Blocks(layout),
            None if rows == 1 && desc.dtype == DType::F32 => Form::Vector,
            None => Form::Numbers(desc.dtype),
        };
        let mut weight = Weight {
            desc: desc.clone(),
            form,
            main: Lines::default(),
            low: Lines::default(),
            partial: Vec::new(),
            bytes,
            filled: 0,
        };
        let groups = rows.div_ceil(ROWS);
        let (main, low) = match form {
            Form::Vector => (bytes, 0),
            _ => (weight.group_bytes().saturating_mul(groups), weight.low_bytes().saturating_mul(groups)),
        };
        weight.main = Lines::reserved(main, &desc.name)?;
        weight.low = Lines::reserved(low, &desc.name)?;
        Ok(weight)
    }

    /// Bytes of one group.
    fn group_bytes(&self) -> usize {
        let cols = self.desc.shape.cols();
        match self.form {
            Form::Vector => 0,
            Form::Numbers(dtype) => cols.saturating_mul(ROWS * dtype.block_bytes()),
            Form::Blocks(layout) => layout.group_bytes(cols),
        }
    }

    fn low_bytes(&self) -> usize {
        if let Form::Blocks(layout) = self.form { layout.low_bytes(self.desc.shape.cols()) } else { 0 }
    }

    /// Bytes in memory that a weight will take.
    pub fn bytes_of(desc: &TensorDesc) -> u64 {
        let (rows, cols) = (desc.shape.rows(), desc.shape.cols());
        let group = match layout::layout(desc.dtype) {
            Some(layout) => layout.group_bytes(cols) + layout.low_bytes(cols),
            None if rows == 1 => return cols as u64 * 4,
            None => cols * ROWS * desc.dtype.block_bytes(),
        };
        group as u64 * rows.div_ceil(ROWS) as u64
    }

    /// Bytes in memory.
    pub fn held_bytes(&self) -> usize {
        self.main.bytes + self.low.bytes
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.desc.shape.rows().div_ceil(ROWS)
    }

    /// The numbers of a weight of one row; empty for any other.
    pub fn vector(&self) -> &[f32] {
        match self.form {
            Form::Vector => bytemuck::try_cast_slice(self.main.as_bytes()).unwrap_or_default(),
            _ => &[],
        }
    }

    /// A group of a complete weight.
    pub fn group(&self, index: usize) -> Group<'_> {
        let (main, low) = (self.group_bytes(), self.low_bytes());
        Group {
            main: &self.main.as_bytes()[index * main..(index + 1) * main],
            low: &self.low.as_bytes()[index * low..(index + 1) * low],
        }
    }

    /// Row `index` as numbers.
    pub fn read_row(&self, level: Level, index: usize, out: &mut [f32]) {
        match self.form {
            Form::Vector => out.copy_from_slice(self.vector()),
            _ => unpack::row(level, self.form, self.group(index / ROWS), index % ROWS, out),
        }
    }

    /// Takes in the next bytes.
    pub fn write(&mut self, pool: &Pool, offset: usize, bytes: &[u8]) -> Result<(), ExecError> {
        if offset != self.filled || bytes.len() > self.bytes - self.filled {
            return Err(ExecError::Mismatch {
                operation: "write_weight",
                name: self.desc.name.clone(),
                expected: format!("bytes {}..{}", self.filled, self.bytes),
                got: format!("{} bytes at {offset}", bytes.len()),
            });
        }
        self.filled += bytes.len();
        if self.form == Form::Vector {
            self.main.grow(bytes.len()).copy_from_slice(bytes);
            return Ok(());
        }
        let rows = self.desc.shape.rows();
        let group = self.bytes / rows * ROWS;
        let mut rest = bytes;
        if !self.partial.is_empty() {
            let taken = rest.len().min(group - self.partial.len());
            self.partial.extend_from_slice(&rest[..taken]);
            rest = &rest[taken..];
            if self.partial.len() == group {
                let partial = std::mem::take(&mut self.partial);
                self.pack(pool, &partial);
                self.partial = partial;
                self.partial.clear();
            }
        }
        let (whole, rest) = rest.split_at(rest.len() / group * group);
        if !whole.is_empty() {
            self.pack(pool, whole);
        }
        self.partial.extend_from_slice(rest);
        if self.filled == self.bytes {
            let partial = std::mem::take(&mut self.partial);
            if !partial.is_empty() {
                self.pack(pool, &partial);
            }
        }
        Ok(())
    }

    /// Packs whole groups, or the last one with the rows that there are.
    fn pack(&mut self, pool: &Pool, bytes: &[u8]) {
        let (main_size, low_size) = (self.group_bytes(), self.low_bytes());
        let row_bytes = self.bytes / self.desc.shape.rows();
        let group_bytes = row_bytes * ROWS;
        let count = bytes.len().div_ceil(group_bytes);
        let form = self.form;
        let main = SharedMut::new(self.main.grow(count * main_size));
        let low = SharedMut::new(self.low.grow(count * low_size));
        let per_task = (TASK_BYTES / group_bytes).max(1);
        pool.run(count.div_ceil(per_task), &|task| {
            for index in task * per_task..((task + 1) * per_task).min(count) {
                let rows = &bytes[index * group_bytes..bytes.len().min((index + 1) * group_bytes)];
                // SAFETY: every group is packed by one task.
                let (main, low) = unsafe {
                    (main.part(index * main_size, main_size), low.part(index * low_size, low_size))
                };
                match form {
                    Form::Vector => {}
                    Form::Numbers(DType::F32) => repack::pack_numbers::<4>(rows, row_bytes, main),
                    Form::Numbers(_) => repack::pack_numbers::<2>(rows, row_bytes, main),
                    Form::Blocks(layout) => repack::pack_group(layout, rows, row_bytes, main, low),
                }
            }
        });
    }
}
