//! Finds an adapter, opens a device with the limits that are used, and catches what goes wrong on it.

use std::cell::RefCell;
use std::sync::Arc;

use super::faults::{Faults, NativelySend, Scopes};
use super::oneshot;
use crate::kernel::Tuning;
use crate::plan::ExecError;
use crate::plan::executor::Clock;

/// How a GPU executor is opened.
#[derive(Clone, Copy, Debug)]
pub struct GpuOptions {
    /// Milliseconds, to size submits.
    pub clock: Clock,
    /// Cap on the part of a weight that one binding takes, below the device's own; for tests of the split.
    pub max_binding_bytes: Option<usize>,
    /// Whether the adapter is known, from where Rust can't see it, to rasterise in software: a page reads more of it.
    pub software: bool,
    /// Schedules to run instead of those that fit the adapter; for tests of every schedule.
    pub tuning: Option<Tuning>,
}

impl GpuOptions {
    /// What the adapter suggests.
    pub const fn new(clock: Clock) -> Self {
        GpuOptions { clock, max_binding_bytes: None, software: false, tuning: None }
    }
}

/// An adapter, for people and for the choice of a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterReport {
    /// Adapter and driver, as far as the platform tells.
    pub name: String,
    /// Whether it rasterises in software: slower than the CPU executor on the same machine.
    pub software: bool,
    /// Bytes of one binding.
    pub max_binding_bytes: u64,
    /// Bytes of one buffer.
    pub max_buffer_bytes: u64,
}

/// An adapter that was found, and its report.
pub struct FoundAdapter {
    adapter: wgpu::Adapter,
    /// What it is.
    pub report: AdapterReport,
}

/// Names by which software adapters go; `device_type` tells most of them too.
#[cfg(any(not(target_arch = "wasm32"), feature = "selftest"))]
const SOFTWARE_NAMES: &[&str] = &["swiftshader", "llvmpipe", "lavapipe", "basic render", "warp"];

/// Largest binding that is asked for: element indices within one are 32-bit, and 1 GiB of the densest type has 3.3e9.
const LARGEST_BINDING: u64 = 1 << 30;

/// Asks for the adapter that the platform thinks fastest.
pub async fn find_adapter() -> Result<FoundAdapter, ExecError> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..Default::default()
    };
    let adapter =
        instance.request_adapter(&options).await.map_err(|error| ExecError::NoAdapter(error.to_string()))?;
    let limits = adapter.limits();
    let (name, software) = describe(&adapter);
    let report = AdapterReport {
        name,
        software,
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
    };
    Ok(FoundAdapter { adapter, report })
}

/// Name of an adapter, and whether it rasterises in software.
#[cfg(any(not(target_arch = "wasm32"), feature = "selftest"))]
fn describe(adapter: &wgpu::Adapter) -> (String, bool) {
    let info = adapter.get_info();
    let parts = [info.name.as_str(), info.driver.as_str(), info.driver_info.as_str()];
    let described: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let described = described.join(", ");
    let lowercase = described.to_lowercase();
    let software = info.device_type == wgpu::DeviceType::Cpu
        || SOFTWARE_NAMES.iter().any(|name| lowercase.contains(name));
    let name = if described.is_empty() { "unnamed adapter".to_owned() } else { described };
    (format!("{name} ({:?})", info.backend), software)
}

/// In a browser the page says both (`AdapterHint`). wgpu reads `adapter.info`, which some browsers lack, and throws there.
#[cfg(all(target_arch = "wasm32", not(feature = "selftest")))]
fn describe(_: &wgpu::Adapter) -> (String, bool) {
    ("unnamed adapter (BrowserWebGpu)".to_owned(), false)
}

/// What adapter there is, without opening a device.
pub async fn probe() -> Result<AdapterReport, ExecError> {
    Ok(find_adapter().await?.report)
}

/// An open device with its queue and its errors.
pub(super) struct Device {
    pub(super) handle: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    faults: Arc<Faults>,
    scopes: RefCell<Scopes>,
    max_binding: u64,
    max_buffer: u64,
}

/// A submit whose end can be awaited.
pub(super) struct Submission {
    /// Natively somebody has to poll for its end.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code))]
    index: wgpu::SubmissionIndex,
    done: oneshot::Receiver<()>,
}

impl Device {
    /// Opens a device at the baseline tier, with the larger bindings and buffers that the adapter offers.
    pub(super) async fn open(found: FoundAdapter) -> Result<(Device, AdapterReport), ExecError> {
        let offered = found.adapter.limits();
        let baseline = wgpu::Limits::defaults();
        let larger = |offered: u64, baseline: u64| offered.min(LARGEST_BINDING).max(baseline);
        let limits = wgpu::Limits {
            max_storage_buffer_binding_size: larger(
                offered.max_storage_buffer_binding_size,
                baseline.max_storage_buffer_binding_size,
            ),
            max_buffer_size: larger(offered.max_buffer_size, baseline.max_buffer_size),
            ..baseline
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("rushlight"),
            required_features: wgpu::Features::empty(),
            required_limits: limits.clone(),
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        let (handle, queue) = found
            .adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| ExecError::NoAdapter(format!("{}: {error}", found.report.name)))?;
        let faults = Arc::new(Faults::default());
        let sink = faults.clone();
        handle.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            sink.report(ExecError::Device(error.to_string()));
        }));
        let sink = faults.clone();
        handle.set_device_lost_callback(move |reason, message| {
            sink.lose(if message.is_empty() { format!("{reason:?}") } else { message });
        });
        let device = Device {
            handle,
            queue,
            faults,
            scopes: RefCell::default(),
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
        };
        Ok((device, found.report))
    }

    /// Bytes of the largest storage binding.
    pub(super) fn max_binding(&self) -> u64 {
        self.max_binding.min(self.max_buffer)
    }

    /// An error that was reported since the last call, if any.
    pub(super) fn check(&self) -> Result<(), ExecError> {
        self.faults.check()
    }

    /// Reports an error of our own from now on.
    pub(super) fn report(&self, error: ExecError) {
        self.faults.report(error);
    }

    pub(super) fn forget_errors(&self) {
        self.faults.forget();
        self.scopes.take();
    }

    pub(super) fn destroy(&self) {
        self.handle.destroy();
        self.faults.lose("it was destroyed".to_owned());
    }

    /// Makes a zeroed buffer, of a size that 16 divides, so that shaders may read it by vec4.
    pub(super) fn buffer(
        &self,
        what: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, ExecError> {
        self.check()?;
        let size = bytes.next_multiple_of(16).max(16);
        if size > self.max_buffer {
            return Err(out_of_memory(what.to_owned(), size));
        }
        let label = what.to_owned();
        let buffer = self.scoped(
            wgpu::ErrorFilter::OutOfMemory,
            move |_| out_of_memory(label, size),
            || {
                self.handle.create_buffer(&wgpu::BufferDescriptor {
                    label: Some(what),
                    size,
                    usage,
                    mapped_at_creation: false,
                })
            },
        )?;
        Ok(buffer)
    }

    /// Makes a buffer that kernels read and write, and that the host reaches by copies.
    pub(super) fn storage(&self, what: &str, bytes: u64) -> Result<wgpu::Buffer, ExecError> {
        let limit = self.max_binding();
        if bytes.next_multiple_of(16) > limit {
            return Err(ExecError::OutOfMemory {
                what: format!("{what}, whose limit on this device is {limit}"),
                bytes,
                advice: "use fewer tokens at once",
            });
        }
        use wgpu::BufferUsages as Usage;
        self.buffer(what, bytes, Usage::STORAGE | Usage::COPY_DST | Usage::COPY_SRC)
    }

    /// Calls `make` within an error scope; an error there is told by `tell`, at once natively and by
    /// [`Device::settle`] in a browser.
    pub(super) fn scoped<T>(
        &self,
        filter: wgpu::ErrorFilter,
        tell: impl FnOnce(wgpu::Error) -> ExecError + NativelySend + 'static,
        make: impl FnOnce() -> T,
    ) -> Result<T, ExecError> {
        let scope = self.handle.push_error_scope(filter);
        let made = make();
        self.scopes.borrow_mut().add(scope.pop(), tell)?;
        Ok(made)
    }

    /// Waits for what error scopes have caught, and reports it from now on.
    pub(super) async fn settle(&self) -> Result<(), ExecError> {
        let scopes = self.scopes.take();
        if !scopes.is_empty()
            && let Err(error) = scopes.settle().await
        {
            self.faults.report(error);
        }
        self.check()
    }

    /// Submits commands, or with none, the writes that are queued.
    pub(super) fn submit(&self, commands: Option<wgpu::CommandBuffer>) -> Submission {
        let index = self.queue.submit(commands);
        let (sender, done) = oneshot::channel();
        self.queue.on_submitted_work_done(move || sender.send(()));
        Submission { index, done }
    }

    /// Whether a submit has ended.
    pub(super) fn has_ended(&self, submission: &Submission) -> Result<bool, ExecError> {
        #[cfg(not(target_arch = "wasm32"))]
        self.poll(wgpu::PollType::Poll)?;
        Ok(submission.done.is_ready())
    }

    /// Waits for a submit to end.
    pub(super) async fn wait(&self, submission: Submission) -> Result<(), ExecError> {
        #[cfg(not(target_arch = "wasm32"))]
        self.poll(wgpu::PollType::Wait { submission_index: Some(submission.index), timeout: None })?;
        submission.done.await;
        self.check()
    }

    /// Turns the error of a device that is lost into that: a browser may say that it is lost later than what fails for it, but
    /// before it answers what is asked after that.
    pub(super) async fn explain<T>(&self, result: Result<T, ExecError>) -> Result<T, ExecError> {
        if matches!(result, Err(ExecError::Device(_))) {
            let (sender, answer) = oneshot::channel();
            self.queue.on_submitted_work_done(move || sender.send(()));
            #[cfg(not(target_arch = "wasm32"))]
            self.poll(wgpu::PollType::wait_indefinitely())?;
            answer.await;
            self.faults.check()?;
        }
        result
    }

    /// Lets the device call back. In a browser it does so by itself.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn poll(&self, how: wgpu::PollType) -> Result<(), ExecError> {
        let polled = self.handle.poll(how);
        self.check()?;
        polled.map(|_| ()).map_err(|error| ExecError::Device(error.to_string()))
    }
}

fn out_of_memory(what: String, bytes: u64) -> ExecError {
    ExecError::OutOfMemory { what, bytes, advice: "close other pages or programs, or use the CPU backend" }
}
