//! Small models with random weights: their logits equal those that llama.cpp gave for them, and are the same however a prompt
//! is cut into chunks. The table is in `small/specs.rs`.

mod small;

use rushlight::session::{BackendChoice, Event, GenerateOptions, MAX_CHUNK};
use rushlight::tensor::DType;
use rushlight::tokenizer::EncodeOptions;
use sha2::{Digest, Sha256};
use small::gguf::{Form, Tensor, write, writer};
use small::oracle::{Oracle, TEXT, deviation, f16_cache_rounding, load, logits, rounding, spread};
use small::specs::{self, SPECS};

#[test]
fn files_are_those_that_llama_cpp_saw() {
    for spec in SPECS {
        let digest = Sha256::digest(write(spec, Form::Published));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let oracle = Oracle::of(spec);
        assert_eq!(hex, oracle.sha256, "{}: run tests/tools/llamacpp_logits.sh", spec.name);
        assert_eq!(spec.prompt_ids(), oracle.ids, "{}", spec.name);
    }
}

#[test]
fn logits_with_an_f32_cache_equal_llama_cpp() {
    for spec in SPECS {
        let mut session = load(BackendChoice::Cpu, DType::F32, &write(spec, Form::Published));
        let oracle = Oracle::of(spec);
        assert_eq!(oracle.logits.keys().copied().collect::<Vec<_>>(), spec.positions(), "{}", spec.name);
        for (&position, expected) in &oracle.logits {
            // A chunk of 7 meets the ring's end within a run, one of 1 is how answers are written.
            let chunks: &[usize] =
                if position + 1 == spec.prompt { &[MAX_CHUNK, 7, 1] } else { &[MAX_CHUNK] };
            for &chunk in chunks {
                let got = logits(&mut session, &oracle.ids[..=position], chunk);
                let (deviation, bound) = (deviation(&got, expected), rounding(spec));
                println!("{} at {position} by {chunk}: {deviation:.1e} of {bound:.1e}", spec.name);
                assert!(
                    deviation < bound,
                    "{} at {position} by {chunk}: {deviation} over {bound}",
                    spec.name
                );
            }
        }
    }
}

#[test]
fn logits_with_an_f16_cache_are_near() {
    for spec in SPECS {
        let mut session = load(BackendChoice::Cpu, DType::F16, &write(spec, Form::Published));
        let oracle = Oracle::of(spec);
        let (position, expected) = oracle.logits.last_key_value().expect("three positions");
        let got = logits(&mut session, &oracle.ids[..=*position], MAX_CHUNK);
        let (deviation, bound) = (deviation(&got, expected), f16_cache_rounding(spec));
        println!("{}: {deviation:.1e} of {bound:.1e}", spec.name);
        assert!(deviation < bound, "{}: {deviation} over {bound}", spec.name);
    }
}

#[test]
fn vocabularies_encode_as_llama_cpp_does() {
    for spec in SPECS {
        let session = load(BackendChoice::Cpu, DType::F32, &write(spec, Form::Published));
        let tokenizer = session.tokenizer();
        let options = EncodeOptions { add_special: true, parse_special: true };
        let ids = tokenizer.encode(TEXT, options).expect("any text encodes");
        assert_eq!(ids, Oracle::of(spec).text_ids, "{}", spec.name);
        assert_eq!(tokenizer.decode(&ids, true).expect("its own ids decode"), TEXT, "{}", spec.name);
    }
}

/// Writing greedily gives, token by token, the largest logit after all that stands before it.
#[test]
fn greedy_answers_follow_the_logits() {
    for spec in SPECS.iter().filter(|spec| spec.width < 640) {
        let mut session = load(BackendChoice::Cpu, DType::F32, &write(spec, Form::Published));
        let mut ids = spec.prompt_ids();
        let options =
            GenerateOptions { max_tokens: Some(12), ignore_eos: true, ..GenerateOptions::default() };
        session.start_ids(ids.clone(), options).expect("the prompt fits");
        let mut written = Vec::new();
        while let Some(Event::Piece(piece)) = pollster::block_on(session.next()).expect("the run succeeds") {
            written.push(piece.id);
        }
        assert_eq!(written.len(), 12, "{}", spec.name);
        for id in written {
            let logits = logits(&mut session, &ids, MAX_CHUNK);
            let best =
                (0..logits.len()).reduce(|a, b| if logits[b] > logits[a] { b } else { a }).expect("some");
            let near = rounding(spec) * spread(&logits);
            assert!(f64::from(logits[best] - logits[id as usize]) < near, "{}: {id}, not {best}", spec.name);
            ids.push(id);
        }
    }
}

/// What the comparisons rest on: parts that could be left out by mistake change the logits by far more than the bounds.
#[test]
fn parts_of_the_architectures_matter() {
    let parts = [
        ("llama-f16-64-factors", "rope_freqs.weight"),
        ("llama-f16-64-factors", "output.weight"),
        ("qwen3-q5_k-256", "output.weight"),
    ];
    for (name, part) in parts {
        let spec = specs::find(name);
        let without = |tensor: Tensor| (tensor.name != part).then_some(tensor);
        let mut session =
            load(BackendChoice::Cpu, DType::F32, &writer(spec, spec, Form::Published, without).to_bytes());
        let oracle = Oracle::of(spec);
        let (position, expected) = oracle.logits.last_key_value().expect("three positions");
        let deviation = deviation(&logits(&mut session, &oracle.ids[..=*position], MAX_CHUNK), expected);
        assert!(deviation > 0.05, "{name} without {part}: only {deviation}");
    }
}
