//! llama.cpp natively: prefill and decode, and how much of the memory's bandwidth decoding uses.

use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::cpu::{Bench, our_version, threads_text};
use super::report::{Goal, Row, Section, Side};
use super::samples::Samples;
use super::{bandwidth, child, peers};
use crate::process;

/// Tokens that are decoded.
const DECODE: usize = 64;
const GB: f64 = 1e9;

/// One figure of both sides.
struct Pair {
    name: &'static str,
    tokens: usize,
    ours: Samples,
    theirs: Samples,
}

/// Measures llama.cpp and us, for each number of threads.
pub fn measure(bench: &Bench) -> Result<Section> {
    let mut section = Section {
        name: "native".to_owned(),
        versions: vec![our_version(), peers::LLAMA_CPP_NAME.to_owned()],
        notes: vec![
            "both: one run that is not timed, then one that is, from an empty cache; a new process each turn"
                .to_owned(),
        ],
        ..Section::default()
    };
    for &threads in &bench.threads {
        // Long prompts on one thread take long and say nothing new.
        let prompts: &[usize] = if threads == bench.threads[0] { &[128, 512] } else { &[128] };
        let mut pairs: Vec<Pair> = prompts.iter().map(|&tokens| pair("prefill", tokens)).collect();
        pairs.push(pair("decode", DECODE));
        let (mut ours, mut theirs) = (ours(bench, threads, prompts), theirs(bench, threads, prompts)?);
        section.commands.extend([child::line(&ours), child::line(&theirs)]);
        let mut weight_bytes = f64::NAN;
        for run in 0..bench.runs {
            let (our, their) = (child::json(&mut ours)?, child::json(&mut theirs)?);
            weight_bytes = child::number(&our, "/info/weight_bytes")?;
            for pair in &mut pairs {
                pair.ours.0.push(our_rate(&our, pair.name, pair.tokens)?);
                pair.theirs.0.push(their_rate(&their, pair.name, pair.tokens)?);
            }
            progress(run, bench.runs, threads, &pairs);
        }
        let decode = pairs.last().context("decode is measured")?;
        let limit = bandwidth::read(threads, bench.runs);
        let theirs = decode.theirs.median() * weight_bytes;
        let with = threads_text(threads);
        section.notes.push(format!(
            "{with}: a token reads {:.1} MB of weights; a plain read reaches {:.1} GB/s, llama.cpp's decode {:.1} GB/s of it ({:.0}%)",
            weight_bytes / 1e6,
            limit.median() / GB,
            theirs / GB,
            100.0 * theirs / limit.median()
        ));
        let share = bandwidth::share(format!("native decode, {with}"), &decode.ours, weight_bytes, &limit);
        section.rows.extend(pairs.iter().map(|pair| row(pair, threads)));
        section.rows.push(share);
    }
    Ok(section)
}

fn pair(name: &'static str, tokens: usize) -> Pair {
    Pair { name, tokens, ours: Samples::default(), theirs: Samples::default() }
}

fn progress(run: usize, runs: usize, threads: usize, pairs: &[Pair]) {
    let last = |samples: &Samples| samples.0.last().copied().unwrap_or(f64::NAN);
    let figures = pairs.iter().map(|pair| {
        format!("{} {}: {:.1} to {:.1}", pair.name, pair.tokens, last(&pair.ours), last(&pair.theirs))
    });
    let figures: Vec<_> = figures.collect();
    let threads = threads_text(threads);
    eprintln!("  {}/{runs}, {threads}: {} tokens/s", run + 1, figures.join(", "));
}

/// Our benchmark's command line.
pub fn ours(bench: &Bench, threads: usize, prompts: &[usize]) -> Command {
    let mut command = process::command(&bench.rushlight);
    command.args(["bench", "--backend", "cpu", "--json", "--runs", "1", "--model"]).arg(&bench.model);
    command.args(["--prompt-tokens", &list(prompts), "--decode-tokens", &DECODE.to_string()]);
    command.args(["--threads", &threads.to_string()]);
    command
}

fn theirs(bench: &Bench, threads: usize, prompts: &[usize]) -> Result<Command> {
    let mut command = process::command(bench.llama_bench()?);
    command.arg("-m").arg(&bench.model);
    command.args(["-p", &list(prompts), "-n", &DECODE.to_string(), "-t", &threads.to_string()]);
    command.args(["-r", "1", "-o", "json"]);
    Ok(command)
}

fn list(numbers: &[usize]) -> String {
    if numbers.is_empty() {
        return "0".to_owned();
    }
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

/// Tokens a second of ours.
pub fn our_rate(value: &Value, name: &str, tokens: usize) -> Result<f64> {
    let results = value["results"].as_array().context("rushlight bench printed no results")?;
    let found = results.iter().find(|result| result["test"] == name && result["tokens"] == tokens);
    child::number(found.with_context(|| format!("no {name} of {tokens}"))?, "/tokens_per_second/0")
}

/// Decoding by itself, in our own native program: tokens a second, and the bytes of weights that each reads.
pub fn our_decode(bench: &Bench, threads: usize) -> Result<(f64, f64)> {
    let our = child::json(&mut ours(bench, threads, &[]))?;
    Ok((our_rate(&our, "decode", DECODE)?, child::number(&our, "/info/weight_bytes")?))
}

fn their_rate(value: &Value, name: &str, tokens: usize) -> Result<f64> {
    let key = if name == "prefill" { "n_prompt" } else { "n_gen" };
    let tests = value.as_array().context("llama-bench printed no tests")?;
    let found = tests.iter().find(|test| test[key] == tokens);
    child::number(found.with_context(|| format!("llama-bench has no {name} of {tokens}"))?, "/samples_ts/0")
}

fn row(pair: &Pair, threads: usize) -> Row {
    let goal = match pair.name {
        // The goals are set for the whole machine.
        _ if threads == 1 => Goal::None,
        "decode" => Goal::AtLeast { least: 1.25, aim: 1.7 },
        _ => Goal::AtLeast { least: 1.0, aim: 1.3 },
    };
    Row::new(
        format!("native {} of {}, {}", pair.name, pair.tokens, threads_text(threads)),
        "tokens/s",
        Side::new("rushlight", pair.ours.clone()),
        Side::new("llama.cpp", pair.theirs.clone()),
        goal,
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rates_are_found_by_name_and_length() {
        let ours = json!({"results": [
            {"test": "prefill", "tokens": 64, "tokens_per_second": [1.0]},
            {"test": "decode", "tokens": 64, "tokens_per_second": [2.0]},
        ]});
        assert_eq!(our_rate(&ours, "decode", 64).unwrap(), 2.0);
        assert!(our_rate(&ours, "prefill", 128).is_err());
        let theirs = json!([
            {"n_prompt": 64, "n_gen": 0, "samples_ts": [3.0]},
            {"n_prompt": 0, "n_gen": 64, "samples_ts": [4.0]},
        ]);
        assert_eq!(their_rate(&theirs, "prefill", 64).unwrap(), 3.0);
        assert_eq!(their_rate(&theirs, "decode", 64).unwrap(), 4.0);
        assert!(their_rate(&theirs, "decode", 32).is_err());
    }
}
