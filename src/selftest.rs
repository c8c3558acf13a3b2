//! Runs the kernels' cases on an executor and judges them by the references: in the tests, and in browsers.

use thiserror::Error;

use crate::cpu::{CpuExecutor, CpuOptions};
use crate::formats::quant::{QuantError, dequantise};
use crate::kernel::add::Add;
use crate::kernel::attention::Attention;
use crate::kernel::matmul::MatMul;
use crate::kernel::{Case, Io, Judged, Op, Operand, all_cases};
use crate::plan::executor::PlanId;
use crate::plan::executor::WeightId;
use crate::plan::{ExecError, Executor, Extent, Plan, Precision, Progress, Rows, Storage, ValueId, memory};
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
    let cost = |op: &Op, inputs: &[Operand], output: Operand, tokens: usize, pos: usize| {
        op.kernel().cost(&Io { inputs, outputs: &[output], tokens, pos, row_start: 0 })
    };
    let f32 = |rows, cols| Operand::new(DType::F32, rows, cols);

    // Logits after 16 rows of Gemma 3 1B.
    let head = [f32(16, 1152), Operand::new(DType::Q8_0, 262_144, 1152)];
    expect("logits", cost(&MatMul.into(), &head, f32(16, 262_144), 16, 0), 4_831_838_208)?;
    // A chunk at the end of a long context.
    let attention = Attention { heads: 32, kv_heads: 8, head_dim: 128, window: None, scale: 1.0 };
    let cache = Operand::new(DType::F16, 8 * 131_072, 128);
    let operands = [f32(64, 4096), cache, cache];
    let end = cost(&attention.into(), &operands, f32(64, 4096), 64, 131_008);
    expect("attention", end, 68_719_476_736)?;
    // Every kernel, on operands of 2^34 elements each.
    let wide = f32(65_536, 262_144);
    for case in all_cases() {
        let inputs = vec![wide; case.inputs.len()];
        let least = cost(&case.op, &inputs, wide, 65_536, 0).min(1 << 34);
        expect(case.op.kernel().stem(), least, 1 << 34)?;
    }
    expect("bytes of blocks", Operand::new(DType::Q8_0, 262_144, 16_384).bytes(), 4_563_402_752)?;
    let shape = Shape::new([65_536, 65_536, 2]);
    expect("elements", shape.count(), 1 << 33)?;
    // Where they can't be indexed, nothing else may come of them.
    let indexed = shape.elements().map_or(1 << 33, |elements| elements as u64);
    expect("elements in memory", indexed, 1 << 33)?;
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, Rows::Tokens, 1 << 26);
    let y = plan.step(Add, &[x, x], "y", Rows::Tokens, 1 << 26);
    plan.step(Add, &[y, x], "z", Rows::Tokens, 1 << 26);
    let together = memory::assign(&plan, Extent { tokens: 64, pos: 0 }).total_bytes();
    expect("temporaries", together, 1 << 35)?;
    // 2^52 bytes are on no machine.
    let options = CpuOptions { threads: Some(1), precision: Precision::Exact, clock: || 0.0 };
    let refused = match CpuExecutor::new(options).prepare(&plan, 1 << 24) {
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
    let loaded = load_case(executor, case).await?;
    let got = run_plan(executor, loaded.plan, loaded.extent, &loaded.outputs).await?;
    judge(case, &got)
}

/// Clears the executor and gives it a case, for one run or for the many of a benchmark.
pub async fn load_case<E: Executor>(executor: &mut E, case: &Case) -> Result<LoadedCase, ExecError> {
    executor.clear();
    let (plan, outputs) = plan_of(case);
    let mut loaded = Vec::new();
    for &index in case.weights {
        load_weight(executor, &input_name(index), case.inputs[index].operand, &case.input_bytes(index))
            .await?;
        loaded.push(index);
    }
    executor.finish_weights().await?;
    let id = executor.prepare(&plan, case.tokens)?;
    for index in (0..case.inputs.len()).filter(|index| !loaded.contains(index)) {
        executor.write(&input_name(index), &case.input_bytes(index))?;
    }
    for index in 0..case.outputs.len() {
        if keeps_content(case) {
            executor.write(&output_name(index), &case.output_bytes(index))?;
        }
    }
    Ok(LoadedCase { plan: id, extent: Extent { tokens: case.tokens, pos: case.pos }, outputs })
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

/// Runs a prepared plan to its end and reads values of it.
async fn run_plan<E: Executor>(
    executor: &mut E,
    plan: PlanId,
    extent: Extent,
    values: &[ValueId],
) -> Result<Vec<Vec<u8>>, ExecError> {
    executor.begin(plan, extent)?;
    while executor.advance(50.0).await? == Progress::More {}
    let mut read = Vec::with_capacity(values.len());
    for &value in values {
        read.push(executor.read(plan, value).await?);
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
    matches!(case.op, Op::KvWrite(_))
}

fn plan_of(case: &Case) -> (Plan, Vec<ValueId>) {
    let mut plan = Plan::new();
    let mut add = |storage, name: String, operand: Operand| {
        plan.add(storage, &name, operand.dtype, Rows::Fixed(operand.rows), operand.cols)
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
    plan.steps.push(crate::plan::Step { op: case.op.clone(), inputs, outputs: outputs.clone() });
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
    let kernel = case.op.kernel();
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
