//! What llama.cpp says of the small models, and how near to it an executor has to come.

use super::specs::Spec;
use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, Host, LoadOptions, Loader, Session};
use rushlight::tensor::DType;
use serde::Deserialize;
use std::collections::BTreeMap;

/// What llama.cpp says of a model: `fixtures/llamacpp/NAME.json`, made by `tools/llamacpp_logits.sh`.
#[derive(Deserialize)]
pub struct Oracle {
    /// Of the file that the generator wrote at that time.
    pub sha256: String,
    /// Ids of [`TEXT`].
    pub text_ids: Vec<u32>,
    /// The prompt.
    pub ids: Vec<u32>,
    /// Logits after a position of the prompt.
    pub logits: BTreeMap<usize, Vec<f32>>,
}

/// The text that the tool tokenises.
pub const TEXT: &str = "The capital of France is hello, été 12!";

impl Oracle {
    /// The fixture of a model.
    pub fn of(spec: &Spec) -> Self {
        let path = format!("{}/tests/fixtures/llamacpp/{}.json", env!("CARGO_MANIFEST_DIR"), spec.name);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// Loads a file in chunks that fit no boundary of it.
pub fn load(backend: BackendChoice, kv: DType, file: &[u8]) -> Session {
    let options = LoadOptions { backend, precision: Precision::Exact, kv, ..LoadOptions::default() };
    pollster::block_on(async {
        let mut loader =
            Loader::new(options, Host::native(), Some(file.len() as u64)).await.expect("the backend opens");
        for chunk in file.chunks(77_777) {
            loader.push(chunk).await.expect("the model loads");
        }
        Session::new(loader.finish().await.expect("the model is complete")).expect("it writes text")
    })
}

/// Root of the mean square.
pub fn spread(values: &[f32]) -> f64 {
    (values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

/// Largest difference, in units of the spread of the expected values.
pub fn deviation(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len(), "as many logits as tokens");
    let differences = got.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b));
    // NaN has to count as a difference, and `max` would drop it.
    let largest = differences.map(|d| if d.is_nan() { f64::INFINITY } else { d.abs() }).fold(0.0, f64::max);
    largest / spread(expected)
}

/// Logits after the last of `ids`, run in chunks of at most `chunk`.
pub fn logits(session: &mut Session, ids: &[u32], chunk: usize) -> Vec<f32> {
    pollster::block_on(session.logits(ids, chunk)).expect("the run succeeds")
}

/// What f32 rounding can do to the logits, in units of their spread: a sum of `n` terms is off by at most `n · 2⁻²⁴` of its
/// terms' sum (Higham, *Accuracy and Stability of Numerical Algorithms*, section 3.1), and each layer adds its longest one's.
pub fn rounding(spec: &Spec) -> f64 {
    let longest = spec.width.max(spec.ffn).max(spec.heads * spec.head_dim);
    (spec.layers * longest) as f64 / f64::from(1 << 24)
}

/// What an f16 cache may add: it rounds each key and value by up to 2⁻¹¹ of itself. A layer's output moves by about that share
/// twice (by its values and by its scores), layers add up, and the largest logits are above the spread. A wrong slot or window
/// moves logits by tenths of their spread.
pub fn f16_cache_rounding(spec: &Spec) -> f64 {
    4.0 * spec.layers as f64 / f64::from(1 << 11)
}
