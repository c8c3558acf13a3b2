//! The program as a person or a script runs it: what it prints, what it says when something is wrong, and how it ends.

mod small;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use small::gguf::{Form, write};
use small::specs;

const MODEL: &str = "gemma3-f32-64";
const PROMPT: &str = "the capital of France is";

/// A folder with a small model in it, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rushlight-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder for temporary files");
        let folder = Folder(path);
        folder.write("model.gguf", &write(specs::find(MODEL), Form::Published));
        folder
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("the folder takes files");
        path.to_str().expect("a plain path").to_owned()
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }

    /// `COMMAND --model model.gguf ARGUMENTS`.
    fn run(&self, command: &str, arguments: &[&str]) -> Output {
        let model = self.path("model.gguf");
        run(&[&[command, "--model", &model, "--backend", "cpu"], arguments].concat())
    }

    /// The same, which must succeed: standard output.
    fn text(&self, command: &str, arguments: &[&str]) -> String {
        succeeded(self.run(command, arguments))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rushlight"))
}

fn run(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().expect("the program starts")
}

fn succeeded(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {path} in {value}"))
}

#[test]
fn answers_are_the_same_as_text_and_as_json() {
    let folder = Folder::new("generate");
    let flags =
        ["--prompt", PROMPT, "--max-tokens", "9", "--ignore-eos", "--temperature", "1", "--seed", "4"];
    let output = folder.run("generate", &flags);
    let notes = String::from_utf8_lossy(&output.stderr).into_owned();
    for word in ["backend", "cpu", "asked for", "load", "tokens/s", "first token after", "memory"] {
        assert!(notes.contains(word), "{word} is not in {notes}");
    }
    let text = succeeded(output);

    let out = folder.text("generate", &[&flags[..], &["--json", "--logprobs", "3"]].concat());
    let lines: Vec<Value> = out.lines().map(json).collect();
    assert_eq!(lines.len(), 10, "an object a token and one at the end: {out}");
    let mut written = String::new();
    for line in &lines[..9] {
        assert!(line["id"].is_u64(), "{line}");
        assert!(number(line, "/logprob") < 0.0);
        let top = line["top"].as_array().expect("was asked for");
        assert_eq!(top.len(), 3);
        for other in top {
            assert!(other["id"].is_u64() && other["text"].is_string() && number(other, "/logprob") < 0.0);
        }
        written += line["text"].as_str().expect("a string");
    }
    let last = &lines[9];
    written += last["text"].as_str().expect("a string");
    assert_eq!(written + "\n", text);
    let stats = &last["stats"];
    assert_eq!(stats["backend"]["backend"], "cpu");
    assert_eq!(stats["backend"]["reason"], "asked for");
    assert_eq!(stats["finish"], "length");
    assert_eq!(number(stats, "/tokens"), 9.0);
    assert_eq!(number(stats, "/cached_tokens"), 0.0);
    for positive in [
        "load_ms",
        "first_token_ms",
        "prefill_tokens_per_second",
        "decode_tokens_per_second",
        "prompt_tokens",
        "memory/weights",
        "memory/kv",
        "memory/scratch",
    ] {
        assert!(number(stats, &format!("/{positive}")) > 0.0, "{positive} in {stats}");
    }

    let again = folder.text("generate", &flags);
    assert_eq!(again, text, "same seed, same text");
    let other = folder.text("generate", &[&flags[..8], &["5"]].concat());
    assert_ne!(other, text, "another seed, another text");

    // The first token of some text as a stop text: everything before it is shown, nothing of it.
    let texts = lines[2..9].iter().filter_map(|line| line["text"].as_str());
    let stop = texts.into_iter().find(|text| !text.is_empty()).expect("some token has a text");
    let stopped = folder.text("generate", &[&flags[..], &["--stop", stop]].concat());
    let before = text.split_once(stop).expect("it is in the text").0;
    assert_eq!(stopped, format!("{before}\n"));
}

#[test]
fn logprobs_are_a_table_for_people() {
    let folder = Folder::new("logprobs");
    let flags = ["--prompt", PROMPT, "--max-tokens", "4", "--ignore-eos", "--logprobs", "2"];
    let table = folder.text("generate", &flags);
    let lines = folder.text("generate", &[&flags[..], &["--json"]].concat());
    assert_eq!(table.lines().count(), 4, "{table}");
    for (row, line) in table.lines().zip(lines.lines().map(json)) {
        let logprob = format!("{:.3}", number(&line, "/logprob"));
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[..2], [line["id"].to_string(), logprob], "{row}");
    }
}

#[test]
fn prompts_come_from_flags_files_and_standard_input() {
    let folder = Folder::new("prompt");
    let file = folder.write("prompt.txt", PROMPT.as_bytes());
    let flags = ["--max-tokens", "6", "--ignore-eos"];
    let expected = folder.text("generate", &[&flags[..], &["--prompt", PROMPT]].concat());
    assert_eq!(folder.text("generate", &[&flags[..], &["--prompt-file", &file]].concat()), expected);
    let mut child = program()
        .args(["generate", "--model", &folder.path("model.gguf"), "--backend", "cpu", "--prompt-file", "-"])
        .args(flags)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    child.stdin.take().expect("piped").write_all(PROMPT.as_bytes()).expect("it reads");
    assert_eq!(succeeded(child.wait_with_output().expect("it ends")), expected);
}

#[test]
fn tokens_there_and_back() {
    let folder = Folder::new("tokens");
    for text in ["the capital of France", "été, 12 <s>!", " two  spaces ", "a\nb\tc", "日本"] {
        let tokens = json(&folder.text("tokenize", &["--json", "--no-special", "--text", text]));
        let ids: Vec<String> =
            tokens["ids"].as_array().expect("a list").iter().map(Value::to_string).collect();
        assert_eq!(ids.len(), tokens["pieces"].as_array().expect("a list").len());
        assert_eq!(ids[0], "1", "BOS comes first");
        let back = json(&folder.text("detokenize", &["--json", "--skip-special", "--ids", &ids.join(",")]));
        assert_eq!(back["text"], text);
        let lines = folder.text("tokenize", &["--no-special", "--no-bos", "--text", text]);
        assert_eq!(lines.lines().count(), ids.len() - 1);
    }
    let special = json(&folder.text("tokenize", &["--json", "--no-bos", "--text", "</s>"]));
    assert_eq!(special["ids"], serde_json::json!([2]));
}

#[test]
fn inspect_shows_what_is_in_a_file() {
    let folder = Folder::new("inspect");
    let table = folder.text("inspect", &[]);
    for part in [
        "general.architecture",
        "gemma3.block_count",
        "blk.6.ffn_down.weight",
        "token_embd.weight",
        "[331, 64]",
        "KV cache (f16)",
        "together",
    ] {
        assert!(table.contains(part), "{part} is not in\n{table}");
    }
    assert!(table.lines().all(|line| line.chars().count() < 140), "lines fit a wide terminal");
    let plan = folder.text("inspect", &["--plan", "--context", "100"]);
    assert!(plan.contains("Attention {") && plan.contains("for 100 positions"), "{plan}");

    let out = json(&folder.text("inspect", &["--json", "--context", "128", "--kv", "f32"]));
    assert_eq!(out["metadata"]["gemma3.embedding_length"]["value"], "64");
    let tensors = out["tensors"].as_array().expect("a list");
    let bytes: f64 = tensors.iter().map(|tensor| number(tensor, "/bytes")).sum();
    assert_eq!(number(&out, "/memory/weights"), bytes);
    // Seven layers with a key and a value head of 16 in F32: six rings of 16 + 64 slots, one layer with all 128.
    assert_eq!(number(&out, "/memory/kv"), ((6 * 80 + 128) * 2 * 16 * 4) as f64);
}

#[test]
fn perplexity_is_a_number() {
    let folder = Folder::new("perplexity");
    let file = folder.write("text.txt", "the capital of France is hello and ".repeat(8).as_bytes());
    let out = json(&folder.text("perplexity", &["--json", "--file", &file, "--context", "21"]));
    let (nll, tokens) = (number(&out, "/nll"), number(&out, "/tokens"));
    assert!(nll > 0.0 && nll < 20.0, "{out}");
    assert!(tokens >= 40.0 && tokens % 20.0 == 0.0, "{out}");
    let text = folder.text("perplexity", &["--file", &file, "--context", "21"]);
    assert!(text.contains(&format!("{nll:.6}")), "{text}");
}

#[test]
fn bench_times_prompts_and_decoding_so_often_as_asked() {
    let folder = Folder::new("bench");
    let lengths = ["--prompt-tokens", "9,20", "--decode-tokens", "5"];
    let out = json(&folder.text("bench", &[&lengths[..], &["--runs", "3", "--json"]].concat()));
    let results = out["results"].as_array().expect("a list");
    let shapes: Vec<_> = results.iter().map(|r| (r["test"].as_str(), number(r, "/tokens") as u32)).collect();
    assert_eq!(shapes, [(Some("prefill"), 9), (Some("prefill"), 20), (Some("decode"), 5)]);
    for result in results {
        for run in 0..3 {
            let (ms, rate) =
                (number(result, &format!("/ms/{run}")), number(result, &format!("/tokens_per_second/{run}")));
            assert!(ms > 0.0 && (rate * ms / 1e3 - number(result, "/tokens")).abs() < 1e-6, "{result}");
        }
        assert_eq!(result["ms"].as_array().map(Vec::len), Some(3));
    }
    assert!(number(&out, "/info/weight_bytes") > 0.0);
    let text = folder.text("bench", &[&lengths[..], &["--runs", "1"]].concat());
    assert_eq!(text.lines().filter(|line| line.contains("tokens/s")).count(), 3, "{text}");
    fails(&folder.run("bench", &["--runs", "0"]), 2, "ERR_BAD_ARGUMENT", "--runs");
    let nothing = ["--prompt-tokens", "0", "--decode-tokens", "0"];
    fails(&folder.run("bench", &nothing), 2, "ERR_BAD_ARGUMENT", "--prompt-tokens");
}

/// A server, stopped when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn serve_tells_its_address_and_serves() {
    let folder = Folder::new("serve");
    folder.write("index.html", b"<!doctype html>");
    let model = folder.path("model.gguf");
    let child = program()
        .args(["serve", &folder.path(""), "--model", &model, "--backend", "cpu", "--port", "0", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut server = Server(child);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().expect("piped")).read_line(&mut line).expect("it prints a line");
    let url = json(&line)["url"].as_str().expect("a string").to_owned();
    let (host, query) =
        url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    assert_eq!(query, "?model=/models/model.gguf&backend=cpu");
    let ask = |path: &str, header: &str| {
        let mut stream = TcpStream::connect(host).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n")
            .expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
        (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end..].to_vec())
    };
    let (head, body) = ask("/", "");
    assert!(head.starts_with("http/1.1 200") && head.contains("text/html"), "{head}");
    assert!(head.contains("cross-origin-opener-policy: same-origin"), "{head}");
    assert!(head.contains("cross-origin-embedder-policy: require-corp"), "{head}");
    assert_eq!(body, b"<!doctype html>");
    let (head, body) = ask("/models/model.gguf", "Range: bytes=100-299\r\n");
    assert!(head.starts_with("http/1.1 206") && head.contains("content-range: bytes 100-299/"), "{head}");
    assert_eq!(body, std::fs::read(&model).expect("it is there")[100..300]);
}

/// What goes wrong has one line on standard error, that line has a code, and no backtrace follows.
fn fails(output: &Output, exit: i32, code: &str, says: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with(&format!("rushlight: error [{code}]: ")), "{errors}");
    assert!(errors.contains(says), "{says} is not in {errors}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn bad_usage_is_one_line_and_exit_code_2() {
    let folder = Folder::new("usage");
    let argument = "ERR_BAD_ARGUMENT";
    fails(&run(&[]), 2, argument, "generate, chat, tokenize");
    fails(&run(&["write"]), 2, argument, "write");
    fails(&run(&["generate"]), 2, argument, "--model");
    fails(&run(&["tokenize", "--text", "a"]), 2, argument, "--model");
    let generate = |flags: &[&str], code: &str, says: &str| {
        fails(&folder.run("generate", &[&["--prompt", "a"], flags].concat()), 2, code, says);
    };
    fails(&folder.run("generate", &[]), 2, argument, "--prompt");
    generate(&["--unknown"], argument, "--unknown");
    generate(&["--prompt-file", "-"], argument, "--prompt-file");
    generate(&["--max-tokens", "many"], argument, "many");
    generate(&["--max-tokens", "-1"], argument, "-1");
    generate(&["--kv", "q8_0"], argument, "f16, f32");
    generate(&["--logit-bias", "7"], argument, "ID=BIAS");
    generate(&["--context", "0"], argument, "2 to 256");
    generate(&["--context", "257"], argument, "2 to 256");
    generate(&["--seed", "1.5"], argument, "1.5");
    generate(&["--seed", "18446744073709551616"], argument, "64 bits");
    let setting = "ERR_BAD_SETTING";
    generate(&["--temperature", "-1"], setting, "at least 0, got -1");
    generate(&["--temperature", "NaN"], setting, "NaN");
    generate(&["--top-p", "1.5"], setting, "1.5");
    generate(&["--min-p", "-0.5"], setting, "-0.5");
    generate(&["--repetition-penalty", "0"], setting, "repetition_penalty");
    generate(&["--logit-bias", "4000=1"], "ERR_BAD_LOGIT_BIAS", "4000");
    let output = folder.run("generate", &["--prompt", "a", "--stop", ""]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    fails(&folder.run("detokenize", &["--ids", "1,x"]), 2, argument, "x");
    fails(&folder.run("inspect", &["--context", "257"]), 2, argument, "2 to 256");
    let file = folder.write("short.txt", b"the");
    fails(&folder.run("perplexity", &["--file", &file, "--context", "100"]), 2, argument, "99 tokens");
}

#[test]
fn a_seed_is_any_whole_number_of_64_bits() {
    let folder = Folder::new("seed");
    let say = |seed: &str| {
        let flags =
            ["--prompt", PROMPT, "--max-tokens", "9", "--ignore-eos", "--temperature", "1.5", "--seed", seed];
        folder.text("generate", &flags)
    };
    assert_eq!(say("-1"), say("18446744073709551615"), "the same 64 bits");
    assert_eq!(say("-9223372036854775808"), say("9223372036854775808"));
    assert_ne!(say("-1"), say("1"));
}

#[test]
fn failures_are_one_line_and_exit_code_1() {
    let folder = Folder::new("failures");
    let model = std::fs::read(folder.path("model.gguf")).expect("it is there");
    let with = |path: &str| run(&["generate", "--backend", "cpu", "--prompt", "a", "--model", path]);
    fails(&with(&folder.path("missing.gguf")), 1, "ERR_FILE", "missing.gguf");
    fails(&with(&folder.path("")), 1, "ERR_FILE", "not a file");
    let bad = "ERR_BAD_FILE";
    fails(&with(&folder.write("empty.gguf", b"")), 1, bad, "truncated");
    fails(&with(&folder.write("page.gguf", b"<!doctype html>, not a model")), 1, bad, "not a model file");
    for end in [10, 3_000, model.len() / 2, model.len() - 1] {
        fails(&with(&folder.write("cut.gguf", &model[..end])), 1, bad, "truncated");
    }
    let mut strange = model.clone();
    let places = strange.windows(6).enumerate().filter(|(_, six)| *six == b"gemma3").map(|(at, _)| at);
    for at in places.collect::<Vec<_>>() {
        strange[at..at + 6].copy_from_slice(b"\n\x1b[31m");
    }
    let output = with(&folder.write("strange.gguf", &strange));
    fails(&output, 1, "ERR_UNSUPPORTED_MODEL", "not supported");
    assert!(!output.stderr.contains(&0x1b), "a file's strings don't reach the terminal raw");
    let first = folder.write("part-00001-of-00002.gguf", &model);
    fails(&with(&first), 1, "ERR_FILE", "part-00002-of-00002.gguf");

    let long = "hello ".repeat(400);
    fails(&folder.run("generate", &["--prompt", &long]), 1, "ERR_CONTEXT", "256");
    let output = folder.run("generate", &["--prompt", "a", "--max-tokens", "300"]);
    fails(&output, 1, "ERR_CONTEXT", "max_tokens");
    let output = folder.run("generate", &["--prompt-file", &folder.path("none.txt")]);
    fails(&output, 1, "ERR_FILE", "none.txt");
    fails(&folder.run("detokenize", &["--ids", "331"]), 1, "ERR_UNKNOWN_TOKEN", "331");
    fails(&run(&["serve", &folder.path("none"), "--port", "0"]), 1, "ERR_SERVE_MISSING", "none");
}

#[test]
fn help_and_version_are_no_failures() {
    assert!(succeeded(run(&["--version"])).contains(env!("CARGO_PKG_VERSION")));
    let help = succeeded(run(&["--help"]));
    for command in ["generate", "tokenize", "detokenize", "inspect", "perplexity", "serve"] {
        assert!(help.contains(command), "{help}");
        let help = succeeded(run(&[command, "--help"]));
        assert!(help.contains("--json") && !help.contains('\u{1b}'), "{help}");
    }
}

/// As in `rushlight inspect | head -1`.
#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let folder = Folder::new("pipe");
    let model = folder.path("model.gguf");
    let text = "the ".repeat(20_000);
    let file = folder.write("long.txt", text.as_bytes());
    let commands: [&[&str]; 3] = [
        &["inspect", "--plan"],
        &["tokenize", "--file", &file],
        &["generate", "--prompt", "a", "--max-tokens", "200", "--ignore-eos", "--json", "--logprobs", "50"],
    ];
    for command in commands {
        let mut child = program()
            .args(command)
            .args(["--model", &model, "--backend", "cpu"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{command:?}: {} {errors}", output.status);
    }
}
