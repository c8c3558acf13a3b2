//! Takes weights in as the file holds them, in chunks of any size, and lays them out for the shaders.
//!
//! Types whose blocks are no multiple of 16 bytes are split into planes (`formats::quant::planes`): a part's buffer holds
//! plane after plane, each for all blocks of the part. A weight larger than one binding is split by rows into parts.
//! Blocks are written in pairs, since a plane of f16 scales takes 2 bytes a block and a write a multiple of 4.

use std::collections::HashMap;

use super::device::Device;
use crate::formats::quant::{Plane, planes, split_blocks};
use crate::plan::ExecError;
use crate::plan::executor::{WeightId, weight_bytes};
use crate::tensor::{DType, TensorDesc};

/// Bytes of the file that are laid out at once.
const SLICE_BYTES: usize = 1 << 20;
/// Bytes handed to the device before it is waited for.
const AHEAD_BYTES: usize = 16 << 20;

/// Rows of a weight that one binding holds.
pub(super) struct Part {
    pub(super) row_start: usize,
    pub(super) rows: usize,
    pub(super) buffer: wgpu::Buffer,
    /// Bytes in the file, the sum of the planes' bytes.
    bytes: usize,
}

/// A weight and how much of it has come.
pub(super) struct Weight {
    pub(super) desc: TensorDesc,
    pub(super) parts: Vec<Part>,
    bytes: usize,
    received: usize,
    /// Bytes that do not yet make a pair of blocks (or a word).
    carry: Vec<u8>,
}

/// All weights.
pub(super) struct Weights {
    all: Vec<Weight>,
    by_name: HashMap<String, usize>,
    part_bytes: usize,
    /// Bytes written since the device was last waited for.
    ahead: usize,
    scratch: Vec<u8>,
}

impl Weights {
    /// No weights; parts of at most `part_bytes`.
    pub(super) fn new(part_bytes: usize) -> Self {
        Weights { all: Vec::new(), by_name: HashMap::new(), part_bytes, ahead: 0, scratch: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        *self = Weights::new(self.part_bytes);
    }

    /// Bytes of all buffers.
    pub(super) fn bytes(&self) -> u64 {
        self.all.iter().flat_map(|weight| &weight.parts).map(|part| part.buffer.size()).sum()
    }

    /// A weight by its name.
    pub(super) fn find(&self, name: &str) -> Option<&Weight> {
        self.by_name.get(name).and_then(|&index| self.all.get(index))
    }

    pub(super) fn add(&mut self, device: &Device, desc: &TensorDesc) -> Result<WeightId, ExecError> {
        let bytes = weight_bytes(desc)?;
        if self.by_name.contains_key(&desc.name) {
            return Err(ExecError::Mismatch {
                operation: "add_weight",
                name: desc.name.clone(),
                expected: "a new name".to_owned(),
                got: "one that is taken".to_owned(),
            });
        }
        let rows = desc.shape.rows();
        let row_bytes = bytes.checked_div(rows).unwrap_or(0);
        let rows_per_part = self.part_bytes.checked_div(row_bytes).unwrap_or(0);
        if rows_per_part == 0 {
            return Err(ExecError::Mismatch {
                operation: "add_weight",
                name: desc.name.clone(),
                expected: format!("rows of 1 to {} bytes", self.part_bytes),
                got: format!("{} {}", desc.dtype, desc.shape),
            });
        }
        let mut parts = Vec::new();
        for row_start in (0..rows).step_by(rows_per_part) {
            let rows = rows_per_part.min(rows - row_start);
            let bytes = rows * row_bytes;
            parts.push(Part { row_start, rows, buffer: device.storage(&desc.name, bytes as u64)?, bytes });
        }
        self.by_name.insert(desc.name.clone(), self.all.len());
        self.all.push(Weight { desc: desc.clone(), parts, bytes, received: 0, carry: Vec::new() });
        Ok(WeightId(self.all.len() - 1))
    }

    pub(super) async fn write(
        &mut self,
        device: &Device,
        id: WeightId,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), ExecError> {
        let weight = self.all.get_mut(id.0).ok_or_else(|| ExecError::Unknown {
            operation: "write_weight",
            what: "weight",
            name: id.0.to_string(),
        })?;
        if offset != weight.received || bytes.len() > weight.bytes - weight.received {
            return Err(ExecError::Mismatch {
                operation: "write_weight",
                name: weight.desc.name.clone(),
                expected: format!("bytes from {} to at most {}", weight.received, weight.bytes),
                got: format!("{} bytes from {offset}", bytes.len()),
            });
        }
        for slice in bytes.chunks(SLICE_BYTES) {
            weight.take(device, slice, &mut self.scratch);
            self.ahead += slice.len();
            if self.ahead >= AHEAD_BYTES {
                self.ahead = 0;
                device.wait(device.submit(None)).await?;
            }
        }
        device.check()
    }

    pub(super) async fn finish(&mut self, device: &Device) -> Result<(), ExecError> {
        if let Some(weight) = self.all.iter().find(|weight| weight.received < weight.bytes) {
            return Err(ExecError::Mismatch {
                operation: "finish_weights",
                name: weight.desc.name.clone(),
                expected: format!("{} bytes", weight.bytes),
                got: format!("{} bytes", weight.received),
            });
        }
        self.ahead = 0;
        self.scratch = Vec::new();
        device.settle().await?;
        device.wait(device.submit(None)).await
    }
}

impl Weight {
    /// Takes the next bytes in; they are known to fit.
    fn take(&mut self, device: &Device, mut bytes: &[u8], scratch: &mut Vec<u8>) {
        let unit = match planes(self.desc.dtype) {
            [] => 4,
            _ => 2 * self.desc.dtype.block_bytes(),
        };
        let mut part_start = 0;
        for part in &self.parts {
            let part_end = part_start + part.bytes;
            while self.received < part_end && !bytes.is_empty() {
                let left = part_end - self.received;
                let at = self.received - part_start - self.carry.len();
                let taken = if self.carry.is_empty() && bytes.len().min(left) >= unit {
                    let whole = bytes.len().min(left) / unit * unit;
                    write_run(device, self.desc.dtype, part, at, &bytes[..whole], scratch);
                    whole
                } else {
                    let taken = (unit - self.carry.len()).min(left).min(bytes.len());
                    self.carry.extend_from_slice(&bytes[..taken]);
                    if self.carry.len() == unit || taken == left {
                        write_run(device, self.desc.dtype, part, at, &self.carry, scratch);
                        self.carry.clear();
                    }
                    taken
                };
                self.received += taken;
                bytes = &bytes[taken..];
            }
            part_start = part_end;
        }
    }
}

/// Writes whole blocks that begin at byte `at` of a part as the file has it: an even number of blocks, or the part's last.
fn write_run(device: &Device, dtype: DType, part: &Part, at: usize, bytes: &[u8], scratch: &mut Vec<u8>) {
    let planes = planes(dtype);
    scratch.clear();
    if planes.is_empty() {
        scratch.extend_from_slice(bytes);
        scratch.resize(bytes.len().next_multiple_of(4), 0);
        device.queue.write_buffer(&part.buffer, at as u64, scratch);
        return;
    }
    let block_bytes = dtype.block_bytes();
    let (first, count, all) = (at / block_bytes, bytes.len() / block_bytes, part.bytes / block_bytes);
    let padded = |plane: &Plane| (plane.bytes_per_block * count).next_multiple_of(4);
    scratch.resize(planes.iter().map(padded).sum(), 0);
    let mut rest = scratch.as_mut_slice();
    let mut slices = Vec::with_capacity(planes.len());
    for plane in planes {
        let (slice, after) = rest.split_at_mut(padded(plane));
        slices.push(&mut slice[..plane.bytes_per_block * count]);
        rest = after;
    }
    if let Err(error) = split_blocks(dtype, bytes, &mut slices) {
        device.report(ExecError::Device(error.to_string()));
        return;
    }
    let (mut start, mut from) = (0, 0);
    for plane in planes {
        let offset = start + first * plane.bytes_per_block;
        device.queue.write_buffer(&part.buffer, offset as u64, &scratch[from..from + padded(plane)]);
        start += all * plane.bytes_per_block;
        from += padded(plane);
    }
}
