//! `cargo xtask tidy`: the rules of the house, which are written in tests/tidy.rs.

use anyhow::Result;

use crate::process;

/// Runs tests/tidy.rs, built without the features it has no use for.
pub fn run() -> Result<()> {
    check().map(drop)
}

/// The same, with what cargo printed.
pub fn check() -> Result<String> {
    let mut cargo = process::cargo();
    cargo.args(["test", "--package", "rushlight", "--no-default-features", "--test", "tidy"]);
    process::run("tidy", &mut cargo)
}
