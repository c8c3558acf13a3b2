//! `rushlight manifest` as a person or a script runs it. The hashes are the sha2 crate's, over whole chunks.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use sha2::{Digest, Sha256};

fn rushlight(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rushlight")).args(arguments).output().expect("the program runs")
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rushlight-manifest-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    /// Writes a file of so many bytes that repeat nowhere soon; gives its path and what is in it.
    fn write(&self, name: &str, bytes: usize) -> (String, Vec<u8>) {
        let content: Vec<u8> = (0..bytes).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let path = self.0.join(name);
        std::fs::write(&path, &content).expect("the file is written");
        (path.to_str().expect("UTF-8").to_owned(), content)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// Lengths around whole chunks, and an empty file.
#[test]
fn hashes_are_those_of_the_chunks() {
    let folder = Folder::new("chunks");
    for bytes in [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (3 << 20) + 12_345] {
        let (path, content) = folder.write("model.gguf", bytes);
        let output = rushlight(&["manifest", &path]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = std::fs::read_to_string(format!("{path}.sha256.json")).expect("the manifest");
        let manifest: Value = serde_json::from_str(&text).expect("JSON");
        let chunk_bytes = manifest["chunk_bytes"].as_u64().expect("a number") as usize;
        let chunks: Vec<String> = content.chunks(chunk_bytes).map(hex).collect();
        let expected = serde_json::json!({
            "bytes": bytes, "chunk_bytes": chunk_bytes, "sha256": hex(&content), "chunks": chunks,
        });
        assert_eq!(manifest, expected, "{bytes} bytes");
    }
}

#[test]
fn several_files_at_once() {
    let folder = Folder::new("several");
    let (first, content) = folder.write("m-00001-of-00002.gguf", 10);
    let (second, _) = folder.write("m-00002-of-00002.gguf", 20);
    let output = rushlight(&["manifest", "--json", &first, &second]);
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(said["manifests"][0]["sha256"], hex(&content));
    assert_eq!(said["manifests"][1]["manifest"], format!("{second}.sha256.json"));
    assert_eq!(std::fs::read_dir(&folder.0).expect("the folder").count(), 4, "nothing unfinished stays");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = rushlight(&["manifest", "none.gguf"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("ERR_FILE") && said.contains("none.gguf"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
