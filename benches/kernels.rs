//! The kernels' own cases, timed on the CPU executor and on the GPU executor where there is an adapter.
//!
//! Decode shapes (a token) are bound by memory, so criterion reports them in bytes of weights; all others in floating point
//! operations or elements, which it calls `elem`. Beneath, a line of our own gives GB/s, GFLOP/s and their share of what this
//! machine can do at most, measured in the same run: matrices that fit a cache may read faster than memory, and products of
//! int8 may be faster than F32's multiply-adds. A whole run is timed: begin, dispatch, wait for the device. A software adapter
//! says so in its name; its times are no measure of a GPU.

mod limits;

use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use rushlight::cpu::{CpuExecutor, CpuOptions};
use rushlight::kernel::{Case, Op, Operand, Primitive, all_cases};
use rushlight::plan::executor::Submit;
use rushlight::plan::{Executor, Precision};
use rushlight::selftest::{LoadedCase, load_case};
use rushlight::tensor::DType;

/// A projection of Gemma 3 270M: its feed-forward block's last matrix.
const PROJECTION: (usize, usize) = (640, 2048);
/// A quarter of Gemma 3 270M's head, which is 72% of the bytes of a token: too large for a cache.
const HEAD: (usize, usize) = (65_536, 640);
/// Tokens of a run: decode, and a chunk of a prompt.
const TOKENS: [usize; 2] = [1, 64];
/// Elements below which a case is a test of edges, not of speed.
const LEAST_WORK: u64 = 50_000;

fn clock() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3
}

/// A matrix product of the list in the shape of a real model's, since those of the list test edges.
fn projection(case: &Case, (rows, cols): (usize, usize), tokens: usize) -> Case {
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
        let of_type = |case: &&Case| {
            matches!(case.op.primitive(), Some(Primitive::MatMul(_))) && case.inputs[1].operand.dtype == dtype
        };
        if few_types && !matches!(dtype, DType::F16 | DType::Q8_0 | DType::Q4_K) {
            continue;
        }
        let Some(case) = all.iter().find(of_type) else { continue };
        for tokens in TOKENS {
            chosen.push((format!("matmul/{dtype}/{tokens}"), projection(case, PROJECTION, tokens)));
        }
        if !few_types && dtype == DType::Q8_0 {
            chosen.push((format!("head/{dtype}/1"), projection(case, HEAD, 1)));
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

/// Bytes of the weights.
fn weight_bytes(case: &Case) -> u64 {
    let bytes = |index: &usize| case.inputs[*index].operand.bytes();
    case.weights.iter().map(bytes).sum()
}

/// Floating point operations, where the kernel is made of multiply-adds.
fn operations(case: &Case) -> Option<u64> {
    let work = case.with_io(|io| case.op.kernel().cost(io));
    // A multiply-add is two operations.
    matches!(case.op.primitive(), Some(Primitive::MatMul(_) | Primitive::Attention(_))).then_some(2 * work)
}

/// Bytes of weights where they are read once for one token, else floating point operations.
fn throughput(case: &Case) -> Throughput {
    match case.op {
        Op::Primitive(Primitive::MatMul(_)) if case.tokens == 1 => Throughput::Bytes(weight_bytes(case)),
        _ => Throughput::Elements(
            operations(case).unwrap_or_else(|| case.with_io(|io| case.op.kernel().cost(io))),
        ),
    }
}

/// What the machine can do at most with all cores, in bytes and operations a second.
struct Limits {
    bytes: f64,
    operations: f64,
}

impl Limits {
    fn measure() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = limits::ReadTest::new();
        let best = |measure: &dyn Fn() -> f64| (0..3).map(|_| measure()).fold(0.0, f64::max);
        let bytes = best(&|| memory.bytes_per_second(threads));
        let operations = best(&|| limits::flops_per_second(threads));
        println!(
            "limits of this machine, {threads} threads: {:.1} GB/s read from memory, {:.0} GFLOP/s of F32 multiply-adds",
            bytes / 1e9,
            operations / 1e9
        );
        Self { bytes, operations }
    }

    /// A line under criterion's: rates of a case, and their share of the limits.
    fn report(&self, label: &str, case: &Case, seconds: f64) {
        let mut parts = Vec::new();
        if matches!(case.op.primitive(), Some(Primitive::MatMul(_))) {
            let rate = weight_bytes(case) as f64 / seconds;
            let share = 100.0 * rate / self.bytes;
            parts.push(format!("{:.2} GB/s of weights ({share:.0}% of a plain read)", rate / 1e9));
        }
        if let Some(operations) = operations(case) {
            let rate = operations as f64 / seconds;
            let share = 100.0 * rate / self.operations;
            parts.push(format!("{:.2} GFLOP/s ({share:.0}% of multiply-adds)", rate / 1e9));
        }
        if !parts.is_empty() {
            println!("{label}: {}", parts.join(", "));
        }
    }
}

fn run(executor: &mut impl Executor, case: &LoadedCase) {
    let run = Submit { plan: case.plan, extent: case.extent, inputs: &[], outputs: &[] };
    let ticket = executor.submit(run).expect("the plan is prepared");
    pollster::block_on(executor.take(ticket)).expect("the run succeeds");
}

fn bench(
    criterion: &mut Criterion,
    name: &str,
    executor: &mut impl Executor,
    few_types: bool,
    limits: Option<&Limits>,
) {
    println!("\n{name}: {}\n", executor.info().device);
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat);
    for (label, case) in cases(few_types) {
        group.throughput(throughput(&case));
        let mut loaded = None;
        // The fastest sample: what the kernel can do, when others leave the machine to it.
        let mut fastest = f64::INFINITY;
        group.bench_function(&label, |bencher| {
            // Only when the benchmark is among those that the filter takes, and once.
            let loaded = loaded.get_or_insert_with(|| {
                pollster::block_on(load_case(executor, &case)).expect("the executor takes its own cases")
            });
            bencher.iter_custom(|count| {
                let start = Instant::now();
                for _ in 0..count {
                    run(black_box(executor), loaded);
                }
                let time = start.elapsed();
                fastest = fastest.min(time.as_secs_f64() / count as f64);
                time
            });
        });
        if let Some(limits) = limits.filter(|_| fastest.is_finite()) {
            limits.report(&label, &case, fastest);
        }
    }
    group.finish();
}

fn cpu(criterion: &mut Criterion) {
    let limits = Limits::measure();
    // Both ways to multiply; of the exact one, the few types that show what it costs.
    for (precision, few_types) in [(Precision::Fast, false), (Precision::Exact, true)] {
        let mut executor = CpuExecutor::new(CpuOptions { threads: None, precision, clock });
        bench(criterion, &format!("cpu-{}", precision.name()), &mut executor, few_types, Some(&limits));
    }
}

#[cfg(feature = "gpu")]
fn gpu(criterion: &mut Criterion) {
    use rushlight::gpu::{GpuExecutor, GpuOptions};
    match pollster::block_on(GpuExecutor::open(GpuOptions::new(clock))) {
        Ok(mut executor) if executor.info().software => {
            bench(criterion, "gpu-in-software", &mut executor, true, None);
        }
        Ok(mut executor) => bench(criterion, "gpu", &mut executor, false, None),
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
