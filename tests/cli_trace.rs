//! `--trace`: the file is what Chrome's trace viewer and Perfetto read, its spans lie within each other, and their numbers are those
//! of the run. However the program ends.

mod small;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use small::gguf::{Form, write};
use small::specs;

/// A folder with a small model, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder =
            Folder(std::env::temp_dir().join(format!("rushlight-trace-{name}-{}", std::process::id())));
        std::fs::create_dir_all(&folder.0).expect("a folder for temporary files");
        folder.write("model.gguf", &write(specs::find("gemma3-f32-64"), Form::Published));
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("the folder takes files");
    }

    fn bytes(&self, name: &str) -> u64 {
        std::fs::metadata(self.path(name)).expect("a file").len()
    }

    /// The spans of a file, in the order in which they ended.
    fn spans(&self, name: &str) -> Vec<Span> {
        let text = std::fs::read_to_string(self.path(name)).expect("the trace is written");
        let events: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        events.iter().filter(|event| event["ph"] == "X").map(Span::of).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// A complete event; times in microseconds.
#[derive(Debug)]
struct Span {
    name: String,
    thread: u64,
    began: f64,
    ended: f64,
    args: Value,
}

impl Span {
    fn of(event: &Value) -> Self {
        let time = |key: &str| event[key].as_f64().unwrap_or_else(|| panic!("no {key} in {event}"));
        assert!(event["pid"].is_u64() && time("dur") >= 0.0, "{event}");
        Span {
            name: event["name"].as_str().expect("a name").to_owned(),
            thread: event["tid"].as_u64().expect("a thread"),
            began: time("ts"),
            ended: time("ts") + time("dur"),
            args: event["args"].clone(),
        }
    }

    fn holds(&self, other: &Span) -> bool {
        // Two numbers were added.
        self.thread == other.thread && self.began <= other.began && other.ended <= self.ended + 1e-3
    }

    fn number(&self, name: &str) -> u64 {
        self.args[name].as_u64().unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found = named(spans, name);
    assert_eq!(found.len(), 1, "{name} in {spans:#?}");
    found[0]
}

fn sum(spans: &[&Span], number: &str) -> u64 {
    spans.iter().map(|span| span.number(number)).sum()
}

fn run(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rushlight"));
    program.args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

/// What `--json` says of the whole answer.
fn statistics(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    last["stats"].clone()
}

#[test]
fn the_spans_of_an_answer_are_those_of_its_work() {
    let folder = Folder::new("answer");
    let (model, trace) = (folder.path("model.gguf"), folder.path("trace.json"));
    let prompt = "the capital of France is ".repeat(30);
    let flags = ["--backend", "cpu", "--max-tokens", "7", "--ignore-eos", "--json", "--prompt", &prompt];
    let said = statistics(&run(&[&["generate", "--trace", &trace, "--model", &model], &flags[..]].concat()));
    let spans = folder.spans("trace.json");
    for (at, span) in spans.iter().enumerate() {
        for other in &spans[at + 1..] {
            let apart = span.ended <= other.began + 1e-3 || other.ended <= span.began + 1e-3;
            assert!(apart || span.holds(other) || other.holds(span), "{span:?} and {other:?} cross");
        }
    }

    let load = one(&spans, "load");
    let (headers, weights) = (named(&spans, "header"), named(&spans, "weights"));
    assert_eq!(sum(&headers, "bytes") + sum(&weights, "bytes"), folder.bytes("model.gguf"));
    let tokenizer = one(&spans, "tokenizer");
    assert!(headers.iter().any(|header| header.holds(tokenizer)));
    let prepared = named(&spans, "prepare");
    assert_eq!(prepared.len(), 2, "chunks of a prompt, and a token");
    for part in headers.iter().chain(&weights).chain(&prepared) {
        assert!(load.holds(part), "{part:?}");
    }

    let generation = one(&spans, "generation");
    let prefill = one(&spans, "prefill");
    let decodes = named(&spans, "decode");
    let submits = named(&spans, "submit");
    let prompt_tokens = said["prompt_tokens"].as_u64().expect("a number");
    assert!(prompt_tokens > 128, "one chunk would say little: {said}");
    assert!(load.ended <= generation.began && generation.holds(prefill));
    for span in [generation, prefill] {
        assert_eq!(span.args[if span.name == "prefill" { "tokens" } else { "prompt_tokens" }], prompt_tokens);
    }
    let chunks: Vec<&Span> = submits.iter().copied().filter(|submit| prefill.holds(submit)).collect();
    assert!(chunks.len() as u64 >= prompt_tokens.div_ceil(64), "a chunk has 64 tokens at most");
    let mut position = 0;
    for chunk in &chunks {
        assert_eq!(chunk.number("position"), position);
        position += chunk.number("tokens");
    }
    assert_eq!(position, prompt_tokens);

    // The first token comes of the prompt.
    assert_eq!(said["tokens"], 7);
    assert_eq!(decodes.len(), 6);
    assert_eq!(submits.len(), chunks.len() + decodes.len());
    for (index, decode) in decodes.iter().enumerate() {
        assert!(generation.holds(decode));
        let within: Vec<&&Span> = submits.iter().filter(|submit| decode.holds(submit)).collect();
        assert_eq!(within.len(), 1, "{decode:?}");
        assert_eq!(within[0].number("tokens"), 1);
        let at = prompt_tokens + index as u64;
        assert_eq!((within[0].number("position"), decode.number("position")), (at, at));
    }
}

#[test]
fn the_flag_may_stand_first_and_changes_nothing() {
    let folder = Folder::new("first");
    let (model, trace) = (folder.path("model.gguf"), folder.path("trace.json"));
    let flags =
        ["generate", "--model", &model, "--backend", "cpu", "--max-tokens", "5", "--prompt", "the capital"];
    let traced = run(&[&["--trace", &trace], &flags[..]].concat());
    let plain = run(&flags);
    assert!(traced.status.success() && plain.status.success());
    assert_eq!(traced.stdout, plain.stdout);
    assert_eq!(named(&folder.spans("trace.json"), "load").len(), 1);
}

#[test]
fn a_command_that_fails_leaves_a_whole_file() {
    let folder = Folder::new("fails");
    let (cut, trace) = (folder.path("cut.gguf"), folder.path("trace.json"));
    let whole = std::fs::read(folder.path("model.gguf")).expect("the model");
    folder.write("cut.gguf", &whole[..whole.len() - 100]);
    let output = run(&["generate", "--trace", &trace, "--model", &cut, "--backend", "cpu", "--prompt", "a"]);
    assert_eq!(output.status.code(), Some(1));
    let spans = folder.spans("trace.json");
    assert!(named(&spans, "generation").is_empty());
    assert!(one(&spans, "load").holds(named(&spans, "header")[0]));
}

#[test]
fn a_trace_that_cannot_be_written_is_an_error_before_any_work() {
    let folder = Folder::new("nowhere");
    let (model, trace) = (folder.path("model.gguf"), folder.path("no/folder/trace.json"));
    let output = run(&["generate", "--trace", &trace, "--model", &model, "--prompt", "a"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ERR_FILE") && said.contains("trace.json") && output.stdout.is_empty(), "{said}");
}

/// Linux has a file that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = Folder::new("full");
    let model = folder.path("model.gguf");
    let flags = ["tokenize", "--model", &model, "--text", "the capital", "--json"];
    let output = run(&[&flags[..], &["--trace", "/dev/full"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ERR_FILE") && said.contains("/dev/full"), "{said}");
}

/// Nobody reads its output, so that the answer comes to no end before it is interrupted.
#[cfg(unix)]
#[test]
fn ctrl_c_leaves_a_whole_file() {
    let folder = Folder::new("interrupted");
    let (model, trace) = (folder.path("model.gguf"), folder.path("trace.json"));
    let lengthy = ["--json", "--logprobs", "100", "--max-tokens", "200", "--ignore-eos"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_rushlight"))
        .args([
            "generate",
            "--trace",
            &trace,
            "--model",
            &model,
            "--backend",
            "cpu",
            "--prompt",
            "the capital",
        ])
        .args(lengthy)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    lines.next().expect("a token").expect("text");
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.expect("kill runs").success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let spans = folder.spans("trace.json");
    assert!(one(&spans, "generation").holds(one(&spans, "prefill")), "{spans:?}");
}
