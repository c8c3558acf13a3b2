//! `cargo xtask test`: every check there is, in the order of what it costs, up to the first that fails.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::flavour::Flavour;
use crate::setup::Scope;
use crate::toolchain::WasmToolchain;
use crate::{build_web, cargo_deny, fetch_model, fetch_templates, npm, packages, process, setup, tidy};

/// Drives the browsers.
const BROWSER_TESTS: &str = "tests/browser/run.mjs";
/// Installs the package's tarball into apps, and drives browsers through those.
const PACKAGE_TESTS: &str = "tests/package/run.mjs";

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Options {
    /// Leave out the browsers and the builds for them
    #[arg(long)]
    quick: bool,
    /// Only the steps whose name holds one of these
    filter: Vec<String>,
}

/// One entry of the list.
struct Step {
    name: &'static str,
    /// Whether `--quick` runs it too.
    quick: bool,
    /// Returns what was printed, in which test results are counted.
    run: fn() -> Result<String>,
}

const fn step(name: &'static str, quick: bool, run: fn() -> Result<String>) -> Step {
    Step { name, quick, run }
}

/// The whole list.
const STEPS: &[Step] = &[
    step("setup", true, || setup::ensure(Scope::Test).map(|()| String::new())),
    step("fetch-model", true, || fetch_model::all(&fetch_model::Options::default()).map(|_| String::new())),
    step("fetch-templates", true, || fetch_templates::run().map(|_| String::new())),
    step("fmt", true, || process::run("cargo fmt", process::cargo().args(["fmt", "--all", "--check"]))),
    step("clippy", true, || clippy("rushlight")),
    step("clippy-jinja", true, || clippy("rushlight-jinja")),
    step("clippy-xtask", true, || clippy("xtask")),
    step("clippy-wasm32", false, clippy_wasm32),
    step("tidy", true, tidy::check),
    step("cargo-deny", true, licences),
    step("test", true, || cargo_test("rushlight")),
    step("test-jinja", true, || cargo_test("rushlight-jinja")),
    step("test-xtask", true, || cargo_test("xtask")),
    step("build-web-selftest", false, || build(true)),
    step("build-web", false, || build(false)),
    step("lint-pkg", false, || npm::script(npm::PACKAGE, "lint")),
    step("lint-www", false, || npm::script(npm::PAGE, "lint")),
    step("lint-browser-tests", false, || npm::script(npm::BROWSER_TESTS, "lint")),
    step("test-pkg", false, || npm::script(npm::PACKAGE, "test")),
    step("test-www", false, || npm::script(npm::PAGE, "test")),
    step("docs-pkg", false, || npm::script(npm::PACKAGE, "docs")),
    step("browsers", false, || browsers("browser tests", BROWSER_TESTS)),
    step("package-apps", false, || browsers("the package in apps", PACKAGE_TESTS)),
];

/// A step that ran.
struct Outcome {
    name: &'static str,
    time: Duration,
    /// Tests it counted; a check without tests of its own counts as one.
    passed: u64,
    failed: u64,
}

/// Runs the list.
pub fn run(options: &Options) -> Result<()> {
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| step.quick || !options.quick)
        .filter(|step| {
            options.filter.is_empty() || options.filter.iter().any(|part| step.name.contains(part.as_str()))
        })
        .collect();
    if chosen.is_empty() {
        let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        bail!("no step is called like that; there are {}", names.join(", "));
    }
    let mut outcomes = Vec::new();
    let mut failure = None;
    for (index, step) in chosen.iter().enumerate() {
        println!("== {}/{} {}", index + 1, chosen.len(), step.name);
        let start = Instant::now();
        let result = (step.run)();
        let output = result.as_deref().unwrap_or_default();
        let (passed, failed) = count(output);
        let checks = if passed + failed == 0 { 1 } else { passed };
        let (passed, failed) = if result.is_ok() { (checks, failed) } else { (passed, failed.max(1)) };
        outcomes.push(Outcome { name: step.name, time: start.elapsed(), passed, failed });
        if let Err(error) = result {
            failure = Some(error.context(format!("step {}", step.name)));
            break;
        }
        if failed > 0 {
            failure = Some(anyhow::anyhow!("step {}: {failed} failed", step.name));
            break;
        }
    }
    summary(&outcomes);
    failure.map_or(Ok(()), Err)
}

fn summary(outcomes: &[Outcome]) {
    println!("\n  step                      time    passed  failed");
    for outcome in outcomes {
        let (seconds, passed) = (outcome.time.as_secs_f64(), outcome.passed);
        println!("  {:<20} {seconds:>7.1} s  {passed:>8}  {:>6}", outcome.name, outcome.failed);
    }
    let time: Duration = outcomes.iter().map(|outcome| outcome.time).sum();
    let passed: u64 = outcomes.iter().map(|outcome| outcome.passed).sum();
    let failed: u64 = outcomes.iter().map(|outcome| outcome.failed).sum();
    println!("  {:<20} {:>7.1} s\n", "together", time.as_secs_f64());
    println!("{passed} passed, {failed} failed");
}

/// Sums what test runners report: cargo's `test result: ok. 12 passed; 0 failed; ...` and plain `12 passed, 0 failed`.
fn count(output: &str) -> (u64, u64) {
    let mut sum = (0, 0);
    for line in output.lines().map(str::trim) {
        let plain = line.starts_with(|c: char| c.is_ascii_digit());
        if !plain && !line.starts_with("test result:") {
            continue;
        }
        let words: Vec<&str> = line.split([' ', ';', ',', '.']).filter(|word| !word.is_empty()).collect();
        let before = |name: &str| {
            let pair = words.windows(2).find(|pair| pair[1] == name)?;
            pair[0].parse::<u64>().ok()
        };
        if let (Some(passed), Some(failed)) = (before("passed"), before("failed")) {
            sum = (sum.0 + passed, sum.1 + failed);
        }
    }
    sum
}

fn clippy(package: &str) -> Result<String> {
    let mut cargo = process::cargo();
    cargo.args(["clippy", "--package", package, "--all-targets", "--", "-D", "warnings"]);
    process::run(&format!("cargo clippy ({package})"), &mut cargo)
}

fn clippy_wasm32() -> Result<String> {
    const CORE: [&str; 6] =
        ["--package", "rushlight", "--lib", "--no-default-features", "--features", "web,selftest"];
    let mut outputs = String::new();
    for flavour in Flavour::ALL {
        let toolchain = WasmToolchain::find_or_install(flavour)?;
        let name = flavour.name();
        if toolchain.has_clippy() {
            let mut cargo = toolchain.cargo("clippy", flavour);
            cargo.args(CORE).args(["--", "-D", "warnings"]);
            outputs += &process::run(&format!("cargo clippy (wasm32, {name})"), &mut cargo)?;
            continue;
        }
        println!(
            "  Debian's rustc-web comes without clippy: only the compiler's own lints are checked for wasm32"
        );
        let mut cargo = toolchain.cargo("check", flavour);
        let output = process::run(&format!("cargo check (wasm32, {name})"), cargo.args(CORE))?;
        if let Some(line) = output.lines().position(|line| line.starts_with("warning")) {
            bail!("wasm32: {}", output.lines().skip(line).take(2).collect::<Vec<_>>().join(" "));
        }
        outputs += &output;
    }
    Ok(outputs)
}

fn licences() -> Result<String> {
    let mut deny = process::command(cargo_deny::find_or_install()?);
    deny.args(["--all-features", "check", "licenses", "bans", "sources"]);
    process::run("cargo deny", &mut deny)
}

/// The tests' environment: the model, the software GPU, the browsers. What the caller set stays.
fn test_environment(command: &mut Command) -> Result<()> {
    let mut set = |name: &str, value: Option<&Path>| {
        if let Some(value) = value.filter(|_| std::env::var_os(name).is_none()) {
            command.env(name, OsString::from(value));
        }
    };
    let model = fetch_model::run(&fetch_model::Options::default())?;
    set("RUSHLIGHT_MODEL", Some(&model));
    let fetched = fetch_templates::run()?;
    set("RUSHLIGHT_TEMPLATES", Some(&fetched.templates));
    set("RUSHLIGHT_JINJA2", Some(&fetched.jinja));
    set("VK_ICD_FILENAMES", packages::llvmpipe().as_deref());
    set("CHROMIUM", packages::chromium().as_deref());
    set("FIREFOX", packages::firefox().as_deref());
    Ok(())
}

fn cargo_test(package: &str) -> Result<String> {
    let mut cargo = process::cargo();
    cargo.args(["test", "--package", package, "--no-fail-fast"]);
    test_environment(&mut cargo)?;
    process::run(&format!("cargo test ({package})"), &mut cargo)
}

fn build(selftest: bool) -> Result<String> {
    build_web::run(&build_web::Options { selftest, ..Default::default() }).map(|()| String::new())
}

fn browsers(what: &str, script: &str) -> Result<String> {
    let mut node = process::command("node");
    node.arg(script);
    test_environment(&mut node)?;
    process::run(what, &mut node)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn results_of_every_runner_are_summed() {
        let output = "running 3 tests\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n\
                      noise 9 passed, 9 failed\n12 passed, 1 failed\ntest result: FAILED. 1 passed; 2 failed; 0 ignored\n";
        assert_eq!(count(output), (16, 3));
        assert_eq!(count(""), (0, 0));
    }
}
