//! The GPU executor as such: memory, growth of shared buffers, unfinished runs, refusals, and a device that goes away.
#![cfg(feature = "gpu")]

mod gpu_support;

use gpu_support::{open, options};
use pollster::block_on;
use rushlight::gpu::{GpuExecutor, GpuOptions};
use rushlight::kernel::add::Add;
use rushlight::kernel::facts::Row;
use rushlight::kernel::kv_write::KvWrite;
use rushlight::kernel::matmul::MatMul;
use rushlight::plan::executor::{PlanId, Submit};
use rushlight::plan::{Dim, Dims, ExecError, Executor, Extent, Plan, Progress, Storage, ValueId};
use rushlight::tensor::{DType, Shape, TensorDesc};

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|word| f32::from_le_bytes(*word)).collect()
}

fn run(
    executor: &mut GpuExecutor,
    plan: PlanId,
    tokens: usize,
    value: ValueId,
) -> Result<Vec<f32>, ExecError> {
    let run = Submit { plan, extent: Extent::tokens(tokens), inputs: &[], outputs: &[value] };
    let ticket = executor.submit(run)?;
    Ok(floats(&block_on(executor.take(ticket))?.outputs[0]))
}

/// `output = ((x + x) + x) + …`, `steps` sums of rows of `cols` elements.
fn sums(steps: usize, cols: usize) -> (Plan, ValueId) {
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, (Dim::Tokens, cols));
    let mut sum = x;
    for _ in 1..steps {
        sum = plan.step(Add, &[sum, x], "sum", (Dim::Tokens, cols));
    }
    let output = plan.add(Storage::Output, "output", DType::F32, (Dim::Tokens, cols));
    plan.step_into(Add, &[sum, x], output);
    (plan, output)
}

#[test]
fn plans_share_inputs_that_grow_and_read_the_rows_of_their_run() {
    let (mut executor, _alone) = open(options());
    let (short, short_output) = sums(3, 5);
    let (long, long_output) = sums(40, 5);
    let short = executor.prepare(&short, Extent::tokens(1)).unwrap();
    executor.write("x", &bytes(&[1.0, 2.0, 3.0, 4.0, 5.0])).unwrap();
    // A longer plan replaces the input's buffer; the first plan has to follow, with what was written.
    let long = executor.prepare(&long, Extent::tokens(7)).unwrap();
    assert_eq!(run(&mut executor, short, 1, short_output).unwrap(), [4.0, 8.0, 12.0, 16.0, 20.0]);
    let rows: Vec<f32> = (0..35).map(|i| i as f32).collect();
    executor.write("x", &bytes(&rows)).unwrap();
    for tokens in [7, 2, 1] {
        let expected: Vec<f32> = rows[..tokens * 5].iter().map(|x| x * 41.0).collect();
        assert_eq!(run(&mut executor, long, tokens, long_output).unwrap(), expected);
    }
    assert_eq!(run(&mut executor, short, 1, short_output).unwrap(), [0.0, 4.0, 8.0, 12.0, 16.0]);
    let refused = run(&mut executor, short, 2, short_output).unwrap_err();
    assert!(matches!(refused, ExecError::Mismatch { .. }), "{refused}");
}

#[test]
fn a_run_can_be_left_and_another_begun() {
    let (mut executor, _alone) = open(options());
    let (plan, output) = sums(200, 4096);
    let plan = executor.prepare(&plan, Extent::tokens(64)).unwrap();
    executor.write("x", &bytes(&vec![1.0; 64 * 4096])).unwrap();
    let left = Submit { plan, extent: Extent::tokens(64), inputs: &[], outputs: &[] };
    let left = executor.submit(left).unwrap();
    // The budget is far below what 200 steps take: the run is left on its way.
    assert_eq!(block_on(executor.advance(left, 0.0)).unwrap(), Progress::More);
    executor.cancel(left);
    executor.write("x", &bytes(&vec![0.5; 4096])).unwrap();
    assert_eq!(run(&mut executor, plan, 1, output).unwrap(), vec![100.5; 4096]);
}

#[test]
fn states_keep_their_content_and_start_at_zero() {
    let (mut executor, _alone) = open(options());
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, (Dim::Tokens, 2));
    let one_head = |slots| Dims::new([Dim::Fixed(1), Dim::Fixed(slots)], 2);
    let cache = plan.add(Storage::State, "cache", DType::F32, one_head(3));
    let rows = plan.add(Storage::Input, "rows", DType::U32, (Dim::Tokens, Row::COLS));
    plan.step_updating(KvWrite { kv_heads: 1 }, &[x, rows], cache);
    let id = executor.prepare(&plan, Extent::tokens(1)).unwrap();
    for (position, values, expected) in
        [(0, [1.0, 2.0], [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]), (2, [3.0, 4.0], [1.0, 2.0, 0.0, 0.0, 3.0, 4.0])]
    {
        let (values, facts) = (bytes(&values), Row::sequence(&[0], position));
        let inputs: [(ValueId, &[u8]); 2] = [(x, &values), (rows, bytemuck::cast_slice(&facts))];
        let run = Submit { plan: id, extent: Extent::tokens(1), inputs: &inputs, outputs: &[] };
        executor.submit(run).unwrap();
        assert_eq!(floats(&block_on(executor.read_state(id, cache)).unwrap()), expected);
    }
    // The same name with another size would be another model's.
    let mut other = Plan::new();
    other.add(Storage::State, "cache", DType::F32, one_head(4));
    assert!(matches!(executor.prepare(&other, Extent::tokens(1)), Err(ExecError::Mismatch { .. })));
}

#[test]
fn weights_take_hardly_more_room_than_in_the_file() {
    for max_binding_bytes in [None, Some(100_000)] {
        for dtype in DType::WEIGHTS {
            let (mut executor, _alone) = open(GpuOptions { max_binding_bytes, ..options() });
            let desc = TensorDesc { name: "w".to_owned(), dtype, shape: Shape::new([257, 2560]) };
            let in_file = desc.bytes().unwrap() as u64;
            executor.add_weight(&desc).unwrap();
            let used = executor.memory().weights;
            assert!(
                used >= in_file && used as f64 <= in_file as f64 * 1.02,
                "{dtype}: {in_file} in the file, {used}"
            );
            executor.clear();
            assert_eq!(executor.memory().weights, 0);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (mut executor, _alone) = open(options());
    let desc = TensorDesc { name: "w".to_owned(), dtype: DType::Q8_0, shape: Shape::new([4, 32]) };
    let mismatch = |result: Result<(), ExecError>| match result {
        Err(ExecError::Mismatch { operation, .. }) => operation,
        other => panic!("expected a refusal, got {other:?}"),
    };
    let odd = TensorDesc { shape: Shape::new([4, 33]), ..desc.clone() };
    assert_eq!(mismatch(executor.add_weight(&odd).map(|_| ())), "add_weight");
    let weight = executor.add_weight(&desc).unwrap();
    assert_eq!(mismatch(block_on(executor.write_weight(weight, 1, &[0]))), "write_weight");
    assert_eq!(mismatch(block_on(executor.write_weight(weight, 0, &[0; 137]))), "write_weight");
    block_on(executor.write_weight(weight, 0, &[0; 100])).unwrap();
    assert_eq!(mismatch(block_on(executor.finish_weights())), "finish_weights");
    block_on(executor.write_weight(weight, 100, &[0; 36])).unwrap();
    block_on(executor.finish_weights()).unwrap();

    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, (Dim::Tokens, 32));
    let w = plan.add(Storage::Weight, "w", DType::Q8_0, (Dim::Fixed(5), 32));
    plan.step(MatMul, &[x, w], "y", (Dim::Tokens, 5));
    assert_eq!(mismatch(executor.prepare(&plan, Extent::tokens(1)).map(|_| ())), "prepare");
    let mut plan = Plan::new();
    plan.add(Storage::Weight, "v", DType::Q8_0, (Dim::Fixed(5), 32));
    assert!(matches!(executor.prepare(&plan, Extent::tokens(1)), Err(ExecError::Unknown { .. })));
    assert!(matches!(executor.write("nothing", &[]), Err(ExecError::Unknown { .. })));

    // 16 GiB of rows in one binding.
    executor.clear();
    let (plan, _) = sums(2, 1 << 20);
    let refused = executor.prepare(&plan, Extent::tokens(4096)).unwrap_err();
    assert_eq!(refused.code(), "ERR_OUT_OF_MEMORY", "{refused}");
}

#[test]
fn a_lost_device_is_an_error_and_no_hang() {
    let (mut executor, _alone) = open(options());
    let (plan, output) = sums(3, 64);
    let id = executor.prepare(&plan, Extent::tokens(4)).unwrap();
    executor.write("x", &bytes(&[1.0; 64])).unwrap();
    assert_eq!(run(&mut executor, id, 1, output).unwrap(), [4.0; 64]);
    let begun = Submit { plan: id, extent: Extent::tokens(1), inputs: &[], outputs: &[output] };
    let ticket = executor.submit(begun).unwrap();
    executor.destroy();
    let lost = |result: Result<(), ExecError>| match result {
        Err(ExecError::DeviceLost(_)) => {}
        other => panic!("expected a lost device, got {other:?}"),
    };
    lost(block_on(executor.advance(ticket, 20.0)).map(|_| ()));
    lost(block_on(executor.take(ticket)).map(|_| ()));
    lost(executor.submit(begun).map(|_| ()));
    lost(executor.write("x", &[0; 4]));
    lost(executor.prepare(&plan, Extent::tokens(8)).map(|_| ()));
    let desc = TensorDesc { name: "w".to_owned(), dtype: DType::F32, shape: Shape::new([4, 32]) };
    lost(executor.add_weight(&desc).map(|_| ()));
    lost(block_on(executor.finish_weights()));
}
