//! Runs a plan on the processor, with SIMD and threads.
//!
//! A run is a cursor over the plan's steps; large matrix products are cut into slices of rows, so that
//! [`advance`](Executor::advance) returns close to its budget and whoever drives it can hear an abort.

mod activations;
mod attention;
mod buffer;
mod encoder;
mod floats;
mod growth;
mod ints;
mod matmul;
#[cfg(test)]
mod not_finite;
mod packed;
pub mod pool;
mod rows;
mod shared;
mod simd;

use std::collections::HashMap;

use crate::kernel::{Op, Operand};
use crate::plan::executor::{MemoryUse, PlanId, WeightId};
use crate::plan::{
    BackendInfo, BackendKind, Clock, ExecError, Executor, Extent, Plan, Precision, Progress, Storage, Value,
    ValueId, memory,
};
use crate::tensor::{DType, TensorDesc};
use buffer::Buffer;
use growth::{Growth, Shared};
use matmul::Factors;
use packed::Weight;
use packed::layout::ROWS;
use pool::Pool;
use simd::Level;

/// Multiplications that one slice of a matrix product does before the clock is looked at: 1 to 20 ms on one thread.
const SLICE_PRODUCTS: usize = 1 << 26;

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
    max_tokens: usize,
}

/// A run that has begun.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    plan: PlanId,
    extent: Extent,
    step: usize,
    /// Groups of the step's weight that are done.
    group: usize,
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
    run: Option<Cursor>,
    last: Option<Cursor>,
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
            run: None,
            last: None,
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

    /// Runs one step, or one slice of it; returns whether the step is finished.
    fn step(&mut self, cursor: &mut Cursor) -> Result<bool, ExecError> {
        let Prepared { plan, places, .. } = &self.plans[cursor.plan.0];
        let step = &plan.steps[cursor.step];
        let operand = |id: &ValueId| plan.operand(*id, cursor.extent);
        let inputs: Vec<Operand> = step.inputs.iter().map(operand).collect();
        let output = operand(&step.outputs[0]);
        let Place::Buffer(target) = places[step.outputs[0].0 as usize] else {
            return Err(mismatch("run", "output", "a buffer".into(), "a weight".into()));
        };
        let mut factors = std::mem::take(&mut self.factors);
        // Taken out while the step runs: no step reads what it writes, except a cache, which only it then touches.
        let mut out = std::mem::take(&mut self.buffers[target]);
        let mut fault = self.fault;
        let ctx = StepContext { executor: self, places, inputs: &inputs, ids: &step.inputs };
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
        match self.places[self.ids[input].0 as usize] {
            Place::Buffer(index) => Ok(&self.executor.buffers[index]),
            Place::Weight(_) => Err(mismatch("run", "operand", "a buffer".into(), "a weight".into())),
        }
    }

    /// The numbers of an operand: a value, or a weight of one row.
    fn f32(&self, input: usize) -> Result<&[f32], ExecError> {
        let numbers = match self.places[self.ids[input].0 as usize] {
            Place::Buffer(index) => self.executor.buffers[index].f32(),
            Place::Weight(index) => self.executor.weights[index].vector(),
        };
        let elements = self.inputs[input].elements();
        numbers.get(..elements).ok_or_else(|| {
            mismatch("run", "operand", format!("{elements} F32 numbers"), numbers.len().to_string())
        })
    }

    fn weight(&self, input: usize) -> Result<&Weight, ExecError> {
        match self.places[self.ids[input].0 as usize] {
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
        match op {
            Op::Add(_) => rows::add(pool, self.f32(0)?, self.f32(1)?, &mut out.f32_mut()[..n]),
            Op::Argmax(_) => {
                let Buffer::U32(ids) = out else {
                    return Err(mismatch("run", "argmax", "ids to write".into(), output.dtype.to_string()));
                };
                rows::argmax((level, pool), self.f32(0)?, self.inputs[0].cols, &mut ids[..n]);
            }
            Op::Attention(op) => {
                let slots = self.inputs[1].rows / op.kv_heads;
                let operands = [self.buffer(0)?, self.buffer(1)?, self.buffer(2)?];
                attention::attention(
                    (level, pool),
                    op,
                    cursor.extent,
                    operands,
                    slots,
                    &mut out.f32_mut()[..n],
                );
            }
            Op::Embedding(op) => {
                let ids = &self.buffer(0)?.u32()[..self.inputs[0].elements()];
                rows::embedding(level, op.scale, ids, self.weight(1)?, &mut out.f32_mut()[..n])?;
            }
            Op::EncoderAttention(op) => {
                let spans = &self.buffer(3)?.u32()[..self.inputs[3].elements()];
                let qkv = [self.buffer(0)?, self.buffer(1)?, self.buffer(2)?];
                encoder::attention((level, pool), op, qkv, spans, &mut out.f32_mut()[..n]);
            }
            Op::Gelu(_) => encoder::gelu((level, pool), self.f32(0)?, &mut out.f32_mut()[..n]),
            Op::Glu(op) => {
                rows::glu((level, pool), op.activation, self.f32(0)?, self.f32(1)?, &mut out.f32_mut()[..n])
            }
            Op::KvWrite(op) => {
                let slots = output.rows / op.kv_heads;
                let here = rows::kv_write(op.kv_heads, cursor.extent, self.f32(0)?, out, slots);
                *fault = here.into_iter().chain(*fault).min();
            }
            Op::L2Norm(_) => encoder::l2_norm(self.f32(0)?, output.cols, &mut out.f32_mut()[..n]),
            Op::LastRow(_) => {
                let x = self.f32(0)?;
                out.f32_mut()[..n].copy_from_slice(&x[x.len() - n..]);
            }
            Op::LayerNorm(op) => {
                let scale_and_shift = [self.f32(1)?, self.f32(2)?];
                encoder::layer_norm(
                    (level, pool),
                    op.eps,
                    self.f32(0)?,
                    scale_and_shift,
                    &mut out.f32_mut()[..n],
                );
            }
            Op::MatMul(_) => return self.matmul_slice(cursor, output, out, factors),
            Op::MeanPool(_) => {
                let segments = &self.buffer(1)?.u32()[..self.inputs[1].elements()];
                encoder::mean_pool(self.f32(0)?, segments, output.cols, &mut out.f32_mut()[..n]);
            }
            Op::RmsNorm(op) => {
                rows::rms_norm((level, pool), op.eps, self.f32(0)?, self.f32(1)?, &mut out.f32_mut()[..n])
            }
            Op::Rope(op) => {
                let width = self.inputs[1].cols;
                rows::rope(
                    pool,
                    op,
                    cursor.extent,
                    self.f32(0)?,
                    self.f32(1)?,
                    width,
                    &mut out.f32_mut()[..n],
                );
            }
            Op::Softmax(_) => rows::softmax(self.f32(0)?, output.cols, &mut out.f32_mut()[..n]),
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
        let fast = self.executor.precision == Precision::Fast && matmul::takes_bytes(weight);
        let factor = factors.of(executor, fast, self.ids[0], x, self.inputs[0].cols);
        let slice = (SLICE_PRODUCTS / x.len().saturating_mul(ROWS).max(1)).max(8);
        let count = slice.min(weight.groups() - cursor.group);
        let target = &mut out.f32_mut()[..output.elements()];
        matmul::matmul(executor, factor, weight, (cursor.group, count), target);
        cursor.group += count;
        if cursor.group < weight.groups() {
            return Ok(false);
        }
        cursor.group = 0;
        Ok(true)
    }
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

    fn clear(&mut self) {
        self.weights.clear();
        self.weight_of.clear();
        self.buffers.clear();
        self.shared.clear();
        self.scratch.clear();
        self.plans.clear();
        self.run = None;
        self.last = None;
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

    fn prepare(&mut self, plan: &Plan, max_tokens: usize) -> Result<PlanId, ExecError> {
        let largest = Extent { tokens: max_tokens, pos: 0 };
        let assignment = memory::assign(plan, largest);
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
        self.plans.push(Prepared { plan: plan.clone(), places, max_tokens });
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

    fn begin(&mut self, plan: PlanId, extent: Extent) -> Result<(), ExecError> {
        let unknown = || ExecError::Unknown { operation: "begin", what: "plan", name: plan.0.to_string() };
        let prepared = self.plans.get(plan.0).ok_or_else(unknown)?;
        if extent.tokens == 0 || extent.tokens > prepared.max_tokens {
            let expected = format!("1 to {} tokens", prepared.max_tokens);
            return Err(mismatch("begin", "plan", expected, extent.tokens.to_string()));
        }
        self.run = Some(Cursor { plan, extent, step: 0, group: 0 });
        self.factors.forget();
        Ok(())
    }

    async fn advance(&mut self, budget_ms: f64) -> Result<Progress, ExecError> {
        let Some(mut cursor) = self.run.take() else {
            return Ok(Progress::Done);
        };
        let start = (self.clock)();
        while cursor.step < self.plans[cursor.plan.0].plan.steps.len() {
            if self.step(&mut cursor)? {
                cursor.step += 1;
            }
            if (self.clock)() - start >= budget_ms {
                self.run = Some(cursor);
                return Ok(Progress::More);
            }
        }
        self.last = Some(cursor);
        Ok(Progress::Done)
    }

    async fn read(&mut self, plan: PlanId, value: ValueId) -> Result<Vec<u8>, ExecError> {
        let unknown = || ExecError::Unknown { operation: "read", what: "plan", name: plan.0.to_string() };
        let prepared = self.plans.get(plan.0).ok_or_else(unknown)?;
        let extent = match self.last {
            Some(cursor) if cursor.plan == plan => cursor.extent,
            _ => Extent { tokens: 1, pos: 0 },
        };
        let operand = prepared.plan.operand(value, extent);
        let bytes = operand.elements() / operand.dtype.block_elements() * operand.dtype.block_bytes();
        match prepared.places.get(value.0 as usize) {
            Some(Place::Buffer(index)) => Ok(self.buffers[*index].bytes()[..bytes].to_vec()),
            _ => Err(ExecError::Unknown { operation: "read", what: "value", name: value.0.to_string() }),
        }
    }

    async fn find_fault(&mut self) -> Result<Option<usize>, ExecError> {
        Ok(self.fault)
    }

    fn fault(&self) -> Option<usize> {
        self.fault
    }

    fn forget_fault(&mut self) {
        self.fault = None;
    }
}
