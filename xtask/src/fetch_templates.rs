//! The chat templates that llama.cpp collects, and jinja2 to judge what is made of them, in the cache folder: `cargo xtask
//! fetch-templates`.
//!
//! The source archive of a Python package carries the templates (MIT). The folder appears under its name only when all are there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::download::Wheel;
use crate::{paths, process};

const ARCHIVE: Wheel = Wheel {
    requirement: "llama-cpp-python==0.3.36",
    file: "llama_cpp_python-0.3.36.tar.gz",
    sha256: "832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
    bytes: 76_589_250,
};
/// Where they lie in the archive.
const INSIDE: &str = "llama_cpp_python-0.3.36/vendor/llama.cpp/models/templates";
/// How many there are.
const TEMPLATES: usize = 70;
const JINJA: &str = "jinja2==3.1.6";

/// Folders of the cache: the templates, and jinja2 for `PYTHONPATH`.
pub struct Fetched {
    pub templates: PathBuf,
    pub jinja: PathBuf,
}

/// Fetches what is not there.
pub fn run() -> Result<Fetched> {
    let cache = paths::cache()?;
    let fetched =
        Fetched { templates: cache.join("llama.cpp-templates-0.3.36"), jinja: cache.join("jinja2-3.1.6") };
    if !fetched.templates.is_dir() {
        fetch_templates(&cache, &fetched.templates)?;
    }
    if !fetched.jinja.is_dir() {
        appear(&fetched.jinja, |incoming| {
            let mut pip = process::command("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]);
            pip.arg(incoming).arg(JINJA);
            process::run(&format!("pip install {JINJA}"), &mut pip).map(drop)
        })?;
    }
    Ok(fetched)
}

fn fetch_templates(cache: &Path, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let archive = ARCHIVE.fetch(cache)?;
    appear(folder, |incoming| {
        let mut tar = process::command("tar");
        tar.arg("-xzf").arg(&archive).arg("-C").arg(incoming).arg("--strip-components=5").arg(INSIDE);
        process::run("tar", &mut tar).map(drop)?;
        let files = std::fs::read_dir(incoming)?.flatten();
        let count = files.filter(|file| file.path().extension().is_some_and(|end| end == "jinja")).count();
        if count != TEMPLATES {
            bail!("{}: expected {TEMPLATES} templates, got {count}", ARCHIVE.file);
        }
        Ok(())
    })?;
    std::fs::remove_file(&archive).ok();
    Ok(())
}

/// Makes a folder that is there only when it is whole.
fn appear(folder: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let incoming = folder.with_extension(format!("incoming-{}", std::process::id()));
    std::fs::create_dir_all(&incoming).with_context(|| format!("cannot create {}", incoming.display()))?;
    let made =
        make(&incoming).and_then(|()| std::fs::rename(&incoming, folder).context("cannot rename the folder"));
    if made.is_err() {
        std::fs::remove_dir_all(&incoming).ok();
    }
    made
}
