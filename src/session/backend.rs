//! Which executor runs a model, and why.

use super::{Host, LoadOptions, SessionError};
use crate::cpu::{CpuExecutor, CpuOptions};
#[cfg(feature = "gpu")]
use crate::gpu::{self, GpuExecutor, GpuOptions};
use crate::kernel::FusedKind;
use crate::plan::executor::{Finished, MemoryUse, PlanId, Submit, Ticket, WeightId};
use crate::plan::{BackendInfo, ExecError, Executor, Extent, Plan, Progress, ValueId};
use crate::tensor::TensorDesc;
use crate::trace::span;

/// What the user asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendChoice {
    /// A hardware GPU, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// Any GPU, even one in software.
    Gpu,
}

impl BackendChoice {
    /// From `auto`, `cpu` or `gpu`.
    ///
    /// # Errors
    /// Any other word.
    pub fn parse(name: &str) -> Result<Self, SessionError> {
        match name {
            "auto" => Ok(BackendChoice::Auto),
            "cpu" => Ok(BackendChoice::Cpu),
            "gpu" => Ok(BackendChoice::Gpu),
            other => Err(SessionError::Option {
                option: "backend",
                expected: "auto, cpu or gpu".to_owned(),
                got: other.to_owned(),
            }),
        }
    }
}

/// What a page knows of the adapter that Rust can't see: wgpu's web backend names no vendor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AdapterHint {
    /// Name for people.
    pub name: String,
    /// Whether it rasterises in software.
    pub software: bool,
}

/// One of the executors. An enum, since async methods of a trait object would need a box a call.
#[allow(clippy::large_enum_variant)] // There is one, and it lives as long as the model.
pub enum AnyExecutor {
    /// SIMD and threads.
    Cpu(CpuExecutor),
    /// WebGPU.
    #[cfg(feature = "gpu")]
    Gpu(GpuExecutor),
}

/// An executor with the reason why it was taken.
pub struct Chosen {
    /// The executor.
    pub executor: AnyExecutor,
    /// A sentence for people.
    pub reason: String,
}

/// Opens the executor for a choice.
///
/// # Errors
/// [`BackendChoice::Gpu`] without a usable adapter. `Auto` never fails: it says why it took the CPU.
pub async fn choose(options: &LoadOptions, host: &Host) -> Result<Chosen, SessionError> {
    let LoadOptions { backend: choice, threads, precision, .. } = *options;
    let hint = options.adapter.as_ref();
    let cpu = |reason: String| {
        let executor = CpuExecutor::new(CpuOptions { threads, precision, clock: host.clock });
        Chosen { executor: AnyExecutor::Cpu(executor), reason }
    };
    if choice == BackendChoice::Cpu {
        return Ok(cpu("asked for".to_owned()));
    }
    match (choice, open_gpu(choice, hint, host).await) {
        (_, Ok(chosen)) => Ok(chosen),
        (BackendChoice::Auto, Err(why)) => Ok(cpu(match why {
            ExecError::NoAdapter(why) => why,
            other => other.to_string(),
        })),
        (_, Err(why)) => Err(why.into()),
    }
}

#[cfg(feature = "gpu")]
async fn open_gpu(
    choice: BackendChoice,
    hint: Option<&AdapterHint>,
    host: &Host,
) -> Result<Chosen, ExecError> {
    let mut found = gpu::find_adapter().await?;
    // The hint goes into the report, so that executor and page call the adapter by the same name.
    if let Some(hint) = hint {
        found.report.software |= hint.software;
        if !hint.name.is_empty() {
            found.report.name = hint.name.clone();
        }
    }
    let name = found.report.name.clone();
    if found.report.software && choice == BackendChoice::Auto {
        let why = format!("the only GPU adapter ({name}) renders in software, which the CPU backend outruns");
        return Err(ExecError::NoAdapter(why));
    }
    let executor = GpuExecutor::open_on(found, GpuOptions::new(host.clock)).await?;
    let reason = match choice {
        BackendChoice::Gpu => "asked for".to_owned(),
        _ => format!("a hardware GPU ({name}) is there"),
    };
    Ok(Chosen { executor: AnyExecutor::Gpu(executor), reason })
}

#[cfg(not(feature = "gpu"))]
async fn open_gpu(
    _choice: BackendChoice,
    _hint: Option<&AdapterHint>,
    _host: &Host,
) -> Result<Chosen, ExecError> {
    Err(ExecError::NoAdapter("this build has no GPU backend".to_owned()))
}

/// Calls the same method of whichever executor it is.
macro_rules! delegate {
    ($self:ident, $executor:ident => $call:expr) => {
        match $self {
            AnyExecutor::Cpu($executor) => $call,
            #[cfg(feature = "gpu")]
            AnyExecutor::Gpu($executor) => $call,
        }
    };
}

impl Executor for AnyExecutor {
    fn info(&self) -> BackendInfo {
        delegate!(self, executor => executor.info())
    }

    fn memory(&self) -> MemoryUse {
        delegate!(self, executor => executor.memory())
    }

    fn fused(&self) -> &'static [FusedKind] {
        delegate!(self, executor => executor.fused())
    }

    fn clear(&mut self) {
        delegate!(self, executor => executor.clear());
    }

    fn add_weight(&mut self, desc: &TensorDesc) -> Result<WeightId, ExecError> {
        delegate!(self, executor => executor.add_weight(desc))
    }

    async fn write_weight(&mut self, weight: WeightId, offset: usize, bytes: &[u8]) -> Result<(), ExecError> {
        delegate!(self, executor => executor.write_weight(weight, offset, bytes).await)
    }

    async fn finish_weights(&mut self) -> Result<(), ExecError> {
        delegate!(self, executor => executor.finish_weights().await)
    }

    fn prepare(&mut self, plan: &Plan, largest: Extent) -> Result<PlanId, ExecError> {
        let _span = span!("prepare", steps = plan.steps.len(), max_tokens = largest.tokens).entered();
        delegate!(self, executor => executor.prepare(plan, largest))
    }

    fn write_at(&mut self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), ExecError> {
        delegate!(self, executor => executor.write_at(name, offset, bytes))
    }

    fn submit(&mut self, run: Submit<'_>) -> Result<Ticket, ExecError> {
        delegate!(self, executor => executor.submit(run))
    }

    async fn advance(&mut self, ticket: Ticket, budget_ms: f64) -> Result<Progress, ExecError> {
        delegate!(self, executor => executor.advance(ticket, budget_ms).await)
    }

    async fn take(&mut self, ticket: Ticket) -> Result<Finished, ExecError> {
        delegate!(self, executor => executor.take(ticket).await)
    }

    fn cancel(&mut self, ticket: Ticket) {
        delegate!(self, executor => executor.cancel(ticket))
    }

    async fn read_state(&mut self, plan: PlanId, value: ValueId) -> Result<Vec<u8>, ExecError> {
        delegate!(self, executor => executor.read_state(plan, value).await)
    }

    async fn find_fault(&mut self) -> Result<Option<usize>, ExecError> {
        delegate!(self, executor => executor.find_fault().await)
    }

    fn forget_fault(&mut self) {
        delegate!(self, executor => executor.forget_fault())
    }
}
