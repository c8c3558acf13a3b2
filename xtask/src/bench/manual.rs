//! A document of real size: Debian's policy manual, asked as the first thing after a start, and with all of its sentences embedded.
//!
//! The manual is not kept here: it is taken from Debian's package `debian-policy`, where apt can fetch that.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::cpu::{build_rushlight, our_version};
use super::qa::squad::{self, Mean};
use super::{child, machine};
use crate::{fetch_minilm, fetch_model, fingerprint, paths, process};

/// Arguments of `cargo xtask bench manual`.
#[derive(clap::Args)]
pub struct Options {
    /// A rushlight that is there already, instead of one built now
    #[arg(long, value_name = "FILE")]
    rushlight: Option<PathBuf>,
    /// The manual's `policy.txt`, where apt has none
    #[arg(long, value_name = "FILE")]
    manual: Option<PathBuf>,
    /// Threads of the CPU backend; all cores by default
    #[arg(long)]
    threads: Option<usize>,
}

#[derive(Deserialize)]
struct Questions {
    /// Of the manual that the questions are about.
    sha256: String,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    question: String,
    answers: Vec<String>,
}

/// How all questions were answered in one way.
struct Asked {
    way: &'static str,
    answers: Vec<String>,
    /// From the start of the program to its end, a question each.
    seconds: Vec<f64>,
}

/// Asks the questions and writes `manual.md`.
pub fn run(options: &Options) -> Result<()> {
    let file = paths::root().join("tests/fixtures/qa/policy.json");
    let questions: Questions = serde_json::from_slice(&fs::read(&file).context("policy.json")?)?;
    let manual = match &options.manual {
        Some(path) => path.clone(),
        None => fetch()?,
    };
    if fingerprint::file(&manual, |_| ())? != questions.sha256 {
        eprintln!("  {} is another version than the questions are about", manual.display());
    }
    let rushlight = match &options.rushlight {
        Some(path) => path.clone(),
        None => build_rushlight()?,
    };
    let model = fetch_model::run(&fetch_model::Options::default())?;
    let embedder = fetch_minilm::run(&paths::cache()?.join("models"))?;
    let kept = paths::state().join("manual-index");
    fs::remove_dir_all(&kept).ok();
    let ask = |question: &str, index: Option<&Path>, embedded: bool| -> Result<(String, f64)> {
        let mut command = process::command(&rushlight);
        command.args(["ask", "--json", "--backend", "cpu", "--question", question]);
        command.arg("--model").arg(&model).arg("--context-file").arg(&manual);
        if embedded {
            command.arg("--embedder").arg(&embedder);
        }
        if let Some(folder) = index {
            command.arg("--index-cache").arg(folder);
        }
        if let Some(threads) = options.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        let began = Instant::now();
        let text = child::text(&mut command)?;
        let seconds = began.elapsed().as_secs_f64();
        let value: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        Ok((value["answer"].as_str().unwrap_or_default().to_owned(), seconds))
    };
    // Makes the index: what the first question leaves.
    let (_, making) = ask("What is this?", Some(&kept), true)?;
    let mut all = Vec::new();
    for (way, index, embedded) in [
        ("first question", None, true),
        ("all sentences embedded, kept", Some(kept.as_path()), true),
        ("words alone", None, false),
    ] {
        let mut asked = Asked { way, answers: Vec::new(), seconds: Vec::new() };
        for item in &questions.items {
            let (answer, seconds) = ask(&item.question, index, embedded)?;
            asked.answers.push(answer);
            asked.seconds.push(seconds);
        }
        eprintln!("  {way}: {} questions", asked.answers.len());
        all.push(asked);
    }
    let text = report(&questions.items, &all, making);
    fs::create_dir_all(paths::target().join("bench"))?;
    fs::write(paths::target().join("bench/manual.md"), &text)?;
    print!("{text}");
    Ok(())
}

fn report(items: &[Item], all: &[Asked], making: f64) -> String {
    let mut out = format!(
        "{}, {}, {}; the policy manual, {} questions, a process each.\n\n",
        our_version(),
        machine::now(),
        machine::Machine::here(),
        items.len()
    );
    out.push_str("| | exact match | F1 | median s | slowest s |\n| --- | --- | --- | --- | --- |\n");
    for Asked { way, answers, seconds } in all {
        let mean = |score: fn(&str, &[String]) -> f64| {
            let each: Vec<f64> =
                items.iter().zip(answers).map(|(item, answer)| score(answer, &item.answers)).collect();
            Mean::percent(&each).mean
        };
        let mut seconds = seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let at = |index: usize| seconds.get(index).copied().unwrap_or_default();
        let (median, slowest) = (at(seconds.len() / 2), at(seconds.len().saturating_sub(1)));
        let (exact, f1) = (mean(squad::exact), mean(squad::f1));
        writeln!(out, "| {way} | {exact:.1} | {f1:.1} | {median:.1} | {slowest:.1} |").ok();
    }
    writeln!(out, "\nThe index is made in {making:.1} s, with a question.\n").ok();
    for (index, item) in items.iter().enumerate() {
        let said: Vec<&str> = all.iter().map(|asked| asked.answers[index].as_str()).collect();
        writeln!(
            out,
            "- {} [{}] {}",
            item.question,
            item.answers.first().map_or("none", String::as_str),
            said.join(" | ")
        )
        .ok();
    }
    out
}

/// The manual from Debian's package, where it is not there from an earlier time.
fn fetch() -> Result<PathBuf> {
    let folder = paths::state().join("debian-policy");
    let manual = folder.join("policy.txt");
    if manual.is_file() {
        return Ok(manual);
    }
    fs::create_dir_all(&folder)?;
    let fetched = process::ask(
        "sh",
        &[
            "-c",
            "cd \"$0\" && apt-get download debian-policy && dpkg -x debian-policy_*.deb . && gzip -dc usr/share/doc/debian-policy/policy.txt.gz > policy.txt",
            &folder.to_string_lossy(),
        ],
    );
    if fetched.is_none() || !manual.is_file() {
        bail!("apt has no package debian-policy here: give its policy.txt with --manual");
    }
    Ok(manual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_questions_can_be_scored() {
        let file = paths::root().join("tests/fixtures/qa/policy.json");
        let text = fs::read(file).expect("the questions");
        let Questions { items, .. } = serde_json::from_slice(&text).expect("questions");
        assert_eq!(items.len(), 20);
        for item in &items {
            assert!(item.question.ends_with('?'));
            for answer in &item.answers {
                assert_eq!(squad::exact(answer, &item.answers), 1.0, "{answer}");
            }
        }
        let said: Vec<String> =
            items.iter().map(|item| item.answers.first().cloned().unwrap_or_default()).collect();
        let asked = [Asked { way: "right", answers: said, seconds: vec![1.0; 20] }];
        assert!(report(&items, &asked, 2.0).contains("| right | 100.0 | 100.0 | 1.0 | 1.0 |"));
    }
}
