//! Executes plans with WebGPU, natively and in the browser. `wgpu` is named in this room only.
//!
//! `device` opens one and catches its errors, `weights` takes the file's bytes in, `values` owns every other buffer,
//! `pipelines` compiles shader variants, `prepared` binds a plan's steps to buffers, `runs` submits them in slices, and
//! `staging` brings bytes back.

mod device;
mod faults;
mod oneshot;
mod pipelines;
mod prepared;
mod runs;
mod staging;
mod values;
mod weights;

pub use device::{AdapterReport, FoundAdapter, GpuOptions, find_adapter, probe};

use device::Device;
use pipelines::Pipelines;
use prepared::Prepared;
use runs::{Means, Runs};
use staging::Staging;
use values::Values;
use weights::Weights;

use crate::kernel::{FusedKind, Tuning};
use crate::plan::executor::{Finished, MemoryUse, PlanId, Submit, Ticket, WeightId};
use crate::plan::{BackendInfo, BackendKind, ExecError, Executor, Extent, Plan, Progress, ValueId, executor};
use crate::tensor::TensorDesc;

/// Runs plans on a GPU.
pub struct GpuExecutor {
    device: Device,
    report: AdapterReport,
    tuning: Tuning,
    pipelines: Pipelines,
    weights: Weights,
    values: Values,
    plans: Vec<Prepared>,
    runs: Runs,
    staging: Staging,
}

impl GpuExecutor {
    /// Opens a device on the best adapter there is.
    pub async fn open(options: GpuOptions) -> Result<GpuExecutor, ExecError> {
        GpuExecutor::open_on(find_adapter().await?, options).await
    }

    /// Opens a device on an adapter that was found before.
    pub async fn open_on(found: FoundAdapter, options: GpuOptions) -> Result<GpuExecutor, ExecError> {
        let (device, mut report) = Device::open(found).await?;
        report.software |= options.software;
        let by_adapter = if report.software { Tuning::SOFTWARE } else { Tuning::HARDWARE };
        let most = usize::try_from(device.max_binding()).unwrap_or(usize::MAX);
        let part_bytes = options.max_binding_bytes.map_or(most, |bytes| bytes.min(most));
        Ok(GpuExecutor {
            report,
            tuning: options.tuning.unwrap_or(by_adapter),
            pipelines: Pipelines::default(),
            weights: Weights::new(part_bytes),
            values: Values::default(),
            plans: Vec::new(),
            runs: Runs::new(options.clock),
            staging: Staging::default(),
            device,
        })
    }

    /// The adapter that it runs on.
    pub fn adapter(&self) -> &AdapterReport {
        &self.report
    }

    /// A plan with its buffers, bind groups and pipelines.
    fn bound(&mut self, plan: &Plan, largest: Extent) -> Result<Prepared, ExecError> {
        let mut prepared = Prepared::new(&self.device, &self.weights, &mut self.values, plan, largest)?;
        prepared.rebind(&self.device, &mut self.pipelines, &self.weights, &self.values)?;
        for extent in [Extent::tokens(1), largest] {
            prepared.dispatches(&self.device, &mut self.pipelines, &self.weights, &self.tuning, extent)?;
        }
        Ok(prepared)
    }

    /// Submits whatever runs there are.
    async fn submit_all(&mut self) -> Result<(), ExecError> {
        while let Some(last) = self.runs.last() {
            self.advance(last, f64::INFINITY).await?;
        }
        Ok(())
    }

    /// Gives the device up, as a driver reset would: every later call reports that it is lost.
    pub fn destroy(&self) {
        self.device.destroy();
    }
}

impl Executor for GpuExecutor {
    fn info(&self) -> BackendInfo {
        BackendInfo {
            kind: BackendKind::Gpu,
            device: self.report.name.clone(),
            software: self.report.software,
            threads: 1,
        }
    }

    fn memory(&self) -> MemoryUse {
        let arenas: u64 = self.plans.iter().map(Prepared::bytes).sum();
        MemoryUse {
            weights: self.weights.bytes(),
            states: self.values.state_bytes(),
            scratch: self.values.scratch_bytes() + arenas + self.staging.bytes(),
        }
    }

    fn fused(&self) -> &'static [FusedKind] {
        &[FusedKind::NormProduct]
    }

    fn clear(&mut self) {
        self.runs.clear();
        self.plans.clear();
        self.weights.clear();
        self.values = Values::default();
        self.staging = Staging::default();
        self.device.forget_errors();
    }

    fn add_weight(&mut self, desc: &TensorDesc) -> Result<WeightId, ExecError> {
        self.weights.add(&self.device, desc)
    }

    async fn write_weight(&mut self, weight: WeightId, offset: usize, bytes: &[u8]) -> Result<(), ExecError> {
        self.weights.write(&self.device, weight, offset, bytes).await
    }

    async fn finish_weights(&mut self) -> Result<(), ExecError> {
        self.weights.finish(&self.device).await
    }

    fn prepare(&mut self, plan: &Plan, largest: Extent) -> Result<PlanId, ExecError> {
        let prepared = self.bound(plan, largest);
        // Buffers that had to grow leave bind groups of earlier plans behind, whether or not this plan came about.
        for other in &mut self.plans {
            other.rebind(&self.device, &mut self.pipelines, &self.weights, &self.values)?;
        }
        self.plans.push(prepared?);
        Ok(PlanId(self.plans.len() - 1))
    }

    fn write_at(&mut self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), ExecError> {
        self.device.check()?;
        self.values.write_at(&self.device, name, offset, bytes)
    }

    fn submit(&mut self, run: Submit<'_>) -> Result<Ticket, ExecError> {
        self.device.check()?;
        let prepared = plan_of(&self.plans, "submit", run.plan)?;
        executor::check_run(prepared.plan(), prepared.largest(), &run)?;
        Ok(self.runs.add(run))
    }

    async fn advance(&mut self, ticket: Ticket, budget_ms: f64) -> Result<Progress, ExecError> {
        let mut means = Means {
            device: &self.device,
            pipelines: &mut self.pipelines,
            weights: &self.weights,
            values: &self.values,
            tuning: &self.tuning,
            plans: &mut self.plans,
            staging: &mut self.staging,
        };
        let progress = self.runs.advance(&mut means, ticket, budget_ms).await;
        self.device.explain(progress).await
    }

    async fn take(&mut self, ticket: Ticket) -> Result<Finished, ExecError> {
        while self.advance(ticket, f64::INFINITY).await? == Progress::More {}
        let taken = self.runs.take(&self.device, &mut self.staging, self.values.fault(), ticket).await;
        let (outputs, word) = self.device.explain(taken).await?;
        Ok(Finished { outputs, fault: position_of(word) })
    }

    fn cancel(&mut self, ticket: Ticket) {
        self.runs.cancel(ticket);
    }

    async fn read_state(&mut self, plan: PlanId, value: ValueId) -> Result<Vec<u8>, ExecError> {
        self.submit_all().await?;
        let source = plan_of(&self.plans, "read_state", plan)?.state(&self.values, value)?;
        let read = self.runs.copied(&self.device, &mut self.staging, &[source], None).await;
        let (read, _) = self.device.explain(read).await?;
        Ok(read.into_iter().next().unwrap_or_default())
    }

    async fn find_fault(&mut self) -> Result<Option<usize>, ExecError> {
        self.submit_all().await?;
        let Some(word) = self.values.fault() else { return Ok(None) };
        let read = self.runs.copied(&self.device, &mut self.staging, &[], Some(word)).await;
        Ok(position_of(self.device.explain(read).await?.1))
    }

    fn forget_fault(&mut self) {
        if let Some(word) = self.values.fault() {
            self.device.queue.write_buffer(word, 0, &0u32.to_le_bytes());
        }
    }
}

/// The position that a shader noted: `!position`, or 0 for none.
fn position_of(word: u32) -> Option<usize> {
    (word != 0).then_some(!word as usize)
}

/// A prepared plan by its id.
fn plan_of<'p>(
    plans: &'p [Prepared],
    operation: &'static str,
    plan: PlanId,
) -> Result<&'p Prepared, ExecError> {
    let unknown = || ExecError::Unknown { operation, what: "plan", name: plan.0.to_string() };
    plans.get(plan.0).ok_or_else(unknown)
}
