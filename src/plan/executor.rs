//! What runs a plan: the one interface of the CPU and the GPU executor.

use std::fmt;

use thiserror::Error;

use super::{Extent, Plan, ValueId};
use crate::tensor::{DType, TensorDesc};

/// Milliseconds since some fixed moment. Handed in, since `std::time::Instant` panics on wasm32-unknown-unknown.
pub type Clock = fn() -> f64;

/// Which executor runs a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// SIMD and threads.
    Cpu,
    /// WebGPU.
    Gpu,
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BackendKind::Cpu => "cpu",
            BackendKind::Gpu => "gpu",
        })
    }
}

/// How the CPU executor multiplies activations with quantised weights. A GPU always takes f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Activations in f32: token for token what the reference says.
    Exact,
    /// Activations as bytes with a scale for each 32: several times as fast, and the noise of the weights' own quantisation is larger.
    #[default]
    Fast,
}

impl Precision {
    /// `exact` or `fast`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::Exact => "exact",
            Precision::Fast => "fast",
        }
    }

    /// From its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Precision::Exact, Precision::Fast].into_iter().find(|precision| precision.name() == name)
    }
}

/// What an executor runs on, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct BackendInfo {
    /// Which executor.
    pub kind: BackendKind,
    /// Adapter and driver, or instruction set and threads.
    pub device: String,
    /// Whether a GPU adapter rasterises in software.
    pub software: bool,
    /// Threads that share the work; one where the GPU does it.
    pub threads: usize,
}

/// Where an executor's bytes are. In 64 bits: a GPU's memory may be larger than a browser's addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Weights as the executor holds them.
    pub weights: u64,
    /// States: the KV cache.
    pub states: u64,
    /// Temporaries, inputs, outputs, staging.
    pub scratch: u64,
}

/// Whether a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Steps remain: call [`Executor::advance`] again.
    More,
    /// The last step has finished.
    Done,
}

/// What can go wrong while weights are taken in or a plan runs.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ExecError {
    /// A tensor, value or plan that the executor does not know.
    #[error("{operation}: there is no {what} called {name}")]
    Unknown {
        /// What was asked.
        operation: &'static str,
        /// Weight, state, input or plan.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// Bytes or shapes that do not fit.
    #[error("{operation} of {name}: expected {expected}, got {got}")]
    Mismatch {
        /// What was asked.
        operation: &'static str,
        /// Tensor or value.
        name: String,
        /// What would have fitted.
        expected: String,
        /// What came.
        got: String,
    },
    /// The device or the process has no room.
    #[error("out of memory: {what} needs {bytes} bytes; {advice}")]
    OutOfMemory {
        /// What was to be allocated.
        what: String,
        /// Its size.
        bytes: u64,
        /// What the person can do.
        advice: &'static str,
    },
    /// The device reported an error after the call that caused it.
    #[error("the GPU reported an error: {0}")]
    Device(String),
    /// The device went away: driver reset, sleep, or a tab that the browser gave up.
    #[error("the GPU device was lost: {0}; reload the model")]
    DeviceLost(String),
    /// There is no adapter, or it lacks what the baseline needs.
    #[error("no usable GPU: {0}")]
    NoAdapter(String),
}

impl ExecError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ExecError::Unknown { .. } | ExecError::Mismatch { .. } => "ERR_INTERNAL",
            ExecError::OutOfMemory { .. } => "ERR_OUT_OF_MEMORY",
            ExecError::Device(_) => "ERR_DEVICE",
            ExecError::DeviceLost(_) => "ERR_DEVICE_LOST",
            ExecError::NoAdapter(_) => "ERR_NO_BACKEND",
        }
    }
}

/// Names a weight of an executor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WeightId(pub usize);

/// Names a plan that an executor has prepared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlanId(pub usize);

/// Owns buffers and runs plans. Everything that may wait for a device is async; a run can be left and taken up between calls
/// of [`advance`](Executor::advance), so that whoever drives it can hear an abort.
#[allow(async_fn_in_trait)] // Used with static dispatch only; a wasm future is never Send.
pub trait Executor {
    /// What it runs on.
    fn info(&self) -> BackendInfo;

    /// Where its bytes are.
    fn memory(&self) -> MemoryUse;

    /// Drops every plan, weight, state and input; the device stays open.
    fn clear(&mut self);

    /// Reserves room for a weight. Its rows must be whole quantisation blocks.
    fn add_weight(&mut self, desc: &TensorDesc) -> Result<WeightId, ExecError>;

    /// Takes in the next bytes of a weight, as the file holds them; `offset` must continue where the last call ended. Waits
    /// while the device has too much to take in.
    async fn write_weight(&mut self, weight: WeightId, offset: usize, bytes: &[u8]) -> Result<(), ExecError>;

    /// Ends loading: every weight must be complete, and is on its device when this returns.
    async fn finish_weights(&mut self) -> Result<(), ExecError>;

    /// Makes a plan ready for runs of up to `max_tokens` tokens: buffers, pipelines, bind groups. Weights, inputs and states
    /// are found by their names; states and inputs are made on first sight. Plans that are prepared already, and what inputs and
    /// states hold, stay as they are, whether this succeeds or not.
    fn prepare(&mut self, plan: &Plan, max_tokens: usize) -> Result<PlanId, ExecError>;

    /// Writes the first bytes of an input value or a state of any prepared plan.
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExecError> {
        self.write_at(name, 0, bytes)
    }

    /// Writes bytes of an input value or a state from `offset` on, which is a multiple of 4.
    fn write_at(&mut self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), ExecError>;

    /// Begins a run; one that was not finished is dropped.
    fn begin(&mut self, plan: PlanId, extent: Extent) -> Result<(), ExecError>;

    /// Runs on for about `budget_ms` milliseconds.
    async fn advance(&mut self, budget_ms: f64) -> Result<Progress, ExecError>;

    /// Reads the bytes of a value of a plan: an output after its run, or a state.
    async fn read(&mut self, plan: PlanId, value: ValueId) -> Result<Vec<u8>, ExecError>;

    /// The lowest position whose keys or values were no numbers (NaN or an infinity) when they were written into a cache, as far as the
    /// last [`read`](Executor::read) has told: of all runs before it, since the last [`forget_fault`](Executor::forget_fault). It comes
    /// with what is read, so that nobody waits for it.
    fn fault(&self) -> Option<usize>;

    /// The same of all runs so far, for who reads nothing of them.
    async fn find_fault(&mut self) -> Result<Option<usize>, ExecError>;

    /// Begins anew: those positions will be written again, or never be read.
    fn forget_fault(&mut self);
}

/// Bytes that a weight must have, checked once for every executor.
pub fn weight_bytes(desc: &TensorDesc) -> Result<usize, ExecError> {
    if desc.dtype == DType::U32 {
        return Err(ExecError::Mismatch {
            operation: "add_weight",
            name: desc.name.clone(),
            expected: "a weight type".to_owned(),
            got: desc.dtype.to_string(),
        });
    }
    desc.bytes().ok_or_else(|| ExecError::Mismatch {
        operation: "add_weight",
        name: desc.name.clone(),
        expected: format!("rows of whole blocks of {} elements", desc.dtype.block_elements()),
        got: format!("{} {}", desc.dtype, desc.shape),
    })
}
