//! The npm projects: the package, the page, the browser tests, and what we are measured against.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::fingerprint::{self, Stamp};
use crate::{paths, process};

/// The package people install.
pub const PACKAGE: &str = "pkg";
/// The demo page.
pub const PAGE: &str = "www";
/// What drives the browsers.
pub const BROWSER_TESTS: &str = "tests/browser";
/// What we are measured against in the browser.
pub const PEERS: &str = "benches/peers";

/// The folder of a project.
pub fn folder(project: &str) -> PathBuf {
    paths::root().join(project)
}

/// Installs a project's dependencies exactly as its lock file says, where that changed since the last time.
pub fn install(project: &str) -> Result<()> {
    let folder = folder(project);
    let inputs = [folder.join("package.json"), folder.join("package-lock.json")];
    let stamp =
        Stamp::new(&format!("npm-{}", project.replace('/', "-")), fingerprint::tree("npm ci", &inputs)?);
    if stamp.is_fresh(&[folder.join("node_modules")]) {
        return Ok(());
    }
    if process::ask("npm", &["--version"]).is_none() {
        bail!("npm is missing: install node with npm (Debian: nodejs npm)");
    }
    stamp.clear();
    let mut npm = process::command("npm");
    npm.current_dir(&folder).args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]);
    process::run(&format!("npm ci in {project}"), &mut npm)
        .with_context(|| format!("the packages of {project}/package-lock.json could not be installed"))?;
    stamp.write()
}

/// Runs a script of a project's package.json.
pub fn script(project: &str, script: &str) -> Result<String> {
    let mut npm = process::command("npm");
    npm.current_dir(folder(project)).args(["run", "--silent", script]);
    process::run(&format!("npm run {script} in {project}"), &mut npm)
}
