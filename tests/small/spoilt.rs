//! Small models with one number that is none.

use rushlight::formats::gguf::GgufReader;
use rushlight::tensor::DType;

/// Where in a block its scale lies; where in an element of a plain type the element does.
fn field(dtype: DType) -> usize {
    match dtype {
        DType::Q2_K => 80,
        DType::Q3_K => 108,
        DType::Q6_K => 208,
        _ => 0,
    }
}

/// The file with a number in place of the first element (of a quantised tensor: the scale of the first block) of a tensor's row.
pub fn with(file: &[u8], tensor: &str, row: usize, number: f32) -> Vec<u8> {
    let mut reader = GgufReader::new();
    let pieces = reader.push(file).expect("a sound file");
    let header = reader.header().expect("the header is there");
    let index = header.tensors.iter().position(|info| info.desc.name == tensor);
    let index = index.unwrap_or_else(|| panic!("no tensor {tensor}"));
    let desc = &header.tensors[index].desc;
    let start = pieces.iter().find(|piece| piece.tensor == index).expect("its bytes").range.start;
    let bytes = match desc.dtype {
        DType::F32 => number.to_le_bytes().to_vec(),
        DType::BF16 => half::bf16::from_f32(number).to_le_bytes().to_vec(),
        _ => half::f16::from_f32(number).to_le_bytes().to_vec(),
    };
    let at = start + row * desc.dtype.bytes_for(desc.shape.cols()).expect("whole rows") + field(desc.dtype);
    let mut file = file.to_vec();
    file[at..at + bytes.len()].copy_from_slice(&bytes);
    file
}
