//! Files that are written as a whole or not at all.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// A file that gets its name only when it is whole; until then it lies beside that place, and goes away with this.
pub struct Unfinished {
    path: PathBuf,
    wanted: PathBuf,
    file: File,
    bytes: u64,
    whole: bool,
}

impl Unfinished {
    /// Opens it; `wanted` is the name that it is to get.
    pub fn create(wanted: &Path) -> Result<Self, CliError> {
        let mut name = wanted.file_name().unwrap_or_default().to_owned();
        name.push(format!(".unfinished-{}", std::process::id()));
        let path = wanted.with_file_name(name);
        let file = File::create_new(&path).map_err(|error| CliError::file(&path, &error))?;
        Ok(Unfinished { path, wanted: wanted.to_owned(), file, bytes: 0, whole: false })
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| CliError::file(&self.path, &error))
    }

    /// Gives it its name; returns its bytes.
    pub fn finish(mut self) -> Result<u64, CliError> {
        let synced = self.file.sync_all().and_then(|()| std::fs::rename(&self.path, &self.wanted));
        synced.map_err(|error| CliError::file(&self.wanted, &error))?;
        self.whole = true;
        Ok(self.bytes)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.whole {
            std::fs::remove_file(&self.path).ok();
        }
    }
}
