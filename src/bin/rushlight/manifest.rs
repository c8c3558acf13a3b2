//! `rushlight manifest`: the hashes that a browser compares the chunks of a model file with as they arrive.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::args::ManifestArgs;
use crate::error::CliError;
use crate::model_file::Part;
use crate::output::{print, size};
use crate::unfinished::Unfinished;

/// Bytes of a chunk. Small enough that one that arrived damaged is soon fetched again, large enough that the hashes of a file of
/// gigabytes stay a few hundred kilobytes.
const CHUNK: usize = 1 << 20;

/// What `pkg/src/arrival/manifest.ts` looks for beside a file.
const SUFFIX: &str = ".sha256.json";

/// Hashes are SHA-256, in hexadecimal digits.
struct Manifest {
    file: PathBuf,
    bytes: u64,
    sha256: String,
    chunks: Vec<String>,
}

pub fn run(args: &ManifestArgs) -> Result<(), CliError> {
    let mut inputs = Vec::new();
    for path in &args.files {
        inputs.push((path, Part::open(path.clone())?));
    }
    let bar = progress_bar(inputs.iter().map(|(_, input)| input.bytes).sum());
    let mut manifests = Vec::new();
    for (path, input) in inputs {
        let manifest = hash(path, input, &bar)?;
        let mut output = Unfinished::create(&beside(path))?;
        output.write(manifest.to_json().as_bytes())?;
        output.finish()?;
        manifests.push(manifest);
    }
    bar.finish_and_clear();
    print(&if args.json { summary_json(&manifests) } else { summary(&manifests) })
}

/// Hashes a file and its chunks in one pass.
fn hash(path: &Path, mut input: Part, bar: &ProgressBar) -> Result<Manifest, CliError> {
    let (mut whole, mut bytes, mut chunks) = (Sha256::new(), 0, Vec::new());
    let mut chunk = Sha256::new();
    // Of the chunk that is being hashed.
    let mut filled = 0;
    let mut buffer = vec![0; CHUNK];
    loop {
        let room = &mut buffer[..CHUNK - filled];
        let read = input.read(room)?;
        whole.update(read);
        chunk.update(read);
        bytes += read.len() as u64;
        filled += read.len();
        bar.inc(read.len() as u64);
        let ended = read.is_empty();
        if filled == CHUNK || (ended && filled > 0) {
            chunks.push(hex(chunk.finalize_reset().as_slice()));
            filled = 0;
        }
        if ended {
            break;
        }
    }
    Ok(Manifest { file: path.to_owned(), bytes, sha256: hex(whole.finalize().as_slice()), chunks })
}

impl Manifest {
    fn to_json(&self) -> String {
        let Manifest { bytes, sha256, chunks, .. } = self;
        format!("{}\n", json!({ "bytes": bytes, "chunk_bytes": CHUNK, "sha256": sha256, "chunks": chunks }))
    }
}

/// Where the manifest of a file goes.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(SUFFIX);
    path.with_file_name(name)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn summary(manifests: &[Manifest]) -> String {
    let line = |manifest: &Manifest| {
        let Manifest { file, bytes, sha256, chunks } = manifest;
        let (file, count) = (beside(file), chunks.len());
        format!("{}: {} in {count} chunks, sha256 {sha256}\n", file.display(), size(*bytes))
    };
    manifests.iter().map(line).collect()
}

fn summary_json(manifests: &[Manifest]) -> String {
    let entry = |manifest: &Manifest| {
        let Manifest { file, bytes, sha256, chunks } = manifest;
        json!({ "file": file, "manifest": beside(file), "bytes": bytes, "chunks": chunks.len(), "sha256": sha256 })
    };
    format!("{}\n", json!({ "manifests": manifests.iter().map(entry).collect::<Vec<_>>() }))
}

/// Bytes on stderr, only where someone looks.
fn progress_bar(bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "hashing {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}
