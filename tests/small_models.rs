//! Small models with random weights: their logits equal those that llama.cpp gave for them, and are the same however a prompt
//! is cut into chunks. The table is in `small/specs.rs`.

mod small;

use rushlight::session::{
    BackendChoice, Event, GenerateOptions, Host, LoadOptions, Loader, MAX_CHUNK, Session,
};
use rushlight::tensor::DType;
use rushlight::tokenizer::EncodeOptions;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use small::gguf::{Tensor, writer};
use small::specs::{SPECS, Spec};
use small::{Form, specs};
use std::collections::BTreeMap;

/// What llama.cpp says of a model: `fixtures/llamacpp/NAME.json`, made by `tools/llamacpp_logits.sh`.
#[derive(Deserialize)]
struct Oracle {
    /// Of the file that the generator wrote at that time.
    sha256: String,
    /// Ids of [`TEXT`].
    text_ids: Vec<u32>,
    /// The prompt.
    ids: Vec<u32>,
    /// Logits after a position of the prompt.
    logits: BTreeMap<usize, Vec<f32>>,
}

/// The text that the tool tokenises.
const TEXT: &str = "The capital of France is hello, été 12!";

impl Oracle {
    fn of(spec: &Spec) -> Self {
        let path = format!("{}/tests/fixtures/llamacpp/{}.json", env!("CARGO_MANIFEST_DIR"), spec.name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// Loads a file in chunks that fit no boundary of it.
fn load(file: &[u8], kv: DType) -> Session {
    let options = LoadOptions { backend: BackendChoice::Cpu, kv, ..LoadOptions::default() };
    pollster::block_on(async {
        let mut loader =
            Loader::new(options, Host::native(), Some(file.len() as u64)).await.expect("the CPU is there");
        for chunk in file.chunks(77_777) {
            loader.push(chunk).await.expect("the model loads");
        }
        loader.finish().await.expect("the model is complete")
    })
}

/// Root of the mean square.
fn spread(values: &[f32]) -> f64 {
    (values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// Largest difference, in units of the spread of the expected values.
fn deviation(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len(), "as many logits as tokens");
    let differences = got.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b));
    // NaN has to count as a difference, and `max` would drop it.
    let largest = differences.map(|d| if d.is_nan() { f64::INFINITY } else { d.abs() }).fold(0.0, f64::max);
    largest / spread(expected)
}

fn logits(session: &mut Session, ids: &[u32], chunk: usize) -> Vec<f32> {
    pollster::block_on(session.logits(ids, chunk)).expect("the run succeeds")
}

#[test]
fn files_are_those_that_llama_cpp_saw() {
    for spec in SPECS {
        let digest = Sha256::digest(small::write(spec, Form::Published));
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let oracle = Oracle::of(spec);
        assert_eq!(hex, oracle.sha256, "{}: run tests/tools/llamacpp_logits.sh", spec.name);
        assert_eq!(spec.prompt_ids(), oracle.ids, "{}", spec.name);
    }
}

/// What f32 rounding can do to the logits, in units of their spread: a sum of `n` terms is off by at most `n · 2⁻²⁴` of its
/// terms' sum (Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.1), and each layer adds its longest one's.
fn rounding(spec: &Spec) -> f64 {
    let longest = spec.width.max(spec.ffn).max(spec.heads * spec.head_dim);
    (spec.layers * longest) as f64 / f64::from(1 << 24)
}

#[test]
fn logits_with_an_f32_cache_equal_llama_cpp() {
    for spec in SPECS {
        let mut session = load(&small::write(spec, Form::Published), DType::F32);
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

/// An f16 cache rounds each key and value by up to 2⁻¹² of itself. A layer's output moves by about that share twice (once by its
/// values, once by its scores), layers add up, and the largest of 331 moves is some four times their root mean square. A wrong
/// slot or window moves the logits by tenths of their spread.
#[test]
fn logits_with_an_f16_cache_are_near() {
    for spec in SPECS {
        let mut session = load(&small::write(spec, Form::Published), DType::F16);
        let oracle = Oracle::of(spec);
        let (position, expected) = oracle.logits.last_key_value().expect("three positions");
        let got = logits(&mut session, &oracle.ids[..=*position], MAX_CHUNK);
        let (deviation, bound) = (deviation(&got, expected), 8.0 * spec.layers as f64 / f64::from(1 << 12));
        println!("{}: {deviation:.1e} of {bound:.1e}", spec.name);
        assert!(deviation < bound, "{}: {deviation} over {bound}", spec.name);
    }
}

#[test]
fn vocabularies_encode_as_llama_cpp_does() {
    for spec in SPECS {
        let session = load(&small::write(spec, Form::Published), DType::F32);
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
        let mut session = load(&small::write(spec, Form::Published), DType::F32);
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
        let mut session = load(&writer(spec, Form::Published, without).to_bytes(), DType::F32);
        let oracle = Oracle::of(spec);
        let (position, expected) = oracle.logits.last_key_value().expect("three positions");
        let deviation = deviation(&logits(&mut session, &oracle.ids[..=*position], MAX_CHUNK), expected);
        assert!(deviation > 0.05, "{name} without {part}: only {deviation}");
    }
}
