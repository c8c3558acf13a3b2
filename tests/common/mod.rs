//! The real model and its reference outputs, for several tests.
#![allow(dead_code)] // Each test crate uses a part.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, Host, LoadOptions, Loader, Session};
use rushlight::tensor::DType;
use serde::Deserialize;

/// Outputs of the reference implementation.
#[derive(Deserialize)]
pub struct Reference {
    pub items: Vec<Item>,
}

/// Those of one prompt.
#[derive(Deserialize)]
pub struct Item {
    pub name: String,
    pub prompt: String,
    pub ids: Vec<u32>,
    pub top20: Vec<Top>,
    pub greedy_ids: Vec<u32>,
    pub greedy_gap: Vec<f64>,
}

/// A token at the first new position.
#[derive(Deserialize)]
pub struct Top {
    pub id: u32,
    pub logprob: f64,
}

impl Reference {
    /// The committed file.
    pub fn read() -> Self {
        serde_json::from_str(include_str!("../fixtures/gemma_ref_exact.json")).expect("the fixture is JSON")
    }
}

/// Path of Gemma 3 270M: `RUSHLIGHT_MODEL`, else the cache folder of `cargo xtask fetch-model`.
pub fn model_path() -> PathBuf {
    if let Some(path) = std::env::var_os("RUSHLIGHT_MODEL") {
        return path.into();
    }
    cached("gemma-3-270m-q4_k_m.gguf")
}

/// Folder of all-MiniLM-L6-v2: `RUSHLIGHT_MINILM`, else the cache folder of `cargo xtask fetch-model`.
pub fn minilm_path() -> PathBuf {
    match std::env::var_os("RUSHLIGHT_MINILM") {
        Some(path) => path.into(),
        None => cached("all-MiniLM-L6-v2"),
    }
}

/// Path of SmolLM2-135M-Instruct: `RUSHLIGHT_SMOLLM`, else the cache folder of `cargo xtask fetch-model`.
pub fn smollm_path() -> PathBuf {
    match std::env::var_os("RUSHLIGHT_SMOLLM") {
        Some(path) => path.into(),
        None => cached("SmolLM2-135M-Instruct.Q4_1.gguf"),
    }
}

fn cached(name: &str) -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let path = cache.join("rushlight/models").join(name);
    assert!(path.exists(), "{} is missing: run `cargo xtask fetch-model`", path.display());
    path
}

/// Loads the real model for comparing with exact arithmetic: an F32 cache, F32 activations.
pub fn load(backend: BackendChoice) -> Session {
    load_with(LoadOptions {
        backend,
        precision: Precision::Exact,
        kv: DType::F32,
        context: Some(2048),
        ..LoadOptions::default()
    })
}

/// Loads the real model in uneven chunks.
pub fn load_with(options: LoadOptions) -> Session {
    load_file(&model_path(), options)
}

/// The same, of any file.
pub fn load_file(path: &Path, options: LoadOptions) -> Session {
    let mut file = File::open(path).expect("the model opens");
    let len = file.metadata().expect("the model has a length").len();
    pollster::block_on(async {
        let mut loader = Loader::new(options, Host::native(), Some(len)).await.expect("the backend opens");
        let mut chunk = vec![0; 1_234_567];
        loop {
            let read = file.read(&mut chunk).expect("the model reads");
            if read == 0 {
                let model = loader.finish().await.expect("the model is complete");
                return Session::new(model).expect("it writes text");
            }
            loader.push(&chunk[..read]).await.expect("the model loads");
        }
    })
}
