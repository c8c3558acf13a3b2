//! Runs the kernels' cases on an executor and judges them by the references: in the tests, and in browsers.

use thiserror::Error;

use crate::cpu::{CpuExecutor, CpuOptions};
use crate::formats::quant::{QuantError, dequantise};
use crate::kernel::add::Add;
use crate::kernel::attention::Attention;
use crate::kernel::fused::operand_of;
use crate::kernel::matmul::MatMul;
use crate::kernel::{Case, Fused, Io, Judged, Op, Operand, Part, Primitive, all_cases};
use crate::plan::executor::{PlanId, Submit, WeightId};
use crate::plan::{Dim, Dims, ExecError, Executor, Extent, Plan, Precision, Storage, ValueId, memory};
use crate::tensor::{DType, Shape, TensorDesc};

/// Sizes of the chunks in which weights are written: nothing that a block, a word or a row divides.
const CHUNKS: [usize; 5] = [1, 5, 1_001, 65_537, 300_007];

/// How a case ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CaseReport {
    /// Largest error, as a share of what is allowed: at most 1.
    pub worst: f64,
    /// Elements that were compared.
    pub elements: usize,
}

/// Why a case did not pass.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CaseError {
    /// The executor refused.
    #[error(transparent)]
    Executor(#[from] ExecError),
    /// An input's blocks could not be decoded for the reference.
    #[error(transparent)]
    Quant(#[from] QuantError),
    /// An output of the wrong size.
    #[error("output {output}: expected {expected} elements, got {got}")]
    Size {
        /// Which output.
        output: usize,
        /// Elements of the reference.
        expected: usize,
        /// Elements that were read.
        got: usize,
    },
    /// An element further from the reference than rounding explains.
    #[error("output {output}, element {element}: expected {expected} within {allowed:e}, got {got}")]
    Wrong {
        /// Which output.
        output: usize,
        /// Its element.
        element: usize,
        /// The reference.
        expected: f64,
        /// What the executor gave.
        got: f64,
        /// The error that rounding explains.
        allowed: f64,
    },
}

/// Counts of work and bytes that pass 32 bits, against numbers worked out by hand: in a browser a `usize` has no more. Gives how many
/// were compared.
///
/// # Errors
/// The first count that is wrong.
pub fn wide_counts() -> Result<usize, String> {
    let mut compared = 0;
    let mut expect = |what: &str, got: u64, expected: u64| {
        compared += 1;
        if got == expected { Ok(()) } else { Err(format!("{what}: expected {expected}, got {got}")) }
    };
    let cost = |op: &Op, inputs: &[Operand], output: Operand, tokens: usize, keys: usize| {
        let extent = Extent { keys, ..Extent::tokens(tokens) };
        op.kernel().cost(&Io { inputs, outputs: &[output], extent, row_start: 0 })
    };
    let f32 = |rows, cols| Operand::new(DType::F32, rows, cols);

    // Logits after 16 rows of Gemma 3 1B.
    let head = [f32(16, 1152), Operand::new(DType::Q8_0, 262_144, 1152)];
    expect("logits", cost(&MatMul.into(), &head, f32(16, 262_144), 16, 0), 4_831_838_208)?;
    // A chunk at the end of a long context.
    let attention = Attention { heads: 32, kv_heads: 8, head_dim: 128, window: None, scale: 1.0 };
    let cache = Operand::new(DType::F16, 8 * 131_072, 128);
    let operands = [f32(64, 4096), cache, cache];
    let end = cost(&attention.into(), &operands, f32(64, 4096), 64, 131_072);
    expect("attention", end, 68_719_476_736)?;
    // Every kernel, on operands of 2^34 elements each.
    let wide = f32(65_536, 262_144);
    for case in all_cases() {
        let inputs = vec![wide; case.inputs.len()];
        let least = cost(&case.op, &inputs, wide, 65_536, 65_536).min(1 << 34);
        expect(case.op.kernel().stem(), least, 1 << 34)?;
    }
    expect("bytes of blocks", Operand::new(DType::Q8_0, 262_144, 16_384).bytes(), 4_563_402_752)?;
    let shape = Shape::new([65_536, 65_536, 2]);
    expect("elements", shape.count(), 1 << 33)?;
    // Where they can't be indexed, nothing else may come of them.
    let indexed = shape.elements().map_or(1 << 33, |elements| elements as u64);
    expect("elements in memory", indexed, 1 << 33)?;
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, (Dim::Tokens, 1 << 26));
    let y = plan.step(Add, &[x, x], "y", (Dim::Tokens, 1 << 26));
    plan.step(Add, &[y, x], "z", (Dim::Tokens, 1 << 26));
    let together = memory::assign(&plan, Extent::tokens(64)).total_bytes();
    expect("temporaries", together, 1 << 35)?;
    // 2^52 bytes are on no machine.
    let options = CpuOptions { threads: Some(1), precision: Precision::Exact, clock: || 0.0 };
    let refused = match CpuExecutor::new(options).prepare(&plan, Extent::tokens(1 << 24)) {
        Err(ExecError::OutOfMemory { bytes, .. }) => bytes,
        other => return Err(format!("memory of a plan: expected a refusal, got {other:?}")),
    };
    expect("memory of a plan", refused, 1 << 52)?;
    Ok(compared)
}

/// A case as an executor holds it: a plan of one step, with its data in place.
#[derive(Clone, Debug)]
pub struct LoadedCase {
    /// The prepared plan.
    pub plan: PlanId,
    /// Of its runs.
    pub extent: Extent,
    /// Its outputs.
    pub outputs: Vec<ValueId>,
}

/// Runs one case as a plan of one step, and compares. Clears the executor.
pub async fn run_case<E: Executor>(executor: &mut E, case: &Case) -> Result<CaseReport, CaseError> {
    let Op::Fused(fused) = &case.op else {
        let loaded = load_case(executor, case).await?;
        let got = run_loaded(executor, &loaded, keeps_content(case)).await?;
        return judge(case, &got);
    };
    let (expansion, outputs) = expansion_of(case, fused);
    let is_there = executor.fused().contains(&fused.kind());
    let mut loaded = if is_there {
        load_case(executor, case).await?
    } else {
        load_plan(executor, case, (expansion.clone(), outputs.clone())).await?
    };
    let got = run_loaded(executor, &loaded, false).await?;
    if is_there {
        loaded.plan = executor.prepare(&expansion, case.extent())?;
        loaded.outputs = outputs;
    }
    let by_primitives = run_loaded(executor, &loaded, false).await?;
    judge_fused(case, fused, &got, &by_primitives)
}

/// Clears the executor and gives it a case, for one run or for the many of a benchmark.
pub async fn load_case<E: Executor>(executor: &mut E, case: &Case) -> Result<LoadedCase, ExecError> {
    load_plan(executor, case, plan_of(case)).await
}

async fn load_plan<E: Executor>(
    executor: &mut E,
    case: &Case,
    (plan, outputs): (Plan, Vec<ValueId>),
) -> Result<LoadedCase, ExecError> {
    executor.clear();
    let mut loaded = Vec::new();
    for &index in case.weights {
        load_weight(executor, &input_name(index), case.inputs[index].operand, &case.input_bytes(index))
            .await?;
        loaded.push(index);
    }
    executor.finish_weights().await?;
    let id = executor.prepare(&plan, case.extent())?;
    for index in (0..case.inputs.len()).filter(|index| !loaded.contains(index)) {
        executor.write(&input_name(index), &case.input_bytes(index))?;
    }
    for index in 0..case.outputs.len() {
        if keeps_content(case) {
            executor.write(&output_name(index), &case.output_bytes(index))?;
        }
    }
    Ok(LoadedCase { plan: id, extent: case.extent(), outputs })
}

/// Runs every case; `each` hears of one as it ends.
pub async fn run_all<E: Executor>(
    executor: &mut E,
    mut each: impl FnMut(&Case, &Result<CaseReport, CaseError>),
) {
    for case in crate::kernel::all_cases() {
        let result = run_case(executor, &case).await;
        each(&case, &result);
    }
}

/// Runs a case to its end and reads its outputs: those of a kernel, or the states that it updates.
async fn run_loaded<E: Executor>(
    executor: &mut E,
    case: &LoadedCase,
    are_states: bool,
) -> Result<Vec<Vec<u8>>, ExecError> {
    let LoadedCase { plan, extent, .. } = *case;
    let taken: &[ValueId] = if are_states { &[] } else { &case.outputs };
    let ticket = executor.submit(Submit { plan, extent, inputs: &[], outputs: taken })?;
    let mut read = executor.take(ticket).await?.outputs;
    if are_states {
        for &state in &case.outputs {
            read.push(executor.read_state(plan, state).await?);
        }
    }
    Ok(read)
}

/// Writes a weight in uneven chunks.
async fn load_weight<E: Executor>(
    executor: &mut E,
    name: &str,
    operand: Operand,
    bytes: &[u8],
) -> Result<WeightId, ExecError> {
    let shape = Shape::new([operand.rows, operand.cols]);
    let id = executor.add_weight(&TensorDesc { name: name.to_owned(), dtype: operand.dtype, shape })?;
    let mut at = 0;
    for size in CHUNKS.into_iter().cycle() {
        let end = (at + size).min(bytes.len());
        executor.write_weight(id, at, &bytes[at..end]).await?;
        at = end;
        if at == bytes.len() {
            break;
        }
    }
    Ok(id)
}

fn input_name(index: usize) -> String {
    format!("input{index}")
}

fn output_name(index: usize) -> String {
    format!("output{index}")
}

/// Whether the step leaves parts of its output as they were: a cache.
fn keeps_content(case: &Case) -> bool {
    matches!(case.op.primitive(), Some(Primitive::KvWrite(_)))
}

/// The plan of a case's expansion into primitives: its operands have the same names.
fn expansion_of(case: &Case, fused: &Fused) -> (Plan, Vec<ValueId>) {
    let (mut plan, outputs) = plan_of(case);
    let whole = plan.steps.pop();
    let steps = fused.expand();
    let mut temporaries: Vec<(Part, ValueId)> = Vec::new();
    for step in &steps {
        let mut value = |part: Part| {
            let id = match (part, &whole) {
                (Part::Read(at), Some(whole)) => whole.reads.get(at).copied(),
                (Part::Write(at), _) => outputs.get(at).copied(),
                (part, _) => temporaries.iter().find(|(known, _)| *known == part).map(|&(_, id)| id),
            };
            id.unwrap_or_else(|| {
                let operand = case.with_io(|io| operand_of(part, &steps, io));
                let operand = operand.unwrap_or(Operand::new(DType::F32, 1, 1));
                let dims = (Dim::Fixed(operand.rows), operand.cols);
                let id = plan.add(Storage::Temp, "between", operand.dtype, dims);
                temporaries.push((part, id));
                id
            })
        };
        let reads: Vec<ValueId> = step.reads.iter().map(|&part| value(part)).collect();
        let written = value(step.writes);
        plan.step_into(Op::Primitive(step.primitive.clone()), &reads, written);
    }
    (plan, outputs)
}

fn plan_of(case: &Case) -> (Plan, Vec<ValueId>) {
    let mut plan = Plan::new();
    let mut add = |storage, name: String, operand: Operand| {
        let outer: Vec<Dim> =
            operand.outer.into_iter().skip_while(|&count| count == 1).map(Dim::Fixed).collect();
        let outer = if outer.is_empty() { vec![Dim::Fixed(1)] } else { outer };
        plan.add(storage, &name, operand.dtype, Dims::new(outer, operand.cols))
    };
    let inputs: Vec<ValueId> = (0..case.inputs.len())
        .map(|index| {
            let storage = match () {
                () if case.weights.contains(&index) => Storage::Weight,
                () if case.caches.contains(&index) => Storage::State,
                () => Storage::Input,
            };
            add(storage, input_name(index), case.inputs[index].operand)
        })
        .collect();
    let storage = if keeps_content(case) { Storage::State } else { Storage::Output };
    let outputs: Vec<ValueId> =
        (0..case.outputs.len()).map(|index| add(storage, output_name(index), case.outputs[index])).collect();
    let changes = outputs.clone();
    let (writes, updates) = if keeps_content(case) { (Vec::new(), changes) } else { (changes, Vec::new()) };
    plan.steps.push(crate::plan::Step { op: case.op.clone(), reads: inputs, writes, updates });
    (plan, outputs)
}

/// Compares with the reference.
fn judge(case: &Case, got: &[Vec<u8>]) -> Result<CaseReport, CaseError> {
    let mut inputs = Vec::with_capacity(case.inputs.len());
    for (index, input) in case.inputs.iter().enumerate() {
        inputs.push(decode(input.operand.dtype, &case.input_bytes(index))?);
    }
    let mut before = Vec::with_capacity(case.outputs.len());
    for (index, output) in case.outputs.iter().enumerate().filter(|_| keeps_content(case)) {
        before.push(decode(output.dtype, &case.output_bytes(index))?);
    }
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let before: Vec<&[f64]> = before.iter().map(Vec::as_slice).collect();
    let Op::Primitive(primitive) = &case.op else { return Ok(CaseReport::default()) };
    let kernel = primitive.reference();
    let reference = |io: &Io<'_>| (kernel.reference(io, &inputs, &before), kernel.tolerance(io));
    let (expected, tolerance) = case.with_io(reference);
    let mut report = CaseReport::default();
    for (output, (expected, bytes)) in expected.iter().zip(got).enumerate() {
        let got = decode(case.outputs[output].dtype, bytes)?;
        if got.len() != expected.len() {
            return Err(CaseError::Size { output, expected: expected.len(), got: got.len() });
        }
        for (element, (&Judged { value, magnitude }, &got)) in expected.iter().zip(&got).enumerate() {
            if !value.is_finite() && !got.is_finite() {
                // Which of NaN and the infinities comes of another, nobody promises.
                continue;
            }
            let (error, allowed) = ((got - value).abs(), tolerance * magnitude);
            // Written so that a NaN fails.
            if error <= allowed {
                report.worst = report.worst.max(if error > 0.0 { error / allowed } else { 0.0 });
            } else {
                return Err(CaseError::Wrong { output, element, expected: value, got, allowed });
            }
        }
        report.elements += got.len();
    }
    Ok(report)
}

/// Compares what a fused operation gave with its mathematics: it may be wrong by twice as much as its expansion in f32 is, or may be by
/// the bounds of its steps.
fn judge_fused(
    case: &Case,
    fused: &Fused,
    got: &[Vec<u8>],
    by_primitives: &[Vec<u8>],
) -> Result<CaseReport, CaseError> {
    let mut inputs = Vec::with_capacity(case.inputs.len());
    for (index, input) in case.inputs.iter().enumerate() {
        inputs.push(decode(input.operand.dtype, &case.input_bytes(index))?);
    }
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    let (expected, tolerance) = case.with_io(|io| (fused.reference(io, &inputs), fused.tolerance(io)));
    let mut report = CaseReport::default();
    for (output, (expected, (got, by_primitives))) in
        expected.iter().zip(got.iter().zip(by_primitives)).enumerate()
    {
        let dtype = case.outputs[output].dtype;
        let (got, primitives) = (decode(dtype, got)?, decode(dtype, by_primitives)?);
        if got.len() != expected.len() || primitives.len() != expected.len() {
            return Err(CaseError::Size { output, expected: expected.len(), got: got.len() });
        }
        let finite =
            || expected.iter().map(|judged| judged.value).enumerate().filter(|(_, value)| value.is_finite());
        let worst_by_primitives =
            finite().map(|(at, value)| (primitives[at] - value).abs()).fold(0.0, f64::max);
        for (element, (&Judged { value, magnitude }, &got)) in expected.iter().zip(&got).enumerate() {
            if !value.is_finite() && !got.is_finite() {
                continue;
            }
            let allowed = 2.0 * worst_by_primitives.max(tolerance * magnitude);
            let error = (got - value).abs();
            if error <= allowed {
                report.worst = report.worst.max(if error > 0.0 { error / allowed } else { 0.0 });
            } else {
                return Err(CaseError::Wrong { output, element, expected: value, got, allowed });
            }
        }
        report.elements += got.len();
    }
    Ok(report)
}

/// Elements of any type as f64.
fn decode(dtype: DType, bytes: &[u8]) -> Result<Vec<f64>, QuantError> {
    if dtype == DType::U32 {
        let words = bytes.as_chunks::<4>().0;
        return Ok(words.iter().map(|word| f64::from(u32::from_le_bytes(*word))).collect());
    }
    let mut values = vec![0.0; bytes.len() / dtype.block_bytes() * dtype.block_elements()];
    dequantise(dtype, bytes, &mut values)?;
    Ok(values.into_iter().map(f64::from).collect())
}
