//! Writes the first inputs of the fuzz targets to `corpus/`, in the working directory: small good files that
//! mutation can spoil in every place.

use rushlight::formats::gguf::{Array, GgufWriter, StringArray, Value};
use rushlight::tensor::{DType, Shape};
use std::io;

fn main() -> io::Result<()> {
    let gguf: [(&str, Vec<u8>); 4] = [
        ("empty", GgufWriter::new().to_bytes()),
        ("values", values().to_bytes()),
        ("tensors", tensors(None).to_bytes()),
        ("aligned", tensors(Some(8)).to_bytes()),
    ];
    std::fs::create_dir_all("corpus/gguf")?;
    for (name, bytes) in gguf {
        std::fs::write(format!("corpus/gguf/{name}"), &bytes)?;
        // Version 2 has the same layout.
        let mut second = bytes;
        second[4] = 2;
        std::fs::write(format!("corpus/gguf/{name}-v2"), second)?;
    }
    std::fs::create_dir_all("corpus/safetensors")?;
    for (name, json, data) in [
        ("empty", "{}", 0),
        ("one", r#"{"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}}"#, 8),
        (
            "several",
            r#"{"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[3],"data_offsets":[4,10]},"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},"i":{"dtype":"I64","shape":[],"data_offsets":[10,18]}}  "#,
            18,
        ),
    ] {
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(json.as_bytes());
        file.extend((0..data).map(|i| i as u8));
        std::fs::write(format!("corpus/safetensors/{name}"), file)?;
    }
    Ok(())
}

/// Every type of value, alone, in an array and in an array of arrays.
fn values() -> GgufWriter<'static> {
    let strings: StringArray = ["", "a", "\u{2581}the"].into_iter().collect();
    let nested = Array::Array(vec![Array::U16(vec![1, 2]), Array::U16(vec![])]);
    let deep = Array::Array(vec![Array::Array(vec![Array::Str(strings.clone())])]);
    let values: Vec<Value> = vec![
        1u8.into(),
        (-1i8).into(),
        2u16.into(),
        (-2i16).into(),
        3u32.into(),
        (-3i32).into(),
        1.5f32.into(),
        true.into(),
        "text".into(),
        u64::MAX.into(),
        i64::MIN.into(),
        2.5f64.into(),
        vec![1u8].into(),
        vec![-1i8, 0].into(),
        vec![2u16].into(),
        vec![-2i16].into(),
        vec![3u32; 3].into(),
        vec![-3i32].into(),
        vec![1.5f32; 2].into(),
        vec![true, false].into(),
        strings.into(),
        vec![u64::MAX].into(),
        vec![i64::MIN].into(),
        vec![2.5f64].into(),
        Value::Array(nested),
        Value::Array(deep),
    ];
    let mut writer = GgufWriter::new();
    for (index, value) in values.into_iter().enumerate() {
        writer.metadata(&format!("k{index}"), value).expect("keys differ");
    }
    writer
}

/// One block of every element type, and shapes of every number of extents.
fn tensors(alignment: Option<u32>) -> GgufWriter<'static> {
    let mut writer = GgufWriter::new();
    writer.metadata("general.architecture", "llama").expect("keys differ");
    if let Some(alignment) = alignment {
        writer.metadata("general.alignment", alignment).expect("a power of two");
    }
    for dtype in DType::WEIGHTS {
        let bytes: Vec<u8> = (0..dtype.block_bytes()).map(|i| i as u8).collect();
        let shape = Shape::new([dtype.block_elements()]);
        writer.tensor(&format!("{dtype}.weight"), dtype, shape, bytes).expect("one block");
    }
    for (name, extents) in
        [("scalar", vec![]), ("matrix", vec![2, 3]), ("cube", vec![2, 1, 3]), ("four", vec![1, 2, 1, 3])]
    {
        let shape = Shape::new(extents);
        let bytes = vec![7; 4 * shape.elements().expect("small")];
        writer.tensor(name, DType::F32, shape, bytes).expect("names differ");
    }
    writer
}
