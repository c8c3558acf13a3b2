//! `rushlight chat` and `rushlight prefix` as a person or a script runs them.

mod session_support;
mod small;

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rushlight::session::{GenerateOptions, Host};
use serde_json::Value;
use session_support::{answer, load, options};
use small::gguf::{Form, write, writer};
use small::specs;

/// A folder with a model that chats and one that doesn't, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Folder(std::env::temp_dir().join(format!("rushlight-{name}-{}", std::process::id())));
        std::fs::create_dir_all(&folder.0).expect("a folder for temporary files");
        let spec = specs::find("qwen2-bf16-64");
        let mut chat = writer(spec, spec, Form::Published, Some);
        let template = include_str!("fixtures/chat/chatml.jinja");
        chat.metadata("tokenizer.chat_template", template).expect("the key is new");
        folder.write("chat.gguf", &chat.to_bytes());
        folder.write("plain.gguf", &write(spec, Form::Published));
        folder
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("a plain path").to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).expect("the folder takes files");
        self.path(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn run(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rushlight"))
        .args(arguments)
        .args(["--backend", "cpu", "--threads", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that fails early reads nothing.
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).ok();
    child.wait_with_output().expect("the program ends")
}

fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn messages_come_from_flags_or_lines() {
    let folder = Folder::new("chat");
    let model = folder.path("chat.gguf");
    let common = ["chat", "--model", &model, "--max-tokens", "6", "--system", "hello"];
    let from_flags =
        text(run(&[&common[..], &["--message", "the capital", "--message", "of France"]].concat(), ""));
    let from_lines = text(run(&common, "the capital\n\nof France\n"));
    assert_eq!(from_flags, from_lines);
    assert!(from_flags.len() > 2, "{from_flags:?}");

    let json = text(run(
        &[&common[..], &["--json", "--message", "the capital", "--message", "of France"]].concat(),
        "",
    ));
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let cached = lines.iter().filter_map(|line| line["stats"]["cached_tokens"].as_u64());
    let cached: Vec<u64> = cached.collect();
    assert_eq!(cached.len(), 2, "two answers");
    assert!(cached[0] == 0 && cached[1] > 20, "{cached:?}");
}

#[test]
fn a_model_without_a_template_says_so() {
    let folder = Folder::new("plain");
    let output = run(&["chat", "--model", &folder.path("plain.gguf"), "--message", "hello"], "");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("error [ERR_NO_TEMPLATE]") && said.lines().count() == 1, "{said}");
}

#[test]
fn a_prefix_is_taken_up_by_a_session() {
    let folder = Folder::new("prefix");
    let frame = "the capital of France is hello and the capital of hello is ";
    let (model, file, out) =
        (folder.path("plain.gguf"), folder.write("frame.txt", frame.as_bytes()), folder.path("frame.kv"));
    let told = text(run(&["prefix", "--model", &model, "--kv", "f32", "--file", &file, &out, "--json"], ""));
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let bytes = std::fs::read(&out).expect("it was written");
    assert_eq!(told["bytes"].as_u64(), Some(bytes.len() as u64));

    let file = std::fs::read(&model).expect("it is there");
    let load = || load(std::slice::from_ref(&file), options(), Host::native()).expect("the model loads");
    let (mut with, mut without) = (load(), load());
    assert_eq!(
        with.import(&bytes).expect("it is of this model") as u64,
        told["tokens"].as_u64().expect("a number")
    );
    let prompt = format!("{frame}the capital");
    let wanted = GenerateOptions { max_tokens: Some(8), ignore_eos: true, ..GenerateOptions::default() };
    let (got, expected) = (answer(&mut with, &prompt, wanted.clone()), answer(&mut without, &prompt, wanted));
    assert_eq!(got.ids(), expected.ids());
    assert!(got.stats.cached_tokens > 10, "{}", got.stats.cached_tokens);
}

/// As `run`, of `chat` without a model.
fn shown(folder: &Folder, template: &str, messages: &str, more: &[&str]) -> Output {
    let template = folder.write("t.jinja", template.as_bytes());
    let messages = folder.write("m.json", messages.as_bytes());
    let arguments = ["chat", "--show-prompt", "--template-file", &template, "--messages-file", &messages];
    Command::new(env!("CARGO_BIN_EXE_rushlight"))
        .args(arguments)
        .args(more)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

#[test]
fn the_prompt_can_be_seen_without_a_model() {
    let folder = Folder::new("prompt");
    let hello = r#"[{"role": "user", "content": "Hello"}]"#;
    let thought = r#"[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "<think>hm</think>Yes"},
                      {"role": "user", "content": "ok"}]"#;
    // What Python's jinja2 says of each.
    let crlf = "{% for m in messages %}\r\n<|{{ m.role }}|>\r\n{{ m.content }}</s>\r\n{% endfor %}\r\n<|assistant|>\r\n";
    let undefined = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls | length > 0 %}[calls]\
                     {% endif %}{% endfor %}{% if functions | length %}F{% endif %}<assistant>";
    let cases = [
        (crlf, hello, "<|user|>\nHello</s>\n<|assistant|>"),
        (
            "{{ messages | tojson(separators=(',', ':')) }}\n{{ {'b':1,'a':2} | tojson(sort_keys=true) }}\n\
             {{ 'é' | tojson(ensure_ascii=true) }}",
            hello,
            "[{\"role\":\"user\",\"content\":\"Hello\"}]\n{\"a\": 2, \"b\": 1}\n\"\\u00e9\"",
        ),
        (undefined, hello, "<user>Hello<assistant>"),
        ("{{ messages[1].content.rsplit('</think>', 1)[1] }}", thought, "Yes"),
        ("{{ messages[1].content.partition('</think>')[2] }}", thought, "Yes"),
        ("{{ messages[1].content.removeprefix('<think>') }}", thought, "hm</think>Yes"),
        ("{{ messages[1].content.removesuffix('Yes') }}", thought, "<think>hm</think>"),
        ("{{ '%s:%d' % ('a', 3) }}", thought, "a:3"),
        (
            "{{ messages | tojson }}{{ tools[0].z }}{{ think }}",
            r#"{"messages": [{"role": "tool", "z": [1, 2.0, null], "a": {}}], "tools": [{"z": true}], "think": 1}"#,
            "[{\"role\": \"tool\", \"z\": [1, 2.0, null], \"a\": {}}]True1",
        ),
    ];
    for (template, messages, expected) in cases {
        assert_eq!(text(shown(&folder, template, messages, &[])), expected, "{template}");
    }
    let tokens = ["--bos-token", "<s>", "--eos-token", "</s>"];
    assert_eq!(text(shown(&folder, "{{ bos_token }}|{{ eos_token }}", hello, &tokens)), "<s>|</s>");
    assert_eq!(text(shown(&folder, "{{ bos_token }}|{{ eos_token }}", hello, &[])), "|");
    let json = text(shown(&folder, "a\n\nb", hello, &["--json"]));
    assert_eq!(json, "{\"prompt\":\"a\\n\\nb\"}\n");

    for hostile in
        ["{{ [1]|tojson(indent=4611686018427387904) }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"]
    {
        let output = shown(&folder, hostile, hello, &[]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains("ERR_TEMPLATE"), "{error}");
    }
    for wrong in ["{}", "[1]", "[{\"content\": \"x\"}]", "nothing"] {
        let output = shown(&folder, "x", wrong, &[]);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn the_prompt_of_a_model_is_that_of_its_template() {
    let folder = Folder::new("model-prompt");
    let model = folder.path("chat.gguf");
    let messages = folder.write(
        "m.json",
        br#"[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]"#,
    );
    let from_file =
        text(run(&["chat", "--model", &model, "--show-prompt", "--messages-file", &messages], ""));
    let flags = ["chat", "--model", &model, "--show-prompt", "--system", "Be kind.", "--message", "Hi"];
    assert_eq!(text(run(&flags, "")), from_file);
    assert!(from_file.contains("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"), "{from_file}");
    let answer = ["chat", "--model", &model, "--max-tokens", "6", "--messages-file", &messages];
    let flags = ["chat", "--model", &model, "--max-tokens", "6", "--system", "Be kind.", "--message", "Hi"];
    assert_eq!(text(run(&answer, "")), text(run(&flags, "")));
}
