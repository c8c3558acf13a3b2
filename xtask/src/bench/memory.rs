//! Peak memory natively, over the size of the file.

use anyhow::{Context, Result};

use super::cpu::{Bench, our_version};
use super::report::{Goal, Row, Section, Side};
use super::samples::Samples;
use super::{child, peers};
use crate::process;

const MB: f64 = 1e6;

/// Measures the largest resident set of `rushlight generate` and of llama.cpp's benchmark.
pub fn measure(bench: &Bench) -> Result<Section> {
    let file = std::fs::metadata(&bench.model).context("the model has no size")?.len() as f64 / MB;
    let threads = bench.threads[0].to_string();
    let mut generate = process::command(&bench.rushlight);
    generate.args(["generate", "--backend", "cpu", "--max-tokens", "32", "--threads", &threads]);
    generate.args(["--prompt", "The capital of France is", "--model"]).arg(&bench.model);
    let mut ours = process::command(&bench.rushlight);
    ours.args(["bench", "--backend", "cpu", "--prompt-tokens", "128", "--decode-tokens", "32"]);
    ours.args(["--runs", "1", "--threads", &threads, "--model"]).arg(&bench.model);
    let mut theirs = process::command(bench.llama_bench()?);
    theirs.args(["-p", "128", "-n", "32", "-r", "1", "-t", &threads, "-m"]).arg(&bench.model);
    let commands = [&generate, &ours, &theirs];
    let mut peaks: [Samples; 3] = Default::default();
    for run in 0..bench.runs {
        for (command, samples) in commands.into_iter().zip(&mut peaks) {
            samples.0.push(child::peak_bytes(command)? / MB);
        }
        let last = |at: usize| peaks[at].0.last().copied().unwrap_or(f64::NAN);
        eprintln!(
            "  {}/{}: generate {:.0}, bench {:.0}, llama-bench {:.0} MB",
            run + 1,
            bench.runs,
            last(0),
            last(1),
            last(2)
        );
    }
    let [generate, ours, theirs] = peaks;
    let size = Samples(vec![file; bench.runs]);
    let row = |what: &str, ours: &Samples, name: &str, theirs: &Samples, goal| {
        Row::new(what, "MB", Side::new("rushlight", ours.clone()), Side::new(name, theirs.clone()), goal)
    };
    Ok(Section {
        name: "memory".to_owned(),
        versions: vec![our_version(), peers::LLAMA_CPP_NAME.to_owned()],
        commands: commands.map(child::line).into(),
        rows: vec![
            row(
                "native peak memory of generate, over the file's size",
                &generate,
                "file",
                &size,
                Goal::AtMost { most: 1.25, aim: 1.15 },
            ),
            row("native peak memory of prefill 128 and decode 32", &ours, "llama.cpp", &theirs, Goal::None),
        ],
        notes: vec!["largest resident set of the process, mapped pages of the file included".to_owned()],
        ..Section::default()
    })
}
