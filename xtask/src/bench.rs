//! `cargo xtask bench`: the kernels' own cases, timed.

use anyhow::{Result, bail};

use crate::{paths, process};

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Options {
    /// Only benchmarks whose name holds this
    filter: Option<String>,
}

/// Runs benches/kernels.rs, which talks to the user itself.
pub fn run(options: &Options) -> Result<()> {
    if !paths::root().join("benches/kernels.rs").is_file() {
        bail!("there is no benches/kernels.rs to run");
    }
    let mut cargo = process::cargo();
    cargo.args(["bench", "--bench", "kernels"]);
    if let Some(filter) = &options.filter {
        cargo.args(["--", filter]);
    }
    process::hand_over("cargo bench", &mut cargo)
}
