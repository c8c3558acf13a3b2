//! An extractive head against an independent forward pass in numpy (`tests/tools/bert_qa.py`): logits, windows, scores, offsets.

use rushlight::model::hf::Files;
use rushlight::session::{BackendChoice, Embedder, Host, LoadOptions, Loader, Model, ModelKind, SpanReader};
use rushlight::tasks::ask::edges::{LONGEST_ANSWER, decode};
use rushlight::tasks::ask::{Library, edges};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Fixture {
    config: Value,
    words: Vec<String>,
    tensors: Vec<Tensor>,
    text: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    scale: f64,
    offset: f64,
}

#[derive(Deserialize)]
struct Item {
    question: String,
    /// Of each window: logits of the null token and of the text's tokens.
    windows: Vec<Vec<[f32; 2]>>,
    null_score: f64,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    start: usize,
    end: usize,
    text: String,
    score: f64,
}

impl Fixture {
    fn read() -> Self {
        serde_json::from_str(include_str!("fixtures/qa/span_reader.json")).expect("the fixture is JSON")
    }

    /// Weights from a hash of their places, as `tensor` in the script makes them; all but one tensor.
    fn safetensors(&self, without: &str) -> Vec<u8> {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::<u8>::new());
        for (index, tensor) in self.tensors.iter().enumerate().filter(|(_, tensor)| tensor.name != without) {
            let begin = data.len();
            for element in 0..tensor.shape.iter().product::<usize>() {
                let mut x = (element as u64 * 7919 + index as u64 * 1_000_003 + 12_345) % (1 << 32);
                x = x * 2_654_435_761 % (1 << 32);
                x ^= x >> 15;
                x = x * 2_246_822_519 % (1 << 32);
                x ^= x >> 13;
                let value = (x as f64 / 4_294_967_296.0 - 0.5) * tensor.scale + tensor.offset;
                data.extend((value as f32).to_le_bytes());
            }
            let about = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [begin, data.len()] });
            header.insert(tensor.name.clone(), about);
        }
        let header = Value::Object(header).to_string();
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
    }

    fn tokenizer(&self) -> Value {
        let vocab: serde_json::Map<String, Value> =
            self.words.iter().enumerate().map(|(id, word)| (word.clone(), id.into())).collect();
        let added: Vec<Value> = (0..4)
            .map(|id| json!({ "id": id, "content": self.words[id], "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false }))
            .collect();
        json!({
            "added_tokens": added,
            "normalizer": { "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": { "type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2] },
            "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
            "model": { "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab },
        })
    }

    async fn model(&self, without: &str) -> Model {
        self.model_of(&self.safetensors(without)).await
    }

    async fn model_of(&self, bytes: &[u8]) -> Model {
        let files = Files {
            config: self.config.to_string().into_bytes(),
            tokenizer: self.tokenizer().to_string().into_bytes(),
            ..Files::default()
        };
        let options = LoadOptions { backend: BackendChoice::Cpu, threads: Some(1), ..LoadOptions::default() };
        let mut loader =
            Loader::new_safetensors(options, Host::native(), &files, None).await.expect("a loader");
        for chunk in bytes.chunks(1000) {
            loader.push(chunk).await.expect("it loads");
        }
        loader.finish().await.expect("the files are sound")
    }

    fn reader(&self) -> SpanReader {
        SpanReader::new(pollster::block_on(self.model(""))).expect("a reader")
    }
}

#[test]
fn logits_and_spans_are_those_of_numpy() {
    let fixture = Fixture::read();
    let mut model = fixture.reader();
    for item in &fixture.items {
        let windows = pollster::block_on(model.read(&item.question, &fixture.text)).expect("it reads");
        assert_eq!(windows.len(), item.windows.len());
        assert!(windows.len() > 2, "the text is longer than a window");
        for (ours, theirs) in windows.iter().zip(&item.windows) {
            assert_eq!(ours.edges.len() + 1, theirs.len());
            let ours = std::iter::once([ours.null.0, ours.null.1])
                .chain(ours.edges.iter().map(|edge| [edge.start, edge.end]));
            for (ours, theirs) in ours.zip(theirs) {
                assert!(
                    (ours[0] - theirs[0]).abs() < 1e-4 && (ours[1] - theirs[1]).abs() < 1e-4,
                    "{ours:?} {theirs:?}"
                );
            }
        }
        let (spans, null) = decode(&windows, LONGEST_ANSWER, item.spans.len());
        assert!((null - item.null_score).abs() < 1e-5, "{null} {}", item.null_score);
        assert_eq!(spans.len(), item.spans.len());
        for (ours, theirs) in spans.iter().zip(&item.spans) {
            assert_eq!(ours.bytes, theirs.start..theirs.end, "{}", theirs.text);
            assert_eq!(&fixture.text[ours.bytes.clone()], theirs.text);
            assert!((ours.score - theirs.score).abs() < 1e-5);
        }
        let library = Library::of(&[&fixture.text]).expect("a library");
        let answer =
            pollster::block_on(edges::answer(&mut model, &library, &item.question, 3)).expect("an answer");
        assert_eq!(answer.spans[0].bytes, item.spans[0].start..item.spans[0].end);
        assert_eq!(answer.alternatives.len(), 3);
    }
}

#[test]
fn the_length_is_capped_and_the_question_has_to_fit() {
    let fixture = Fixture::read();
    let mut model = fixture.reader();
    let windows = pollster::block_on(model.read("Who?", &fixture.text)).expect("it reads");
    let (spans, _) = decode(&windows, 1, 100);
    assert!(
        spans.iter().all(|span| !fixture.text[span.bytes.clone()].contains(' ')),
        "one token is within a word"
    );
    let long = "when ".repeat(40);
    let failed = pollster::block_on(model.read(&long, &fixture.text)).expect_err("no room");
    assert_eq!(failed.code(), "ERR_CONTEXT");
}

#[test]
fn a_model_without_the_head_is_refused_by_its_tensor() {
    let fixture = Fixture::read();
    let model = pollster::block_on(fixture.model("qa_outputs.weight"));
    assert_eq!(model.kind(), ModelKind::Encoder);
    let Err(failed) = SpanReader::new(model) else { panic!("it has no head") };
    assert_eq!(failed.code(), "ERR_BAD_FILE");
    assert!(failed.to_string().contains("qa_outputs"), "{failed}");
    assert_eq!(pollster::block_on(fixture.model("")).kind(), ModelKind::SpanReader);
}

/// A weight that is no number ends reading and embedding in an error: no score and no vector comes of it.
#[test]
fn what_is_no_number_is_an_error() {
    let fixture = Fixture::read();
    // Row 2 is [CLS], which every text begins with.
    for (tensor, element) in [
        ("LayerNorm.weight", 1),
        ("intermediate.dense.weight", 5),
        ("word_embeddings.weight", usize::MAX),
        ("query.bias", 0),
    ] {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let model = || {
                let mut bytes = fixture.safetensors("");
                let header = u64::from_le_bytes(*bytes.first_chunk().expect("a length")) as usize;
                let index = fixture.tensors.iter().position(|other| other.name.ends_with(tensor));
                let index = index.unwrap_or_else(|| panic!("no tensor {tensor}"));
                let before: usize = fixture.tensors[..index]
                    .iter()
                    .map(|tensor| tensor.shape.iter().product::<usize>())
                    .sum();
                let element =
                    if element == usize::MAX { 2 * fixture.tensors[index].shape[1] } else { element };
                let at = 8 + header + 4 * (before + element);
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
                pollster::block_on(fixture.model_of(&bytes))
            };
            let label = format!("{number} in {tensor}");
            let mut reader = SpanReader::new(model()).expect("a reader");
            let error = pollster::block_on(reader.read("Who?", &fixture.text)).expect_err(&label);
            assert_eq!(error.code(), "ERR_BAD_LOGITS", "{label}: {error}");
            let library = Library::of(&[&fixture.text]).expect("a library");
            let error =
                pollster::block_on(edges::answer(&mut reader, &library, "Who?", 3)).expect_err(&label);
            assert_eq!(error.code(), "ERR_BAD_LOGITS", "{label}: {error}");
            let mut embedder = Embedder::new(model()).expect("an embedder");
            let error = pollster::block_on(embedder.embed(&["who", "when"])).expect_err(&label);
            assert_eq!(error.code(), "ERR_BAD_LOGITS", "{label}: {error}");
            assert!(error.to_string().contains("the vector of text "), "{label}: {error}");
        }
    }
}
