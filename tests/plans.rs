//! Plans as data: two of them as text, and what holds for every plan and for any assignment of buffers.
//!
//! `RUSHLIGHT_UPDATE=1` writes the texts in `fixtures/plans/` anew; read the difference before committing it.

mod small;

use proptest::prelude::*;
use rushlight::formats::gguf::GgufReader;
use rushlight::kernel::add::Add;
use rushlight::kernel::{Io, Op, Operand};
use rushlight::model::{Config, Head, PlanOptions, build};
use rushlight::plan::memory::{Assignment, assign};
use rushlight::plan::{Extent, Plan, Rows, Step, Storage, ValueId};
use rushlight::tensor::{DType, TensorDesc};
use small::gguf::{Form, write};
use small::specs::{self, SPECS, Spec};

/// What a file says: numbers and tensors.
fn described(spec: &Spec) -> (Config, Vec<TensorDesc>) {
    let mut reader = GgufReader::new();
    reader.push(&write(spec, Form::Published)).expect("a sound file");
    let header = reader.header().expect("it is whole");
    let tensors = header.tensors.iter().map(|tensor| tensor.desc.clone()).collect();
    (Config::from_metadata(&header.metadata).expect("a known architecture"), tensors)
}

/// Positions of the caches, unless a test takes others.
const CONTEXT: usize = 256;

fn plan_options(head: Head) -> PlanOptions {
    PlanOptions { context: CONTEXT, max_tokens: 64, kv: DType::F16, head }
}

fn compare(name: &str, plan: &Plan) {
    let path = format!("{}/tests/fixtures/plans/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let got = plan.to_string();
    if std::env::var_os("RUSHLIGHT_UPDATE").is_some() {
        std::fs::write(&path, &got).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    for (number, (got, expected)) in got.lines().zip(expected.lines()).enumerate() {
        assert_eq!(got, expected, "{name}.txt, line {}", number + 1);
    }
    assert_eq!(got, expected, "{name}.txt");
}

#[test]
fn a_gemma_reads_as_it_should() {
    let spec = Spec { layers: 2, ..*specs::find("gemma3-q4_k-256") };
    let (mut config, tensors) = described(&spec);
    // Every second layer global instead of every sixth, so that two layers show both kinds.
    config.local.as_mut().expect("a Gemma has local layers").layers = vec![true, false];
    compare("gemma3", &build(&config, &tensors, plan_options(Head::Greedy)).expect("all tensors are there"));
}

#[test]
fn a_llama_reads_as_it_should() {
    let spec = Spec { layers: 1, ..*specs::find("llama-f16-64-factors") };
    let (config, tensors) = described(&spec);
    compare(
        "llama",
        &build(&config, &tensors, plan_options(Head::AllLogits)).expect("all tensors are there"),
    );
}

#[test]
fn a_qwen2_reads_as_it_should() {
    let spec = Spec { layers: 1, ..*specs::find("qwen2-q4_1-640") };
    let (config, tensors) = described(&spec);
    compare("qwen2", &build(&config, &tensors, plan_options(Head::None)).expect("all tensors are there"));
}

/// Every plan of every small model.
fn plans() -> Vec<(String, Plan)> {
    let mut plans = Vec::new();
    for spec in SPECS {
        let (config, tensors) = described(spec);
        for head in [Head::None, Head::Logits, Head::Greedy, Head::AllLogits] {
            for (context, max_tokens, kv) in [(CONTEXT, 64, DType::F16), (7, 7, DType::F32)] {
                let options = PlanOptions { context, max_tokens, kv, head };
                let plan = build(&config, &tensors, options).expect("all tensors are there");
                plans.push((format!("{} {options:?}", spec.name), plan));
            }
        }
    }
    plans
}

/// The runs that a plan has to bear: a token, and as many as fit.
fn extents(plan: &Plan) -> [Extent; 2] {
    let context = plan.values.iter().find(|value| value.name.starts_with("rope.")).map(|value| value.rows);
    let Some(Rows::Fixed(context)) = context else { panic!("a table of rotations has a row a position") };
    [Extent { tokens: 1, pos: context - 1 }, Extent { tokens: context.min(64), pos: 0 }]
}

#[test]
fn values_are_written_once_and_before_they_are_read() {
    for (name, plan) in plans() {
        let mut writes = vec![0; plan.values.len()];
        let mut reads = vec![0; plan.values.len()];
        for (index, step) in plan.steps.iter().enumerate() {
            for id in &step.inputs {
                let (value, slot) = (plan.value(*id), id.0 as usize);
                reads[slot] += 1;
                let given = matches!(value.storage, Storage::Weight | Storage::Input);
                assert!(given || writes[slot] == 1, "{name}: step {index} reads {} too early", value.name);
                assert!(!step.outputs.contains(id), "{name}: step {index} writes what it reads");
            }
            for id in &step.outputs {
                let value = plan.value(*id);
                writes[id.0 as usize] += 1;
                assert_eq!(writes[id.0 as usize], 1, "{name}: step {index} writes {} again", value.name);
                let is_state = value.storage == Storage::State;
                assert_eq!(is_state, matches!(step.op, Op::KvWrite(_)), "{name}: step {index}");
                assert!(
                    is_state || matches!(value.storage, Storage::Temp | Storage::Output),
                    "{name}: {index}"
                );
            }
        }
        let outputs: Vec<&str> =
            plan.values.iter().filter(|v| v.storage == Storage::Output).map(|v| v.name.as_str()).collect();
        let prefill_only = outputs.is_empty();
        for (slot, value) in plan.values.iter().enumerate() {
            // Without a head the caches are what is left.
            let wanted =
                value.storage == Storage::Output || (prefill_only && value.storage == Storage::State);
            assert!(wanted || reads[slot] > 0, "{name}: nobody reads {}", value.name);
        }
        for (index, value) in plan.values.iter().enumerate().filter(|(_, v)| v.storage != Storage::Temp) {
            let first = plan
                .values
                .iter()
                .position(|other| other.name == value.name && other.storage != Storage::Temp);
            assert_eq!(first, Some(index), "{name}: {} is there twice", value.name);
        }
    }
}

#[test]
fn every_step_is_one_that_its_kernel_can_do() {
    for (name, plan) in plans() {
        for extent in extents(&plan) {
            for step in &plan.steps {
                let operands = |ids: &[ValueId]| -> Vec<Operand> {
                    ids.iter().map(|id| plan.operand(*id, extent)).collect()
                };
                let (inputs, outputs) = (operands(&step.inputs), operands(&step.outputs));
                let Extent { tokens, pos } = extent;
                let io = Io { inputs: &inputs, outputs: &outputs, tokens, pos, row_start: 0 };
                assert_eq!(step.op.kernel().unsupported(&io), None, "{name}: {step:?}");
                for operand in inputs.iter().chain(&outputs) {
                    assert!(operand.elements() > 0, "{name}: {step:?} on {operand:?}");
                    assert!(operand.cols.is_multiple_of(operand.dtype.block_elements()), "{name}: {step:?}");
                }
            }
        }
    }
}

/// Runs a plan in which every value is its own name: a step finds its inputs in their buffers, and its outputs stand there after it.
fn simulate(plan: &Plan, extent: Extent, assignment: &Assignment) -> Result<(), String> {
    let bytes = |id: ValueId| {
        let operand = plan.operand(id, extent);
        (operand.elements() / operand.dtype.block_elements() * operand.dtype.block_bytes()) as u64
    };
    let mut held: Vec<Option<ValueId>> = vec![None; assignment.buffer_bytes.len()];
    let buffer = |id: ValueId| assignment.buffer_of[id.0 as usize];
    let mut together = 0;
    for (index, step) in plan.steps.iter().enumerate() {
        let read: Vec<usize> = step.inputs.iter().filter_map(|id| buffer(*id)).collect();
        for id in &step.inputs {
            if let Some(buffer) = buffer(*id)
                && held[buffer] != Some(*id)
            {
                return Err(format!("step {index} finds {:?} in place of {id:?}", held[buffer]));
            }
        }
        for id in &step.outputs {
            let is_temp = plan.value(*id).storage == Storage::Temp;
            match buffer(*id) {
                Some(buffer) if is_temp => {
                    if read.contains(&buffer) {
                        return Err(format!("step {index} reads and writes buffer {buffer}"));
                    }
                    if assignment.buffer_bytes[buffer] < bytes(*id) {
                        return Err(format!("{id:?} does not fit buffer {buffer}"));
                    }
                    if assignment.buffer_dtype[buffer] != plan.value(*id).dtype {
                        return Err(format!("{id:?} is of another type than buffer {buffer}"));
                    }
                    held[buffer] = Some(*id);
                    together += bytes(*id);
                }
                None if !is_temp => {}
                other => return Err(format!("{:?} in {other:?}", plan.value(*id))),
            }
        }
        if step.outputs.iter().any(|id| buffer(*id).is_some_and(|buffer| held[buffer] != Some(*id))) {
            return Err(format!("two outputs of step {index} share a buffer"));
        }
    }
    if assignment.total_bytes() > together {
        return Err(format!("{} bytes, more than the {together} of all values", assignment.total_bytes()));
    }
    Ok(())
}

#[test]
fn buffers_of_every_plan_hold_what_is_needed() {
    for (name, plan) in plans() {
        let [_, largest] = extents(&plan);
        let assignment = assign(&plan, largest);
        simulate(&plan, largest, &assignment).unwrap_or_else(|error| panic!("{name}: {error}"));
        let one_token = Extent { tokens: 1, pos: 0 };
        simulate(&plan, one_token, &assignment)
            .or_else(|error| if error.contains("more than") { Ok(()) } else { Err(error) })
            .unwrap_or_else(|error| panic!("{name}, a token: {error}"));
        // Layers come one after the other: their values need no more room than those of one.
        assert!(assignment.buffer_bytes.len() <= 8, "{name}: {} buffers", assignment.buffer_bytes.len());
    }
}

/// A step of a random plan: which earlier values it reads (as shares of how many there are), and what it writes.
type RandomStep = (Vec<prop::sample::Index>, Vec<(u8, usize, usize)>);

fn random_plan(steps: &[RandomStep]) -> Plan {
    let mut plan = Plan::new();
    plan.add(Storage::Input, "in", DType::F32, Rows::Tokens, 8);
    for (number, (inputs, outputs)) in steps.iter().enumerate() {
        let inputs = inputs.iter().map(|index| ValueId(index.index(plan.values.len()) as u32)).collect();
        let outputs = outputs.iter().enumerate().map(|(index, &(kind, rows, cols))| {
            let name = format!("v{number}.{index}");
            let storage = match kind {
                0 => Storage::Output,
                1 => Storage::State,
                _ => Storage::Temp,
            };
            let rows = if rows == 0 { Rows::Tokens } else { Rows::Fixed(rows) };
            let dtype = if kind == 2 { DType::U32 } else { DType::F32 };
            plan.add(storage, &name, dtype, rows, cols)
        });
        let outputs = outputs.collect();
        plan.steps.push(Step { op: Add.into(), inputs, outputs });
    }
    plan
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn buffers_of_any_plan_hold_what_is_needed(
        steps in prop::collection::vec(
            (
                prop::collection::vec(any::<prop::sample::Index>(), 0..4),
                prop::collection::vec((0_u8..12, 0_usize..5, 1_usize..70), 1..4),
            ),
            1..40,
        ),
        tokens in 1_usize..20,
    ) {
        let plan = random_plan(&steps);
        let largest = Extent { tokens, pos: 0 };
        let result = simulate(&plan, largest, &assign(&plan, largest));
        prop_assert!(result.is_ok(), "{result:?}\n{plan}");
    }
}

/// What the property test can see: assignments that are wrong on purpose.
#[test]
fn wrong_assignments_are_seen() {
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, Rows::Tokens, 4);
    let a = plan.step(Add, &[x, x], "a", Rows::Tokens, 4);
    let b = plan.step(Add, &[x, x], "b", Rows::Tokens, 4);
    plan.step(Add, &[a, b], "c", Rows::Tokens, 4);
    let extent = Extent { tokens: 2, pos: 0 };
    let with = |buffers: [usize; 3], bytes: &[u64], dtype| Assignment {
        buffer_bytes: bytes.to_vec(),
        buffer_dtype: vec![dtype; bytes.len()],
        buffer_of: [None].into_iter().chain(buffers.map(Some)).collect(),
    };
    assert_eq!(simulate(&plan, extent, &with([0, 1, 2], &[32, 32, 32], DType::F32)), Ok(()));
    let error = simulate(&plan, extent, &with([0, 1, 2], &[32, 32, 32], DType::U32)).expect_err("their type");
    assert!(error.contains("another type"), "{error}");
    for (buffers, bytes, says) in [
        ([0, 0, 1], vec![32, 32], "in place of"),
        ([0, 1, 1], vec![32, 32], "reads and writes"),
        ([0, 1, 2], vec![32, 31, 32], "does not fit"),
        ([0, 1, 2], vec![32, 32, 33], "more than"),
    ] {
        let error = simulate(&plan, extent, &with(buffers, &bytes, DType::F32)).expect_err(says);
        assert!(error.contains(says), "{error}");
    }
}
