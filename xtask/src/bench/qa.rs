//! Question answering: exact match and F1 with Gemma 3 270M and MiniLM, against the plain few-shot prompt over the whole document.

pub(super) mod squad;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cpu::{build_rushlight, our_version};
use super::{child, machine};
use crate::{fetch_minilm, fetch_model, paths, process};
use squad::Mean;

/// Arguments of `cargo xtask bench qa`.
#[derive(clap::Args)]
pub struct Options {
    /// A rushlight that is there already, instead of one built now
    #[arg(long, value_name = "FILE")]
    rushlight: Option<PathBuf>,
    /// Threads of the CPU backend
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Leave the plain prompt out
    #[arg(long)]
    no_baseline: bool,
    /// Without MiniLM: passages are found by their words only
    #[arg(long)]
    no_embedder: bool,
    /// Only these sets
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Passages that are read for a question
    #[arg(long, value_name = "N")]
    passages: Option<usize>,
    /// Write what speaks for each span of each question into this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
}

/// One question.
#[derive(Clone, Debug, Deserialize)]
struct Item {
    id: String,
    question: String,
    answers: Vec<String>,
    /// In our own set: which document, and which half of the questions.
    document: Option<String>,
    half: Option<String>,
    /// In the shared one: the text itself.
    context: Option<String>,
}

#[derive(Deserialize)]
struct Questions {
    items: Vec<Item>,
}

/// Answers to one set of questions, scored.
#[derive(Debug, Serialize)]
struct Score {
    set: String,
    method: &'static str,
    questions: usize,
    answerable: usize,
    exact: Mean,
    f1: Mean,
    f1_answerable: Mean,
    /// Of those without an answer, the share that got none.
    recognised: Mean,
    /// Of those with an answer, the share that got none.
    refused: Mean,
}

const SPANS: &str = "spans";
const PLAIN: &str = "plain prompt";

/// Runs the questions and writes `qa.json` and `qa.md`.
pub fn run(options: &Options) -> Result<()> {
    let bench = Bench::prepare(options)?;
    let mut scores: Vec<Score> = Vec::new();
    let mut differences: Vec<(String, Mean)> = Vec::new();
    let mut said: Vec<Value> = Vec::new();
    for (set, items) in sets()? {
        if !options.only.is_empty() && !options.only.contains(&set) {
            continue;
        }
        let ours = bench.answers(&items, "extract")?;
        scores.push(score(&set, SPANS, &items, &ours));
        let mut plain = BTreeMap::new();
        if !options.no_baseline {
            plain = bench.answers(&items, "plain")?;
            scores.push(score(&set, PLAIN, &items, &plain));
            let ahead: Vec<f64> = items
                .iter()
                .map(|item| {
                    squad::f1(answer(&ours, item), &item.answers)
                        - squad::f1(answer(&plain, item), &item.answers)
                })
                .collect();
            differences.push((set.clone(), Mean::percent(&ahead)));
        }
        for item in &items {
            let mut line = serde_json::json!({ "set": set, "id": item.id, "question": item.question, "answers": item.answers, "said": answer(&ours, item) });
            if !plain.is_empty() {
                line["plain"] = answer(&plain, item).into();
            }
            said.push(line);
        }
        // After each set: all of them take an hour on two cores.
        save(&report(&scores, &differences, options), &scores, &said)?;
    }
    print!("{}", report(&scores, &differences, options));
    Ok(())
}

fn save(text: &str, scores: &[Score], said: &[Value]) -> Result<()> {
    let folder = paths::target().join("bench");
    fs::create_dir_all(&folder)?;
    let json = serde_json::json!({
        "version": our_version(), "machine": machine::Machine::here(), "time": machine::now(), "scores": scores, "questions": said,
    });
    fs::write(folder.join("qa.json"), format!("{json:#}\n"))?;
    fs::write(folder.join("qa.md"), text)?;
    Ok(())
}

/// The shared questions, and the halves of our own: weights and features were chosen on one of them.
fn sets() -> Result<Vec<(String, Vec<Item>)>> {
    let read = |name: &str| -> Result<Vec<Item>> {
        let path = folder().join(name);
        let text = fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_slice::<Questions>(&text)?.items)
    };
    let own = read("questions.json")?;
    let half = |name: &str| own.iter().filter(|item| item.half.as_deref() == Some(name)).cloned().collect();
    Ok(vec![
        ("qa_dev".to_owned(), read("qa_dev.json")?),
        ("own, test half".to_owned(), half("test")),
        ("own, dev half".to_owned(), half("dev")),
    ])
}

fn folder() -> PathBuf {
    paths::root().join("tests/fixtures/qa")
}

/// What the program said, by the question's id.
type Answers = BTreeMap<String, Value>;

fn answer<'a>(answers: &'a Answers, item: &Item) -> &'a str {
    answers.get(&item.id).and_then(|said| said["answer"].as_str()).unwrap_or_default()
}

struct Bench<'a> {
    options: &'a Options,
    rushlight: PathBuf,
    model: PathBuf,
    embedder: PathBuf,
    scratch: PathBuf,
}

impl<'a> Bench<'a> {
    fn prepare(options: &'a Options) -> Result<Self> {
        let model = match std::env::var_os("RUSHLIGHT_MODEL") {
            Some(model) => model.into(),
            None => fetch_model::run(&fetch_model::Options::default())?,
        };
        let rushlight = match &options.rushlight {
            Some(path) => path.clone(),
            None => build_rushlight()?,
        };
        let embedder = fetch_minilm::run(&paths::cache()?.join("models"))?;
        let scratch = paths::state().join("qa");
        fs::create_dir_all(&scratch)?;
        if let Some(path) = &options.evidence {
            fs::write(path, "")?;
        }
        Ok(Bench { options, rushlight, model, embedder, scratch })
    }

    /// Asks all questions, a process for each document.
    fn answers(&self, items: &[Item], mode: &str) -> Result<Answers> {
        let mut by_document: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
        for item in items {
            let key = item.document.as_deref().or(item.context.as_deref()).unwrap_or_default();
            by_document.entry(key).or_default().push(item);
        }
        let mut answers = Answers::new();
        for (key, items) in by_document {
            let document = match items.first().and_then(|item| item.context.as_deref()) {
                Some(text) => {
                    let path = self.scratch.join("document.txt");
                    fs::write(&path, text)?;
                    path
                }
                None => folder().join(format!("{key}.txt")),
            };
            let lines = self.ask(&document, &items, mode)?;
            eprintln!("  {mode}: {} questions on {}", items.len(), key.chars().take(40).collect::<String>());
            for (item, line) in items.iter().zip(lines) {
                if let (Some(path), "extract") = (&self.options.evidence, mode) {
                    let mut line = line.clone();
                    line["id"] = item.id.clone().into();
                    line["accepted"] = item.answers.clone().into();
                    let mut text = fs::read_to_string(path)?;
                    writeln!(text, "{line}")?;
                    fs::write(path, text)?;
                }
                answers.insert(item.id.clone(), line);
            }
        }
        Ok(answers)
    }

    fn ask(&self, document: &Path, items: &[&Item], mode: &str) -> Result<Vec<Value>> {
        let questions: Vec<&str> = items.iter().map(|item| item.question.as_str()).collect();
        let list = self.scratch.join("questions.txt");
        fs::write(&list, questions.join("\n"))?;
        let mut command = process::command(&self.rushlight);
        command.args([
            "ask",
            "--json",
            "--backend",
            "cpu",
            "--mode",
            mode,
            "--threads",
            &self.options.threads.to_string(),
        ]);
        command
            .arg("--model")
            .arg(&self.model)
            .arg("--context-file")
            .arg(document)
            .arg("--question-file")
            .arg(&list);
        if !self.options.no_embedder && mode == "extract" {
            command.arg("--embedder").arg(&self.embedder);
        }
        if let Some(passages) = self.options.passages {
            command.args(["--passages", &passages.to_string()]);
        }
        if self.options.evidence.is_some() && mode == "extract" {
            command.arg("--evidence");
        }
        let text = child::text(&mut command)?;
        let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        if lines.len() != items.len() {
            bail!("{}: {} questions, {} answers", document.display(), items.len(), lines.len());
        }
        Ok(lines)
    }
}

fn score(set: &str, method: &'static str, items: &[Item], answers: &Answers) -> Score {
    let percent =
        |of: &dyn Fn(&Item) -> Option<f64>| Mean::percent(&items.iter().filter_map(of).collect::<Vec<_>>());
    let refused = |item: &Item| f64::from(u8::from(squad::normalise(answer(answers, item)).is_empty()));
    Score {
        set: set.to_owned(),
        method,
        questions: items.len(),
        answerable: items.iter().filter(|item| !item.answers.is_empty()).count(),
        exact: percent(&|item| Some(squad::exact(answer(answers, item), &item.answers))),
        f1: percent(&|item| Some(squad::f1(answer(answers, item), &item.answers))),
        f1_answerable: percent(&|item| {
            (!item.answers.is_empty()).then(|| squad::f1(answer(answers, item), &item.answers))
        }),
        recognised: percent(&|item| item.answers.is_empty().then(|| refused(item))),
        refused: percent(&|item| (!item.answers.is_empty()).then(|| refused(item))),
    }
}

fn report(scores: &[Score], differences: &[(String, Mean)], options: &Options) -> String {
    let show = |mean: &Mean| format!("{:.1} ({:.1} to {:.1})", mean.mean, mean.low, mean.high);
    let mut out = format!(
        "{}, {}; Gemma 3 270M Q4_K_M{}, CPU, {} thread(s). Percent, with 95% bootstrap intervals.\n\n",
        our_version(),
        machine::now(),
        if options.no_embedder { "" } else { " with all-MiniLM-L6-v2" },
        options.threads
    );
    out.push_str("| questions | method | exact match | F1 | F1, answerable | unanswerable recognised | answerable refused |\n");
    out.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for score in scores {
        out.push_str(&format!(
            "| {}: {}, {} answerable | {} | {} | {} | {} | {} | {} |\n",
            score.set,
            score.questions,
            score.answerable,
            score.method,
            show(&score.exact),
            show(&score.f1),
            show(&score.f1_answerable),
            show(&score.recognised),
            show(&score.refused)
        ));
    }
    out.push('\n');
    for (set, ahead) in differences {
        out.push_str(&format!(
            "{set}: F1 is {} points ahead of the plain prompt, question by question\n",
            show(ahead)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{folder, sets, squad};

    /// Every answer stands in its document where the file says.
    #[test]
    fn the_questions_are_about_their_documents() {
        let text = std::fs::read(folder().join("questions.json")).expect("the questions");
        let value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let items = value["items"].as_array().expect("a list");
        let mut without = 0;
        for item in items {
            let document = item["document"].as_str().expect("a name");
            let text =
                std::fs::read_to_string(folder().join(format!("{document}.txt"))).expect("the document");
            let Some(answer) = item["answers"][0].as_str() else {
                without += 1;
                continue;
            };
            let place = |key: &str| item[key].as_u64().expect("an offset") as usize;
            let found = &text[place("start")..place("end")];
            assert_eq!(found.split_whitespace().collect::<Vec<_>>().join(" "), answer);
        }
        assert!(items.len() >= 150 && 4 * without >= items.len(), "{without} of {}", items.len());
        for (name, about) in value["documents"].as_object().expect("documents") {
            let text = std::fs::read_to_string(folder().join(format!("{name}.txt"))).expect("the document");
            assert_eq!(about["sha256"], crate::fingerprint::text(&text), "{name}");
        }
    }

    #[test]
    fn the_sets_are_apart() {
        let sets = sets().expect("the questions");
        assert_eq!(sets.iter().map(|(_, items)| items.len()).collect::<Vec<_>>()[0], 20);
        let ids: std::collections::HashSet<_> =
            sets.iter().flat_map(|(_, items)| items.iter().map(|item| &item.id)).collect();
        assert_eq!(ids.len(), sets.iter().map(|(_, items)| items.len()).sum::<usize>());
        assert_eq!(squad::exact("x", &[]), 0.0);
    }
}
