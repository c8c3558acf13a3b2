//! Files that are no models, parts with odd names, folders: what the program says of each, and which it runs.

mod common;
mod small;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use small::gguf::{Form, split, tensor_count, write};
use small::specs;

const MODEL: &str = "gemma3-f32-64";

/// A folder gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rushlight-files-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        Folder(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("the folder takes folders");
        std::fs::write(&path, bytes).expect("the folder takes files");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn run(command: &str, model: &Path, arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rushlight"));
    program.arg(command).arg("--model").arg(model).args(["--backend", "cpu"]).args(arguments);
    program.stdin(Stdio::null()).output().expect("the program starts")
}

fn generate(model: &Path) -> Output {
    run("generate", model, &["--prompt", "a", "--max-tokens", "2", "--ignore-eos"])
}

fn succeeded(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// One line with the code and the words, exit code 1.
fn fails(output: &Output, code: &str, words: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    for word in words.iter().chain([&format!("[{code}]").as_str()]) {
        assert!(errors.contains(word), "{word:?} is not in {errors}");
    }
}

const MISTAKES: [(&str, &[u8], &str); 9] = [
    (
        "pointer",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 253113024\n",
        "Git LFS pointer",
    ),
    ("page", b"\n<!DOCTYPE html><html><head></head></html>", "HTML page"),
    ("error", b"{\"error\":\"Repository not found\"}", "JSON"),
    ("said", b"Entry not found", "server's error"),
    ("zip", b"PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00", "zip archive"),
    ("pickle", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M", "pickle"),
    ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "gzip archive"),
    ("old", b"tjgg\x03\x00\x00\x00\x00\x7d\x00\x00", "older than GGUF"),
    ("hdf", b"\x89HDF\r\n\x1a\n\x00\x00\x00\x00", "HDF5"),
];

#[test]
fn what_is_no_model_is_called_by_its_name() {
    let folder = Folder::new("mistakes");
    let minilm = common::minilm_path();
    for (name, bytes, kind) in MISTAKES {
        let file = folder.write(&format!("{name}.gguf"), bytes);
        for command in ["generate", "tokenize", "inspect"] {
            let arguments: &[&str] = match command {
                "generate" => &["--prompt", "a"],
                "tokenize" => &["--text", "a"],
                _ => &[],
            };
            fails(&run(command, &file, arguments), "ERR_BAD_FILE", &[kind, &format!("{name}.gguf")]);
        }
        // As weights of a folder, and as one of the files beside them.
        for damaged in ["model.safetensors", "config.json", "tokenizer.json"] {
            for file in ["config.json", "tokenizer.json"] {
                let bytes = std::fs::read(minilm.join(file)).expect("MiniLM has it");
                folder.write(&format!("{name}-{damaged}/{file}"), &bytes);
            }
            folder
                .write(&format!("{name}-{damaged}/model.safetensors"), &[2, 0, 0, 0, 0, 0, 0, 0, b'{', b'}']);
            folder.write(&format!("{name}-{damaged}/{damaged}"), bytes);
            let output = run("embed", &folder.0.join(format!("{name}-{damaged}")), &["--text", "a"]);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{errors}");
            // JSON where JSON belongs is read as such, and says what it lacks.
            if kind != "JSON" || damaged == "model.safetensors" {
                assert!(errors.contains(damaged) && errors.contains(kind), "{kind}: {errors}");
            }
        }
    }
    let mut big = b"GGUF\0\0\0\x03".to_vec();
    big.extend([0; 16]);
    fails(&generate(&folder.write("big.gguf", &big)), "ERR_UNSUPPORTED", &["big-endian", "big.gguf"]);
}

#[test]
fn parts_are_found_by_their_names_and_say_what_is_looked_for() {
    let folder = Folder::new("parts");
    let spec = specs::find(MODEL);
    let all = tensor_count(spec);
    let parts = split(spec, &[all / 2, all - all / 2]);
    let whole = succeeded(generate(&folder.write("whole.gguf", &write(spec, Form::Published))));
    for stem in ["m", "U.x", "model.shard", "m-00001-of-00003"] {
        for end in ["gguf", "GGUF", "Gguf"] {
            let name = |number: usize| format!("{end}/{stem}-0000{number}-of-00002.{end}");
            let [first, second] = [1, 2].map(|number| folder.write(&name(number), &parts[number - 1]));
            assert_eq!(succeeded(generate(&first)), whole, "{}", first.display());
            let named = format!("{stem}-00001-of-00002.{end}");
            fails(&generate(&second), "ERR_BAD_FILE", &["part 2", &named]);
            fails(&run("tokenize", &second, &["--text", "a"]), "ERR_BAD_FILE", &["part 2", &named]);
        }
    }
    // Renamed, as browsers do with a second download, or by hand.
    for name in ["m-00001-of-00002 (1).gguf", "first.gguf", "m-1-of-2.gguf"] {
        let first = folder.write(name, &parts[0]);
        fails(&generate(&first), "ERR_BAD_FILE", &[name, "-00001-of-00002.gguf"]);
    }
    for name in ["m-00002-of-00002 (1).gguf", "second.gguf"] {
        let second = folder.write(name, &parts[1]);
        fails(
            &generate(&second),
            "ERR_BAD_FILE",
            &[name, "part 2 of a model in 2 files", "-00001-of-00002.gguf"],
        );
    }
    // Parts that changed their names with each other.
    folder.write("swapped-00001-of-00002.gguf", &parts[1]);
    folder.write("swapped-00002-of-00002.gguf", &parts[0]);
    let swapped = generate(&folder.0.join("swapped-00001-of-00002.gguf"));
    fails(&swapped, "ERR_BAD_FILE", &["swapped-00001-of-00002.gguf", "part 2 of a model in 2 files"]);
    // A name alone makes no part.
    let alone = folder.write("alone-00002-of-00002.gguf", &write(spec, Form::Published));
    assert_eq!(succeeded(generate(&alone)), whole);
    let missing = folder.write("gone-00001-of-00002.gguf", &parts[0]);
    fails(&generate(&missing), "ERR_FILE", &["gone-00002-of-00002.gguf"]);
}

#[test]
fn folders_are_taken_where_help_says_so() {
    let minilm = common::minilm_path();
    let text = succeeded(run("inspect", &minilm, &[]));
    for word in ["safetensors", "bert.block_count", "embeddings.word_embeddings.weight", "memory for"] {
        assert!(text.contains(word), "{word} is not in {text}");
    }
    let json: Value = serde_json::from_str(&succeeded(run("inspect", &minilm, &["--json"]))).expect("JSON");
    assert_eq!(json["format"], "safetensors");
    assert!(json["tensors"].as_array().is_some_and(|tensors| tensors.len() > 100), "{json}");
    assert!(json["memory"]["weights"].as_u64().is_some_and(|bytes| bytes > 90_000_000), "{json}");

    // The ids that the reference has for its first sentence.
    let said = succeeded(run("tokenize", &minilm, &["--text", "hello world", "--json"]));
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(said["ids"], serde_json::json!([101, 7592, 2088, 102]));
    assert_eq!(said["pieces"], serde_json::json!(["[CLS]", "hello", "world", "[SEP]"]));
    let back = succeeded(run("detokenize", &minilm, &["--ids", "7592,2088"]));
    assert_eq!(back, "hello world\n");

    let folder = Folder::new("folders");
    folder.write("with/m.gguf", b"GGUF");
    fails(
        &run("inspect", &folder.0.join("with"), &[]),
        "ERR_FILE",
        &["give the model file itself", "m.gguf"],
    );
    folder.write("torch/config.json", b"{}");
    folder.write("torch/pytorch_model.bin", b"PK");
    fails(
        &run("embed", &folder.0.join("torch"), &["--text", "a"]),
        "ERR_FILE",
        &["model.safetensors", "PyTorch"],
    );
    std::fs::create_dir_all(folder.0.join("empty")).expect("the folder takes folders");
    fails(&run("tokenize", &folder.0.join("empty"), &["--text", "a"]), "ERR_FILE", &["config.json"]);
}

/// The most memory that the program held when its first output came, in bytes.
#[cfg(target_os = "linux")]
fn peak_of(model: &Path, file: &Path) -> u64 {
    use std::io::Read;
    let mut program = Command::new(env!("CARGO_BIN_EXE_rushlight"));
    program.args(["tokenize", "--json", "--model"]).arg(model).arg("--file").arg(file);
    let mut child = program.stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut out = child.stdout.take().expect("piped");
    out.read_exact(&mut [0]).expect("it says something");
    // It waits with the rest, which is more than a pipe holds.
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    std::io::copy(&mut out, &mut std::io::sink()).expect("it goes on");
    assert!(child.wait().expect("it ends").success());
    peak.and_then(|peak| peak.trim().parse::<u64>().ok()).expect("Linux counts it") << 10
}

/// A text of one character again and again is the worst: every stretch of it may be a token.
#[test]
#[cfg(target_os = "linux")]
fn a_long_text_takes_twenty_bytes_a_byte() {
    const BYTES: usize = 8 << 20;
    let folder = Folder::new("memory");
    let short = folder.write("short.txt", "a b ".repeat(50_000).as_bytes());
    let gemma = common::model_path();
    let small = folder.write("bpe.gguf", &write(specs::find("qwen2-bf16-64"), Form::Published));
    for (model, unit) in
        [(&gemma, "\n"), (&gemma, " "), (&gemma, "\n\n x"), (&small, "\n"), (&small, "7"), (&small, "the ")]
    {
        let text = folder.write("long.txt", unit.repeat(BYTES / unit.len()).as_bytes());
        let held = peak_of(model, &text).saturating_sub(peak_of(model, &short));
        assert!(held < 20 * BYTES as u64, "{unit:?}: {} MB over what a short text takes", held >> 20);
    }
}
