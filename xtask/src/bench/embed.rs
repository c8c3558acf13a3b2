//! onnxruntime natively and onnxruntime-web in the browser: MiniLM in F32, one sentence of 128 tokens at a time.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use serde_json::Value;

use super::browser::{self, Server};
use super::cpu::{Bench, our_version, threads_text};
use super::report::{Goal, Row, Section, Side};
use super::samples::Samples;
use super::{child, peers};
use crate::{paths, process};

/// Words between the two special tokens of the sentence, each one token.
const WORDS: usize = 126;
/// `[CLS]`, `the`, `[SEP]` in MiniLM's vocabulary.
const CLS: u32 = 101;
const THE: u32 = 1996;
const SEP: u32 = 102;
/// Runs inside a process or page; their median is one turn.
const REPEATS: usize = 20;
/// Largest distance between a component of our vector and of theirs.
const TOLERANCE: f64 = 1e-4;

const SCRIPT: &str = "benches/peers/onnx_embed.py";
const FOLDER_URL: &str = "/minilm";
/// As the package takes a folder: with a slash at its end.
const FOLDER_ARGUMENT: &str = "/minilm/";
const GRAPH_URL: &str = "/graph/minilm.onnx";

fn sentence() -> (String, String) {
    let ids: Vec<u32> = [CLS].into_iter().chain([THE; WORDS]).chain([SEP]).collect();
    let ids = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    (vec!["the"; WORDS].join(" "), ids)
}

/// Measures both sides natively and in the browser; says so where ours can't embed yet.
pub fn measure(bench: &Bench) -> Result<Section> {
    let python = peers::python()?;
    let minilm = peers::minilm(&python)?;
    let (text, ids) = sentence();
    let mut section = Section {
        name: "embed".to_owned(),
        versions: vec![our_version(), browser::npm_version("onnxruntime-web"), browser::chromium_version()],
        notes: vec![format!(
            "all-MiniLM-L6-v2, F32, one sentence of {} tokens; each turn the median of {REPEATS} runs after two that are not timed; \
             ours tokenise inside the time",
            WORDS + 2
        )],
        ..Section::default()
    };
    let server = Server::start(vec![
        (FOLDER_URL.to_owned(), minilm.folder.clone()),
        (GRAPH_URL.to_owned(), minilm.graph.clone()),
    ])?;
    for &threads in &bench.threads {
        let mut theirs = process::command(&python);
        theirs.arg(paths::root().join(SCRIPT)).arg(&minilm.graph);
        theirs.args([&ids, &threads.to_string(), &REPEATS.to_string()]);
        let mut ours = our_command(bench, &minilm.folder, &text, threads);
        compare_native(bench, &mut section, threads, &mut ours, &mut theirs)?;
        let mut driver = server.driver("embedding", threads);
        driver.args(["--graph", GRAPH_URL, "--folder", FOLDER_ARGUMENT, "--text", &text, "--ids", &ids]);
        compare_browser(bench, &mut section, threads, &mut driver)?;
    }
    // The sentence and its ids are 126 times the same.
    for line in section.commands.iter_mut().chain(&mut section.notes) {
        *line = line.replace(&text, "the ... the").replace(&ids, "101,1996,...,1996,102");
    }
    Ok(section)
}

fn our_command(bench: &Bench, folder: &Path, text: &str, threads: usize) -> Command {
    let mut command = process::command(&bench.rushlight);
    command.args(["bench", "--backend", "cpu", "--json", "--runs", &REPEATS.to_string()]);
    command.args(["--threads", &threads.to_string(), "--text", text, "--model"]).arg(folder);
    command
}

fn compare_native(
    bench: &Bench,
    section: &mut Section,
    threads: usize,
    ours: &mut Command,
    theirs: &mut Command,
) -> Result<()> {
    section.commands.extend([child::line(ours), child::line(theirs)]);
    let (mut our_ms, mut their_ms) = (Samples::default(), Samples::default());
    for run in 0..bench.runs {
        let their = child::json(theirs)?;
        their_ms.0.push(median_ms(&their["ms"]));
        if run == 0 {
            section.versions.push(format!("onnxruntime {}", their["version"].as_str().unwrap_or_default()));
            section.versions.dedup();
        }
        match child::json(ours) {
            Ok(our) => {
                agree(&our["vector"], &their["vector"])?;
                our_ms.0.push(median_ms(&our["results"][0]["ms"]));
            }
            Err(error) => {
                missing(section, "natively", threads, &error, &their_ms);
                return Ok(());
            }
        }
        progress(run, bench.runs, "natively", threads, &our_ms, &their_ms);
    }
    let goal = Goal::AtMost { most: 1.3, aim: 1.0 };
    section.rows.push(row("natively", threads, "onnxruntime", our_ms, their_ms, goal));
    Ok(())
}

fn compare_browser(bench: &Bench, section: &mut Section, threads: usize, driver: &mut Command) -> Result<()> {
    section.commands.push(child::line(driver));
    let (mut our_ms, mut their_ms) = (Samples::default(), Samples::default());
    for run in 0..bench.runs {
        let lines = child::text(driver)?;
        let their = browser::result_of(&lines, "onnxruntime")?;
        their_ms.0.push(median_ms(&their["ms"]));
        match browser::result_of(&lines, "rushlight") {
            Ok(our) => {
                agree(&our["vector"], &their["vector"])?;
                our_ms.0.push(median_ms(&our["ms"]));
            }
            Err(error) => {
                missing(section, "in the browser", threads, &error, &their_ms);
                return Ok(());
            }
        }
        progress(run, bench.runs, "in the browser", threads, &our_ms, &their_ms);
    }
    let goal = Goal::AtMost { most: 1.0, aim: 0.7 };
    section.rows.push(row("in the browser", threads, "onnxruntime-web", our_ms, their_ms, goal));
    Ok(())
}

/// Both sides have to have done the same work.
fn agree(ours: &Value, theirs: &Value) -> Result<()> {
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().map(|list| list.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
    };
    let (ours, theirs) = (numbers(ours), numbers(theirs));
    let distance = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    if ours.is_empty() || ours.len() != theirs.len() || distance > TOLERANCE {
        bail!("the vectors differ by {distance:.2e} ({} and {} numbers)", ours.len(), theirs.len());
    }
    Ok(())
}

fn median_ms(list: &Value) -> f64 {
    let list = list.as_array().map(|list| list.iter().filter_map(Value::as_f64).collect());
    Samples(list.unwrap_or_default()).median()
}

fn missing(section: &mut Section, place: &str, threads: usize, error: &anyhow::Error, theirs: &Samples) {
    let threads = threads_text(threads);
    let note = format!(
        "{place}, {threads}: not compared, ours did not answer ({error:#}); theirs takes {:.1} ms",
        theirs.median()
    );
    eprintln!("  {note}");
    section.notes.push(note);
}

fn progress(run: usize, runs: usize, place: &str, threads: usize, ours: &Samples, theirs: &Samples) {
    let last = |samples: &Samples| samples.0.last().copied().unwrap_or(f64::NAN);
    let threads = threads_text(threads);
    eprintln!(
        "  {}/{runs}, {place}, {threads}: ours {:.1} ms, theirs {:.1} ms",
        run + 1,
        last(ours),
        last(theirs)
    );
}

fn row(place: &str, threads: usize, name: &str, ours: Samples, theirs: Samples, goal: Goal) -> Row {
    Row::new(
        format!("MiniLM, F32, 128 tokens {place}, {}", threads_text(threads)),
        "ms",
        Side::new("rushlight", ours),
        Side::new(name, theirs),
        goal,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{agree, sentence};

    #[test]
    fn both_sides_have_to_agree() {
        assert!(agree(&json!([0.6, 0.8]), &json!([0.60001, 0.8])).is_ok());
        assert!(agree(&json!([0.6, 0.8]), &json!([0.61, 0.8])).is_err());
        assert!(agree(&json!([]), &json!([])).is_err());
        assert!(agree(&json!([0.6]), &json!([0.6, 0.8])).is_err());
    }

    #[test]
    fn the_sentence_has_a_word_for_each_id() {
        let (text, ids) = sentence();
        assert_eq!(text.split(' ').count() + 2, ids.split(',').count());
        assert_eq!(ids.split(',').count(), 128);
    }
}
