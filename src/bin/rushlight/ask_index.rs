//! The vectors of a document's sentences, for `rushlight ask`, and the files that they are kept in.

use std::ffi::OsStr;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressStyle};
use rushlight::plan::Precision;
use rushlight::session::{Embedder, Host, LoadOptions};
use rushlight::tasks::ask::index::{self, Similarities};
use rushlight::tasks::ask::indexes::{BATCH, Indexes, Wanted};
use rushlight::tasks::ask::{Library, index::WHOLE};

use crate::args::AskArgs;
use crate::ask::said;
use crate::error::CliError;
use crate::model_file;
use crate::output::note;

/// Whoever ends the program meanwhile loses the work of so long.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Most bytes of all indexes in a folder; those written longest ago go first.
const FOLDER_LIMIT: u64 = 1 << 30;
const ENDING: &str = "rlix";

/// A document's sentences with their vectors.
pub struct SentenceIndex {
    embedder: Embedder,
    indexes: Indexes,
    /// Where they are kept, and what the document is called there.
    kept: Option<(PathBuf, String)>,
}

impl SentenceIndex {
    /// Loads the embedder, and what is kept of the library's document.
    pub async fn open(args: &AskArgs, embedder: &Path, library: &Library) -> Result<Self, CliError> {
        let options = LoadOptions {
            backend: args.common.backend.into(),
            threads: args.run.threads,
            precision: Precision::Exact,
            ..LoadOptions::default()
        };
        let embedder = model_file::load_embedder(embedder, options, Host::native()).await?;
        let texts = library.sentence_texts();
        let wanted = Wanted { key: index::key(texts.iter().copied()), sentences: texts.len() };
        // Nothing else holds memory here as a tab does.
        let mut indexes = Indexes::new(FOLDER_LIMIT as usize);
        indexes.open(&[wanted], embedder.dimensions());
        indexes.take_texts(0, texts.iter().map(|&text| text.to_owned()).collect()).map_err(said)?;
        let mut kept = None;
        // A short document takes no longer to embed than its file to find.
        if let Some(folder) = args.index_cache.as_ref().filter(|_| texts.len() > WHOLE) {
            let folder = folder.clone().or_else(beside_models).ok_or_else(|| {
                CliError::failure(
                    "ERR_FILE",
                    "--index-cache: expected a folder: this system names none for caches",
                )
            })?;
            fs::create_dir_all(&folder).map_err(|error| CliError::file(&folder, &error))?;
            let path = folder.join(format!("{:016x}-{:016x}.{ENDING}", embedder.identity(), wanted.key));
            if let Ok(bytes) = fs::read(&path)
                && let Err(error) = indexes.take(&embedder, 0, &bytes)
            {
                note(&format!("{}: {error}; it is made anew", path.display()));
            }
            let title = args.context_file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            kept = Some((path, title));
        }
        Ok(SentenceIndex { embedder, indexes, kept })
    }

    /// The products of the question with the sentences, of which those are embedded first that it needs.
    pub async fn similarities(
        &mut self,
        library: &Library,
        question: &str,
    ) -> Result<Similarities, CliError> {
        let wanted = index::first(library, question).map_err(said)?;
        let lacking = self.indexes.lacking(&wanted);
        self.indexes.embed(&mut self.embedder, &lacking).await.map_err(said)?;
        self.indexes.compare(&mut self.embedder, question).await.map_err(said)
    }

    /// Embeds what the questions left, and keeps it; nothing where it is not to be kept.
    pub async fn complete(mut self) -> Result<(), CliError> {
        let Some((path, title)) = self.kept.take() else { return Ok(()) };
        let (done, all) = self.indexes.progress();
        let bar = progress_bar(all as u64);
        bar.set_position(done as u64);
        let mut saved = Instant::now();
        loop {
            let next = self.indexes.next(BATCH);
            if next.is_empty() {
                break;
            }
            self.indexes.embed(&mut self.embedder, &next).await.map_err(said)?;
            bar.inc(next.len() as u64);
            if saved.elapsed() > SAVE_EVERY {
                self.save(&path, &title)?;
                saved = Instant::now();
            }
        }
        bar.finish_and_clear();
        self.save(&path, &title)
    }

    /// Writes the file in place of the one that is there, whole or not at all.
    fn save(&mut self, path: &Path, title: &str) -> Result<(), CliError> {
        let bytes = self.indexes.to_bytes(&self.embedder, 0, title).map_err(said)?;
        let part = path.with_extension(format!("{}.part", std::process::id()));
        let written = fs::write(&part, bytes).and_then(|()| fs::rename(&part, path));
        if let Err(error) = written {
            fs::remove_file(&part).ok();
            return Err(CliError::file(path, &error));
        }
        evict(path, FOLDER_LIMIT);
        Ok(())
    }
}

/// Removes the oldest indexes beside this one until all of them take no more than so many bytes.
fn evict(path: &Path, limit: u64) {
    let Some(entries) = path.parent().and_then(|folder| fs::read_dir(folder).ok()) else { return };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.extension() == Some(OsStr::new(ENDING)))
        .filter_map(|file| {
            let about = fs::metadata(&file).ok()?;
            Some((about.modified().ok()?, about.len(), file))
        })
        .collect();
    files.sort();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, file) in files.iter().filter(|(_, _, file)| file != path) {
        if total <= limit {
            break;
        }
        // Another process may have done so, or may read it: its next run comes back to it.
        fs::remove_file(file).ok();
        total -= bytes;
    }
}

/// Where `cargo xtask fetch-model` and most programs keep what can be made again.
fn beside_models() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = folder("XDG_CACHE_HOME")
        .or_else(|| folder("LOCALAPPDATA"))
        .or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(cache.join("rushlight").join("indexes"))
}

/// Sentences on stderr, only where someone looks.
fn progress_bar(sentences: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "keeping what the sentences mean {bar:30} {pos}/{len} sentences, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(sentences).with_style(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_files_go_and_never_the_one_just_written() {
        let folder = std::env::temp_dir().join(format!("rushlight-evict-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let names = ["a.rlix", "b.rlix", "c.rlix", "other.txt"];
        for (age, name) in names.iter().rev().enumerate() {
            let file = fs::File::create(folder.join(name)).expect("a file");
            file.set_len(1000).expect("a length");
            let then = SystemTime::now() - Duration::from_secs(100 - age as u64);
            file.set_modified(then).expect("a time");
        }
        // From the newest: a, b, c.
        evict(&folder.join("c.rlix"), 2000);
        let left: Vec<bool> = names.iter().map(|name| folder.join(name).exists()).collect();
        assert_eq!(left, [true, false, true, true], "b is the oldest but for the one that was written");
        fs::remove_dir_all(&folder).ok();
    }
}
