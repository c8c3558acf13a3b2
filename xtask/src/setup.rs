//! `cargo xtask setup`: what building, serving and testing need. Quick where it is all there.

use anyhow::Result;

use crate::flavour::Flavour;
use crate::packages::{self, Need};
use crate::toolchain::WasmToolchain;
use crate::{cargo_deny, npm};

/// Arguments of `cargo xtask setup`.
#[derive(clap::Args)]
pub struct Options {
    /// What it is for
    #[arg(long, value_enum, default_value = "test")]
    pub scope: Scope,
}

/// How much is needed; each holds the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Scope {
    /// Building and serving the page
    Build,
    /// Asking the page in a headless Chromium
    Ask,
    /// Every check
    Test,
}

/// Sets everything up that the scope asks for.
pub fn run(options: &Options) -> Result<()> {
    ensure(options.scope)
}

/// Sees to it that all is there.
pub fn ensure(scope: Scope) -> Result<()> {
    let needs: &[Need] = match scope {
        Scope::Build => &[],
        Scope::Ask => &[Need::Chromium],
        Scope::Test => &[Need::SoftwareVulkan, Need::Chromium, Need::Firefox, Need::WebKit],
    };
    packages::ensure(needs)?;
    for flavour in Flavour::ALL {
        WasmToolchain::find_or_install(flavour)?;
    }
    let projects: &[&str] = match scope {
        Scope::Build => &[npm::PACKAGE, npm::PAGE],
        Scope::Ask | Scope::Test => &[npm::PACKAGE, npm::PAGE, npm::BROWSER_TESTS],
    };
    for project in projects {
        npm::install(project)?;
    }
    if scope == Scope::Test {
        cargo_deny::find_or_install()?;
    }
    Ok(())
}
