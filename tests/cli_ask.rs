//! `rushlight ask` as a person or a script runs it.

mod common;

use std::path::PathBuf;
use std::process::{Command, Output};

use common::{minilm_path, model_path};
use serde_json::Value;

const TEXT: &str = "Die Übersicht: the Brisa 300 humidifier runs for up to 14 hours on one filling. A blinking red light means that the tank is \
                    empty; a steady blue light means normal operation.\nReplace the filter, part number BF-22, after 90 days.\n";

fn rushlight(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rushlight")).args(arguments).output().expect("the program runs")
}

/// A file of this test's own, gone with it.
struct Document(PathBuf);

impl Document {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rushlight-ask-{name}-{}.txt", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        Document(path)
    }

    fn of_bytes(name: &str, bytes: &[u8]) -> Self {
        let document = Document::new(name, "");
        std::fs::write(&document.0, bytes).expect("a file");
        document
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[test]
fn an_answer_has_its_place() {
    let document = Document::new("manual", TEXT);
    let (model, embedder) = (model_path(), minilm_path());
    let output = rushlight(&[
        "ask",
        "--backend",
        "cpu",
        "--json",
        "--model",
        model.to_str().expect("UTF-8"),
        "--embedder",
        embedder.to_str().expect("UTF-8"),
        "--context-file",
        document.path(),
        "--question",
        "What is the part number of the filter?",
        "--question",
        "What does the subscription cost?",
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let [found, none] = &lines[..] else { panic!("{lines:?}") };
    let keys: Vec<&String> = found.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["answer", "confidence", "null_score", "spans"]);
    let span = &found["spans"][0];
    assert_eq!(found["answer"], "BF-22");
    assert_eq!(span["text"], "BF-22");
    let at = |key: &str| span[key].as_u64().expect("an offset") as usize;
    assert_eq!(&TEXT[at("start")..at("end")], "BF-22");
    let units: Vec<u16> = TEXT.encode_utf16().collect();
    assert_eq!(String::from_utf16(&units[at("start_utf16")..at("end_utf16")]).expect("characters"), "BF-22");
    assert_ne!(at("start"), at("start_utf16"), "there is an umlaut before it");
    assert_eq!((&none["answer"], none["spans"].as_array().map(Vec::len)), (&"".into(), Some(0)));
    assert!(none["null_score"].as_f64() > found["null_score"].as_f64());
}

/// A text of more sentences than are embedded at once, with something to ask about near its end.
fn long_text() -> String {
    let filler = |n: usize| format!("Shelf {n} holds ordinary paper and some string. ");
    let mut text: String = (0..680).map(filler).collect();
    text.push_str("\n\nThe lamp of the eastern tower was lit by Ishbel MacRae. It burns whale oil.\n\n");
    text.extend((680..720).map(filler));
    text
}

#[test]
fn a_long_document_is_embedded_as_far_as_a_question_needs_and_kept_where_that_is_asked_for() {
    let document = Document::new("long", &long_text());
    let folder = std::env::temp_dir().join(format!("rushlight-index-{}", std::process::id()));
    std::fs::remove_dir_all(&folder).ok();
    let (model, embedder) = (model_path(), minilm_path());
    let ask = |index: &[&str]| {
        let fixed = [
            "ask",
            "--backend",
            "cpu",
            "--json",
            "--model",
            model.to_str().expect("UTF-8"),
            "--embedder",
            embedder.to_str().expect("UTF-8"),
            "--context-file",
            document.path(),
            "--question",
            "Who lit the lamp of the eastern tower?",
        ];
        let output = rushlight(&[&fixed[..], index].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(answer["answer"], "Ishbel MacRae", "{answer}");
        (answer, said)
    };
    let (first, _) = ask(&[]);
    assert!(!folder.exists(), "nothing is kept unless that is asked for");
    let kept = ["--index-cache", folder.to_str().expect("UTF-8")];
    assert_eq!(ask(&kept).0, first, "the rest is embedded behind the answer");
    let files = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&folder).expect("the folder");
        entries.map(|entry| entry.expect("a file").path()).collect()
    };
    let [file] = &files()[..] else { panic!("one index: {:?}", files()) };
    let whole = std::fs::read(file).expect("an index");
    let count = |at: usize| u32::from_le_bytes(whole[at..at + 4].try_into().expect("four bytes"));
    assert_eq!((count(24), count(28), count(32)), (722, 722, 384), "all sentences of MiniLM's width");
    let (again, said) = ask(&kept);
    assert!(!said.contains("anew"), "{said}");
    let near = |answer: &Value| answer["confidence"].as_f64().expect("a number");
    assert!((near(&again) - near(&first)).abs() < 0.02, "the whole index answers as the first sentences did");
    // Half of it, as a full disk leaves it where a file system renames before it writes.
    std::fs::write(file, &whole[..whole.len() / 2]).expect("half a file");
    let (healed, said) = ask(&kept);
    assert!(said.contains("made anew"), "{said}");
    assert_eq!(healed, first);
    assert_eq!(std::fs::read(file).expect("an index"), whole, "and it is there again");
    assert_eq!(files().len(), 1, "no part is left");
    std::fs::remove_dir_all(&folder).ok();
}

#[test]
fn what_cannot_be_answered_is_one_line_with_a_code() {
    let (document, empty) = (Document::new("some", TEXT), Document::new("empty", " \n\n"));
    let mark = Document::new("mark", "\u{FEFF}");
    let pdf = Document::new("pdf", "%PDF-1.7\n1 0 obj\n");
    let model = model_path();
    let model = model.to_str().expect("UTF-8");
    let ask = |file: &str, question: &str, more: &[&str]| {
        let fixed =
            ["ask", "--backend", "cpu", "--model", model, "--context-file", file, "--question", question];
        rushlight(&[&fixed[..], more].concat())
    };
    for (output, code) in [
        (ask(document.path(), " ", &[]), "ERR_EMPTY_QUESTION"),
        (ask(empty.path(), "Who?", &[]), "ERR_EMPTY_DOCUMENT"),
        (ask(mark.path(), "Who?", &[]), "ERR_EMPTY_DOCUMENT"),
        (ask(pdf.path(), "Who?", &[]), "ERR_FILE"),
        (ask("no such file", "Who?", &[]), "ERR_FILE"),
        // Frame, passage and question do not fit.
        (ask(document.path(), "Who?", &["--context", "128"]), "ERR_CONTEXT"),
    ] {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!output.status.success() && said.contains(code), "{code}: {said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn documents_in_other_encodings_are_read_as_the_page_reads_them() {
    let text = "The café “Müller” opens at seven.\r\nIts owner is Zoë Brandt.\r\n";
    let little: Vec<u8> =
        [0xFF, 0xFE].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let big: Vec<u8> =
        [0xFE, 0xFF].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
    let western: Vec<u8> = text
        .chars()
        .map(|c| match c {
            '“' => 0x93,
            '”' => 0x94,
            c => u8::try_from(c).expect("Latin-1"),
        })
        .collect();
    let marked = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    let model = model_path();
    for (name, bytes) in [("le", little), ("be", big), ("1252", western), ("bom", marked)] {
        let document = Document::of_bytes(name, &bytes);
        let asked = ["--context-file", document.path(), "--question", "Who is the owner of the café?"];
        let output = rushlight(
            &[&["ask", "--backend", "cpu", "--json", "--model", model.to_str().expect("UTF-8")], &asked[..]]
                .concat(),
        );
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(found["answer"], "Zoë Brandt", "{name}");
        // Places are of the text, not of the file.
        let at = |key: &str| found["spans"][0][key].as_u64().expect("an offset") as usize;
        assert_eq!(&text[at("start")..at("end")], "Zoë Brandt");
    }
}
