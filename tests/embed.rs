//! all-MiniLM-L6-v2 against an independent forward pass in f64 (`fixtures/minilm_ref.json`, whose `method` says how it was made).

mod common;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use common::minilm_path;
use rushlight::model::hf::Files;
use rushlight::plan::Precision;
use rushlight::session::{
    BackendChoice, Embedder, Host, LoadOptions, Loader, ModelKind, Session, SessionError,
};
use rushlight::tokenizer::EncodeOptions;
use serde::Deserialize;

/// Largest difference of an element in F32.
const EXACT: f32 = 1e-4;

#[derive(Deserialize)]
struct Reference {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    text: String,
    ids: Vec<u32>,
    embedding: Vec<f32>,
}

fn reference() -> Vec<Item> {
    let file: Reference =
        serde_json::from_str(include_str!("fixtures/minilm_ref.json")).expect("the fixture is JSON");
    assert!(file.items.len() >= 8);
    file.items
}

fn files(folder: &Path) -> Files {
    let read =
        |name: &str| std::fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Files {
        config: read("config.json"),
        tokenizer: read("tokenizer.json"),
        sentence: Some(read("sentence_bert_config.json")),
        pooling: Some(read("1_Pooling/config.json")),
    }
}

/// A loader that has every byte of the model, in uneven chunks.
async fn loaded(backend: BackendChoice, files: &Files) -> Result<Loader, SessionError> {
    let mut file = File::open(minilm_path().join("model.safetensors")).expect("the model opens");
    let len = file.metadata().expect("the model has a length").len();
    let options = LoadOptions { backend, precision: Precision::Exact, ..LoadOptions::default() };
    let mut loader = Loader::new_safetensors(options, Host::native(), files, Some(len)).await?;
    let mut chunk = vec![0; 1_234_567];
    loop {
        let read = file.read(&mut chunk).expect("the model reads");
        if read == 0 {
            return Ok(loader);
        }
        loader.push(&chunk[..read]).await?;
    }
}

fn embedder(backend: BackendChoice) -> Embedder {
    pollster::block_on(async {
        let loader = loaded(backend, &files(&minilm_path())).await.expect("the model loads");
        Embedder::new(loader.finish().await.expect("it is complete")).expect("the model makes embeddings")
    })
}

fn embed(embedder: &mut Embedder, texts: &[&str]) -> Vec<Vec<f32>> {
    pollster::block_on(embedder.embed(texts)).expect("the texts become vectors").vectors
}

/// Largest difference of two vectors' elements.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn embeddings_are_those_of_the_reference() {
    let (items, mut embedder) = (reference(), embedder(BackendChoice::Cpu));
    assert_eq!((embedder.dimensions(), embedder.max_tokens()), (384, 256));
    for item in &items {
        let ids = embedder
            .model()
            .tokenizer()
            .encode(&item.text, EncodeOptions::default())
            .expect("the text has ids");
        assert_eq!(ids, item.ids, "{:?}", item.text);
    }
    let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
    let batch = embed(&mut embedder, &texts);
    for (item, vector) in items.iter().zip(&batch) {
        let difference = distance(vector, &item.embedding);
        println!("{difference:e} {:?}", item.text);
        assert!(difference < EXACT, "{:?}: {difference}", item.text);
        // Alone it is what it is among others.
        let alone = embed(&mut embedder, &[&item.text]);
        assert!(distance(&alone[0], vector) < 1e-6, "{:?} depends on its batch", item.text);
    }
}

#[test]
fn batches_of_any_size_and_lengths_give_what_single_texts_give() {
    let mut embedder = embedder(BackendChoice::Cpu);
    // Lengths from nothing to far over the limit, several runs of texts and of tokens.
    let texts: Vec<String> = (0..70)
        .map(|i| {
            let words = if i % 10 == 9 { 300 } else { i * 7 % 60 };
            (0..words)
                .map(|word| ["river", "stone", "light", "seven"][(word * i + word / 3) % 4])
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let all = pollster::block_on(embedder.embed(&texts)).expect("a large batch");
    assert_eq!(all.vectors.len(), texts.len());
    assert_eq!(all.stats.truncated, 7);
    for index in [0, 1, 9, 17, 34, 59, 69] {
        let alone = embed(&mut embedder, &[texts[index]]);
        assert!(distance(&alone[0], &all.vectors[index]) < 1e-6, "text {index}");
        let length: f32 = alone[0].iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5, "text {index} has length {length}");
    }
    assert!(pollster::block_on(embedder.embed::<&str>(&[])).expect("no texts").vectors.is_empty());
}

#[test]
fn what_is_over_the_limit_does_not_count() {
    let mut embedder = embedder(BackendChoice::Cpu);
    // 254 tokens of text, and the two around it.
    let fits = vec!["river"; 254].join(" ");
    let longer = format!("{fits} and a mountain of other things");
    let vectors = embed(&mut embedder, &[&fits, &longer, &format!("a {fits}")]);
    assert_eq!(vectors[0], vectors[1]);
    assert!(distance(&vectors[0], &vectors[2]) > 1e-3);
}

#[test]
fn an_abort_is_heard_between_runs() {
    let mut embedder = embedder(BackendChoice::Cpu);
    let texts = vec!["a text that takes its time and has a good many words in it"; 4000];
    let flag = embedder.model().cancel_flag();
    let asker = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(100));
        flag.cancel();
        std::time::Instant::now()
    });
    let error = pollster::block_on(embedder.embed(&texts)).expect_err("it was stopped");
    let asked = asker.join().expect("the flag was set");
    assert_eq!(error.code(), "ERR_ABORTED");
    assert!(asked.elapsed().as_millis() < 1000, "heard after {:?}", asked.elapsed());
    // And it works on.
    assert_eq!(embed(&mut embedder, &["again"]).len(), 1);
}

#[test]
fn what_is_no_such_model_is_refused_by_name() {
    let good = files(&minilm_path());
    let error = |files: &Files| {
        pollster::block_on(async { loaded(BackendChoice::Cpu, files).await.err().expect("it is refused") })
    };
    let with = |from: &str, to: &str| {
        let config = String::from_utf8(good.config.clone()).expect("JSON is text");
        assert!(config.contains(from), "{from}");
        Files { config: config.replace(from, to).into_bytes(), ..good.clone() }
    };
    for (from, to, expected) in [
        ("\"model_type\": \"bert\"", "\"model_type\": \"t5\"", "architecture t5"),
        ("\"hidden_act\": \"gelu\"", "\"hidden_act\": \"relu\"", "hidden_act"),
        ("\"absolute\"", "\"relative_key\"", "position_embedding_type"),
        ("\"num_hidden_layers\": 6", "\"num_hidden_layers\": 7", "blk.6.attn_q.weight"),
        ("\"hidden_size\": 384", "\"hidden_size\": 385", "token_embd.weight"),
        ("\"vocab_size\": 30522", "\"vocab_size\": 30522, }", "config.json"),
    ] {
        let message = error(&with(from, to)).to_string();
        assert!(message.contains(expected), "{to}: {message}");
    }
    let broken = Files { tokenizer: b"{}".to_vec(), ..good.clone() };
    assert!(error(&broken).code().contains("TOKENIZER"), "{}", error(&broken));
    let cls = good.pooling.clone().expect("a file about pooling");
    let both =
        String::from_utf8(cls).expect("JSON is text").replace("_max_tokens\": false", "_max_tokens\": true");
    let message = error(&Files { pooling: Some(both.into_bytes()), ..good.clone() }).to_string();
    assert!(message.contains("pooling_mode"), "{message}");
    // A model that makes embeddings does not write.
    let model = pollster::block_on(async {
        let loader = loaded(BackendChoice::Cpu, &good).await.expect("the model loads");
        loader.finish().await.expect("it is complete")
    });
    assert_eq!(model.kind(), ModelKind::Encoder);
    let session = Session::new(model).err().expect("it can't write");
    assert_eq!(session.code(), "ERR_UNSUPPORTED_MODEL");
    assert_eq!(session.to_string(), "architecture bert makes embeddings; expected one that writes text");
}

#[cfg(feature = "gpu")]
#[test]
fn the_gpu_gives_the_reference_too() {
    let items = reference();
    let mut embedder = embedder(BackendChoice::Gpu);
    let texts: Vec<&str> = items.iter().take(2).map(|item| item.text.as_str()).collect();
    let vectors = embed(&mut embedder, &texts);
    let device = embedder.model().info().backend.device;
    for (item, vector) in items.iter().zip(&vectors) {
        let difference = distance(vector, &item.embedding);
        println!("{difference:e} {:?} on {device}", item.text);
        assert!(difference < EXACT, "{:?}: {difference}", item.text);
    }
}
