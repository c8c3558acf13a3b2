//! Executes plans with WebGPU, natively and in the browser. `wgpu` is named in this room only.
//!
//! `device` opens one and catches its errors, `weights` takes the file's bytes in, `values` owns every other buffer,
//! `pipelines` compiles shader variants, `prepared` binds a plan's steps to buffers, `run` submits them in slices, and
//! `read` brings bytes back.

mod device;
mod faults;
mod oneshot;
mod pipelines;
mod prepared;
mod read;
mod run;
mod values;
mod weights;

pub use device::{AdapterReport, FoundAdapter, GpuOptions, find_adapter, probe};

use device::Device;
use pipelines::Pipelines;
use prepared::Prepared;
use read::Readback;
use run::Run;
use values::Values;
use weights::Weights;

use crate::kernel::Tuning;
use crate::plan::executor::{MemoryUse, PlanId, WeightId};
use crate::plan::{BackendInfo, BackendKind, ExecError, Executor, Extent, Plan, Progress, ValueId};
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
    run: Run,
    readback: Readback,
    /// What the last read has told.
    fault: Option<usize>,
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
            run: Run::new(options.clock),
            readback: Readback::default(),
            fault: None,
            device,
        })
    }

    /// The adapter that it runs on.
    pub fn adapter(&self) -> &AdapterReport {
        &self.report
    }

    /// A plan with its buffers, bind groups and pipelines.
    fn bound(&mut self, plan: &Plan, max_tokens: usize) -> Result<Prepared, ExecError> {
        let mut prepared = Prepared::new(&self.device, &self.weights, &mut self.values, plan, max_tokens)?;
        prepared.rebind(&self.device, &mut self.pipelines, &self.weights, &self.values)?;
        for tokens in [1, max_tokens] {
            prepared.dispatches(
                &self.device,
                &mut self.pipelines,
                &self.weights,
                &self.tuning,
                Extent { tokens, pos: 0 },
            )?;
        }
        Ok(prepared)
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
            scratch: self.values.scratch_bytes() + arenas + self.readback.bytes(),
        }
    }

    fn clear(&mut self) {
        self.run.stop();
        self.plans.clear();
        self.weights.clear();
        self.values = Values::default();
        self.readback = Readback::default();
        self.fault = None;
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

    fn prepare(&mut self, plan: &Plan, max_tokens: usize) -> Result<PlanId, ExecError> {
        let prepared = self.bound(plan, max_tokens);
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

    fn begin(&mut self, plan: PlanId, extent: Extent) -> Result<(), ExecError> {
        self.device.check()?;
        let prepared = plan_of(&mut self.plans, plan)?;
        prepared.rebind(&self.device, &mut self.pipelines, &self.weights, &self.values)?;
        let dispatches =
            prepared.dispatches(&self.device, &mut self.pipelines, &self.weights, &self.tuning, extent)?;
        prepared.bind_extent(&self.device, extent);
        self.run.start(plan, dispatches);
        Ok(())
    }

    async fn advance(&mut self, budget_ms: f64) -> Result<Progress, ExecError> {
        let progress = self.run.advance(&self.device, &self.pipelines, &self.plans, budget_ms).await;
        self.device.explain(progress).await
    }

    async fn read(&mut self, plan: PlanId, value: ValueId) -> Result<Vec<u8>, ExecError> {
        let prepared = plan_of(&mut self.plans, plan)?;
        let (buffer, bytes) = prepared.readable(&self.values, value)?;
        let word = self.values.fault();
        let read = self.readback.read(&self.device, &mut self.run, buffer, bytes, word).await;
        let (read, word) = self.device.explain(read).await?;
        self.fault = position_of(word);
        Ok(read)
    }

    fn fault(&self) -> Option<usize> {
        self.fault
    }

    async fn find_fault(&mut self) -> Result<Option<usize>, ExecError> {
        if let Some(word) = self.values.fault() {
            let read = self.readback.read(&self.device, &mut self.run, word, 0, Some(word)).await;
            let (_, word) = self.device.explain(read).await?;
            self.fault = position_of(word);
        }
        Ok(self.fault)
    }

    fn forget_fault(&mut self) {
        if let Some(word) = self.values.fault() {
            self.device.queue.write_buffer(word, 0, &0u32.to_le_bytes());
        }
        self.fault = None;
    }
}

/// The position that a shader noted: `!position`, or 0 for none.
fn position_of(word: u32) -> Option<usize> {
    (word != 0).then_some(!word as usize)
}

/// A prepared plan by its id.
fn plan_of(plans: &mut [Prepared], plan: PlanId) -> Result<&mut Prepared, ExecError> {
    plans.get_mut(plan.0).ok_or_else(|| ExecError::Unknown {
        operation: "begin",
        what: "plan",
        name: plan.0.to_string(),
    })
}
