//! Runs a plan on the processor, with SIMD and threads.
//!
//! A run is a cursor over the plan's steps; large matrix products are cut into slices of rows, so that
//! [`advance`](Executor::advance) returns close to its budget and whoever drives it can hear an abort.

mod activations;
mod attention;
mod buffer;
mod encoder;
mod floats;
mod gated;
mod growth;
mod ints;
mod matmul;
#[cfg(test)]
mod not_finite;
mod packed;
pub mod pool;
mod rows;
mod runs;
mod shared;
mod simd;

use std::collections::HashMap;

use crate::kernel::facts::Row;
use crate::kernel::fused::GatedProduct;
use crate::kernel::{Fused, FusedKind, Op, Operand, Primitive};
use crate::plan::executor::{Finished, MemoryUse, PlanId, Submit, Ticket, WeightId};
use crate::plan::{
    BackendInfo, BackendKind, Clock, ExecError, Executor, Extent, Plan, Precision, Progress, Storage, Value,
    ValueId, executor, memory,
};
use crate::tensor::{DType, TensorDesc};
use buffer::Buffer;
use growth::{Growth, Shared};
use matmul::{Factor, Factors};
use packed::Weight;
use packed::layout::ROWS;
use pool::Pool;
use runs::{Cursor, Pending, Runs};
use simd::Level;

/// Multiplications that one slice of a matrix product does before the clock is looked at: 1 to 20 ms on one thread.
const SLICE_PRODUCTS: usize = 1 << 26;

/// The fused operations that there are routines for.
const FUSED: &[FusedKind] = &[FusedKind::GatedProduct];

/// How to make an executor.
#[derive(Clone, Copy, Debug)]
pub struct CpuOptions {
    /// Threads, at most the number of cores; all cores by default.
    pub threads: Option<usize>,
    /// How activations meet quantised weights.
    pub precision: Precision,
    /// Tells the time.
    pub clock: Clock,
}

/// Where a value of a prepared plan lies.
#[derive(Clone, Copy, Debug)]
enum Place {
    Weight(usize),
    Buffer(usize),
}

/// A plan with the places of its values.
struct Prepared {
    plan: Plan,
    places: Vec<Place>,
    largest: Extent,
}

/// The CPU executor.
pub struct CpuExecutor {
    level: Level,
    precision: Precision,
    pool: Pool,
    clock: Clock,
    weights: Vec<Weight>,
    weight_of: HashMap<String, usize>,
    buffers: Vec<Buffer>,
    /// Inputs and states, by name, with their operand.
    shared: HashMap<String, Shared>,
    /// Buffers of temporaries by their type, which all plans share: only one runs at a time.
    scratch: Vec<(DType, usize)>,
    plans: Vec<Prepared>,
    runs: Runs,
    factors: Factors,
    fault: Option<usize>,
}

impl CpuExecutor {
    /// An executor on the best instruction set that this processor has.
    pub fn new(options: CpuOptions) -> Self {
        CpuExecutor {
            level: Level::detect(),
            precision: options.precision,
            pool: Pool::new(options.threads),
            clock: options.clock,
            weights: Vec::new(),
            weight_of: HashMap::new(),
            buffers: Vec::new(),
            shared: HashMap::new(),
            scratch: Vec::new(),
            plans: Vec::new(),
            runs: Runs::default(),
            factors: Factors::default(),
            fault: None,
        }
    }

    /// Bytes that a weight will take. A vector is taken as F32, whatever the file's type.
    pub fn weight_bytes(desc: &TensorDesc) -> u64 {
        Weight::bytes_of(desc)
    }

    /// The place of a weight, checked against what the plan expects.
    fn weight_place(&self, value: &Value, operand: Operand) -> Result<Place, ExecError> {
        let unknown =
            || ExecError::Unknown { operation: "prepare", what: "weight", name: value.name.clone() };
        let index = *self.weight_of.get(&value.name).ok_or_else(unknown)?;
        let desc = &self.weights[index].desc;
        let got = Operand::new(desc.dtype, desc.shape.rows(), desc.shape.cols());
        if got == operand {
            return Ok(Place::Weight(index));
        }
        Err(mismatch("prepare", &value.name, format!("{operand:?}"), format!("{got:?}")))
    }

    /// Works on a run until its end or that time; whether it has ended.
    fn go_on(&mut self, run: &mut Pending, until: f64) -> Result<bool, ExecError> {
        if run.begins() {
            for (value, bytes) in std::mem::take(&mut run.inputs) {
                if let Some(&Place::Buffer(index)) = self.plans[run.plan.0].places.get(value.index()) {
                    self.buffers[index].bytes_mut()[..bytes.len()].copy_from_slice(&bytes);
                }
            }
            self.factors.forget();
        }
        while run.cursor.step < self.plans[run.plan.0].plan.steps.len() {
            if self.step(&mut run.cursor)? {
                run.cursor.step += 1;
            }
            if (self.clock)() >= until {
                break;
            }
        }
        if run.cursor.step < self.plans[run.plan.0].plan.steps.len() {
            return Ok(false);
        }
        for &value in &run.outputs {
            run.given.push(self.bytes_of(run.plan, value, run.cursor.extent)?);
        }
        Ok(true)
    }

    /// The bytes that a value has in a run.
    fn bytes_of(&self, plan: PlanId, value: ValueId, extent: Extent) -> Result<Vec<u8>, ExecError> {
        let Prepared { plan, places, .. } = &self.plans[plan.0];
        let unknown = || ExecError::Unknown { operation: "read", what: "value", name: value.0.to_string() };
        let Some(&Place::Buffer(index)) = places.get(value.index()) else { return Err(unknown()) };
        let bytes = usize::try_from(plan.operand(value, extent).bytes()).map_err(|_| unknown())?;
        self.buffers[index].bytes().get(..bytes).map(<[u8]>::to_vec).ok_or_else(unknown)
    }

    /// Runs one step, or one slice of it; returns whether the step is finished.
    fn step(&mut self, cursor: &mut Cursor) -> Result<bool, ExecError> {
        let Prepared { plan, places, .. } = &self.plans[cursor.plan.0];
        let step = &plan.steps[cursor.step];
        let operand = |id: &ValueId| plan.operand(*id, cursor.extent);
        let inputs: Vec<Operand> = step.reads.iter().map(operand).collect();
        // `prepare` has seen that there is one.
        let Some(written) = step.changes().next() else { return Ok(true) };
        let output = operand(&written);
        let Place::Buffer(target) = places[written.index()] else {
            return Err(mismatch("run", "output", "a buffer".into(), "a weight".into()));
        };
        let mut factors = std::mem::take(&mut self.factors);
        // Taken out while the step runs: no step reads what it writes, except a cache, which only it then touches.
        let mut out = std::mem::take(&mut self.buffers[target]);
        let mut fault = self.fault;
        let ctx = StepContext { executor: self, places, inputs: &inputs, ids: &step.reads };
        let result = ctx.run(&step.op, cursor, output, &mut out, &mut factors, &mut fault);
        self.fault = fault;
        self.buffers[target] = out;
        self.factors = factors;
        result
    }
}

/// What a step reads.
struct StepContext<'a> {
    executor: &'a CpuExecutor,
    places: &'a [Place],
    inputs: &'a [Operand],
    ids: &'a [ValueId],
}

impl StepContext<'_> {
    fn buffer(&self, input: usize) -> Result<&Buffer, ExecError> {
        match self.places[self.ids[input].index()] {
            Place::Buffer(index) => Ok(&self.executor.buffers[index]),
            Place::Weight(_) => Err(mismatch("run", "operand", "a buffer".into(), "a weight".into())),
        }
    }

    /// The numbers of an operand: a value, or a weight of one row.
    fn f32(&self, input: usize) -> Result<&[f32], ExecError> {
        let numbers = match self.places[self.ids[input].index()] {
            Place::Buffer(index) => self.executor.buffers[index].f32(),
            Place::Weight(index) => self.executor.weights[index].vector(),
        };
        let elements = self.inputs[input].elements();
        numbers.get(..elements).ok_or_else(|| {
            mismatch("run", "operand", format!("{elements} F32 numbers"), numbers.len().to_string())
        })
    }

    /// The numbers of an operand of facts.
    fn u32(&self, input: usize) -> Result<&[u32], ExecError> {
        let numbers = self.buffer(input)?.u32();
        let elements = self.inputs[input].elements();
        numbers.get(..elements).ok_or_else(|| {
            mismatch("run", "operand", format!("{elements} U32 numbers"), numbers.len().to_string())
        })
    }

    /// What the rows of the run are.
    fn rows(&self, input: usize) -> Result<&[Row], ExecError> {
        bytemuck::try_cast_slice(self.u32(input)?).map_err(|_| {
            let got = format!("{:?}", self.inputs[input]);
            mismatch("run", "rows", format!("{} facts a row", Row::COLS), got)
        })
    }

    fn weight(&self, input: usize) -> Result<&Weight, ExecError> {
        match self.places[self.ids[input].index()] {
            Place::Weight(index) => Ok(&self.executor.weights[index]),
            Place::Buffer(_) => Err(mismatch("run", "operand", "a weight".into(), "a buffer".into())),
        }
    }

    fn run(
        &self,
        op: &Op,
        cursor: &mut Cursor,
        output: Operand,
        out: &mut Buffer,
        factors: &mut Factors,
        fault: &mut Option<usize>,
    ) -> Result<bool, ExecError> {
        let (level, pool) = (self.executor.level, &self.executor.pool);
        let n = output.elements();
        let op = match op {
            Op::Primitive(primitive) => primitive,
            Op::Fused(Fused::GatedProduct(op)) => return self.gated_slice(op, cursor, output, out, factors),
            Op::Fused(other) => {
                let got = format!("{other:?}");
                return Err(mismatch("run", other.kernel().stem(), format!("one of {FUSED:?}"), got));
            }
        };
        match op {
            Primitive::Add(_) => rows::add(pool, self.f32(0)?, self.f32(1)?, &mut out.f32_mut()[..n]),
            Primitive::Argmax(_) => {
                let Buffer::U32(ids) = out else {
                    return Err(mismatch("run", "argmax", "ids to write".into(), output.dtype.to_string()));
                };
                rows::argmax((level, pool), self.f32(0)?, self.inputs[0].cols, &mut ids[..n]);
            }
            Primitive::Attention(op) => {
                let slots = self.inputs[1].outer[2];
                let operands = [self.buffer(0)?, self.buffer(1)?, self.buffer(2)?];
                attention::attention(
                    (level, pool),
                    op,
                    self.rows(3)?,
                    operands,
                    slots,
                    &mut out.f32_mut()[..n],
                );
            }
            Primitive::Embedding(op) => {
                let facts = self.u32(0)?;
                let ids = facts.iter().skip(op.column).step_by(self.inputs[0].cols).copied();
                rows::embedding(level, op.scale, ids, self.weight(1)?, &mut out.f32_mut()[..n])?;
            }
            Primitive::EncoderAttention(op) => {
                let facts = (self.rows(3)?, bytemuck::cast_slice(self.u32(4)?));
                let qkv = [self.buffer(0)?, self.buffer(1)?, self.buffer(2)?];
                encoder::attention((level, pool), op, qkv, facts, &mut out.f32_mut()[..n]);
            }
            Primitive::Gather(_) => {
                rows::gather(self.f32(0)?, self.u32(1)?, output.cols, &mut out.f32_mut()[..n])
            }
            Primitive::Gelu(_) => encoder::gelu((level, pool), self.f32(0)?, &mut out.f32_mut()[..n]),
            Primitive::Glu(op) => {
                rows::glu((level, pool), op.activation, self.f32(0)?, self.f32(1)?, &mut out.f32_mut()[..n])
            }
            Primitive::KvWrite(op) => {
                let slots = output.outer[2];
                let here = rows::kv_write(op.kv_heads, self.rows(1)?, self.f32(0)?, out, slots);
                *fault = here.into_iter().chain(*fault).min();
            }
            Primitive::L2Norm(_) => encoder::l2_norm(self.f32(0)?, output.cols, &mut out.f32_mut()[..n]),
            Primitive::LayerNorm(op) => {
                let scale_and_shift = [self.f32(1)?, self.f32(2)?];
                encoder::layer_norm(
                    (level, pool),
                    op.eps,
                    self.f32(0)?,
                    scale_and_shift,
                    &mut out.f32_mut()[..n],
                );
            }
            Primitive::MatMul(_) => return self.matmul_slice(cursor, output, out, factors),
            Primitive::MeanPool(_) => {
                encoder::mean_pool(self.f32(0)?, self.u32(1)?, output.cols, &mut out.f32_mut()[..n]);
            }
            Primitive::RmsNorm(op) => {
                rows::rms_norm((level, pool), op.eps, self.f32(0)?, self.f32(1)?, &mut out.f32_mut()[..n])
            }
            Primitive::Rope(op) => {
                let width = self.inputs[1].cols;
                rows::rope(
                    pool,
                    op,
                    self.rows(2)?,
                    self.f32(0)?,
                    self.f32(1)?,
                    width,
                    &mut out.f32_mut()[..n],
                );
            }
            Primitive::Softmax(_) => rows::softmax(self.f32(0)?, output.cols, &mut out.f32_mut()[..n]),
        }
        Ok(true)
    }

    /// The next groups of a matrix product.
    fn matmul_slice(
        &self,
        cursor: &mut Cursor,
        output: Operand,
        out: &mut Buffer,
        factors: &mut Factors,
    ) -> Result<bool, ExecError> {
        let weight = self.weight(1)?;
        let x = self.f32(0)?;
        let executor = (self.executor.level, &self.executor.pool);
        let factor = self.factor(weight, x, factors);
        let (target, count) = (&mut out.f32_mut()[..output.elements()], slice(weight, x, cursor));
        matmul::matmul(executor, factor, weight, (cursor.group, count), target);
        Ok(cursor.goes_on(count, weight.groups()))
    }

    /// The next groups of two products as a gated linear unit.
    fn gated_slice(
        &self,
        op: &GatedProduct,
        cursor: &mut Cursor,
        output: Operand,
        out: &mut Buffer,
        factors: &mut Factors,
    ) -> Result<bool, ExecError> {
        let (gate, up) = (self.weight(1)?, self.weight(2)?);
        let x = self.f32(0)?;
        let executor = (self.executor.level, &self.executor.pool);
        let factor = self.factor(gate, x, factors);
        let (target, count) = (&mut out.f32_mut()[..output.elements()], slice(gate, x, cursor));
        gated::gated_product(executor, op.activation, factor, [gate, up], (cursor.group, count), target);
        Ok(cursor.goes_on(count, gate.groups()))
    }

    /// What a weight is multiplied with: the first operand, as its precision has it.
    fn factor<'f>(&self, weight: &Weight, x: &'f [f32], factors: &'f mut Factors) -> Factor<'f> {
        let executor = (self.executor.level, &self.executor.pool);
        let fast = self.executor.precision == Precision::Fast && matmul::takes_bytes(weight);
        factors.of(executor, fast, self.ids[0], x, self.inputs[0].cols)
    }
}

/// Groups of a product that are done before the clock is looked at.
fn slice(weight: &Weight, x: &[f32], cursor: &Cursor) -> usize {
    let most = (SLICE_PRODUCTS / x.len().saturating_mul(ROWS).max(1)).max(8);
    most.min(weight.groups() - cursor.group)
}

fn mismatch(operation: &'static str, name: &str, expected: String, got: String) -> ExecError {
    ExecError::Mismatch { operation, name: name.to_owned(), expected, got }
}

impl Executor for CpuExecutor {
    fn info(&self) -> BackendInfo {
        let threads = self.pool.threads();
        let plural = if threads == 1 { "" } else { "s" };
        let device = format!("{}, {threads} thread{plural}", self.level.name());
        BackendInfo { kind: BackendKind::Cpu, device, software: false, threads }
    }

    fn memory(&self) -> MemoryUse {
        let states: usize = self
            .shared
            .values()
            .filter(|(_, _, storage)| *storage == Storage::State)
            .map(|(index, _, _)| self.buffers[*index].bytes().len())
            .sum();
        let all: usize = self.buffers.iter().map(|buffer| buffer.bytes().len()).sum();
        let weights: usize = self.weights.iter().map(Weight::held_bytes).sum();
        MemoryUse { weights: weights as u64, states: states as u64, scratch: (all - states) as u64 }
    }

    fn fused(&self) -> &'static [FusedKind] {
        FUSED
    }

    fn clear(&mut self) {
        self.weights.clear();
        self.weight_of.clear();
        self.buffers.clear();
        self.shared.clear();
        self.scratch.clear();
        self.plans.clear();
        self.runs = Runs::default();
        self.fault = None;
    }

    fn add_weight(&mut self, desc: &TensorDesc) -> Result<WeightId, ExecError> {
        if self.weight_of.contains_key(&desc.name) {
            return Err(mismatch("add_weight", &desc.name, "a new name".into(), "one that is taken".into()));
        }
        self.weights.push(Weight::new(desc)?);
        self.weight_of.insert(desc.name.clone(), self.weights.len() - 1);
        Ok(WeightId(self.weights.len() - 1))
    }

    async fn write_weight(&mut self, weight: WeightId, offset: usize, bytes: &[u8]) -> Result<(), ExecError> {
        let unknown =
            || ExecError::Unknown { operation: "write_weight", what: "weight", name: weight.0.to_string() };
        self.weights.get_mut(weight.0).ok_or_else(unknown)?.write(&self.pool, offset, bytes)
    }

    async fn finish_weights(&mut self) -> Result<(), ExecError> {
        for weight in &self.weights {
            let bytes = weight.bytes;
            if weight.filled != bytes {
                let got = format!("{} bytes", weight.filled);
                return Err(mismatch("finish_weights", &weight.desc.name, format!("{bytes} bytes"), got));
            }
        }
        Ok(())
    }

    fn prepare(&mut self, plan: &Plan, largest: Extent) -> Result<PlanId, ExecError> {
        let assignment = memory::assign(plan, largest);
        #[cfg(debug_assertions)]
        executor::check_plan(plan, &assignment, largest)?;
        // No routine here has more than one result.
        if let Some(step) = plan.steps.iter().find(|step| step.changes().count() != 1) {
            let got = format!("{} of {}", step.changes().count(), step.op.kernel().stem());
            return Err(mismatch("prepare", "plan", "steps of one result".to_owned(), got));
        }
        let mut growth = Growth::default();
        let scratch = self.scratch_places(&assignment, &mut growth)?;
        let mut places = Vec::with_capacity(plan.values.len());
        for (index, value) in plan.values.iter().enumerate() {
            let operand = plan.operand(ValueId(index as u32), largest);
            places.push(match value.storage {
                Storage::Weight => self.weight_place(value, operand)?,
                Storage::Input | Storage::State => self.shared_place(value, operand, &mut growth)?,
                Storage::Output => Place::Buffer(growth.make(self, operand, &value.name)?),
                Storage::Temp => match assignment.buffer_of[index] {
                    Some(buffer) => Place::Buffer(scratch[buffer]),
                    None => {
                        return Err(mismatch(
                            "prepare",
                            &value.name,
                            "a step that writes it".into(),
                            "none".into(),
                        ));
                    }
                },
            });
        }
        self.take_over(growth);
        self.plans.push(Prepared { plan: plan.clone(), places, largest });
        Ok(PlanId(self.plans.len() - 1))
    }

    fn write_at(&mut self, name: &str, offset: usize, bytes: &[u8]) -> Result<(), ExecError> {
        let unknown =
            || ExecError::Unknown { operation: "write", what: "input or state", name: name.to_owned() };
        let &(index, _, _) = self.shared.get(name).ok_or_else(unknown)?;
        let target = self.buffers[index].bytes_mut();
        let room = target.len();
        let Some(target) = target.get_mut(offset..offset.saturating_add(bytes.len())) else {
            return Err(mismatch(
                "write",
                name,
                format!("at most {room} bytes"),
                format!("{} bytes from {offset} on", bytes.len()),
            ));
        };
        target.copy_from_slice(bytes);
        Ok(())
    }

    fn submit(&mut self, run: Submit<'_>) -> Result<Ticket, ExecError> {
        let unknown =
            || ExecError::Unknown { operation: "submit", what: "plan", name: run.plan.0.to_string() };
        let prepared = self.plans.get(run.plan.0).ok_or_else(unknown)?;
        executor::check_run(&prepared.plan, prepared.largest, &run)?;
        Ok(self.runs.add(run))
    }

    async fn advance(&mut self, ticket: Ticket, budget_ms: f64) -> Result<Progress, ExecError> {
        let start = (self.clock)();
        while self.runs.waits(ticket) {
            let Some(mut run) = self.runs.next() else { break };
            let result = self.go_on(&mut run, start + budget_ms);
            match result? {
                true => self.runs.end(run, self.fault),
                false => {
                    self.runs.put_back(run);
                    return Ok(Progress::More);
                }
            }
        }
        Ok(Progress::Done)
    }

    async fn take(&mut self, ticket: Ticket) -> Result<Finished, ExecError> {
        while self.advance(ticket, f64::INFINITY).await? == Progress::More {}
        self.runs.take(ticket)
    }

    fn cancel(&mut self, ticket: Ticket) {
        self.runs.cancel(ticket);
    }

    async fn read_state(&mut self, plan: PlanId, value: ValueId) -> Result<Vec<u8>, ExecError> {
        while let Some(last) = self.runs.last() {
            self.advance(last, f64::INFINITY).await?;
        }
        let unknown =
            || ExecError::Unknown { operation: "read_state", what: "plan", name: plan.0.to_string() };
        let prepared = self.plans.get(plan.0).ok_or_else(unknown)?;
        executor::check_state(&prepared.plan, value)?;
        self.bytes_of(plan, value, prepared.largest)
    }

    async fn find_fault(&mut self) -> Result<Option<usize>, ExecError> {
        while let Some(last) = self.runs.last() {
            self.advance(last, f64::INFINITY).await?;
        }
        Ok(self.fault)
    }

    fn forget_fault(&mut self) {
        self.fault = None;
    }
}
