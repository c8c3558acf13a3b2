//! `cargo xtask tidy`: the rules of the house, which are written in tests/tidy.rs.

use anyhow::{Context, Result};

use crate::{paths, process};

/// Runs tests/tidy.rs.
pub fn run() -> Result<()> {
    check().map(drop)
}

/// The same, with what the test printed. The file needs nothing but the standard library, so it is compiled by
/// itself, in a second: `cargo test --test tidy` would build the whole crate first to read its text.
pub fn check() -> Result<String> {
    std::fs::create_dir_all(paths::state()).context("cannot write to the build folder")?;
    let program = paths::state().join(if cfg!(windows) { "tidy.exe" } else { "tidy" });
    let mut rustc = process::command("rustc");
    rustc.env("CARGO_MANIFEST_DIR", paths::root()).args([
        "--test",
        "--edition",
        "2024",
        "tests/tidy.rs",
        "-o",
    ]);
    process::run("compiling tests/tidy.rs", rustc.arg(&program))?;
    process::run("tidy", &mut process::command(program))
}
