//! What runs a plan: the one interface of the CPU and the GPU executor.

use std::fmt;

use thiserror::Error;

#[cfg(debug_assertions)]
use super::memory::Assignment;
use super::{Extent, Plan, Storage, Value, ValueId};
use crate::kernel::FusedKind;
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

/// Names a run that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// A run to be done.
#[derive(Clone, Copy, Debug)]
pub struct Submit<'a> {
    /// Of this plan.
    pub plan: PlanId,
    /// Its symbols.
    pub extent: Extent,
    /// Inputs of the plan with their first bytes, as they are to be when the run begins. What is not named stays as it is.
    pub inputs: &'a [(ValueId, &'a [u8])],
    /// Outputs that will be taken.
    pub outputs: &'a [ValueId],
}

/// What a run gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finished {
    /// Bytes of the outputs that were asked for, in their order.
    pub outputs: Vec<Vec<u8>>,
    /// The lowest position whose keys or values were no numbers when they were written into a cache: of this run and all before it
    /// since the last [`Executor::forget_fault`]. It comes with what is taken, so that nobody waits for it.
    pub fault: Option<usize>,
}

/// Owns buffers and runs plans. Everything that may wait for a device is async; several runs may be submitted before one is taken, and
/// a run can be left and taken up between calls of [`advance`](Executor::advance), so that whoever drives it can hear an abort.
#[allow(async_fn_in_trait)] // Used with static dispatch only; a wasm future is never Send.
pub trait Executor {
    /// What it runs on.
    fn info(&self) -> BackendInfo;

    /// Where its bytes are.
    fn memory(&self) -> MemoryUse;

    /// The fused operations that it has: what a plan may be [fused](Plan::fuse) into for it.
    fn fused(&self) -> &'static [FusedKind];

    /// Drops every plan, weight, state and input; the device stays open.
    fn clear(&mut self);

    /// Reserves room for a weight. Its rows must be whole quantisation blocks.
    fn add_weight(&mut self, desc: &TensorDesc) -> Result<WeightId, ExecError>;

    /// Takes in the next bytes of a weight, as the file holds them; `offset` must continue where the last call ended. Waits
    /// while the device has too much to take in.
    async fn write_weight(&mut self, weight: WeightId, offset: usize, bytes: &[u8]) -> Result<(), ExecError>;

    /// Ends loading: every weight must be complete, and is on its device when this returns.
    async fn finish_weights(&mut self) -> Result<(), ExecError>;

    /// Makes a plan ready for runs of up to `largest`: buffers, pipelines, bind groups. Weights, inputs and states are found by their
    /// names; states and inputs are made on first sight. Plans that are prepared already, and what inputs and states hold, stay as they
    /// are, whether this succeeds or not.
    fn prepare(&mut self, plan: &Plan, largest: Extent) -> Result<PlanId, ExecError>;

    /// Writes the first bytes of an input value or a state of any prepared plan.
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExecError> {
        self.write_at(name, 0, bytes)
    }

    /// Writes bytes of an input value or a state from `offset` on, which is a multiple of 4. Runs that were submitted before see it or
    /// not: whoever changes a state waits for them.
    fn write_at(&mut self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), ExecError>;

    /// Takes a run behind those that were submitted before; nothing is waited for, and nothing need be done yet.
    fn submit(&mut self, run: Submit<'_>) -> Result<Ticket, ExecError>;

    /// Works on what was submitted, in its order, for about `budget_ms` milliseconds or until the last step of this run has been done
    /// or is on its device. A ticket that was taken or cancelled is done.
    async fn advance(&mut self, ticket: Ticket, budget_ms: f64) -> Result<Progress, ExecError>;

    /// The outputs that a run was to give, once it has ended; what is left of it, and of those before it, is done first. It can be
    /// taken once.
    async fn take(&mut self, ticket: Ticket) -> Result<Finished, ExecError>;

    /// Drops a run, or what it gave: nobody will take it. Steps that were done have left their traces in states.
    fn cancel(&mut self, ticket: Ticket);

    /// Reads the bytes of a state, once all that was submitted has ended.
    async fn read_state(&mut self, plan: PlanId, value: ValueId) -> Result<Vec<u8>, ExecError>;

    /// The lowest position whose keys or values were no numbers (NaN or an infinity) when they were written into a cache, of all runs
    /// that were submitted since the last [`forget_fault`](Executor::forget_fault): for who takes nothing of them.
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

/// That a run fits the plan that it is of, as it was prepared: checked once for every executor.
pub fn check_run(plan: &Plan, largest: Extent, run: &Submit<'_>) -> Result<(), ExecError> {
    let mismatch = |name: &str, expected: String, got: String| ExecError::Mismatch {
        operation: "submit",
        name: name.to_owned(),
        expected,
        got,
    };
    let extent = run.extent;
    for (name, least, got, most) in [
        ("tokens", 1, extent.tokens, largest.tokens),
        ("wanted", 0, extent.wanted, largest.wanted),
        ("sequences", 1, extent.sequences, largest.sequences),
    ] {
        if got < least || got > most {
            return Err(mismatch(name, format!("{least} to {most}"), got.to_string()));
        }
    }
    for &(id, bytes) in run.inputs {
        let value = known(plan, id, "submit", Storage::Input)?;
        let room = value.operand(largest).bytes();
        if bytes.len() as u64 > room || !bytes.len().is_multiple_of(value.dtype.block_bytes()) {
            let expected = format!("at most {room} bytes of {}", value.dtype);
            return Err(mismatch(&value.name, expected, format!("{} bytes", bytes.len())));
        }
    }
    for &id in run.outputs {
        known(plan, id, "submit", Storage::Output)?;
    }
    Ok(())
}

/// That a value is a state of a plan.
pub fn check_state(plan: &Plan, id: ValueId) -> Result<(), ExecError> {
    known(plan, id, "read_state", Storage::State).map(|_| ())
}

/// A value of a plan that lives there.
fn known<'p>(
    plan: &'p Plan,
    id: ValueId,
    operation: &'static str,
    storage: Storage,
) -> Result<&'p Value, ExecError> {
    let what = match storage {
        Storage::Weight => "weight",
        Storage::Input => "input",
        Storage::State => "state",
        Storage::Temp => "temporary",
        Storage::Output => "output",
    };
    let value = plan.values.get(id.index()).filter(|value| value.storage == storage);
    value.ok_or_else(|| ExecError::Unknown { operation, what, name: format!("%{}", id.0) })
}

/// That a plan keeps its rules, with the buffers that its temporaries have: looked at in debug builds.
#[cfg(debug_assertions)]
pub fn check_plan(plan: &Plan, assignment: &Assignment, largest: Extent) -> Result<(), ExecError> {
    plan.verify(largest).and_then(|()| plan.verify_buffers(assignment, largest)).map_err(|fault| {
        ExecError::Mismatch {
            operation: "prepare",
            name: "plan".to_owned(),
            expected: "steps that keep its rules".to_owned(),
            got: fault.to_string(),
        }
    })
}
