//! What a result was made from, as one hash: a step whose inputs have not changed need not run again.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Folders that hold results, never inputs.
const RESULTS: [&str; 6] = ["node_modules", "dist", "modules", "wasm", "wasm-selftest", "target"];

/// SHA-256 of a text, in hexadecimal.
pub fn text(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// SHA-256 of a file, in hexadecimal; `progress` hears the bytes as they pass.
pub fn file(path: &Path, mut progress: impl FnMut(u64)) -> Result<String> {
    let mut file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        let read = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            return Ok(hex(&hash.finalize()));
        }
        hash.update(&buffer[..read]);
        progress(read as u64);
    }
}

/// Bytes as hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One hash over `salt` and every file under `paths` (names and contents), results left out.
/// A path that does not exist counts as absent, so that its appearance changes the hash.
pub fn tree(salt: &str, paths: &[PathBuf]) -> Result<String> {
    let mut files = Vec::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    hash.update(salt.as_bytes());
    for path in files {
        let name = path.strip_prefix(crate::paths::root()).unwrap_or(&path);
        hash.update(name.to_string_lossy().as_bytes());
        hash.update([0]);
        hash.update(std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        hash.update([0]);
    }
    Ok(hex(&hash.finalize()))
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
    } else if path.is_dir() {
        for entry in std::fs::read_dir(path).with_context(|| format!("cannot list {}", path.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            if !(entry.path().is_dir() && RESULTS.iter().any(|result| name == *result)) {
                collect(&entry.path(), files)?;
            }
        }
    }
    Ok(())
}

/// A remembered fingerprint: the file `name` in the state folder.
pub struct Stamp {
    path: PathBuf,
    now: String,
}

impl Stamp {
    /// The stamp of a step whose inputs hash to `now`.
    pub fn new(name: &str, now: String) -> Self {
        Self { path: crate::paths::state().join(format!("{name}.stamp")), now }
    }

    /// Whether the step already ran with these inputs and left all of `results`.
    pub fn is_fresh(&self, results: &[PathBuf]) -> bool {
        results.iter().all(|result| result.exists())
            && std::fs::read_to_string(&self.path).is_ok_and(|then| then == self.now)
    }

    /// Forgets the last run: what is begun now leaves nothing whole until it ends.
    pub fn clear(&self) {
        std::fs::remove_file(&self.path).ok();
    }

    /// Remembers that the step ran with these inputs.
    pub fn write(&self) -> Result<()> {
        let parent = self.path.parent().expect("a stamp lies in a folder");
        std::fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        std::fs::write(&self.path, &self.now).with_context(|| format!("cannot write {}", self.path.display()))
    }
}
