//! Brings bytes back to the host through mappable buffers that are kept.

use super::device::Device;
use super::oneshot;
use crate::plan::ExecError;

/// Largest buffer that is kept for the next time, and how many.
const KEPT_BYTES: u64 = 4 << 20;
const KEPT: usize = 4;

/// Bytes of a word, of which buffers are copied.
const WORD: u64 = size_of::<u32>() as u64;

/// Mappable buffers that are not in use.
#[derive(Default)]
pub(super) struct Staging {
    idle: Vec<wgpu::Buffer>,
}

/// Bytes that are on their way to the host.
pub(super) struct Staged {
    buffer: wgpu::Buffer,
    /// Bytes of each source; they lie one behind the other, each from a whole word on.
    lengths: Vec<usize>,
    /// Where the word of faults lies, if one was asked for.
    word: Option<u64>,
    size: u64,
    mapped: Option<oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>>,
}

impl Staged {
    /// Asks for the bytes; their copies must have been submitted.
    pub(super) fn map(&mut self) {
        let (sender, mapped) = oneshot::channel();
        let slice = self.buffer.slice(..self.size);
        slice.map_async(wgpu::MapMode::Read, move |result| sender.send(result));
        self.mapped = Some(mapped);
    }
}

impl Staging {
    pub(super) fn bytes(&self) -> u64 {
        self.idle.iter().map(wgpu::Buffer::size).sum()
    }

    /// Copies the first bytes of some buffers, and the word of another, behind what the encoder holds.
    pub(super) fn stage(
        &mut self,
        device: &Device,
        encoder: &mut wgpu::CommandEncoder,
        sources: &[(&wgpu::Buffer, usize)],
        word: Option<&wgpu::Buffer>,
    ) -> Result<Staged, ExecError> {
        let whole = |bytes: usize| (bytes as u64).next_multiple_of(WORD);
        let all: u64 = sources.iter().map(|&(_, bytes)| whole(bytes)).sum();
        let size = all + word.map_or(0, |_| WORD);
        // Never empty, so that the end of a run can be awaited by its bytes.
        let size = size.max(WORD);
        let fitting = self.idle.iter().position(|buffer| buffer.size() >= size);
        let buffer = match fitting {
            Some(at) => self.idle.swap_remove(at),
            None => {
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                device.buffer("readback", size.next_power_of_two(), usage)?
            }
        };
        let mut at = 0;
        for &(source, bytes) in sources {
            if bytes > 0 {
                encoder.copy_buffer_to_buffer(source, 0, &buffer, at, whole(bytes));
            }
            at += whole(bytes);
        }
        if let Some(word) = word {
            encoder.copy_buffer_to_buffer(word, 0, &buffer, at, WORD);
        }
        let lengths = sources.iter().map(|&(_, bytes)| bytes).collect();
        Ok(Staged { buffer, lengths, word: word.map(|_| at), size, mapped: None })
    }

    /// The bytes and the word, once they have come.
    pub(super) async fn read(
        &mut self,
        device: &Device,
        staged: Staged,
    ) -> Result<(Vec<Vec<u8>>, u32), ExecError> {
        let Staged { buffer, lengths, word, size, mapped } = staged;
        let failed = |what: String| ExecError::Device(format!("reading {size} bytes back: {what}"));
        let answer = match mapped {
            Some(mapped) => mapped.await,
            None => None,
        };
        match answer {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                return Err(device.check().err().unwrap_or_else(|| failed(error.to_string())));
            }
            None => return Err(device.check().err().unwrap_or_else(|| failed("no answer".to_owned()))),
        }
        let view = buffer.slice(..size).get_mapped_range().map_err(|error| failed(error.to_string()))?;
        let mut at = 0;
        let mut read = Vec::with_capacity(lengths.len());
        for bytes in lengths {
            read.push(view.get(at..at + bytes).ok_or_else(|| failed("it is too short".to_owned()))?.to_vec());
            at += bytes.next_multiple_of(WORD as usize);
        }
        let word = word.and_then(|at| view[at as usize..].first_chunk());
        let word = word.map_or(0, |word| u32::from_le_bytes(*word));
        drop(view);
        buffer.unmap();
        if buffer.size() <= KEPT_BYTES && self.idle.len() < KEPT {
            self.idle.push(buffer);
        }
        Ok((read, word))
    }
}
