//! What both executors promise of `prepare`: plans that are there go on as before, with what inputs and states hold, whether the new one
//! comes about or fails at any point; temporaries are of any type.

#[cfg(feature = "gpu")]
mod gpu_support;

use pollster::block_on;
use rushlight::cpu::{CpuExecutor, CpuOptions};
use rushlight::kernel::add::Add;
use rushlight::kernel::argmax::Argmax;
use rushlight::kernel::attention::Attention;
use rushlight::kernel::embedding::Embedding;
use rushlight::kernel::kv_write::KvWrite;
use rushlight::kernel::matmul::MatMul;
use rushlight::plan::executor::PlanId;
use rushlight::plan::{Executor, Extent, Plan, Precision, Progress, Rows, Storage, ValueId};
use rushlight::tensor::{DType, Shape, TensorDesc};

fn cpu() -> CpuExecutor {
    CpuExecutor::new(CpuOptions { threads: Some(2), precision: Precision::Exact, clock: || 0.0 })
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn finish(executor: &mut impl Executor, plan: PlanId, value: ValueId) -> Vec<f32> {
    while block_on(executor.advance(20.0)).expect("the run goes on") == Progress::More {}
    let read = block_on(executor.read(plan, value)).expect("it can be read");
    read.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

fn run(executor: &mut impl Executor, plan: PlanId, tokens: usize, value: ValueId) -> Vec<f32> {
    executor.begin(plan, Extent { tokens, pos: 0 }).expect("the run begins");
    finish(executor, plan, value)
}

/// `output = x + … + x` over so many temporaries, of rows of 6.
fn sums(steps: usize) -> (Plan, ValueId) {
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, Rows::Tokens, 6);
    let mut sum = x;
    for _ in 1..steps {
        sum = plan.step(Add, &[sum, x], "sum", Rows::Tokens, 6);
    }
    let output = plan.add(Storage::Output, "output", DType::F32, Rows::Tokens, 6);
    plan.step_into(Add, &[sum, x], output);
    (plan, output)
}

/// Keeps the first rows of `x` in a state.
fn kept() -> (Plan, ValueId) {
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, Rows::Tokens, 6);
    let cache = plan.add(Storage::State, "cache", DType::F32, Rows::Fixed(3), 6);
    plan.step_into(KvWrite { kv_heads: 1 }, &[x], cache);
    (plan, cache)
}

/// Plans whose first values make what is shared grow, and that then can't be prepared.
fn bad(gpu: bool) -> Vec<(&'static str, Plan)> {
    let missing = |plan: &mut Plan| {
        let x = plan.find("x").expect("it has the input");
        let weight = plan.add(Storage::Weight, "nothing", DType::F32, Rows::Fixed(4), 6);
        plan.step(MatMul, &[x, weight], "y", Rows::Tokens, 4);
    };
    let other_state = |plan: &mut Plan| {
        plan.add(Storage::State, "cache", DType::F32, Rows::Fixed(4), 6);
    };
    let other_input = |plan: &mut Plan| {
        plan.add(Storage::Input, "cache", DType::F32, Rows::Fixed(3), 6);
    };
    let huge_output = |plan: &mut Plan| {
        plan.add(Storage::Output, "huge", DType::F32, Rows::Fixed(1 << 30), 1 << 20);
    };
    let huge_temporary = |plan: &mut Plan| {
        let x = plan.find("x").expect("it has the input");
        plan.step(Add, &[x, x], "huge", Rows::Fixed(1 << 30), 1 << 20);
    };
    // After buffers and bind groups are made: a head that shaders can't read by fours.
    let odd_head = |plan: &mut Plan| {
        let q = plan.add(Storage::Input, "q", DType::F32, Rows::Tokens, 6);
        let k = plan.add(Storage::State, "k", DType::F32, Rows::Fixed(8), 6);
        let op = Attention { heads: 1, kv_heads: 1, head_dim: 6, window: None, scale: 1.0 };
        plan.step(op, &[q, k, k], "y", Rows::Tokens, 6);
    };
    type Spoil<'a> = (&'static str, &'a dyn Fn(&mut Plan));
    let ways: [Spoil<'_>; 6] = [
        ("a missing weight", &missing),
        ("another state", &other_state),
        ("an input where a state is", &other_input),
        ("a huge output", &huge_output),
        ("a huge temporary", &huge_temporary),
        ("an odd head", &odd_head),
    ];
    let ways = ways.into_iter().take(if gpu { 6 } else { 5 });
    ways.map(|(what, spoil)| {
        let (mut plan, _) = sums(9);
        spoil(&mut plan);
        (what, plan)
    })
    .collect()
}

fn older_plans_outlive_failures(executor: &mut impl Executor, gpu: bool) {
    let (sums_of_3, output) = sums(3);
    let (keeping, cache) = kept();
    let (sums_of_3, keeping) =
        (executor.prepare(&sums_of_3, 2).expect("it fits"), executor.prepare(&keeping, 2).expect("it fits"));
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
    executor.write("x", &bytes(&x)).expect("it is an input");
    let fourfold: Vec<f32> = x.iter().map(|x| 4.0 * x).collect();
    let expected_cache = [&x[..], &[0.0; 6]].concat();
    assert_eq!(run(executor, keeping, 2, cache), expected_cache);
    // Each time more tokens, so that each grows what the one before has left.
    for (index, (what, plan)) in bad(gpu).into_iter().enumerate() {
        executor.begin(sums_of_3, Extent { tokens: 2, pos: 0 }).expect("the run begins");
        executor.prepare(&plan, 100 * (index + 1)).expect_err(what);
        // A run that had begun, one that begins now, and what lives across runs.
        assert_eq!(finish(executor, sums_of_3, output), fourfold, "{what}");
        assert_eq!(run(executor, sums_of_3, 2, output), fourfold, "{what}");
        assert_eq!(
            block_on(executor.read(keeping, cache)).expect("a state"),
            bytes(&expected_cache),
            "{what}"
        );
        executor.write("x", &bytes(&x)).expect("it is an input");
        assert_eq!(run(executor, keeping, 2, cache), expected_cache, "{what}");
    }
    let (longer, long_output) = sums(40);
    let longer = executor.prepare(&longer, 1000).expect("it fits");
    assert_eq!(run(executor, sums_of_3, 2, output), fourfold);
    assert_eq!(run(executor, longer, 1, long_output), x[..6].iter().map(|x| 41.0 * x).collect::<Vec<_>>());
}

#[test]
fn plans_on_the_cpu_outlive_those_that_fail() {
    older_plans_outlive_failures(&mut cpu(), false);
}

#[cfg(feature = "gpu")]
#[test]
fn plans_on_the_gpu_outlive_those_that_fail() {
    let (mut executor, _alone) = gpu_support::open(gpu_support::options());
    older_plans_outlive_failures(&mut executor, true);
}

/// Ids that the device picks are read by the next step: a temporary that is no F32.
fn ids_can_be_temporaries(executor: &mut impl Executor) {
    let shape = Shape::new([7, 4]);
    let table = TensorDesc { name: "table".to_owned(), dtype: DType::F32, shape };
    let weight = executor.add_weight(&table).expect("there is room");
    let numbers: Vec<f32> = (0..28).map(|number| number as f32).collect();
    block_on(executor.write_weight(weight, 0, &bytes(&numbers))).expect("it fits");
    block_on(executor.finish_weights()).expect("it is whole");
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "logits", DType::F32, Rows::Tokens, 7);
    let doubled = plan.step(Add, &[x, x], "doubled", Rows::Tokens, 7);
    let ids = plan.add(Storage::Temp, "ids", DType::U32, Rows::Tokens, 1);
    plan.step_into(Argmax, &[doubled], ids);
    let table = plan.add(Storage::Weight, "table", DType::F32, Rows::Fixed(7), 4);
    let rows = plan.step(Embedding { scale: 1.0 }, &[ids, table], "rows", Rows::Tokens, 4);
    let output = plan.add(Storage::Output, "output", DType::F32, Rows::Tokens, 4);
    plan.step_into(Add, &[rows, rows], output);
    let plan = executor.prepare(&plan, 3).expect("it fits");
    let mut logits = [0.0; 21];
    (logits[5], logits[7 + 2], logits[14 + 6]) = (1.0, 2.0, 3.0);
    executor.write("logits", &bytes(&logits)).expect("it is an input");
    let expected: Vec<f32> =
        [5, 2, 6].into_iter().flat_map(|id| (0..4).map(move |col| 2.0 * (id * 4 + col) as f32)).collect();
    assert_eq!(run(executor, plan, 3, output), expected);
}

#[test]
fn ids_can_be_temporaries_on_the_cpu() {
    ids_can_be_temporaries(&mut cpu());
}

#[cfg(feature = "gpu")]
#[test]
fn ids_can_be_temporaries_on_the_gpu() {
    let (mut executor, _alone) = gpu_support::open(gpu_support::options());
    ids_can_be_temporaries(&mut executor);
}
