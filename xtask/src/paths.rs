//! Where things are: the repository, the build folder, the cache folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The repository's root: the folder above xtask's own.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the repository")
}

/// Cargo's build folder, as the caller chose it.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => std::path::absolute(&dir).unwrap_or_else(|_| dir.into()),
        None => root().join("target"),
    }
}

/// Build folder of wasm builds: apart from the native one, so that neither waits for the other's lock
/// and neither's flags throw away what the other built.
pub fn web_target() -> PathBuf {
    target().join("web")
}

/// Stamps and logs of this checkout. Several checkouts may share one build folder, hence the hash.
pub fn state() -> PathBuf {
    let root = crate::fingerprint::text(&root().to_string_lossy());
    target().join("xtask").join(&root[..12])
}

/// Where fetched things live beyond a `cargo clean`: `$XDG_CACHE_HOME` or `~/.cache`, then `rushlight`.
pub fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .map(|base| base.join("rushlight"))
        .context("no home folder: set XDG_CACHE_HOME to a folder for the model")
}

/// The first file of that name in the folders of `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
