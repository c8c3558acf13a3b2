//! `rushlight embed` and `rushlight quantize` as a person or a script runs them.

mod common;

use std::path::PathBuf;
use std::process::{Command, Output};

use common::minilm_path;
use serde_json::Value;

fn rushlight(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rushlight")).args(arguments).output().expect("the program runs")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// One line on standard error that holds all of these, and the exit code.
fn assert_fails(output: &Output, code: i32, parts: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    assert!(output.stdout.is_empty());
}

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rushlight-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder").flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn vectors(value: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(value["embeddings"].clone()).expect("a list of vectors")
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!((a.len(), b.len()), (384, 384));
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[test]
fn a_folder_becomes_a_gguf_that_embeds_alike() {
    let (model, folder) = (minilm_path(), Folder::new("alike"));
    let model = model.to_str().expect("UTF-8");
    let (gguf, list) = (folder.file("minilm.gguf"), folder.file("texts"));
    let said = json(&rushlight(&["quantize", model, &gguf, "--type", "q8_0", "--json"]));
    assert_eq!((&said["type"], said["tensors"].as_array().map(Vec::len)), (&"Q8_0".into(), Some(101)));
    assert!(said["relative_error"].as_f64().is_some_and(|error| error > 0.0 && error < 0.01));
    assert_eq!(said["output_bytes"], std::fs::metadata(&gguf).expect("the file").len());
    assert_eq!(folder.names(), ["minilm.gguf"], "nothing unfinished stays");

    std::fs::write(&list, "a kitten\nthe rate of interest\n").expect("a file of texts");
    let texts = ["--text", "a cat", "--text-file", &list, "--backend", "cpu", "--json"];
    let of = |model: &str| json(&rushlight(&[&["embed", "--model", model], &texts[..]].concat()));
    let (plain, quantised) = (of(model), of(&gguf));
    assert_eq!(
        (&plain["dimensions"], &plain["max_tokens"], &plain["truncated"]),
        (&384.into(), &256.into(), &0.into())
    );
    assert_eq!(plain["backend"]["backend"], "cpu");
    let (plain, quantised) = (vectors(&plain), vectors(&quantised));
    assert_eq!((plain.len(), quantised.len()), (3, 3));
    for (a, b) in plain.iter().zip(&quantised) {
        assert!(product(a, b) > 0.999, "{}", product(a, b));
    }
    assert!(
        product(&plain[0], &plain[1]) > product(&plain[0], &plain[2]) + 0.2,
        "a cat is more like a kitten"
    );

    let people = rushlight(&[&["embed", "--model", &gguf], &texts[..6]].concat());
    let shown = String::from_utf8_lossy(&people.stdout);
    assert!(
        people.status.success() && shown.contains("a kitten") && shown.contains("cosine similarity"),
        "{shown}"
    );
    let ids = json(&rushlight(&["tokenize", "--model", &gguf, "--text", "a cat", "--json"]));
    assert_eq!(ids["ids"], serde_json::json!([101, 1037, 4937, 102]));
}

#[test]
fn what_goes_wrong_is_one_line() {
    let (model, folder) = (minilm_path(), Folder::new("wrong"));
    let model = model.to_str().expect("UTF-8");
    let gguf = folder.file("minilm.gguf");
    assert!(rushlight(&["quantize", model, &gguf, "--type", "q4_k"]).status.success());
    let before = std::fs::read(&gguf).expect("the file");
    // The same file by another name.
    let twin = format!("{}/./minilm.gguf", folder.0.display());
    assert_fails(
        &rushlight(&["quantize", &gguf, &twin, "--type", "q8_0"]),
        2,
        &["ERR_BAD_ARGUMENT", "overwrite"],
    );
    assert_fails(&rushlight(&["quantize", &gguf, "x", "--type", "q9"]), 2, &["ERR_BAD_ARGUMENT", "q8_0"]);
    // A file that breaks off leaves nothing behind.
    let (cut, out) = (folder.file("cut.gguf"), folder.file("out.gguf"));
    std::fs::write(&cut, &before[..before.len() / 2]).expect("half a file");
    assert_fails(&rushlight(&["quantize", &cut, &out, "--type", "f16"]), 1, &["ERR_BAD_FILE", "truncated"]);
    assert!(before == std::fs::read(&gguf).expect("the file"), "the input is as it was");
    let mut names = folder.names();
    names.sort();
    assert_eq!(names, ["cut.gguf", "minilm.gguf"]);

    let embeds = rushlight(&["generate", "--model", &gguf, "--prompt", "a", "--backend", "cpu"]);
    assert_fails(&embeds, 1, &["ERR_UNSUPPORTED_MODEL", "makes embeddings"]);
    assert_fails(
        &rushlight(&["embed", "--model", &folder.0.to_string_lossy(), "--text", "a"]),
        1,
        &["ERR_FILE", "config.json"],
    );
    assert_fails(&rushlight(&["embed", "--model", &gguf]), 2, &["ERR_BAD_ARGUMENT", "--text"]);
    let many = rushlight(&["embed", "--model", &gguf, "--text", "a", "--max-tokens", "513"]);
    assert_fails(&many, 2, &["ERR_BAD_ARGUMENT", "2 to 512"]);
}
