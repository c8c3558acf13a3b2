//! The contract of an executor, which both are held to: plans that are there go on as before, with what inputs and states hold, whether a
//! new one comes about or fails at any point; temporaries are of any type; runs are done in the order of their tickets, several in flight,
//! each with the inputs that it was given; what is cancelled, taken twice or does not fit ends in an error and in nothing else.

#[cfg(feature = "gpu")]
mod gpu_support;

use pollster::block_on;
use rushlight::cpu::{CpuExecutor, CpuOptions};
use rushlight::kernel::add::Add;
use rushlight::kernel::argmax::Argmax;
use rushlight::kernel::attention::Attention;
use rushlight::kernel::embedding::Embedding;
use rushlight::kernel::facts::Row;
use rushlight::kernel::kv_write::KvWrite;
use rushlight::kernel::matmul::MatMul;
use rushlight::plan::executor::{PlanId, Submit, Ticket};
use rushlight::plan::{Dim, Dims, ExecError, Executor, Extent, Plan, Precision, Progress, Storage, ValueId};
use rushlight::tensor::{DType, Shape, TensorDesc};

fn cpu() -> CpuExecutor {
    CpuExecutor::new(CpuOptions { threads: Some(2), precision: Precision::Exact, clock: || 0.0 })
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

/// A run that brings nothing.
fn submit(executor: &mut impl Executor, plan: PlanId, tokens: usize, outputs: &[ValueId]) -> Ticket {
    let run = Submit { plan, extent: Extent::tokens(tokens), inputs: &[], outputs };
    executor.submit(run).expect("it fits the plan")
}

/// The one output of a run.
fn take(executor: &mut impl Executor, ticket: Ticket) -> Vec<f32> {
    let finished = block_on(executor.take(ticket)).expect("it ends");
    assert_eq!(finished.outputs.len(), 1);
    floats(&finished.outputs[0])
}

fn run(executor: &mut impl Executor, plan: PlanId, tokens: usize, output: ValueId) -> Vec<f32> {
    let ticket = submit(executor, plan, tokens, &[output]);
    take(executor, ticket)
}

/// A run of a plan that keeps rows in a state, and the state then.
fn keep(executor: &mut impl Executor, plan: PlanId, tokens: usize, state: ValueId) -> Vec<f32> {
    let ticket = submit(executor, plan, tokens, &[]);
    block_on(executor.take(ticket)).expect("it ends");
    floats(&block_on(executor.read_state(plan, state)).expect("a state"))
}

/// `output = x + … + x` over so many temporaries, of rows of 6.
fn sums(steps: usize) -> (Plan, ValueId) {
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, (Dim::Tokens, 6));
    let mut sum = x;
    for _ in 1..steps {
        sum = plan.step(Add, &[sum, x], "sum", (Dim::Tokens, 6));
    }
    let output = plan.add(Storage::Output, "output", DType::F32, (Dim::Tokens, 6));
    plan.step_into(Add, &[sum, x], output);
    (plan, output)
}

/// Keeps rows of `x` in a state, in the slots that `rows` say.
fn kept() -> (Plan, ValueId) {
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, (Dim::Tokens, 6));
    let cache = plan.add(Storage::State, "cache", DType::F32, one_head(3, 6));
    let rows = plan.add(Storage::Input, "rows", DType::U32, (Dim::Tokens, Row::COLS));
    plan.step_updating(KvWrite { kv_heads: 1 }, &[x, rows], cache);
    (plan, cache)
}

/// Dimensions of a cache of one head.
fn one_head(slots: usize, cols: usize) -> Dims {
    Dims::new([Dim::Fixed(1), Dim::Fixed(slots)], cols)
}

fn prepare(executor: &mut impl Executor, plan: &Plan, tokens: usize) -> PlanId {
    executor.prepare(plan, Extent::tokens(tokens)).expect("it fits")
}

/// Plans whose first values make what is shared grow, and that then can't be prepared.
fn bad(gpu: bool) -> Vec<(&'static str, Plan)> {
    let missing = |plan: &mut Plan| {
        let x = plan.find("x").expect("it has the input");
        let weight = plan.add(Storage::Weight, "nothing", DType::F32, (Dim::Fixed(4), 6));
        plan.step(MatMul, &[x, weight], "y", (Dim::Tokens, 4));
    };
    let other_state = |plan: &mut Plan| {
        plan.add(Storage::State, "cache", DType::F32, (Dim::Fixed(4), 6));
    };
    let other_input = |plan: &mut Plan| {
        plan.add(Storage::Input, "cache", DType::F32, (Dim::Fixed(3), 6));
    };
    let huge_output = |plan: &mut Plan| {
        plan.add(Storage::Output, "huge", DType::F32, (Dim::Fixed(1 << 30), 1 << 20));
    };
    let huge_temporary = |plan: &mut Plan| {
        let x = plan.find("x").expect("it has the input");
        plan.step(Add, &[x, x], "huge", (Dim::Fixed(1 << 30), 1 << 20));
    };
    // After buffers and bind groups are made: a head that shaders can't read by fours.
    let odd_head = |plan: &mut Plan| {
        let q = plan.add(Storage::Input, "q", DType::F32, (Dim::Tokens, 6));
        let k = plan.add(Storage::State, "k", DType::F32, one_head(8, 6));
        let op = Attention { heads: 1, kv_heads: 1, head_dim: 6, window: None, scale: 1.0 };
        let rows = plan.add(Storage::Input, "rows", DType::U32, (Dim::Tokens, Row::COLS));
        plan.step(op, &[q, k, k, rows], "y", (Dim::Tokens, 6));
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
    let (sums_of_3, keeping) = (prepare(executor, &sums_of_3, 2), prepare(executor, &keeping, 2));
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0];
    executor.write("x", &bytes(&x)).expect("it is an input");
    executor.write("rows", bytemuck::cast_slice(&Row::sequence(&[0, 0], 0))).expect("it is an input");
    let fourfold: Vec<f32> = x.iter().map(|x| 4.0 * x).collect();
    let expected_cache = [&x[..], &[0.0; 6]].concat();
    assert_eq!(keep(executor, keeping, 2, cache), expected_cache);
    // Each time more tokens, so that each grows what the one before has left.
    for (index, (what, plan)) in bad(gpu).into_iter().enumerate() {
        let begun = submit(executor, sums_of_3, 2, &[output]);
        executor.prepare(&plan, Extent::tokens(100 * (index + 1))).expect_err(what);
        // A run that had begun, one that begins now, and what lives across runs.
        assert_eq!(take(executor, begun), fourfold, "{what}");
        assert_eq!(run(executor, sums_of_3, 2, output), fourfold, "{what}");
        assert_eq!(
            block_on(executor.read_state(keeping, cache)).expect("a state"),
            bytes(&expected_cache),
            "{what}"
        );
        executor.write("x", &bytes(&x)).expect("it is an input");
        assert_eq!(keep(executor, keeping, 2, cache), expected_cache, "{what}");
    }
    let (longer, long_output) = sums(40);
    let longer = prepare(executor, &longer, 1000);
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
    let x = plan.add(Storage::Input, "logits", DType::F32, (Dim::Tokens, 7));
    let doubled = plan.step(Add, &[x, x], "doubled", (Dim::Tokens, 7));
    let ids = plan.add(Storage::Temp, "ids", DType::U32, (Dim::Tokens, 1));
    plan.step_into(Argmax, &[doubled], ids);
    let table = plan.add(Storage::Weight, "table", DType::F32, (Dim::Fixed(7), 4));
    let rows = plan.step(Embedding { scale: 1.0, column: 0 }, &[ids, table], "rows", (Dim::Tokens, 4));
    let output = plan.add(Storage::Output, "output", DType::F32, (Dim::Tokens, 4));
    plan.step_into(Add, &[rows, rows], output);
    let plan = prepare(executor, &plan, 3);
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

/// Several runs in flight, of plans that share an input: each has what it was given, in whatever order they are taken.
fn runs_keep_their_own_inputs(executor: &mut impl Executor) {
    let (threefold, threefold_out) = sums(2);
    let (twentyfold, twentyfold_out) = sums(19);
    let (x, y) = (threefold.find("x").expect("it has one"), twentyfold.find("x").expect("it has one"));
    let (threefold, twentyfold) = (prepare(executor, &threefold, 3), prepare(executor, &twentyfold, 3));
    let row = |value: f32| bytes(&[value; 6]);
    let mut tickets = Vec::new();
    for value in [1.0, 2.0, 3.0, 4.0] {
        for (plan, input, output, factor) in
            [(threefold, x, threefold_out, 3.0), (twentyfold, y, twentyfold_out, 20.0)]
        {
            let run = Submit {
                plan,
                extent: Extent::tokens(1),
                inputs: &[(input, &row(value))],
                outputs: &[output],
            };
            tickets.push((executor.submit(run).expect("it fits"), factor * value));
        }
    }
    // The last of them first, then those that it has left behind it.
    for at in [7, 0, 3, 1, 6, 2, 5, 4] {
        let (ticket, expected) = tickets[at];
        assert_eq!(take(executor, ticket), [expected; 6], "run {at}");
        let again = block_on(executor.take(ticket)).expect_err("it is taken");
        assert!(matches!(again, ExecError::Unknown { operation: "take", .. }), "{again}");
        assert_eq!(block_on(executor.advance(ticket, 0.0)), Ok(Progress::Done));
    }
    // What was written last stays.
    assert_eq!(run(executor, threefold, 1, threefold_out), [12.0; 6]);
}

/// A run that is cancelled before it begins, on its way or when it has ended leaves the others as they are.
fn runs_can_be_cancelled(executor: &mut impl Executor) {
    let (plan, output) = sums(60);
    let x = plan.find("x").expect("it has one");
    let plan = prepare(executor, &plan, 64);
    fn submit(
        executor: &mut impl Executor,
        (plan, x, output): (PlanId, ValueId, ValueId),
        value: f32,
        tokens: usize,
    ) -> Ticket {
        let row = bytes(&vec![value; 6 * tokens]);
        let extent = Extent::tokens(tokens);
        executor.submit(Submit { plan, extent, inputs: &[(x, &row)], outputs: &[output] }).expect("it fits")
    }
    let of = (plan, x, output);
    let on_its_way = submit(executor, of, 1.0, 64);
    let waiting = submit(executor, of, 2.0, 64);
    let kept = submit(executor, of, 3.0, 2);
    let first = block_on(executor.advance(on_its_way, 0.0)).expect("it goes on");
    executor.cancel(on_its_way);
    executor.cancel(waiting);
    assert_eq!(take(executor, kept), [183.0; 12], "{first:?}");
    for ticket in [on_its_way, waiting] {
        assert!(block_on(executor.take(ticket)).is_err());
    }
    let ended = submit(executor, of, 4.0, 1);
    while block_on(executor.advance(ended, 20.0)).expect("it goes on") == Progress::More {}
    executor.cancel(ended);
    assert!(block_on(executor.take(ended)).is_err());
    assert_eq!(run(executor, plan, 1, output), [244.0; 6], "its input stays");
}

/// What does not fit is refused when it is submitted, by its name.
fn runs_that_do_not_fit_are_refused(executor: &mut impl Executor) {
    let (plan, output) = sums(3);
    let x = plan.find("x").expect("it has one");
    let temporary = plan.steps[0].writes[0];
    let id = prepare(executor, &plan, 2);
    let row = bytes(&[1.0; 6]);
    let good = Submit { plan: id, extent: Extent::tokens(1), inputs: &[(x, &row)], outputs: &[output] };
    let long = bytes(&[0.0; 13]);
    let bad: [(&str, Submit<'_>); 8] = [
        ("no plan", Submit { plan: PlanId(7), ..good }),
        ("no token", Submit { extent: Extent { tokens: 0, ..good.extent }, ..good }),
        ("too many tokens", Submit { extent: Extent::tokens(3), ..good }),
        ("too many sequences", Submit { extent: Extent { sequences: 2, ..good.extent }, ..good }),
        ("more bytes than there is room", Submit { inputs: &[(x, &long)], ..good }),
        ("half a number", Submit { inputs: &[(x, &row[..22])], ..good }),
        ("an output as an input", Submit { inputs: &[(output, &row)], ..good }),
        ("a temporary as an output", Submit { outputs: &[temporary], ..good }),
    ];
    for (what, run) in bad {
        let error = executor.submit(run).expect_err(what);
        assert_eq!(error.code(), "ERR_INTERNAL", "{what}: {error}");
    }
    let state = block_on(executor.read_state(id, output)).expect_err("no state");
    assert!(matches!(state, ExecError::Unknown { .. }), "{state}");
    let ticket = executor.submit(good).expect("it fits");
    assert_eq!(take(executor, ticket), [4.0; 6], "none of them has left anything behind");
}

/// A number that is none in a cache is told with every run that is taken from then on, until it is forgotten.
fn faults_come_with_what_is_taken(executor: &mut impl Executor) {
    let (keeping, _) = kept();
    let (x, rows) = (keeping.find("x").expect("it has one"), keeping.find("rows").expect("it has them"));
    let plan = prepare(executor, &keeping, 2);
    fn fault<E: Executor>(
        executor: &mut E,
        (plan, x, rows): (PlanId, ValueId, ValueId),
        values: [f32; 2],
        position: usize,
    ) -> Option<usize> {
        let x_bytes = bytes(&values.map(|value| [value; 6]).concat());
        let facts = Row::sequence(&[0, 0], position);
        let inputs: [(ValueId, &[u8]); 2] = [(x, &x_bytes), (rows, bytemuck::cast_slice(&facts))];
        let run = Submit { plan, extent: Extent::tokens(2), inputs: &inputs, outputs: &[] };
        let ticket = executor.submit(run).expect("it fits");
        block_on(executor.take(ticket)).expect("it ends").fault
    }
    let run = (plan, x, rows);
    assert_eq!(fault(executor, run, [1.0, 2.0], 0), None);
    assert_eq!(fault(executor, run, [1.0, f32::NAN], 10), Some(11));
    assert_eq!(fault(executor, run, [1.0, 2.0], 20), Some(11));
    assert_eq!(fault(executor, run, [f32::INFINITY, 2.0], 4), Some(4));
    assert_eq!(block_on(executor.find_fault()), Ok(Some(4)));
    executor.forget_fault();
    assert_eq!(block_on(executor.find_fault()), Ok(None));
    assert_eq!(fault(executor, run, [1.0, 2.0], 1), None);
}

/// The contract, on an executor that is empty at the beginning of each.
macro_rules! contract {
    ($($promise:ident on $cpu:ident and $gpu:ident,)*) => {
        $(
            #[test]
            fn $cpu() {
                $promise(&mut cpu());
            }

            #[cfg(feature = "gpu")]
            #[test]
            fn $gpu() {
                let (mut executor, _alone) = gpu_support::open(gpu_support::options());
                $promise(&mut executor);
            }
        )*
    };
}

contract! {
    runs_keep_their_own_inputs on cpu_runs_keep_their_own_inputs and gpu_runs_keep_their_own_inputs,
    runs_can_be_cancelled on cpu_runs_can_be_cancelled and gpu_runs_can_be_cancelled,
    runs_that_do_not_fit_are_refused on cpu_refuses_runs_that_do_not_fit and gpu_refuses_runs_that_do_not_fit,
    faults_come_with_what_is_taken on cpu_tells_faults_with_what_is_taken and gpu_tells_faults_with_what_is_taken,
}

/// Natively an executor may go to another thread.
#[test]
fn executors_can_be_sent() {
    fn is_send<T: Send>() {}
    is_send::<CpuExecutor>();
    #[cfg(feature = "gpu")]
    is_send::<rushlight::gpu::GpuExecutor>();
}
