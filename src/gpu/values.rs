//! Buffers of everything but weights: inputs and states by name, shared by all plans, and a pool for temporaries.

use std::collections::HashMap;

use super::device::Device;
use crate::plan::{ExecError, Extent, Plan, Storage, ValueId};
use crate::tensor::DType;

/// An input or a state.
struct Named {
    buffer: wgpu::Buffer,
    storage: Storage,
    dtype: DType,
    cols: usize,
    /// Bytes that the largest run of any plan needs.
    bytes: u64,
}

/// The buffers.
#[derive(Default)]
pub(super) struct Values {
    named: HashMap<String, Named>,
    /// Temporaries of whichever plan runs: one run at a time.
    pool: Vec<wgpu::Buffer>,
    /// One word: `!position` of the lowest position that is no number in a cache, 0 where there is none.
    fault: Option<wgpu::Buffer>,
    /// Counts the buffers that were replaced by larger ones.
    generation: usize,
}

impl Values {
    pub(super) fn state_bytes(&self) -> u64 {
        self.sum(|named| named.storage == Storage::State)
    }

    pub(super) fn scratch_bytes(&self) -> u64 {
        let pool: u64 = self.pool.iter().map(wgpu::Buffer::size).sum();
        pool + self.sum(|named| named.storage != Storage::State)
    }

    fn sum(&self, which: impl Fn(&Named) -> bool) -> u64 {
        self.named.values().filter(|named| which(named)).map(|named| named.buffer.size()).sum()
    }

    /// Changes whenever a buffer was replaced, so that bind groups have to be made again.
    pub(super) fn generation(&self) -> usize {
        self.generation
    }

    pub(super) fn fault(&self) -> Option<&wgpu::Buffer> {
        self.fault.as_ref()
    }

    /// Makes the word for faults.
    pub(super) fn ensure_fault(&mut self, device: &Device) -> Result<(), ExecError> {
        if self.fault.is_none() {
            self.fault = Some(device.storage("fault", size_of::<u32>() as u64)?);
        }
        Ok(())
    }

    pub(super) fn named(&self, name: &str) -> Option<&wgpu::Buffer> {
        self.named.get(name).map(|named| &named.buffer)
    }

    pub(super) fn pooled(&self, slot: usize) -> Option<&wgpu::Buffer> {
        self.pool.get(slot)
    }

    /// Makes an input or a state of a plan, or room for a longer run in one that is there.
    pub(super) fn ensure_named(
        &mut self,
        device: &Device,
        plan: &Plan,
        id: ValueId,
        largest: Extent,
    ) -> Result<(), ExecError> {
        let value = plan.value(id);
        let bytes = plan.operand(id, largest).bytes();
        let Some(old) = self.named.get(&value.name) else {
            let named = Named {
                buffer: device.storage(&value.name, bytes)?,
                storage: value.storage,
                dtype: value.dtype,
                cols: value.cols(),
                bytes,
            };
            self.named.insert(value.name.clone(), named);
            return Ok(());
        };
        let same = (old.storage, old.dtype, old.cols) == (value.storage, value.dtype, value.cols());
        if !same || (value.storage == Storage::State && bytes != old.bytes) {
            return Err(ExecError::Mismatch {
                operation: "prepare",
                name: value.name.clone(),
                expected: format!(
                    "{:?} of {} [_, {}] and {} bytes",
                    old.storage, old.dtype, old.cols, old.bytes
                ),
                got: format!(
                    "{:?} of {} [_, {}] and {bytes} bytes",
                    value.storage,
                    value.dtype,
                    value.cols()
                ),
            });
        }
        if bytes <= old.bytes {
            return Ok(());
        }
        let buffer = larger(device, &value.name, &old.buffer, bytes)?;
        if let Some(old) = self.named.get_mut(&value.name) {
            old.buffer = buffer;
            old.bytes = bytes;
        }
        self.generation += 1;
        Ok(())
    }

    /// Makes the pool fit temporaries of these sizes, and returns a slot for each.
    pub(super) fn ensure_pool(&mut self, device: &Device, sizes: &[u64]) -> Result<Vec<usize>, ExecError> {
        // Largest with largest, so that plans of the same kind share all of it.
        let mut order: Vec<usize> = (0..sizes.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(sizes[index]));
        let mut slots = vec![0; sizes.len()];
        for (slot, index) in order.into_iter().enumerate() {
            slots[index] = slot;
            let bytes = sizes[index];
            match self.pool.get_mut(slot) {
                None => self.pool.push(device.storage("temporaries", bytes)?),
                Some(buffer) if buffer.size() < bytes => {
                    *buffer = larger(device, "temporaries", buffer, bytes)?;
                    self.generation += 1;
                }
                Some(_) => {}
            }
        }
        Ok(slots)
    }

    /// Writes the first bytes of an input or a state.
    pub(super) fn write_at(
        &self,
        device: &Device,
        name: &str,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), ExecError> {
        let named = self.named.get(name).ok_or_else(|| ExecError::Unknown {
            operation: "write",
            what: "input or state",
            name: name.to_owned(),
        })?;
        let end = offset as u64 + bytes.len() as u64;
        let fits = offset.is_multiple_of(4) && end <= named.bytes;
        if !fits || !bytes.len().is_multiple_of(named.dtype.block_bytes()) {
            return Err(ExecError::Mismatch {
                operation: "write",
                name: name.to_owned(),
                expected: format!("up to {} bytes of {}", named.bytes, named.dtype),
                got: format!("{} bytes from {offset} on", bytes.len()),
            });
        }
        let words = bytes.len() / 4 * 4;
        device.queue.write_buffer(&named.buffer, offset as u64, &bytes[..words]);
        if words < bytes.len() {
            // Half a word of an F16: its other half is the padding behind the buffer's end or is written next.
            let mut last = [0; 4];
            last[..bytes.len() - words].copy_from_slice(&bytes[words..]);
            device.queue.write_buffer(&named.buffer, (offset + words) as u64, &last);
        }
        Ok(())
    }
}

/// A larger buffer with the content of another one.
fn larger(device: &Device, what: &str, old: &wgpu::Buffer, bytes: u64) -> Result<wgpu::Buffer, ExecError> {
    let buffer = device.storage(what, bytes)?;
    let mut encoder = device.handle.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(old, 0, &buffer, 0, old.size());
    device.submit(Some(encoder.finish()));
    Ok(buffer)
}
