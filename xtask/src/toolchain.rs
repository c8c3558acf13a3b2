//! Which compiler makes wasm: rustup's where what a build needs of it is or can be had (the wasm32 target, and for the build with
//! threads the library's source), Debian's else.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::flavour::Flavour;
use crate::{packages, process};

/// The one target of web builds.
pub const TARGET: &str = "wasm32-unknown-unknown";
/// Chooses a toolchain by hand: `rustup` or `debian`.
const OVERRIDE: &str = "RUSHLIGHT_WASM_TOOLCHAIN";
/// Oldest compiler that builds the crate: `rust-version` of Cargo.toml.
const OLDEST: (u32, u32) = (1, 95);
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// A compiler for [`TARGET`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WasmToolchain {
    /// The default toolchain, which has the target's standard library, or its source where a flavour needs that.
    Installed,
    /// Debian's rustc-web: no standard library for the target, but the source to build it from.
    Debian {
        /// Debian's `rust-lld` is a dangling link, so the linker is named.
        linker: PathBuf,
    },
}

impl WasmToolchain {
    /// The toolchain that is there, without installing anything.
    pub fn find(flavour: Flavour) -> Option<Self> {
        let only = std::env::var(OVERRIDE).unwrap_or_default();
        (only != "debian")
            .then(|| find_installed(flavour))
            .flatten()
            .or_else(|| (only != "rustup").then(find_debian).flatten())
    }

    /// The toolchain that is there, or the first of rustup's and Debian's packages that works.
    pub fn find_or_install(flavour: Flavour) -> Result<Self> {
        if let Some(found) = Self::find(flavour) {
            return Ok(found);
        }
        let (what, arguments) = rustup_arguments(flavour);
        if std::env::var(OVERRIDE).is_ok_and(|only| only == "debian") {
            packages::install(&DEBIAN_PACKAGES, None)?;
        } else {
            let mut rustup = process::command("rustup");
            if process::run(&format!("rustup: {what}"), rustup.args(arguments)).is_err() {
                eprintln!("  rustup cannot fetch {what} here: taking Debian's toolchain");
                packages::install(&DEBIAN_PACKAGES, None)?;
            }
        }
        match Self::find(flavour) {
            Some(found) => Ok(found),
            None => bail!(
                "no compiler for wasm32: run `rustup {}`, or on Debian install {} (rustc {}.{} or newer)",
                arguments.join(" "),
                DEBIAN_PACKAGES.join(" "),
                OLDEST.0,
                OLDEST.1
            ),
        }
    }

    /// `cargo <subcommand>` of this toolchain with everything that building a flavour for [`TARGET`] needs.
    pub fn cargo(&self, subcommand: &str, flavour: Flavour) -> Command {
        let mut command = match self {
            Self::Installed => process::cargo(),
            Self::Debian { linker } => {
                let mut command = process::command(DEBIAN_CARGO);
                command
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
                    .env_remove("RUSTUP_TOOLCHAIN");
                command
            }
        };
        flavour.set_flags(&mut command);
        command.env("CARGO_TARGET_DIR", flavour.target());
        command.arg(subcommand).args(["--target", TARGET]);
        if flavour.builds_std() || matches!(self, Self::Debian { .. }) {
            // The flag is one of nightly's; the variable lets a stable compiler take it.
            command.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        }
        command
    }

    /// Whether `cargo clippy` works for [`TARGET`]: Debian's compiler comes without it.
    pub fn has_clippy(&self) -> bool {
        *self == Self::Installed
    }

    /// The compiler's own version line, part of every wasm fingerprint.
    pub fn version(&self) -> String {
        let rustc = match self {
            Self::Installed => "rustc",
            Self::Debian { .. } => DEBIAN_RUSTC,
        };
        process::ask(rustc, &["--version"]).unwrap_or_default()
    }
}

/// Debian's compiler, its cargo, the library's source and a linker.
pub const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld"];

/// What rustup has to fetch for a flavour: its name for people, and how to ask for it.
fn rustup_arguments(flavour: Flavour) -> (&'static str, [&'static str; 3]) {
    if flavour.builds_std() {
        ("the library's source", ["component", "add", "rust-src"])
    } else {
        ("the wasm32 target", ["target", "add", TARGET])
    }
}

fn find_installed(flavour: Flavour) -> Option<WasmToolchain> {
    if flavour.builds_std() {
        return has_source(&process::ask("rustc", &["--print", "sysroot"])?)
            .then_some(WasmToolchain::Installed);
    }
    let library = process::ask("rustc", &["--print", "target-libdir", "--target", TARGET])?;
    let core = std::fs::read_dir(library)
        .ok()?
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"));
    core.then_some(WasmToolchain::Installed)
}

fn find_debian() -> Option<WasmToolchain> {
    let version = process::ask(DEBIAN_RUSTC, &["--version"])?;
    let sysroot = process::ask(DEBIAN_RUSTC, &["--print", "sysroot"])?;
    let linker = find_linker()?;
    let usable =
        parse_version(&version)? >= OLDEST && has_source(&sysroot) && Path::new(DEBIAN_CARGO).is_file();
    usable.then_some(WasmToolchain::Debian { linker })
}

/// Whether a compiler's folder holds the standard library's source.
fn has_source(sysroot: &str) -> bool {
    Path::new(sysroot).join("lib/rustlib/src/rust/library/Cargo.lock").is_file()
}

fn find_linker() -> Option<PathBuf> {
    if let Some(linker) = crate::paths::find_program("wasm-ld") {
        return Some(linker);
    }
    // rustup's rustlib carries one as well: <sysroot>/lib/rustlib/<host>/bin/rust-lld.
    let library = PathBuf::from(process::ask("rustc", &["--print", "target-libdir"])?);
    let linker = library.parent()?.join("bin").join("rust-lld");
    linker.is_file().then_some(linker)
}

/// Major and minor of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut numbers = line.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_line_gives_major_and_minor() {
        assert_eq!(parse_version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(parse_version("rustc 1.63.0+dfsg1-2"), Some((1, 63)));
        assert_eq!(parse_version("command not found"), None);
    }

    #[test]
    fn debian_builds_the_standard_library_and_names_its_linker() {
        let toolchain = WasmToolchain::Debian { linker: "/somewhere/wasm-ld".into() };
        let command = toolchain.cargo("build", Flavour::Compat);
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert!(arguments.contains(&"-Zbuild-std=std,panic_abort".to_owned()), "{arguments:?}");
        let linker =
            command.get_envs().find(|(name, _)| *name == "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER");
        assert_eq!(linker.and_then(|(_, value)| value), Some("/somewhere/wasm-ld".as_ref()));
    }

    #[test]
    fn the_build_with_threads_compiles_its_library_and_has_flags_of_its_own() {
        let toolchain = WasmToolchain::Installed;
        let encoded = |flavour: Flavour| {
            let command = toolchain.cargo("build", flavour);
            let builds_std = command.get_args().any(|argument| argument == "-Zbuild-std=std,panic_abort");
            let flags = command.get_envs().find(|(name, _)| *name == "CARGO_ENCODED_RUSTFLAGS");
            (builds_std, flags.and_then(|(_, value)| Some(value?.to_string_lossy().into_owned())))
        };
        assert_eq!(encoded(Flavour::Compat), (false, None));
        let (builds_std, flags) = encoded(Flavour::Full);
        assert!(builds_std);
        assert!(flags.is_some_and(|flags| flags.contains("+atomics") && flags.contains("--shared-memory")));
        assert_ne!(Flavour::Compat.target(), Flavour::Full.target());
    }
}
