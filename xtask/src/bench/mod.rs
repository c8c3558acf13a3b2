//! `cargo xtask bench`: the kernels' own cases timed, or everything measured against its peers.

mod bandwidth;
mod browser;
mod child;
mod cpu;
mod embed;
mod machine;
mod manual;
mod memory;
mod native;
mod peers;
mod qa;
mod report;
mod samples;

use anyhow::{Result, bail};

use crate::{paths, process};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Options {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    kernels: Kernels,
}

#[derive(clap::Subcommand)]
enum What {
    /// Time the kernels' own cases (what a plain `bench` does)
    Kernels(Kernels),
    /// Measure the CPU backend against llama.cpp, wllama and onnxruntime, both sides in turn
    Cpu(cpu::Options),
    /// Ask questions about documents, and score the answers
    Qa(qa::Options),
    /// Ask Debian's policy manual: how soon the first answer comes, and whether it is as good as with the whole index
    Manual(manual::Options),
}

#[derive(clap::Args)]
struct Kernels {
    /// Only benchmarks whose name holds this
    filter: Option<String>,
}

/// Runs what was asked for.
pub fn run(options: &Options) -> Result<()> {
    match &options.what {
        Some(What::Cpu(options)) => cpu::run(options),
        Some(What::Qa(options)) => qa::run(options),
        Some(What::Manual(options)) => manual::run(options),
        Some(What::Kernels(kernels)) => run_kernels(kernels),
        None => run_kernels(&options.kernels),
    }
}

/// Runs benches/kernels.rs, which talks to the user itself.
fn run_kernels(kernels: &Kernels) -> Result<()> {
    if !paths::root().join("benches/kernels.rs").is_file() {
        bail!("there is no benches/kernels.rs to run");
    }
    let mut cargo = process::cargo();
    cargo.args(["bench", "--bench", "kernels"]);
    if let Some(filter) = &kernels.filter {
        cargo.args(["--", filter]);
    }
    process::hand_over("cargo bench", &mut cargo)
}
