//! Brings bytes back to the host through a mappable buffer that is kept.

use super::device::Device;
use super::oneshot;
use super::run::Run;
use crate::plan::ExecError;

/// Largest buffer that is kept for the next time.
const KEPT_BYTES: u64 = 4 << 20;

/// Bytes of a word, of which buffers are copied.
const WORD: usize = size_of::<u32>();

/// The mappable buffer, while it is not in use.
#[derive(Default)]
pub(super) struct Readback {
    idle: Option<wgpu::Buffer>,
}

impl Readback {
    pub(super) fn bytes(&self) -> u64 {
        self.idle.as_ref().map_or(0, wgpu::Buffer::size)
    }

    /// The first bytes of a buffer, once everything that was submitted has ended; and the word of another, which comes with them.
    pub(super) async fn read(
        &mut self,
        device: &Device,
        run: &mut Run,
        source: &wgpu::Buffer,
        bytes: usize,
        word: Option<&wgpu::Buffer>,
    ) -> Result<(Vec<u8>, u32), ExecError> {
        device.settle().await?;
        let word_at = bytes.next_multiple_of(WORD);
        let size = (word_at + word.map_or(0, |_| WORD)) as u64;
        // Taken out, so that a wait that is given up leaves no mapped buffer behind.
        let staging = match self.idle.take().filter(|buffer| buffer.size() >= size) {
            Some(buffer) => buffer,
            None => {
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                device.buffer("readback", size.next_power_of_two(), usage)?
            }
        };
        let mut encoder = device.handle.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(source, 0, &staging, 0, word_at as u64);
        if let Some(word) = word {
            encoder.copy_buffer_to_buffer(word, 0, &staging, word_at as u64, WORD as u64);
        }
        let submission = device.submit(Some(encoder.finish()));
        let (sender, mapped) = oneshot::channel();
        staging.slice(..size).map_async(wgpu::MapMode::Read, move |result| sender.send(result));
        run.wait_for_room(device, 0).await?;
        device.wait(submission).await?;
        let failed = |what: String| ExecError::Device(format!("reading {bytes} bytes back: {what}"));
        match mapped.await {
            Some(Ok(())) => {}
            Some(Err(error)) => {
                return Err(device.check().err().unwrap_or_else(|| failed(error.to_string())));
            }
            None => return Err(device.check().err().unwrap_or_else(|| failed("no answer".to_owned()))),
        }
        let view = staging.slice(..size).get_mapped_range().map_err(|error| failed(error.to_string()))?;
        let read = view[..bytes].to_vec();
        let word = view[word_at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
        drop(view);
        staging.unmap();
        if staging.size() <= KEPT_BYTES {
            self.idle = Some(staging);
        }
        Ok((read, word))
    }
}
