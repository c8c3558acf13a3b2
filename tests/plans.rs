//! Plans as data: two of them as text, and what holds for every plan and for any assignment of buffers.
//!
//! `RUSHLIGHT_UPDATE=1` writes the texts in `fixtures/plans/` anew; read the difference before committing it.

mod small;

use proptest::prelude::*;
use rushlight::formats::gguf::GgufReader;
use rushlight::kernel::FusedKind;
use rushlight::kernel::add::Add;
use rushlight::kernel::embedding::Embedding;
use rushlight::kernel::matmul::MatMul;
use rushlight::kernel::rms_norm::RmsNorm;
use rushlight::model::{Config, Head, PlanOptions, build};
use rushlight::plan::count::Counts;
use rushlight::plan::memory::{Assignment, assign};
use rushlight::plan::uses::Uses;
use rushlight::plan::{Dim, Extent, Plan, Step, Storage, ValueId};
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
    compare_text(name, &plan.to_string());
}

fn compare_text(name: &str, got: &str) {
    let path = format!("{}/tests/fixtures/plans/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("RUSHLIGHT_UPDATE").is_some() {
        std::fs::write(&path, got).unwrap_or_else(|error| panic!("{path}: {error}"));
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

/// Passes over plans: one file each with the plan before, the pass, and the plan after.
#[test]
fn passes_give_what_their_files_say() {
    let spec = Spec { layers: 1, ..*specs::find("gemma3-q4_k-256") };
    let (config, tensors) = described(&spec);
    let gemma = build(&config, &tensors, plan_options(Head::Greedy)).expect("all tensors are there");
    type Pass<'a> = (&'a str, &'a Plan, &'a dyn Fn(&mut Plan));
    // A norm that two products read is not fused into either.
    let mut shared = Plan::new();
    let x = shared.add(Storage::Input, "x", DType::F32, (Dim::Tokens, 64));
    let g = shared.add(Storage::Weight, "g", DType::F32, (Dim::Fixed(1), 64));
    let w = shared.add(Storage::Weight, "w", DType::Q8_0, (Dim::Fixed(10), 64));
    let h = shared.step(RmsNorm { eps: 1e-6 }, &[x, g], "h", (Dim::Tokens, 64));
    let once = shared.step(MatMul, &[h, w], "once", (Dim::Tokens, 10));
    let again = shared.step(MatMul, &[h, w], "again", (Dim::Tokens, 10));
    let out = shared.add(Storage::Output, "out", DType::F32, (Dim::Tokens, 10));
    shared.step_into(Add, &[once, again], out);
    shared.step(Add, &[once, once], "unread", (Dim::Tokens, 10));
    let passes: [Pass<'_>; 4] = [
        ("fuse_gated_product", &gemma, &|plan| plan.fuse(&[FusedKind::GatedProduct])),
        ("fuse_norm_product", &gemma, &|plan| plan.fuse(&[FusedKind::NormProduct])),
        ("fuse_shared_norm", &shared, &|plan| plan.fuse(&FusedKind::ALL)),
        ("drop_unused_steps", &shared, &|plan| plan.drop_unused_steps()),
    ];
    for (name, before, pass) in passes {
        let mut after = before.clone();
        pass(&mut after);
        after.verify(Extent::tokens(5)).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        compare_text(&format!("passes/{name}"), &format!("{before}\n{name}\n\n{after}"));
        // Doing it again changes nothing.
        let mut again = after.clone();
        pass(&mut again);
        assert_eq!(again, after, "{name}");
    }
}

/// Every plan of every small model, as built and as fused into all that there is.
#[test]
fn fused_plans_keep_their_rules() {
    let mut fused = 0;
    for (name, mut plan) in plans() {
        let before = plan.steps.len();
        plan.fuse(&FusedKind::ALL);
        fused += before - plan.steps.len();
        for extent in extents(&plan) {
            plan.verify(extent).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            let assignment = assign(&plan, extent);
            plan.verify_buffers(&assignment, extent).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
    }
    assert!(fused > plans().len(), "{fused} steps were fused away");
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
    let table = plan.values.iter().find(|value| value.name.starts_with("rope."));
    let Some([Dim::Fixed(context)]) = table.map(|value| value.dims.outer()) else {
        panic!("a table of rotations has a row a position")
    };
    [Extent { keys: *context, ..Extent::tokens(1) }, Extent::tokens((*context).min(64))]
}

#[test]
fn plans_keep_their_rules() {
    for (name, plan) in plans() {
        for extent in extents(&plan) {
            plan.verify(extent).unwrap_or_else(|fault| panic!("{name}: {fault}"));
            for value in &plan.values {
                let operand = value.operand(extent);
                assert!(operand.elements() > 0, "{name}: {value:?}");
                assert!(operand.cols.is_multiple_of(operand.dtype.block_elements()), "{name}: {value:?}");
            }
        }
        let uses = Uses::of(&plan);
        let prefill_only = plan.values.iter().all(|value| value.storage != Storage::Output);
        for (index, value) in plan.values.iter().enumerate() {
            let id = ValueId(index as u32);
            // Without a head the caches are what is left.
            let wanted =
                value.storage == Storage::Output || (prefill_only && value.storage == Storage::State);
            assert!(wanted || !uses.read_by(id).is_empty(), "{name}: nobody reads {}", value.name);
            let is_named = value.storage != Storage::Temp;
            assert!(!is_named || plan.find(&value.name) == Some(id), "{name}: {} is there twice", value.name);
        }
    }
}

/// What `verify` is for: each rule, broken.
#[test]
fn broken_plans_are_seen() {
    let mut good = Plan::new();
    let x = good.add(Storage::Input, "x", DType::F32, (Dim::Tokens, 4));
    let rows = good.add(Storage::Input, "rows", DType::U32, (Dim::Tokens, 4));
    let a = good.step(Add, &[x, x], "a", (Dim::Tokens, 4));
    let out = good.add(Storage::Output, "out", DType::F32, (Dim::Tokens, 4));
    good.step_into(Add, &[a, x], out);
    let extent = Extent::tokens(3);
    assert_eq!(good.verify(extent), Ok(()));
    let spoil = |change: &dyn Fn(&mut Plan)| {
        let mut plan = good.clone();
        change(&mut plan);
        plan.verify(extent).expect_err("a rule is broken").to_string()
    };
    for (says, change) in [
        ("which nobody has written", &(|plan: &mut Plan| plan.steps.reverse()) as &dyn Fn(&mut Plan)),
        ("writes a again", &|plan| (plan.steps[1].reads, plan.steps[1].writes) = (vec![x, x], vec![a])),
        ("reads and changes", &|plan| plan.steps[0].reads = vec![a, x]),
        ("not its to write", &|plan| plan.steps[1].writes = vec![rows]),
        ("which is no state", &|plan| plan.steps[1].updates = plan.steps[1].writes.split_off(0)),
        ("which is no value", &|plan| plan.steps[0].reads = vec![ValueId(9), x]),
    ] {
        let said = spoil(change);
        assert!(said.contains(says), "{says}: {said}");
    }
}

/// Counts of a plan against numbers worked out by hand.
#[test]
fn counts_are_those_of_the_steps() {
    let mut plan = Plan::new();
    let rows = plan.add(Storage::Input, "rows", DType::U32, (Dim::Tokens, 4));
    let table = plan.add(Storage::Weight, "table", DType::Q8_0, (Dim::Fixed(1000), 64));
    let x = plan.step(Embedding { scale: 1.0, column: 0 }, &[rows, table], "x", (Dim::Tokens, 64));
    let w = plan.add(Storage::Weight, "w", DType::F16, (Dim::Fixed(10), 64));
    let out = plan.add(Storage::Output, "out", DType::F32, (Dim::Tokens, 10));
    plan.step_into(MatMul, &[x, w], out);
    let counts = Counts::of(&plan, Extent::tokens(3));
    let expected = Counts {
        steps: 2,
        // Three rows of two blocks of 34 bytes, and ten of 64 halves.
        weight_bytes: 3 * 2 * 34 + 10 * 64 * 2,
        read_bytes: 3 * 4 * 4 + 3 * 64 * 4,
        written_bytes: 3 * 64 * 4 + 3 * 10 * 4,
        work: 3 * 64 + 3 * 10 * 64,
    };
    assert_eq!(counts, expected);
}

#[test]
fn buffers_of_every_plan_hold_what_is_needed() {
    for (name, plan) in plans() {
        let [_, largest] = extents(&plan);
        let assignment = assign(&plan, largest);
        for extent in [largest, Extent::tokens(1)] {
            plan.verify_buffers(&assignment, extent).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
        // Layers come one after the other: their values need no more room than those of one.
        assert!(assignment.buffer_bytes.len() <= 8, "{name}: {} buffers", assignment.buffer_bytes.len());
    }
}

/// Bytes of all temporaries, each in a place of its own.
fn apart(plan: &Plan, extent: Extent) -> u64 {
    let temporaries = plan.values.iter().filter(|value| value.storage == Storage::Temp);
    temporaries.map(|value| value.operand(extent).bytes()).sum()
}

/// A step of a random plan: which earlier values it reads (as shares of how many there are), and what it writes.
type RandomStep = (Vec<prop::sample::Index>, Vec<(u8, usize, usize)>);

fn random_plan(steps: &[RandomStep]) -> Plan {
    let mut plan = Plan::new();
    plan.add(Storage::Input, "in", DType::F32, (Dim::Tokens, 8));
    for (number, (inputs, outputs)) in steps.iter().enumerate() {
        let reads = inputs.iter().map(|index| ValueId(index.index(plan.values.len()) as u32)).collect();
        let outputs: Vec<ValueId> = outputs
            .iter()
            .enumerate()
            .map(|(index, &(kind, rows, cols))| {
                let name = format!("v{number}.{index}");
                let storage = match kind {
                    0 => Storage::Output,
                    1 => Storage::State,
                    _ => Storage::Temp,
                };
                let rows = if rows == 0 { Dim::Tokens } else { Dim::Fixed(rows) };
                let dtype = if kind == 2 { DType::U32 } else { DType::F32 };
                plan.add(storage, &name, dtype, (rows, cols))
            })
            .collect();
        let (updates, writes) =
            outputs.into_iter().partition(|id: &ValueId| plan.value(*id).storage == Storage::State);
        plan.steps.push(Step { op: Add.into(), reads, writes, updates });
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
        let largest = Extent::tokens(tokens);
        let assignment = assign(&plan, largest);
        let result = plan.verify_buffers(&assignment, largest);
        prop_assert!(result.is_ok(), "{result:?}\n{plan}");
        prop_assert!(assignment.total_bytes() <= apart(&plan, largest));
    }
}

/// What the property test can see: assignments that are wrong on purpose.
#[test]
fn wrong_assignments_are_seen() {
    let mut plan = Plan::new();
    let x = plan.add(Storage::Input, "x", DType::F32, (Dim::Tokens, 4));
    let a = plan.step(Add, &[x, x], "a", (Dim::Tokens, 4));
    let b = plan.step(Add, &[x, x], "b", (Dim::Tokens, 4));
    plan.step(Add, &[a, b], "c", (Dim::Tokens, 4));
    let extent = Extent::tokens(2);
    let with = |buffers: [usize; 3], bytes: &[u64], dtype| Assignment {
        buffer_bytes: bytes.to_vec(),
        buffer_dtype: vec![dtype; bytes.len()],
        buffer_of: [None].into_iter().chain(buffers.map(Some)).collect(),
    };
    assert_eq!(plan.verify_buffers(&with([0, 1, 2], &[32, 32, 32], DType::F32), extent), Ok(()));
    let error = |assignment: &Assignment, what: &str| {
        plan.verify_buffers(assignment, extent).expect_err(what).to_string()
    };
    let said = error(&with([0, 1, 2], &[32, 32, 32], DType::U32), "their type");
    assert!(said.contains("another type"), "{said}");
    for (buffers, bytes, says) in [
        ([0, 0, 1], vec![32, 32], "in place of"),
        ([0, 1, 1], vec![32, 32], "reads and writes"),
        ([0, 1, 2], vec![32, 31, 32], "does not fit"),
    ] {
        let said = error(&with(buffers, &bytes, DType::F32), says);
        assert!(said.contains(says), "{said}");
    }
}
