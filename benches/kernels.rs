//! The kernels' own cases, timed on the CPU executor and on the GPU executor where there is an adapter.
//!
//! Decode shapes (a token) are bound by memory, so they are reported in bytes of weights; all others in floating point
//! operations or elements, which criterion calls `elem`. A whole run is timed: begin, dispatch, wait for the device. A
//! software adapter says so in its name; its times are no measure of a GPU.

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use rushlight::cpu::{CpuExecutor, CpuOptions};
use rushlight::kernel::{Case, Op, Operand, all_cases};
use rushlight::plan::{Executor, Precision, Progress};
use rushlight::selftest::{LoadedCase, load_case};
use rushlight::tensor::DType;

/// A projection of Gemma 3 270M: its feed-forward block's last matrix.
const PROJECTION: (usize, usize) = (640, 2048);
/// Tokens of a run: decode, and a chunk of a prompt.
const TOKENS: [usize; 2] = [1, 64];
/// Elements below which a case is a test of edges, not of speed.
const LEAST_WORK: usize = 50_000;

fn clock() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3
}

/// A matrix product of the list in the shape of a real model's, since those of the list test edges.
fn projection(case: &Case, tokens: usize) -> Case {
    let (rows, cols) = PROJECTION;
    let mut case = case.clone();
    case.tokens = tokens;
    case.inputs[0].operand = Operand::new(DType::F32, tokens, cols);
    case.inputs[1].operand = Operand { rows, cols, ..case.inputs[1].operand };
    case.outputs = vec![Operand::new(DType::F32, tokens, rows)];
    case
}

/// What is timed: each weight type as decode and as prefill, and of each other kernel the case with the most work.
fn cases(few_types: bool) -> Vec<(String, Case)> {
    let all = all_cases();
    let mut chosen = Vec::new();
    for dtype in DType::WEIGHTS {
        let of_type =
            |case: &&Case| matches!(case.op, Op::MatMul(_)) && case.inputs[1].operand.dtype == dtype;
        if few_types && !matches!(dtype, DType::F16 | DType::Q8_0 | DType::Q4_K) {
            continue;
        }
        let Some(case) = all.iter().find(of_type) else { continue };
        for tokens in TOKENS {
            chosen.push((format!("matmul/{dtype}/{tokens}"), projection(case, tokens)));
        }
    }
    let mut stems: Vec<&str> = all.iter().map(|case| case.op.kernel().stem()).collect();
    stems.dedup();
    for stem in stems.into_iter().filter(|stem| *stem != "matmul") {
        let work = |case: &&Case| case.with_io(|io| case.op.kernel().cost(io));
        let largest = all.iter().filter(|case| case.op.kernel().stem() == stem).max_by_key(work);
        if let Some(case) = largest.filter(|case| work(case) >= LEAST_WORK) {
            let rows = case.inputs[0].operand;
            chosen.push((format!("{stem}/{}x{}", rows.rows, rows.cols), case.clone()));
        }
    }
    chosen
}

/// Bytes of weights where they are read once for one token, else floating point operations.
fn throughput(case: &Case) -> Throughput {
    let work = case.with_io(|io| case.op.kernel().cost(io)) as u64;
    let bytes = |index: &usize| {
        let operand = case.inputs[*index].operand;
        (operand.blocks() * operand.dtype.block_bytes()) as u64
    };
    match case.op {
        Op::MatMul(_) if case.tokens == 1 => Throughput::Bytes(case.weights.iter().map(bytes).sum()),
        // A multiply-add is two operations.
        Op::MatMul(_) | Op::Attention(_) => Throughput::Elements(2 * work),
        _ => Throughput::Elements(work),
    }
}

fn run(executor: &mut impl Executor, case: &LoadedCase) {
    executor.begin(case.plan, case.extent).expect("the plan is prepared");
    while pollster::block_on(executor.advance(1e3)).expect("the run succeeds") == Progress::More {}
}

fn bench(criterion: &mut Criterion, name: &str, executor: &mut impl Executor, few_types: bool) {
    println!("\n{name}: {}\n", executor.info().device);
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    for (label, case) in cases(few_types) {
        group.throughput(throughput(&case));
        let mut loaded = None;
        group.bench_function(&label, |bencher| {
            // Only when the benchmark is among those that the filter takes, and once.
            let loaded = loaded.get_or_insert_with(|| {
                pollster::block_on(load_case(executor, &case)).expect("the executor takes its own cases")
            });
            bencher.iter(|| run(black_box(executor), loaded));
        });
    }
    group.finish();
}

fn cpu(criterion: &mut Criterion) {
    bench(
        criterion,
        "cpu",
        &mut CpuExecutor::new(CpuOptions { threads: None, precision: Precision::Exact, clock }),
        false,
    );
}

#[cfg(feature = "gpu")]
fn gpu(criterion: &mut Criterion) {
    use rushlight::gpu::{GpuExecutor, GpuOptions};
    match pollster::block_on(GpuExecutor::open(GpuOptions::new(clock))) {
        Ok(mut executor) if executor.info().software => {
            bench(criterion, "gpu-in-software", &mut executor, true);
        }
        Ok(mut executor) => bench(criterion, "gpu", &mut executor, false),
        Err(why) => println!("\ngpu: not timed: {why}\n"),
    }
}

#[cfg(not(feature = "gpu"))]
fn gpu(_: &mut Criterion) {
    println!("\ngpu: not timed: this build has no GPU backend\n");
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(10)
        .without_plots()
        .configure_from_args();
    cpu(&mut criterion);
    gpu(&mut criterion);
    criterion.final_summary();
}
