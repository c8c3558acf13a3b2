//! `cargo xtask tidy`: the rules of the house, which are written in tests/tidy.rs.

use anyhow::Result;

use crate::process;

/// Runs tests/tidy.rs.
pub fn run() -> Result<()> {
    check().map(drop)
}

/// The same, with what the test printed. As a test of this package: as one of the crate it would first build the crate whose text it
/// reads.
pub fn check() -> Result<String> {
    process::run("tidy", process::cargo().args(["test", "--package", "xtask", "--test", "tidy"]))
}
