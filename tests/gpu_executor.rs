//! The GPU executor as such: memory, growth of shared buffers, unfinished runs, refusals, and a device that goes away.
#![cfg(feature = "gpu")]

mod gpu_support;

use gpu_support::{open, options};
use pollster::block_on;
use rushlight::gpu::{GpuExecutor, GpuOptions};
use rushlight::kernel::add::Add;
use rushlight::kernel::kv_write::KvWrite;
use rushlight::kernel::matmul::MatMul;
use rushlight::plan::executor::PlanId;
use rushlight::plan::{ExecError, Executor, Extent, Plan, Progress, Rows, Storage, ValueId};
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
    executor.begin(plan, Extent { tokens, pos: 0 })?;
    while block_on(executor.advance(20.0))? == Progress::More {}
    Ok(floats(&block_on(executor.read(plan, value))?))
}

/// `output = ((x + x) + x) + …`, `steps` sums of rows of `cols` elements.
fn sums(steps: usize, cols: usize) -> (Plan, ValueId) {
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, Rows::Tokens, cols);
    let mut sum = x;
    for _ in 1..steps {
        sum = plan.step(Add, &[sum, x], "sum", Rows::Tokens, cols);
    }
    let output = plan.add(Storage::Output, "output", DType::F32, Rows::Tokens, cols);
    plan.step_into(Add, &[sum, x], output);
    (plan, output)
}

#[test]
fn plans_share_inputs_that_grow_and_read_the_rows_of_their_run() {
    let (mut executor, _alone) = open(options());
    let (short, short_output) = sums(3, 5);
    let (long, long_output) = sums(40, 5);
    let short = executor.prepare(&short, 1).unwrap();
    executor.write("x", &bytes(&[1.0, 2.0, 3.0, 4.0, 5.0])).unwrap();
    // A longer plan replaces the input's buffer; the first plan has to follow, with what was written.
    let long = executor.prepare(&long, 7).unwrap();
    assert_eq!(run(&mut executor, short, 1, short_output).unwrap(), [4.0, 8.0, 12.0, 16.0, 20.0]);
    let rows: Vec<f32> = (0..35).map(|i| i as f32).collect();
    executor.write("x", &bytes(&rows)).unwrap();
    for tokens in [7, 2, 1] {
        let expected: Vec<f32> = rows[..tokens * 5].iter().map(|x| x * 41.0).collect();
        assert_eq!(run(&mut executor, long, tokens, long_output).unwrap(), expected);
    }
    assert_eq!(run(&mut executor, short, 1, short_output).unwrap(), [0.0, 4.0, 8.0, 12.0, 16.0]);
    let refused = executor.begin(short, Extent { tokens: 2, pos: 0 }).unwrap_err();
    assert!(matches!(refused, ExecError::Mismatch { .. }), "{refused}");
}

#[test]
fn a_run_can_be_left_and_another_begun() {
    let (mut executor, _alone) = open(options());
    let (plan, output) = sums(200, 4096);
    let plan = executor.prepare(&plan, 64).unwrap();
    executor.write("x", &bytes(&vec![1.0; 64 * 4096])).unwrap();
    executor.begin(plan, Extent { tokens: 64, pos: 0 }).unwrap();
    // The budget is far below what 200 steps take: the run is left on its way.
    assert_eq!(block_on(executor.advance(0.0)).unwrap(), Progress::More);
    executor.write("x", &bytes(&vec![0.5; 4096])).unwrap();
    assert_eq!(run(&mut executor, plan, 1, output).unwrap(), vec![100.5; 4096]);
}

#[test]
fn states_keep_their_content_and_start_at_zero() {
    let (mut executor, _alone) = open(options());
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, Rows::Tokens, 2);
    let cache = plan.add(Storage::State, "cache", DType::F32, Rows::Fixed(3), 2);
    plan.step_into(KvWrite { kv_heads: 1 }, &[x], cache);
    let id = executor.prepare(&plan, 1).unwrap();
    executor.write("x", &bytes(&[1.0, 2.0])).unwrap();
    assert_eq!(run(&mut executor, id, 1, cache).unwrap(), [1.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
    executor.write("x", &bytes(&[3.0, 4.0])).unwrap();
    executor.begin(id, Extent { tokens: 1, pos: 2 }).unwrap();
    while block_on(executor.advance(20.0)).unwrap() == Progress::More {}
    let read = floats(&block_on(executor.read(id, cache)).unwrap());
    assert_eq!(read, [1.0, 2.0, 0.0, 0.0, 3.0, 4.0]);
    // The same name with another size would be another model's.
    let mut other = Plan::new();
    other.add(Storage::State, "cache", DType::F32, Rows::Fixed(4), 2);
    assert!(matches!(executor.prepare(&other, 1), Err(ExecError::Mismatch { .. })));
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
    let x = plan.add(Storage::Input, "x", DType::F32, Rows::Tokens, 32);
    let w = plan.add(Storage::Weight, "w", DType::Q8_0, Rows::Fixed(5), 32);
    plan.step(MatMul, &[x, w], "y", Rows::Tokens, 5);
    assert_eq!(mismatch(executor.prepare(&plan, 1).map(|_| ())), "prepare");
    let mut plan = Plan::new();
    plan.add(Storage::Weight, "v", DType::Q8_0, Rows::Fixed(5), 32);
    assert!(matches!(executor.prepare(&plan, 1), Err(ExecError::Unknown { .. })));
    assert!(matches!(executor.write("nothing", &[]), Err(ExecError::Unknown { .. })));

    // 16 GiB of rows in one binding.
    executor.clear();
    let (plan, _) = sums(2, 1 << 20);
    let refused = executor.prepare(&plan, 4096).unwrap_err();
    assert_eq!(refused.code(), "ERR_OUT_OF_MEMORY", "{refused}");
}

#[test]
fn a_lost_device_is_an_error_and_no_hang() {
    let (mut executor, _alone) = open(options());
    let (plan, output) = sums(3, 64);
    let id = executor.prepare(&plan, 4).unwrap();
    executor.write("x", &bytes(&[1.0; 64])).unwrap();
    assert_eq!(run(&mut executor, id, 1, output).unwrap(), [4.0; 64]);
    executor.begin(id, Extent { tokens: 1, pos: 0 }).unwrap();
    executor.destroy();
    let lost = |result: Result<(), ExecError>| match result {
        Err(ExecError::DeviceLost(_)) => {}
        other => panic!("expected a lost device, got {other:?}"),
    };
    lost(block_on(executor.advance(20.0)).map(|_| ()));
    lost(block_on(executor.read(id, output)).map(|_| ()));
    lost(executor.begin(id, Extent { tokens: 1, pos: 0 }));
    lost(executor.write("x", &[0; 4]));
    lost(executor.prepare(&plan, 8).map(|_| ()));
    let desc = TensorDesc { name: "w".to_owned(), dtype: DType::F32, shape: Shape::new([4, 32]) };
    lost(executor.add_weight(&desc).map(|_| ()));
    lost(block_on(executor.finish_weights()));
}
