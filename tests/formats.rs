//! The readers on good files: what the public Python packages wrote, what our writer wrote, a real model; in
//! chunks of any size. Bad files are in `formats_bad.rs`, quantisation in `formats_quant.rs`.

use proptest::prelude::*;
use rushlight::formats::gguf::{
    Array, GgufReader, GgufWriter, Header, SplitSet, StringArray, Value, split_names,
};
use rushlight::formats::{FormatError, Piece, Reader, TensorInfo};
use rushlight::tensor::{DType, Shape};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What a fuzz target asserts of any bytes holds for good files too.
#[path = "../fuzz/invariants.rs"]
mod invariants;

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/formats/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(name: &str) -> serde_json::Value {
    serde_json::from_slice(&fixture(name)).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Header and tensor bytes of a file, pushed in chunks of the given lengths, the last one repeated.
fn read(file: &[u8], lengths: &[usize]) -> (Reader, Vec<Vec<u8>>) {
    let mut reader = Reader::new(Some(file.len() as u64));
    let mut data: Vec<Vec<u8>> = Vec::new();
    let mut rest = file;
    let mut lengths = lengths.iter().copied();
    let mut length = 1;
    while !rest.is_empty() {
        length = lengths.next().unwrap_or(length).clamp(1, rest.len());
        let (chunk, after) = rest.split_at(length);
        rest = after;
        for Piece { tensor, offset, range } in reader.push(chunk).unwrap() {
            data.resize(reader.tensors().unwrap().len(), Vec::new());
            assert_eq!(offset, data[tensor].len());
            data[tensor].extend_from_slice(&chunk[range]);
        }
    }
    reader.finish().unwrap();
    data.resize(reader.tensors().unwrap().len(), Vec::new());
    (reader, data)
}

#[test]
fn a_gguf_file_of_the_python_package() {
    let file = fixture("sample.gguf");
    let expected = json("sample_gguf.json");
    let (reader, data) = read(&file, &[file.len()]);
    let header = reader.gguf().unwrap();
    assert_eq!((header.version, header.alignment), (3, 64));

    let keys = expected["metadata"].as_object().unwrap();
    assert_eq!(header.metadata.len(), keys.len());
    assert!(keys.len() >= 25, "all types, alone and in arrays");
    for (key, field) in keys {
        let value = header.metadata.value(key).unwrap_or_else(|| panic!("{key} is missing"));
        let types: Vec<&str> =
            field["types"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        assert_eq!(types_of(value), types, "{key}");
        assert_eq!(json_of(value), field["value"], "{key}");
    }

    let tensors = expected["tensors"].as_array().unwrap();
    assert_eq!(header.tensors.len(), tensors.len());
    for ((info, bytes), expected) in header.tensors.iter().zip(&data).zip(tensors) {
        assert_eq!(info.desc.name, expected["name"]);
        assert_eq!(info.desc.dtype.name(), expected["dtype"]);
        assert_eq!(info.offset, expected["offset"].as_u64().unwrap());
        let shape: Vec<u64> = info.desc.shape.extents().iter().map(|e| *e as u64).collect();
        assert_eq!(serde_json::json!(shape), expected["shape"], "{}", info.desc.name);
        assert_eq!(*bytes, hex(expected["hex"].as_str().unwrap()), "{}", info.desc.name);
    }
    let dtypes: Vec<DType> = header.tensors.iter().map(|t| t.desc.dtype).collect();
    assert_eq!(dtypes, DType::WEIGHTS, "every supported type is in the sample");
}

/// The Python package's names of the types of a value.
fn types_of(value: &Value) -> Vec<&'static str> {
    let name = |ours: &str| match ours {
        "u8" => "UINT8",
        "i8" => "INT8",
        "u16" => "UINT16",
        "i16" => "INT16",
        "u32" => "UINT32",
        "i32" => "INT32",
        "f32" => "FLOAT32",
        "bool" => "BOOL",
        "string" => "STRING",
        "u64" => "UINT64",
        "i64" => "INT64",
        "f64" => "FLOAT64",
        other => panic!("{other} is no scalar type"),
    };
    match value {
        Value::Array(array) => vec!["ARRAY", name(array.element_type().name())],
        scalar => vec![name(scalar.value_type().name())],
    }
}

fn json_of(value: &Value) -> serde_json::Value {
    use serde_json::json;
    match value {
        Value::U8(v) => json!(v),
        Value::I8(v) => json!(v),
        Value::U16(v) => json!(v),
        Value::I16(v) => json!(v),
        Value::U32(v) => json!(v),
        Value::I32(v) => json!(v),
        Value::F32(v) => json!(v),
        Value::Bool(v) => json!(v),
        Value::Str(v) => json!(v),
        Value::U64(v) => json!(v),
        Value::I64(v) => json!(v),
        Value::F64(v) => json!(v),
        Value::Array(array) => match array {
            Array::U8(v) => json!(v),
            Array::I8(v) => json!(v),
            Array::U16(v) => json!(v),
            Array::I16(v) => json!(v),
            Array::U32(v) => json!(v),
            Array::I32(v) => json!(v),
            Array::F32(v) => json!(v),
            Array::Bool(v) => json!(v),
            Array::Str(v) => json!(v.iter().collect::<Vec<_>>()),
            Array::U64(v) => json!(v),
            Array::I64(v) => json!(v),
            Array::F64(v) => json!(v),
            Array::Array(_) => panic!("the sample has no nested arrays"),
        },
    }
}

#[test]
fn a_safetensors_file_of_the_python_package() {
    let file = fixture("sample.safetensors");
    let expected = json("sample_safetensors.json");
    let (reader, data) = read(&file, &[file.len()]);
    let header = reader.safetensors().unwrap();
    assert_eq!(header.metadata, [("format".to_owned(), "pt".to_owned())]);
    assert_eq!(header.tensors.len(), 4);
    for (info, bytes) in header.tensors.iter().zip(&data) {
        let expected = &expected[&info.desc.name];
        assert_eq!(info.desc.dtype.name(), expected["dtype"]);
        assert_eq!(serde_json::json!(info.desc.shape.extents()), expected["shape"]);
        assert_eq!(*bytes, hex(expected["hex"].as_str().unwrap()), "{}", info.desc.name);
    }
    let [skipped] = header.skipped.as_slice() else { panic!("{:?}", header.skipped) };
    assert_eq!((skipped.name.as_str(), skipped.dtype, skipped.bytes), ("embeddings.position_ids", "I64", 16));
}

#[test]
fn the_readers_agree_with_themselves_in_any_chunks() {
    invariants::gguf(&fixture("sample.gguf"));
    invariants::safetensors(&fixture("sample.safetensors"));
}

proptest! {
    #[test]
    fn any_chunks_give_the_same_tensors(lengths in prop::collection::vec(1usize..600, 1..40)) {
        for name in ["sample.gguf", "sample.safetensors"] {
            let file = fixture(name);
            let (whole, expected) = read(&file, &[file.len()]);
            let (reader, data) = read(&file, &lengths);
            prop_assert_eq!(reader.tensors(), whole.tensors());
            prop_assert_eq!(reader.gguf(), whole.gguf());
            prop_assert_eq!(data, expected);
        }
    }

    #[test]
    fn what_the_writer_wrote_is_read(
        keys in prop::collection::btree_map("[a-z.]{1,12}", value(), 0..8),
        tensors in prop::collection::btree_map("[a-z0-9.]{1,20}", (0..DType::WEIGHTS.len(), 1usize..3, 0usize..4), 0..6),
        alignment in prop::option::of(0u32..9),
        lengths in prop::collection::vec(1usize..2000, 1..5),
    ) {
        let mut writer = GgufWriter::new();
        if let Some(exponent) = alignment {
            writer.metadata("general.alignment", 1u32 << exponent).unwrap();
        }
        for (key, value) in &keys {
            writer.metadata(key, value.clone()).unwrap();
        }
        let mut expected = Vec::new();
        for (index, (name, (dtype, blocks, rows))) in tensors.iter().enumerate() {
            let dtype = DType::WEIGHTS[*dtype];
            let shape = Shape::new([*rows, blocks * dtype.block_elements()]);
            let bytes = vec![index as u8 + 1; rows * blocks * dtype.block_bytes()];
            writer.tensor(name, dtype, shape.clone(), bytes.clone()).unwrap();
            expected.push((name.clone(), dtype, shape, bytes));
        }
        let (reader, data) = read(&writer.to_bytes(), &lengths);
        let header = reader.gguf().unwrap();
        prop_assert_eq!(header.alignment, alignment.map_or(32, |exponent| 1 << exponent));
        prop_assert_eq!(header.metadata.len(), keys.len() + usize::from(alignment.is_some()));
        for (key, value) in &keys {
            prop_assert_eq!(header.metadata.value(key), Some(value));
        }
        let got: Vec<_> = header.tensors.iter().zip(data)
            .map(|(t, bytes)| (t.desc.name.clone(), t.desc.dtype, t.desc.shape.clone(), bytes)).collect();
        prop_assert_eq!(got, expected);
    }
}

fn value() -> impl Strategy<Value = Value> {
    let nested = prop::collection::vec(prop::collection::vec(any::<i16>(), 0..3), 0..3);
    prop_oneof![
        any::<u8>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e30f32..1e30).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop::collection::vec(any::<u32>(), 0..20).prop_map(Value::from),
        prop::collection::vec(any::<bool>(), 0..20).prop_map(Value::from),
        prop::collection::vec(".{0,10}", 0..20)
            .prop_map(|strings| Value::from(strings.into_iter().collect::<StringArray>())),
        nested.prop_map(|arrays| Value::Array(Array::Array(arrays.into_iter().map(Array::I16).collect()))),
    ]
}

#[test]
fn a_long_header_byte_by_byte_takes_linear_time() {
    let long = "template ".repeat(200_000);
    let vocabulary: StringArray = (0..100_000).map(|i| format!("token{i}")).collect();
    let mut writer = GgufWriter::new();
    writer.metadata("tokenizer.chat_template", long.as_str()).unwrap();
    writer.metadata("tokenizer.ggml.tokens", vocabulary.clone()).unwrap();
    writer.metadata("tokenizer.ggml.scores", vec![0.5f32; 100_000]).unwrap();
    let file = writer.to_bytes();
    let start = Instant::now();
    let (reader, _) = read(&file, &[1]);
    let took = start.elapsed();
    let metadata = &reader.gguf().unwrap().metadata;
    assert_eq!(metadata.require::<&str>("tokenizer.chat_template").unwrap(), long);
    assert_eq!(metadata.require::<&StringArray>("tokenizer.ggml.tokens").unwrap(), &vocabulary);
    assert_eq!(metadata.require::<&[f32]>("tokenizer.ggml.scores").unwrap().len(), 100_000);
    // 3.9 MB; about 0.3 s on the slowest machine tried, and hours if each byte rescanned what came before.
    assert!(took < Duration::from_secs(10), "{} bytes took {took:?}", file.len());
}

#[test]
fn tensors_out_of_order_and_with_gaps() {
    let mut writer = GgufWriter::new();
    for (name, fill) in [("a", 1u8), ("b", 2), ("c", 3)] {
        writer.tensor(name, DType::F32, Shape::new([8]), vec![fill; 32]).unwrap();
    }
    let mut file = writer.to_bytes();
    let (reader, _) = read(&file, &[file.len()]);
    let data_start = reader.gguf().unwrap().data_start as usize;
    let fields = [offset_field("a", &file), offset_field("b", &file), offset_field("c", &file)];
    for (field, offset) in fields.into_iter().zip([128u64, 0, 64]) {
        file[field..field + 8].copy_from_slice(&offset.to_le_bytes());
    }
    file.truncate(data_start);
    for fill in [2u8, 0xee, 3, 0xee, 1] {
        file.extend([fill; 32]);
    }
    let (_, data) = read(&file, &[1]);
    assert_eq!(data, [[1; 32], [2; 32], [3; 32]]);
    invariants::gguf(&file);
}

/// Where the offset of a tensor with a name of one letter and one extent stands: its description is the name (9
/// bytes), the number of extents (4), the extent (8), the type (4), the offset (8).
fn offset_field(name: &str, file: &[u8]) -> usize {
    let name: Vec<u8> = [&1u64.to_le_bytes(), name.as_bytes()].concat();
    file.windows(name.len()).position(|window| window == name).unwrap() + 9 + 4 + 8 + 4
}

#[test]
fn version_2_is_read() {
    let mut file = fixture("sample.gguf");
    let (third, expected) = read(&file, &[file.len()]);
    file[4] = 2;
    let (second, data) = read(&file, &[100]);
    let header = second.gguf().unwrap();
    assert_eq!((header.version, &header.tensors), (2, &third.gguf().unwrap().tensors));
    assert_eq!(data, expected);
}

#[test]
fn a_split_model_is_merged() {
    for (number, end) in [(1, "gguf"), (3, "GGUF"), (2, "Gguf")] {
        assert_eq!(
            split_names(&format!("https://host/m.x-0000{number}-of-00003.{end}?download=1")).unwrap(),
            (
                number,
                [1, 2, 3]
                    .map(|part| format!("https://host/m.x-0000{part}-of-00003.{end}?download=1"))
                    .to_vec()
            )
        );
    }
    for name in [
        "",
        "m.gguf",
        "m-00000-of-00003.gguf",
        "m-00004-of-00003.gguf",
        "m-00001-of-00002 (1).gguf",
        "\u{e4}-00001-of-00002.g\u{fc}uf",
        "m-00001-of-00000.gguf",
        "m-00001-of-3.gguf",
        "m-00001-of-0000x.gguf",
    ] {
        assert_eq!(split_names(name), None, "{name}");
    }

    let part = |number: u16, count: u16, names: &[&str]| -> Header {
        let mut writer = GgufWriter::new();
        writer.metadata("split.no", number).unwrap();
        writer.metadata("split.count", count).unwrap();
        writer.metadata("split.tensors.count", 3i32).unwrap();
        if number == 0 {
            writer.metadata("general.architecture", "llama").unwrap();
        }
        for name in names {
            writer.tensor(name, DType::F32, Shape::new([1]), vec![number as u8; 4]).unwrap();
        }
        let mut reader = GgufReader::new();
        reader.push(&writer.to_bytes()).unwrap();
        reader.into_header().unwrap()
    };
    let (first, second) = (part(0, 2, &["a"]), part(1, 2, &["b", "c"]));
    let mut set = SplitSet::new();
    assert!(set.finish().is_err(), "no part yet");
    let later = SplitSet::new().add(&second).unwrap_err().to_string();
    assert!(later.contains("part 2") && later.contains("-00001-of-00002.gguf"), "{later}");
    assert_eq!(set.add(&first).unwrap(), 0);
    assert_eq!(set.missing(), 1);
    let missing = set.finish().unwrap_err().to_string();
    assert!(missing.contains("-00001-of-00002.gguf"), "it says what name is looked for: {missing}");
    assert_eq!(set.add(&second).unwrap(), 1, "its tensors follow the first part's");
    set.finish().unwrap();
    let names: Vec<_> = set.tensors().iter().map(|t| (t.part, t.info.desc.name.as_str())).collect();
    assert_eq!(names, [(0, "a"), (1, "b"), (1, "c")]);
    assert_eq!(set.metadata().require::<&str>("general.architecture").unwrap(), "llama");
    assert!(set.add(&second).is_err(), "one part too many");

    let with_first = |header: &Header| -> Result<(), FormatError> {
        let mut set = SplitSet::new();
        set.add(&first)?;
        set.add(header)?;
        set.finish()
    };
    for (bad, message) in [
        (part(0, 2, &["b"]), "split.no (counted from 0): expected 1, got 0"),
        (part(1, 3, &["b"]), "split.count: expected 2, got 3"),
        (part(1, 2, &["a", "c"]), "duplicate tensor \"a\""),
        (part(1, 2, &["b"]), "split.tensors.count: expected 3, got 2"),
    ] {
        let error = with_first(&bad).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.code(), "ERR_BAD_FILE");
    }
}

#[test]
fn metadata_is_typed() {
    let mut writer = GgufWriter::new();
    writer.metadata("count", 12u64).unwrap();
    writer.metadata("negative", -1i32).unwrap();
    writer.metadata("heads", vec![1i32, 2]).unwrap();
    let (reader, _) = read(&writer.to_bytes(), &[7]);
    let metadata = &reader.gguf().unwrap().metadata;
    assert_eq!(metadata.require::<u32>("count").unwrap(), 12, "widths convert where the value fits");
    assert_eq!(metadata.require::<Vec<u32>>("heads").unwrap(), [1, 2]);
    assert_eq!(metadata.get::<u32>("absent").unwrap(), None);
    for (error, message) in [
        (metadata.require::<u32>("absent").unwrap_err(), "metadata key \"absent\" is missing, expected u32"),
        (
            metadata.require::<u32>("negative").unwrap_err(),
            "metadata key \"negative\": expected u32, got i32 -1",
        ),
        (
            metadata.require::<&str>("count").unwrap_err(),
            "metadata key \"count\": expected string, got u64 12",
        ),
        (
            metadata.require::<&[f32]>("heads").unwrap_err(),
            "metadata key \"heads\": expected array of f32, got array 2 x i32 [1, 2]",
        ),
    ] {
        assert_eq!(error.to_string(), message);
        assert_eq!(error.code(), "ERR_BAD_FILE");
    }
}

#[test]
fn the_writer_refuses_what_the_format_cannot_hold() {
    let mut writer = GgufWriter::new();
    let shape = || Shape::new([2, 32]);
    writer.metadata("key", 1u8).unwrap();
    writer.tensor("t", DType::Q8_0, shape(), vec![0; 68]).unwrap();
    let mixed = Value::Array(Array::Array(vec![Array::U8(vec![]), Array::I8(vec![])]));
    for (error, message) in [
        (writer.metadata("key", 2u8).unwrap_err(), "each key once"),
        (writer.metadata("mixed", mixed).unwrap_err(), "one element type"),
        (writer.metadata("general.alignment", 12u32).unwrap_err(), "a power of two"),
        (writer.metadata(&"k".repeat(65_536), 1u8).unwrap_err(), "65535"),
        (writer.tensor("t", DType::Q8_0, shape(), vec![0; 68]).unwrap_err(), "each name once"),
        (writer.tensor("u", DType::Q8_0, shape(), vec![0; 67]).unwrap_err(), "68 bytes"),
        (writer.tensor("u", DType::Q8_0, Shape::new([33]), vec![0; 34]).unwrap_err(), "whole Q8_0 blocks"),
        (writer.tensor("u", DType::F32, Shape::new([1; 5]), vec![0; 4]).unwrap_err(), "at most 4 extents"),
        (writer.tensor("u", DType::U32, Shape::new([1]), vec![0; 4]).unwrap_err(), "weight type"),
    ] {
        assert!(error.to_string().contains(message), "{error}");
        assert_eq!(error.code(), "ERR_BAD_ARGUMENT");
    }
    let (reader, data) = read(&writer.to_bytes(), &[50]);
    assert_eq!((reader.gguf().unwrap().metadata.len(), data.len()), (1, 1), "refused things leave no trace");
}

/// The model that the whole project is tested with.
fn model_path() -> PathBuf {
    let cache = || {
        let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache");
        let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
        cache.join("rushlight/models/gemma-3-270m-q4_k_m.gguf")
    };
    let path = std::env::var_os("RUSHLIGHT_MODEL").map_or_else(cache, PathBuf::from);
    assert!(path.exists(), "{} is missing: run `cargo xtask fetch-model`", path.display());
    path
}

#[test]
fn the_real_model() {
    use std::io::Read;
    let mut file = std::fs::File::open(model_path()).unwrap();
    let len = file.metadata().unwrap().len();
    assert_eq!(len, 253_113_024);
    let mut reader = Reader::new(Some(len));
    let mut chunk = vec![0; 1 << 20];
    let mut parsing = Duration::ZERO;
    let mut given = vec![0; 236];
    loop {
        let count = file.read(&mut chunk).unwrap();
        if count == 0 {
            break;
        }
        let start = Instant::now();
        let pieces = reader.push(&chunk[..count]).unwrap();
        parsing += start.elapsed();
        for piece in pieces {
            given[piece.tensor] += piece.range.len();
        }
    }
    reader.finish().unwrap();
    // About 20 ms; the bound leaves room for a busy machine.
    assert!(parsing < Duration::from_secs(1), "parsing took {parsing:?}");

    let header = reader.gguf().unwrap();
    assert_eq!(header.tensors.len(), 236);
    assert_eq!(given, header.tensors.iter().map(|t| t.bytes).collect::<Vec<_>>());
    let find = |name: &str| -> &TensorInfo { header.tensors.iter().find(|t| t.desc.name == name).unwrap() };
    let embedding = &find("token_embd.weight").desc;
    assert_eq!((embedding.dtype, embedding.shape.extents()), (DType::Q8_0, &[262_144, 640][..]));
    let metadata = &header.metadata;
    assert_eq!(metadata.require::<&str>("general.architecture").unwrap(), "gemma3");
    assert_eq!(metadata.require::<usize>("gemma3.block_count").unwrap(), 18);
    assert_eq!(metadata.require::<f32>("gemma3.rope.freq_base").unwrap(), 1_000_000.0);
    let tokens = metadata.require::<&StringArray>("tokenizer.ggml.tokens").unwrap();
    assert_eq!((tokens.len(), tokens.get(2)), (262_144, Some("<bos>")));
    assert_eq!(metadata.require::<&[f32]>("tokenizer.ggml.scores").unwrap().len(), 262_144);
}
