//! The only build tool of Rushlight: `cargo xtask <command>`.
//!
//! One file a command; what several commands share is in `paths`, `process`, `fingerprint` and
//! `toolchain`. A command that fails prints one line that says what to do, and exits with 1.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod bench;
mod build_web;
mod cargo_deny;
mod demo;
mod download;
mod fetch_minilm;
mod fetch_model;
mod fetch_smollm;
mod fetch_templates;
mod fingerprint;
mod flavour;
mod npm;
mod packages;
mod paths;
mod process;
mod setup;
mod sizes;
mod test;
mod tidy;
mod toolchain;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, serves and tests Rushlight", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what building and testing need, or say what to install
    Setup(setup::Options),
    /// Fetch Gemma 3 270M, all-MiniLM-L6-v2 and SmolLM2-135M-Instruct into the cache folder and check them
    FetchModel(fetch_model::Options),
    /// Fetch published chat templates, and jinja2 to judge them, into the cache folder
    FetchTemplates,
    /// Build the wasm core, the npm package and the page
    BuildWeb(build_web::Options),
    /// Set everything up and serve the page, or ask it one question in a headless browser
    Demo(demo::Options),
    /// Run every check there is
    Test(test::Options),
    /// Measure the kernels, or the CPU backend against its peers
    Bench(bench::Options),
    /// Check the rules of the house: imports, pairs of files, sizes
    Tidy,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Setup(options) => setup::run(&options),
        Command::FetchModel(options) => fetch_model::all(&options),
        Command::FetchTemplates => {
            fetch_templates::run().map(|fetched| println!("{}", fetched.templates.display()))
        }
        Command::BuildWeb(options) => build_web::run(&options),
        Command::Demo(options) => demo::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Tidy => tidy::run(),
    };
    report(result)
}

fn report(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
