//! `cargo xtask bench cpu`: both sides built, run in turn, and written down with machine, versions and command lines.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::machine::{self, Machine};
use super::report::{Report, Section};
use super::{browser, embed, memory, native, peers};
use crate::setup::{self, Scope};
use crate::{build_web, fetch_model, npm, packages, paths, process};

/// Arguments of `cargo xtask bench cpu`.
#[derive(clap::Args)]
pub struct Options {
    /// Sections to measure; all of them by default
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Turns: how often each side is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// A llama-bench that is there already, instead of one built from pinned source
    #[arg(long, value_name = "PROGRAM")]
    llama_bench: Option<PathBuf>,
    /// A rushlight that is there already, instead of one built now
    #[arg(long, value_name = "PROGRAM")]
    rushlight: Option<PathBuf>,
    /// Take the package as it lies in pkg/, instead of building it now
    #[arg(long)]
    no_build_web: bool,
}

/// A section of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// llama.cpp natively, and the memory's bandwidth
    Native,
    /// Peak memory natively
    Memory,
    /// wllama in the same browser
    Browser,
    /// From a file on localhost to the first token, in the browser
    Load,
    /// onnxruntime, natively and in the browser
    Embed,
}

const PARTS: [Part; 5] = [Part::Native, Part::Memory, Part::Browser, Part::Load, Part::Embed];

/// Cores that others may keep busy before it is worth a warning.
const QUIET: f64 = 0.1;

/// What the sections share.
pub struct Bench {
    /// Turns.
    pub runs: usize,
    /// Gemma 3 270M.
    pub model: PathBuf,
    /// Our program.
    pub rushlight: PathBuf,
    /// Theirs, where a section needs it.
    pub llama_bench: Option<PathBuf>,
    /// Numbers of threads that are measured: all cores, and one.
    pub threads: Vec<usize>,
}

impl Bench {
    /// llama.cpp's benchmark.
    pub fn llama_bench(&self) -> Result<&PathBuf> {
        self.llama_bench.as_ref().context("llama-bench was not built")
    }
}

/// Measures, prints the table and says where it lies.
pub fn run(options: &Options) -> Result<()> {
    if options.runs == 0 {
        bail!("--runs: expected at least 1, got 0");
    }
    let wanted = |part: &Part| options.only.is_empty() || options.only.contains(part);
    let parts: Vec<Part> = PARTS.into_iter().filter(wanted).collect();
    let bench = prepare(options, &parts)?;
    let folder = paths::target().join("bench");
    let mut report = Report::open(&folder, Machine::here());
    for part in parts {
        eprintln!("== {part:?}");
        let (taken, busy_cores) = (machine::now(), machine::busy_cores());
        if let Some(busy) = busy_cores.filter(|busy| *busy > QUIET) {
            eprintln!("  others keep {busy:.1} cores busy: figures will be low, ratios uneven");
        }
        let section = match part {
            Part::Native => native::measure(&bench),
            Part::Memory => memory::measure(&bench),
            Part::Browser => browser::measure(&bench),
            Part::Load => browser::measure_load(&bench),
            Part::Embed => embed::measure(&bench),
        };
        let section = section.with_context(|| format!("section {part:?}"))?;
        report.put(Section { taken, busy_cores, ..section });
        // After each: what was measured is kept when a later section fails.
        report.write(&folder)?;
    }
    let table = report.write(&folder)?;
    println!("{}\nwritten to {} and cpu.json", report.markdown(), table.display());
    Ok(())
}

/// Builds both sides, so that nothing is compiled while something is timed.
fn prepare(options: &Options, parts: &[Part]) -> Result<Bench> {
    let any = |wanted: &[Part]| parts.iter().any(|part| wanted.contains(part));
    let model = match std::env::var_os("RUSHLIGHT_MODEL") {
        Some(model) => model.into(),
        None => fetch_model::run(&fetch_model::Options::default())?,
    };
    let rushlight = match &options.rushlight {
        Some(program) => std::path::absolute(program)?,
        None => build_rushlight()?,
    };
    let llama_bench = match &options.llama_bench {
        Some(program) => Some(std::path::absolute(program)?),
        None if any(&[Part::Native, Part::Memory]) => Some(peers::llama_bench()?),
        None => None,
    };
    if any(&[Part::Browser, Part::Load, Part::Embed]) {
        packages::ensure(&[packages::Need::Chromium])?;
        npm::install(npm::BROWSER_TESTS)?;
        npm::install(npm::PEERS)?;
        if !options.no_build_web {
            setup::ensure(Scope::Build)?;
            build_web::run(&build_web::Options::default())?;
        }
    }
    let cores = machine::cores();
    let threads = if cores > 1 { vec![cores, 1] } else { vec![1] };
    Ok(Bench { runs: options.runs, model, rushlight, llama_bench, threads })
}

pub fn build_rushlight() -> Result<PathBuf> {
    let mut cargo = process::cargo();
    process::run("cargo build --release", cargo.args(["build", "--release", "--bin", "rushlight"]))?;
    let name = if cfg!(windows) { "rushlight.exe" } else { "rushlight" };
    Ok(paths::target().join("release").join(name))
}

/// `2 threads`, `1 thread`.
pub fn threads_text(threads: usize) -> String {
    format!("{threads} thread{}", if threads == 1 { "" } else { "s" })
}

/// Our program's version, with the commit it was built from.
pub fn our_version() -> String {
    let commit = process::ask("git", &["describe", "--always", "--dirty"]).unwrap_or_default();
    format!("rushlight {} ({commit})", env!("CARGO_PKG_VERSION"))
}
