//! Model files on disk, whole or in parts, into the library's incremental readers.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use rushlight::formats::gguf::{GgufReader, Header, split_names};
use rushlight::session::{Embedder, Host, LoadOptions, Loader, Session, SpanReader};

use crate::error::CliError;
use crate::model_folder::Folder;

/// Bytes read at a time.
const CHUNK: usize = 1 << 20;

/// One file of a model.
pub struct Part {
    path: PathBuf,
    file: File,
    pub bytes: u64,
}

impl Part {
    pub fn open(path: PathBuf) -> Result<Self, CliError> {
        let opened = File::open(&path).and_then(|file| file.metadata().map(|meta| (file, meta)));
        let (file, meta) = opened.map_err(|error| CliError::file(&path, &error))?;
        if !meta.is_file() {
            return Err(CliError::failure("ERR_FILE", format!("{}: not a file", path.display())));
        }
        Ok(Part { path, file, bytes: meta.len() })
    }

    /// The next bytes; empty at the end.
    pub fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Result<&'a [u8], CliError> {
        let count = self.file.read(buffer).map_err(|error| CliError::file(&self.path, &error))?;
        Ok(&buffer[..count])
    }
}

/// The files of a model: itself, or all parts of a split one.
fn parts(path: &Path) -> Result<Vec<Part>, CliError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match split_names(name) {
        Some(names) => names.iter().map(|name| Part::open(path.with_file_name(name))).collect(),
        None => Ok(vec![Part::open(path.to_owned())?]),
    }
}

/// Reads only the header of a model's first file, which has all of the metadata.
pub fn read_header(path: &Path) -> Result<Header, CliError> {
    header_of(parts(path)?.swap_remove(0))
}

/// Reads the header of each file of a model.
pub fn read_headers(path: &Path) -> Result<Vec<Header>, CliError> {
    parts(path)?.into_iter().map(header_of).collect()
}

fn header_of(mut part: Part) -> Result<Header, CliError> {
    let mut reader = GgufReader::with_file_len(part.bytes);
    let mut buffer = vec![0; CHUNK];
    while reader.header().is_none() {
        let chunk = part.read(&mut buffer)?;
        if chunk.is_empty() {
            reader.finish()?;
            break;
        }
        reader.push(chunk)?;
    }
    let missing = || CliError::failure("ERR_BAD_FILE", format!("{}: no header", part.path.display()));
    reader.into_header().ok_or_else(missing)
}

/// Loads a model with a progress bar on a terminal.
pub async fn load(path: &Path, options: LoadOptions, host: Host) -> Result<Session, CliError> {
    Ok(read(path, options, host).await?.finish().await?)
}

/// As [`load`], for a model that makes embeddings.
pub async fn load_embedder(path: &Path, options: LoadOptions, host: Host) -> Result<Embedder, CliError> {
    Ok(read(path, options, host).await?.finish_embedder().await?)
}

/// What can answer questions.
pub enum Reader {
    /// A model that writes text.
    Session(Box<Session>),
    /// One that marks answers.
    Spans(Box<SpanReader>),
}

/// As [`load`], for a model that answers questions in either way.
pub async fn load_reader(path: &Path, options: LoadOptions, host: Host) -> Result<Reader, CliError> {
    let loader = read(path, options, host).await?;
    if loader.marks_answers() {
        return Ok(Reader::Spans(Box::new(loader.finish_span_reader().await?)));
    }
    Ok(Reader::Session(Box::new(loader.finish().await?)))
}

/// Gives a loader every byte of a model.
async fn read(path: &Path, options: LoadOptions, host: Host) -> Result<Loader, CliError> {
    let folder = Folder::open(path)?;
    let mut parts = match &folder {
        Some(folder) => vec![Part::open(folder.weights.clone())?],
        None => parts(path)?,
    };
    let bytes = parts.first().map(|part| part.bytes);
    let mut loader = match &folder {
        Some(folder) => Loader::new_safetensors(options, host, &folder.files, bytes).await?,
        None => Loader::new(options, host, bytes).await?,
    };
    let bar = progress_bar(parts.iter().map(|part| part.bytes).sum());
    let mut buffer = vec![0; CHUNK];
    for (index, part) in parts.iter_mut().enumerate() {
        if index > 0 {
            loader.next_part(Some(part.bytes)).await?;
        }
        loop {
            let chunk = part.read(&mut buffer)?;
            if chunk.is_empty() {
                break;
            }
            bar.inc(chunk.len() as u64);
            loader.push(chunk).await?;
        }
    }
    bar.finish_and_clear();
    Ok(loader)
}

/// Bytes on stderr, only where someone looks.
fn progress_bar(bytes: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let template = "loading {bar:30} {bytes}/{total_bytes} {bytes_per_sec}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(bytes).with_style(style)
}
