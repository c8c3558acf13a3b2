//! What must hold for a reader that is fed any bytes at all. Used by the fuzz targets and, on the corpus
//! they found, by `tests/formats.rs`. Each violation panics.
#![allow(dead_code)] // Every user includes the whole file and calls one function.

use rushlight::formats::gguf::{GgufReader, GgufWriter, Header};
use rushlight::formats::safetensors::SafetensorsReader;
use rushlight::formats::{FormatError, Piece, TensorInfo};

/// What both readers can do.
trait Incremental: Clone {
    fn push(&mut self, chunk: &[u8]) -> Result<Vec<Piece>, FormatError>;
    fn finish(&self) -> Result<(), FormatError>;
    fn tensors(&self) -> Option<&[TensorInfo]>;
}

impl Incremental for GgufReader {
    fn push(&mut self, chunk: &[u8]) -> Result<Vec<Piece>, FormatError> {
        self.push(chunk)
    }
    fn finish(&self) -> Result<(), FormatError> {
        self.finish()
    }
    fn tensors(&self) -> Option<&[TensorInfo]> {
        self.header().map(|header| header.tensors.as_slice())
    }
}

impl Incremental for SafetensorsReader {
    fn push(&mut self, chunk: &[u8]) -> Result<Vec<Piece>, FormatError> {
        self.push(chunk)
    }
    fn finish(&self) -> Result<(), FormatError> {
        self.finish()
    }
    fn tensors(&self) -> Option<&[TensorInfo]> {
        self.header().map(|header| header.tensors.as_slice())
    }
}

/// A GGUF reader never panics, gives the same for any chunks, and what it accepts survives the writer.
pub fn gguf(file: &[u8]) {
    let known = read_all_ways(GgufReader::with_file_len(file.len() as u64), file);
    let unknown = read_all_ways(GgufReader::new(), file);
    // Without the length the same files are good; bad ones may only be noticed later.
    assert_eq!(known.is_ok(), unknown.is_ok(), "with the length: {known:?}, without: {unknown:?}");
    if let (Ok((reader, data)), Ok(_)) = (known, unknown) {
        let header = reader.header().expect("a finished reader has a header");
        assert!(header.data_start.is_multiple_of(header.alignment.into()));
        rewrite(header, &data);
    }
}

/// A safetensors reader never panics and gives the same for any chunks.
pub fn safetensors(file: &[u8]) {
    let known = read_all_ways(SafetensorsReader::with_file_len(file.len() as u64), file);
    let unknown = read_all_ways(SafetensorsReader::new(), file);
    assert_eq!(known.is_ok(), unknown.is_ok(), "with the length: {known:?}, without: {unknown:?}");
}

/// Writes what was read and reads that: nothing may change but the offsets.
fn rewrite(header: &Header, data: &[Vec<u8>]) {
    if header.alignment > 4096 {
        return; // Right, but megabytes of padding for each tensor are slow.
    }
    let mut writer = GgufWriter::new();
    for (key, value) in header.metadata.iter() {
        if writer.metadata(key, value.clone()).is_err() {
            return; // The writer is stricter: inner arrays of several types.
        }
    }
    for (info, bytes) in header.tensors.iter().zip(data) {
        let desc = info.desc.clone();
        writer.tensor(&desc.name, desc.dtype, desc.shape, bytes).expect("what was read can be written");
    }
    let file = writer.to_bytes();
    let (reader, again) = read(GgufReader::with_file_len(file.len() as u64), &file, |rest| rest)
        .expect("what was written can be read");
    let written = reader.header().expect("a finished reader has a header");
    assert_eq!(
        format!("{:?}", written.metadata.iter().collect::<Vec<_>>()),
        format!("{:?}", header.metadata.iter().collect::<Vec<_>>())
    );
    assert!(written.tensors.iter().map(|t| &t.desc).eq(header.tensors.iter().map(|t| &t.desc)));
    assert_eq!(again, data);
}

type Outcome<R> = Result<(R, Vec<Vec<u8>>), FormatError>;

/// Reads in one chunk, byte by byte, and in chunks whose lengths come from the bytes themselves; all must agree.
fn read_all_ways<R: Incremental + std::fmt::Debug>(reader: R, file: &[u8]) -> Outcome<R> {
    let whole = read(reader.clone(), file, |rest| rest);
    let mut state =
        file.iter().fold(0x9e37_79b9u32, |state, byte| (state ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    let random = |rest: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        // Mostly short, sometimes long, sometimes empty.
        (state as usize >> 8) % (1usize << (state % 12)) % (rest + 1)
    };
    for outcome in [read(reader.clone(), file, |_| 1), read(reader, file, random)] {
        match (&whole, &outcome) {
            (Ok((_, expected)), Ok((_, got))) => assert_eq!(expected, got),
            (Err(expected), Err(got)) => assert_eq!(expected, got),
            (expected, got) => panic!("one chunk: {expected:?}, several: {got:?}"),
        }
    }
    whole
}

/// Reads a file in chunks of the lengths that `next` gives, checks every piece, and collects the tensors.
fn read<R: Incremental>(mut reader: R, file: &[u8], mut next: impl FnMut(usize) -> usize) -> Outcome<R> {
    let mut data: Vec<Vec<u8>> = Vec::new();
    let mut at = 0;
    while at < file.len() {
        let chunk = &file[at..at + next(file.len() - at).min(file.len() - at)];
        let pieces = match reader.push(chunk) {
            Ok(pieces) => pieces,
            Err(error) => {
                assert_eq!(reader.push(chunk), Err(error.clone()), "an error stays");
                assert_eq!(reader.finish(), Err(error.clone()), "an error stays");
                return Err(error);
            }
        };
        assert!(pieces.is_empty() || reader.tensors().is_some(), "pieces come after the header");
        let tensors = reader.tensors().unwrap_or_default();
        data.resize(tensors.len(), Vec::new());
        let mut end = 0;
        for piece in pieces {
            assert!(
                end <= piece.range.start && piece.range.start < piece.range.end,
                "{piece:?}: in order, not empty"
            );
            end = piece.range.end;
            let tensor = &mut data[piece.tensor];
            assert_eq!(piece.offset, tensor.len(), "{piece:?}: without gaps");
            let position = tensors[piece.tensor].offset + piece.offset as u64;
            assert_eq!(position, (at + piece.range.start) as u64, "{piece:?}: from the right place");
            tensor.extend_from_slice(&chunk[piece.range]);
        }
        at += chunk.len();
    }
    reader.finish()?;
    let tensors = reader.tensors().expect("a finished reader has a header");
    data.resize(tensors.len(), Vec::new());
    for (info, bytes) in tensors.iter().zip(&data) {
        assert_eq!(info.bytes, bytes.len(), "{}: whole", info.desc.name);
        assert_eq!(info.desc.bytes(), Some(bytes.len()), "{}: as its shape says", info.desc.name);
    }
    Ok((reader, data))
}
