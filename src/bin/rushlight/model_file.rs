//! Model files on disk, whole or in parts, into the library's incremental readers.

use std::fs::File;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressStyle};
use rushlight::formats::FormatError;
use rushlight::formats::gguf::{GgufReader, Header, Metadata, SplitSet, split_names};
use rushlight::formats::safetensors::{self, SafetensorsReader};
use rushlight::model::hf;
use rushlight::session::{Embedder, Host, LoadOptions, Loader, Model, ModelKind, Session, SpanReader};

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

    /// Gives `take` the file in chunks, `None` for its end, until it has enough.
    fn read_until(
        &mut self,
        mut take: impl FnMut(Option<&[u8]>) -> Result<bool, FormatError>,
    ) -> Result<(), CliError> {
        let mut buffer = vec![0; CHUNK];
        loop {
            let chunk = self.read(&mut buffer)?;
            let chunk = Some(chunk).filter(|chunk| !chunk.is_empty());
            let is_end = chunk.is_none();
            if take(chunk).map_err(|error| self.named(error))? || is_end {
                return Ok(());
            }
        }
    }

    /// An error of the file's bytes, with its name.
    fn named(&self, error: impl Into<CliError>) -> CliError {
        error.into().in_file(&self.path)
    }
}

/// The files of a model: itself, or all parts of a split one.
fn parts(path: &Path) -> Result<Vec<Part>, CliError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match split_names(name) {
        Some((1, names)) => names.iter().map(|name| Part::open(path.with_file_name(name))).collect(),
        Some((number, names)) => {
            // That it is one is the file's to say; a name alone may be anybody's.
            let mut part = Part::open(path.to_owned())?;
            let header = header_of(&mut part)?;
            if SplitSet::new().add(&header).is_ok() {
                return Ok(vec![Part::open(path.to_owned())?]);
            }
            let first = names.into_iter().next().unwrap_or_default();
            let said = format!(
                "{}: this is part {number} of a split model: give the first, {first}",
                path.display()
            );
            Err(CliError::failure("ERR_BAD_FILE", said))
        }
        None => Ok(vec![Part::open(path.to_owned())?]),
    }
}

/// The header of each file of a GGUF model.
pub fn read_headers(path: &Path) -> Result<Vec<Header>, CliError> {
    parts(path)?.iter_mut().map(header_of).collect()
}

/// The metadata of a model: of a file's header, or of what lies beside weights in safetensors.
pub fn read_metadata(path: &Path) -> Result<Metadata, CliError> {
    match Folder::open(path)? {
        Some(folder) => Ok(hf::metadata(&folder.files)?),
        None => Ok(header_of(&mut parts(path)?.swap_remove(0))?.metadata),
    }
}

fn header_of(part: &mut Part) -> Result<Header, CliError> {
    let mut reader = GgufReader::with_file_len(part.bytes);
    part.read_until(|chunk| match chunk {
        Some(chunk) => reader.push(chunk).map(|_| reader.header().is_some()),
        None => reader.finish().map(|()| true),
    })?;
    let missing = || CliError::failure("ERR_BAD_FILE", format!("{}: no header", part.path.display()));
    reader.into_header().ok_or_else(missing)
}

/// The header of weights in safetensors.
pub fn read_safetensors_header(path: &Path) -> Result<safetensors::Header, CliError> {
    let mut part = Part::open(path.to_owned())?;
    let mut reader = SafetensorsReader::with_file_len(part.bytes);
    part.read_until(|chunk| match chunk {
        Some(chunk) => reader.push(chunk).map(|_| reader.header().is_some()),
        None => reader.finish().map(|()| true),
    })?;
    let missing = || CliError::failure("ERR_BAD_FILE", format!("{}: no header", path.display()));
    reader.header().cloned().ok_or_else(missing)
}

/// Loads a model with a progress bar on a terminal.
pub async fn load(path: &Path, options: LoadOptions, host: Host) -> Result<Session, CliError> {
    Ok(Session::new(read(path, options, host).await?)?)
}

/// As [`load`], for a model that makes embeddings.
pub async fn load_embedder(path: &Path, options: LoadOptions, host: Host) -> Result<Embedder, CliError> {
    Ok(Embedder::new(read(path, options, host).await?)?)
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
    let model = read(path, options, host).await?;
    Ok(match model.kind() {
        ModelKind::SpanReader => Reader::Spans(Box::new(SpanReader::new(model)?)),
        ModelKind::Decoder | ModelKind::Encoder => Reader::Session(Box::new(Session::new(model)?)),
    })
}

/// Gives a loader every byte of a model, and ends the load.
async fn read(path: &Path, options: LoadOptions, host: Host) -> Result<Model, CliError> {
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
            loader.push(chunk).await.map_err(|error| part.named(error))?;
        }
    }
    bar.finish_and_clear();
    loader.check_complete().map_err(|error| CliError::from(error).in_file(path))?;
    Ok(loader.finish().await?)
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
