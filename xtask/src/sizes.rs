//! What a visitor downloads: sizes as they are and gzipped.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// Prints the size of every wasm and JavaScript file in `folders`, raw and as `gzip -9` makes it, and the sum.
pub fn print(folders: &[PathBuf]) -> Result<()> {
    let mut sum = (0, 0);
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        let name = folder.strip_prefix(crate::paths::root()).unwrap_or(folder);
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .with_context(|| format!("cannot list {}", folder.display()))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "wasm" || ext == "js"))
            .collect();
        files.sort();
        for path in files {
            let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let size = (bytes.len(), gzipped(&bytes)?);
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            print_line(&format!("{}/{file}", name.display()), size);
            sum = (sum.0 + size.0, sum.1 + size.1);
        }
    }
    print_line("together", sum);
    Ok(())
}

fn print_line(name: &str, (raw, gzip): (usize, usize)) {
    println!("  {name:<36} {raw:>10} bytes {gzip:>9} gzipped");
}

fn gzipped(bytes: &[u8]) -> Result<usize> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}
