//! The readers on bad files: every one gives an error that says what, where, expected and got; none panics, none
//! makes the reader allocate what the file only claims to hold.

use rushlight::formats::gguf::{GgufReader, GgufWriter, StringArray};
use rushlight::formats::safetensors::SafetensorsReader;
use rushlight::formats::{FormatError, Reader};
use rushlight::tensor::{DType, Shape};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[path = "../fuzz/invariants.rs"]
mod invariants;

/// The system's allocator, with the largest single request of each thread.
struct Largest;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; a `const` thread local needs no allocation.
unsafe impl GlobalAlloc for Largest {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.with(|largest| largest.set(largest.get().max(layout.size())));
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Largest = Largest;

/// Bytes of a GGUF header that no writer would make.
#[derive(Clone, Default)]
struct Raw(Vec<u8>);

impl Raw {
    fn preamble(version: u32, tensors: u64, keys: u64) -> Self {
        Raw(b"GGUF".to_vec()).u32(version).u64(tensors).u64(keys)
    }
    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }
    fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
    fn string(self, text: &[u8]) -> Self {
        self.u64(text.len() as u64).bytes(text)
    }
    /// A key with a value of one byte (type 0).
    fn key(self, name: &str) -> Self {
        self.string(name.as_bytes()).u32(0).bytes(&[7])
    }
    /// An F32 tensor's description unless `dtype` says otherwise.
    fn tensor(self, name: &str, extents: &[u64], dtype: u32, offset: u64) -> Self {
        let raw = self.string(name.as_bytes()).u32(extents.len() as u32);
        extents.iter().fold(raw, |raw, extent| raw.u64(*extent)).u32(dtype).u64(offset)
    }
    /// Padding to 32 and then data.
    fn data(mut self, bytes: usize) -> Vec<u8> {
        self.0.resize(self.0.len().next_multiple_of(32) + bytes, 0);
        self.0
    }
}

/// Reads a whole file whose length is known, as a page does that has a Content-Length.
fn read(file: &[u8]) -> Result<(), FormatError> {
    let mut reader = Reader::new(Some(file.len() as u64));
    reader.push(file)?;
    reader.finish()
}

#[test]
fn every_bad_gguf_is_named() {
    const F32: u32 = 0;
    let v3 = |tensors, keys| Raw::preamble(3, tensors, keys);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        // Magic and version.
        (
            b"GGUG\x03\0\0\0".to_vec(),
            "expected GGUF or safetensors at byte 0, got \"GGUG\\x03\\x00\\x00\\x00\"",
        ),
        (b"<!DOCTYPE html>".to_vec(), "got \"<!DOCTYP\" (an HTML page)"),
        (b"PK\x03\x04....".to_vec(), "a zip archive"),
        (Raw::preamble(1, 0, 0).0, "unsupported GGUF version at byte 4: expected 2 or 3, got 1"),
        (Raw::preamble(4, 0, 0).0, "expected 2 or 3, got 4"),
        (Raw::preamble(0, 0, 0).0, "expected 2 or 3, got 0"),
        (Raw::preamble(3u32.swap_bytes(), 0, 0).0, "little-endian, got 3, big-endian"),
        // Counts.
        (v3(u64::MAX, 0).0, "number of tensors at byte 8: expected at most 262144, got 18446744073709551615"),
        (v3(0, u64::MAX).0, "number of metadata keys at byte 16: expected at most 65536"),
        (v3(1000, 0).0, "number of tensors at byte 8 needs the file to have 24024 bytes, got 24"),
        // Strings.
        (
            v3(0, 1).u64(u64::MAX).bytes(&[0; 5]).0,
            "length of metadata key at byte 24: expected at most 65535",
        ),
        (
            v3(0, 1).u64(60_000).bytes(b"abcdef").0,
            "truncated: length of metadata key at byte 24 needs the file to have 60032",
        ),
        (v3(0, 1).string(b"k").u32(8).u64(1 << 62).0, "length of value of metadata key \"k\" at byte 37"),
        (
            v3(0, 1).string(b"a\xffb").bytes(&[0; 16]).0,
            "metadata key at byte 33: expected UTF-8, got byte 0xff",
        ),
        (
            v3(0, 1).string(b"k").u32(8).string(b"\xc3(").0,
            "value of metadata key \"k\" at byte 45: expected UTF-8",
        ),
        // Values.
        (
            v3(0, 1).string(b"k").u32(13).0,
            "value type of metadata key \"k\" at byte 33: expected a number from 0 to 12, got 13",
        ),
        (
            v3(0, 1).string(b"k").u32(7).bytes(&[2]).0,
            "value of metadata key \"k\" at byte 37: expected 0 or 1, got 2",
        ),
        (
            v3(0, 1).string(b"k").u32(9).u32(7).u64(2).bytes(&[1, 9]).0,
            "element of metadata key \"k\" at byte 50: expected 0 or 1, got 9",
        ),
        (v3(0, 1).string(b"k").u32(9).u32(99).u64(0).0, "value type of metadata key \"k\" at byte 37"),
        (
            v3(0, 1).string(b"k").u32(9).u32(10).u64(u64::MAX).0,
            "array length of metadata key \"k\" at byte 41: expected at most 16777",
        ),
        (
            v3(0, 1).string(b"k").u32(9).u32(10).u64(1 << 20).0,
            "array length of metadata key \"k\" at byte 41 needs the file to have 8388657 bytes, got 49",
        ),
        (
            (0..5).fold(v3(0, 1).string(b"k").u32(9), |raw, _| raw.u32(9).u64(1)).bytes(&[0; 99]).0,
            "depth of nested arrays in metadata key \"k\" at byte 85: expected at most 4, got 5",
        ),
        (v3(0, 2).key("k").key("k").0, "duplicate metadata key \"k\" at byte 38"),
        // Alignment.
        (
            v3(0, 1).string(b"general.alignment").u32(4).u32(0).0,
            "\"general.alignment\": expected u32, a power of two",
        ),
        (v3(0, 1).string(b"general.alignment").u32(4).u32(48).0, "got 48"),
        (v3(0, 1).string(b"general.alignment").u32(4).u32(1 << 31).0, "got 2147483648"),
        (v3(0, 1).string(b"general.alignment").u32(8).string(b"32").0, "expected u32, got string \"32\""),
        // Tensors.
        (
            v3(2, 0).tensor("t", &[1], F32, 0).tensor("t", &[1], F32, 32).data(64),
            "duplicate tensor \"t\" at byte 57",
        ),
        (v3(1, 0).tensor("t", &[1], 17, 0).data(4), "tensor \"t\": element type IQ2_XS is not supported"),
        (v3(1, 0).tensor("t", &[1], 26, 0).data(4), "element type I32 is not supported"),
        (v3(1, 0).tensor("t", &[1], 4_000, 0).data(4), "element type number 4000 is not supported"),
        (
            v3(1, 0).tensor("t", &[1; 5], F32, 0).data(4),
            "number of extents of tensor \"t\" at byte 33: expected at most 4, got 5",
        ),
        (v3(1, 0).string(b"t").u32(u32::MAX).bytes(&[0; 99]).0, "expected at most 4, got 4294967295"),
        (v3(1, 0).tensor("t", &[1 << 40, 1 << 40], F32, 0).data(4), "shape of tensor \"t\" at byte 33"),
        (v3(1, 0).tensor("t", &[u64::MAX], F32, 0).data(4), "of tensor \"t\" at byte 33"),
        (v3(1, 0).tensor("t", &[33, 32], 8, 0).data(4), "expected rows of whole Q8_0 blocks (32 elements)"),
        (v3(1, 0).tensor("t", &[16, 2], 8, 0).data(34), "got [2, 16]"),
        (
            v3(1, 0).string(&[b'n'; 1025]).bytes(&[0; 99]).0,
            "length of name of tensor 0 at byte 24: expected at most 1024, got 1025",
        ),
        (
            v3(1, 0).tensor("t", &[1], F32, 16).data(99),
            "data offset of tensor \"t\" at byte 64: expected a multiple of the alignment 32, got 16",
        ),
        (
            v3(1, 0).tensor("t", &[1], F32, 64).data(64),
            "data of tensor \"t\" at byte 128 needs the file to have 132 bytes, got 128",
        ),
        (v3(1, 0).tensor("t", &[1], F32, u64::MAX - 31).data(4), "data offset of tensor \"t\" at byte 64"),
        (
            v3(1, 0).tensor("t", &[1], F32, u64::MAX - 95).data(4),
            "data of tensor \"t\" at byte 18446744073709551584",
        ),
        (
            v3(2, 0).tensor("a", &[9], F32, 0).tensor("b", &[9], F32, 32).data(99),
            "tensor \"b\" overlaps \"a\": expected its data at byte 132 or later, got 128",
        ),
        (v3(2, 0).tensor("a", &[9], F32, 0).tensor("b", &[9], F32, 0).data(99), "overlaps"),
        (v3(1, 0).tensor("t", &[0], F32, 320).data(0), "data of tensor \"t\" at byte 384"),
    ];
    let mut wrong = Vec::new();
    for (file, message) in cases {
        LARGEST.set(0);
        let error = read(&file).expect_err(message);
        let largest = LARGEST.get();
        if !error.to_string().contains(message) {
            wrong.push(format!("expected {message:?}, got {error}"));
        }
        assert!(!error.to_string().contains('\n'), "one line: {error}");
        let codes = ["ERR_BAD_FILE", "ERR_UNSUPPORTED"];
        assert!(codes.contains(&error.code()), "{error}");
        assert!(largest < 256 * 1024, "{error}: {largest} bytes at once for a file of {}", file.len());
        invariants::gguf(&file);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn claims_are_not_allocated_without_a_known_length() {
    let key = |element: u32, count: u64| Raw::preamble(3, 0, 1).string(b"k").u32(9).u32(element).u64(count).0;
    for file in [
        Raw::preamble(3, 262_144, 65_536).0,
        key(10, 15 << 20),
        key(8, 15 << 20),
        key(9, 10 << 20),
        key(7, 127 << 20),
        Raw::preamble(3, 0, 1).string(b"k").u32(8).u64(100 << 20).0,
        Raw::preamble(3, 1, 0).tensor("t", &[1 << 40], 0, 0).data(100),
    ] {
        LARGEST.set(0);
        let mut reader = GgufReader::new();
        reader.push(&file).expect("what is claimed may still come");
        let largest = LARGEST.get();
        assert!(largest < 512 * 1024, "{largest} bytes at once for a file of {}", file.len());
        let error = reader.finish().expect_err("it did not come");
        assert!(matches!(error, FormatError::Truncated { .. }), "{error}");
    }
    let error = SafetensorsReader::new().push(&100_000_001u64.to_le_bytes()).unwrap_err();
    let message = "safetensors header length at byte 0: expected at most 100000000, got 100000001";
    assert_eq!(error.to_string(), message);
    LARGEST.set(0);
    let mut reader = SafetensorsReader::new();
    reader.push(&[&100_000_000u64.to_le_bytes()[..], b"{"].concat()).expect("the header may still come");
    assert!(LARGEST.get() < 64 * 1024);
}

/// A file with every kind of item, to be cut anywhere.
fn small_gguf() -> Vec<u8> {
    let strings: StringArray = ["a", "", "\u{2581}the"].into_iter().collect();
    let mut writer = GgufWriter::new();
    writer.metadata("general.architecture", "llama").unwrap();
    writer.metadata("tokens", strings).unwrap();
    writer.metadata("scores", vec![1.0f32, 2.0]).unwrap();
    writer.tensor("a", DType::F32, Shape::new([3]), vec![1; 12]).unwrap();
    writer.tensor("b", DType::Q8_0, Shape::new([2, 32]), vec![2; 68]).unwrap();
    let mut file = writer.to_bytes();
    // The writer pads the last tensor too; without that every byte is needed.
    file.truncate(file.len() - (96 - 68));
    file
}

fn small_safetensors() -> Vec<u8> {
    let json = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"i":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}"#;
    [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &[0; 11]].concat()
}

#[test]
fn a_file_cut_anywhere_is_truncated() {
    for file in [small_gguf(), small_safetensors()] {
        read(&file).unwrap();
        for len in 0..file.len() {
            let cut = &file[..len];
            // The length is known only to be that of the cut file, or not at all.
            for mut reader in [Reader::new(Some(len as u64)), Reader::new(None)] {
                let error = reader.push(cut).and_then(|_| reader.finish()).expect_err("it is cut");
                assert!(matches!(error, FormatError::Truncated { .. }), "cut to {len}: {error}");
                assert_eq!(error.code(), "ERR_BAD_FILE");
            }
        }
    }
}

#[test]
fn an_error_stays() {
    let mut reader = Reader::new(None);
    let error = reader.push(b"no model").unwrap_err();
    assert_eq!(reader.push(&small_gguf()).unwrap_err(), error);
    let mut reader = GgufReader::new();
    let error = reader.push(b"GGUF\x09\0\0\0????????????????").unwrap_err();
    assert_eq!(reader.push(&small_gguf()).unwrap_err(), error);
    assert_eq!(reader.finish().unwrap_err(), error);
}

#[test]
fn every_bad_safetensors_is_named() {
    let file = |json: &str, data: usize| {
        [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &vec![0; data]].concat()
    };
    let one = |tensor: &str, data| file(&format!("{{\"t\":{tensor}}}"), data);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (
            [&99_999_999u64.to_le_bytes()[..], b"{}"].concat(),
            "header length at byte 0 needs the file to have 100000007 bytes, got 10",
        ),
        ([&[0, 0, 0, 0, 0, 0, 0, 1][..], b"{}"].concat(), "expected GGUF or safetensors at byte 0"),
        (file("", 0), "expected a JSON object, beginning with {, got nothing"),
        (file(" {}", 0), "beginning with {, got byte 0x20"),
        (file("{\"t\":", 0), "safetensors header at byte 8: expected a JSON object of tensors, got EOF"),
        (file("{\"t\":1}", 0), "invalid type: integer `1`"),
        (file("{\"\u{1}\":1}", 0), "control character"),
        (file(&format!("{{\"t\":{}", "[".repeat(100_000)), 0), "invalid type: sequence"),
        (file(r#"{"__metadata__":{"a":1}}"#, 0), "invalid type: integer `1`, expected a string"),
        (file(r#"{"__metadata__":{},"__metadata__":{}}"#, 0), "duplicate field `__metadata__`"),
        (one(r#"{"dtype":"F32","shape":[1]}"#, 4), "missing field `data_offsets`"),
        (one(r#"{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}"#, 4), "invalid value: integer `-1`"),
        (
            one(r#"{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}"#, 1),
            "tensor \"t\": element type F8_E4M3 is not supported, expected one of F32, F16, BF16",
        ),
        (
            one(r#"{"dtype":"F32","shape":[2],"data_offsets":[0,4]}"#, 4),
            "data_offsets of tensor \"t\", F32 [2] at byte 8: expected 8 bytes, got [0, 4]",
        ),
        (one(r#"{"dtype":"F32","shape":[1],"data_offsets":[4,0]}"#, 4), "expected 4 bytes, got [4, 0]"),
        (
            one(r#"{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}"#, 0),
            "expected a size that does not overflow",
        ),
        (
            one(r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#, 3),
            "needs the file to have 66 bytes, got 65",
        ),
        (
            one(r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#, 5),
            "end of the safetensors data at byte 66: expected a file of 66 bytes, got 67",
        ),
        (
            one(r#"{"dtype":"F32","shape":[1],"data_offsets":[4,8]}"#, 8),
            "expected to begin at 0, where the one before ends, got 4",
        ),
        (
            one(
                r#"{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615]}"#,
                8,
            ),
            "data offset of tensor \"t\"",
        ),
        (
            file(
                r#"{"t":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"t":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}"#,
                8,
            ),
            "duplicate tensor \"t\" at byte 8",
        ),
        (
            file(
                r#"{"t":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"u":{"dtype":"F16","shape":[2],"data_offsets":[2,6]}}"#,
                6,
            ),
            "tensor \"u\" overlaps \"t\": expected its data at byte 4 or later, got 2",
        ),
    ];
    let mut wrong = Vec::new();
    for (file, message) in cases {
        LARGEST.set(0);
        let error = read(&file).expect_err(message);
        let largest = LARGEST.get();
        if !error.to_string().contains(message) {
            wrong.push(format!("expected {message:?}, got {error}"));
        }
        assert!(!error.to_string().contains('\n'), "one line: {error}");
        assert!(largest < 512 * 1024, "{error}: {largest} bytes at once for a file of {}", file.len());
        invariants::safetensors(&file);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_the_fuzzer_found_stays_fixed() {
    for (folder, check) in [("gguf", invariants::gguf as fn(&[u8])), ("safetensors", invariants::safetensors)]
    {
        let path = format!("{}/tests/fixtures/formats/fuzz/{folder}", env!("CARGO_MANIFEST_DIR"));
        let mut count = 0;
        for entry in std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{path}: {error}")) {
            let file = entry.unwrap().path();
            println!("{}", file.display());
            check(&std::fs::read(&file).unwrap());
            count += 1;
        }
        assert!(count > 0, "{path} has no files");
    }
}
