//! From a row of the table to a GGUF file.

use std::borrow::Cow;

use super::specs::{Spec, VOCABULARY};
use super::vocabulary;
use rushlight::formats::gguf::GgufWriter;
use rushlight::formats::quant;
use rushlight::kernel::Operand;
use rushlight::kernel::case::{Fill, SplitMix64, fill};
use rushlight::tensor::{DType, Shape};

/// In which types the numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Those of the table.
    Published,
    /// The same numbers, all in F32: what an engine needs that would otherwise round activations to the weights' type.
    Dequantised,
}

/// The file of a model.
pub fn write(spec: &Spec, form: Form) -> Vec<u8> {
    writer(spec, spec, form, Some).to_bytes()
}

/// A tensor before it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Extents, slowest first; vectors have one.
    pub extents: Vec<usize>,
    /// Its numbers.
    pub numbers: Numbers,
}

/// How a tensor is filled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Numbers {
    /// Random with about this root mean square.
    Spread(f32),
    /// Random around a number, by a quarter of it: norm weights.
    Near(f32),
    /// Random multiples of 1/16 in 0.5..1.5, which every plain type holds exactly.
    Sixteenths,
    /// Llama 3's factors on the frequencies: 1 for the fast pairs, 8 for the slow ones, a slope between.
    Factors,
}

/// The writer with the metadata of one model and the tensors of another, which are the same unless a file is to be wrong on purpose;
/// so is `edit`, which may change or drop each tensor on its way.
pub fn writer(
    described: &Spec,
    spec: &Spec,
    form: Form,
    edit: impl FnMut(Tensor) -> Option<Tensor>,
) -> GgufWriter<'static> {
    let mut writer = GgufWriter::new();
    describe(described, &mut writer);
    fill_in(&mut writer, spec, form, edit);
    writer
}

/// Models with every bias that their architecture may have beside those of the table.
pub const BIASED: [&str; 4] = ["gemma3-f32-64", "llama-f16-64-factors", "qwen2-bf16-64", "qwen3-q5_1-64"];
/// Tokens of the prompt that `fixtures/biases.json` has logits after.
pub const BIASED_PROMPT: usize = 30;

/// The file of one of them.
pub fn biased(spec: &Spec) -> Vec<u8> {
    let mut writer = writer(spec, spec, Form::Published, Some);
    let (q, kv) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
    let attention = [("attn_q", q), ("attn_k", kv), ("attn_v", kv), ("attn_output", spec.width)];
    let feed_forward = [("ffn_gate", spec.ffn), ("ffn_up", spec.ffn), ("ffn_down", spec.width)];
    let parts: Vec<(&str, usize)> = match spec.arch {
        "llama" => attention.into_iter().chain(feed_forward).collect(),
        "qwen2" => vec![("attn_output", spec.width)],
        _ => attention.to_vec(),
    };
    let layers = 0..spec.layers;
    let mut biases: Vec<(String, usize)> = layers
        .flat_map(|layer| parts.iter().map(move |(part, width)| (format!("blk.{layer}.{part}.bias"), *width)))
        .collect();
    if spec.arch == "qwen2" {
        biases.push(("output.bias".to_owned(), VOCABULARY));
    }
    for (name, width) in biases {
        add_vector(&mut writer, spec, &name, width);
    }
    writer.to_bytes()
}

/// Adds a vector of random numbers in F32.
pub fn add_vector(writer: &mut GgufWriter<'_>, spec: &Spec, name: &str, width: usize) {
    let bytes = bytes(DType::F32, Numbers::Spread(0.5), width, spec.seed(name));
    writer.tensor(name, DType::F32, Shape::new([width]), Cow::Owned(bytes)).expect("a sound tensor");
}

/// How many tensors a model has.
pub fn tensor_count(spec: &Spec) -> usize {
    tensors(spec).len()
}

/// A model in parts of so many tensors, as llama.cpp's `gguf-split` writes them: the first has all of the metadata.
pub fn split(spec: &Spec, counts: &[usize]) -> Vec<Vec<u8>> {
    let mut first = 0;
    let parts = counts.iter().enumerate().map(|(number, &count)| {
        let mut index = 0..;
        let own = first..first + count;
        first += count;
        let own = |tensor: Tensor| index.next().is_some_and(|i| own.contains(&i)).then_some(tensor);
        let mut part = GgufWriter::new();
        if number == 0 {
            describe(spec, &mut part);
        }
        fill_in(&mut part, spec, Form::Published, own);
        part.metadata("split.no", number as u16).expect("a new key");
        part.metadata("split.count", counts.len() as u16).expect("a new key");
        part.metadata("split.tensors.count", tensor_count(spec) as i32).expect("a new key");
        part.to_bytes()
    });
    parts.collect()
}

fn fill_in(
    writer: &mut GgufWriter<'_>,
    spec: &Spec,
    form: Form,
    mut edit: impl FnMut(Tensor) -> Option<Tensor>,
) {
    for tensor in tensors(spec).into_iter().filter_map(&mut edit) {
        let seed = spec.seed(&tensor.name);
        let elements = tensor.extents.iter().product();
        let mut dtype = tensor.dtype;
        let mut bytes = bytes(dtype, tensor.numbers, elements, seed);
        if form == Form::Dequantised && dtype != DType::F32 {
            let mut values = vec![0.0; elements];
            quant::dequantise(dtype, &bytes, &mut values).expect("whole blocks");
            bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            dtype = DType::F32;
        }
        let shape = Shape::new(tensor.extents);
        writer.tensor(&tensor.name, dtype, shape, Cow::Owned(bytes)).expect("a sound tensor");
    }
}

/// The metadata.
fn describe(spec: &Spec, writer: &mut GgufWriter<'_>) {
    let mut count = |key: &str, value: usize| {
        writer.metadata(&format!("{}.{key}", spec.arch), value as u32).expect("each key once");
    };
    count("context_length", spec.context);
    count("embedding_length", spec.width);
    count("block_count", spec.layers);
    count("feed_forward_length", spec.ffn);
    count("attention.head_count", spec.heads);
    count("attention.head_count_kv", spec.kv_heads);
    count("attention.key_length", spec.head_dim);
    count("attention.value_length", spec.head_dim);
    if spec.window > 0 {
        count("attention.sliding_window", spec.window);
    }
    let mut number = |key: &str, value: f32| {
        writer.metadata(&format!("{}.{key}", spec.arch), value).expect("each key once");
    };
    number("attention.layer_norm_rms_epsilon", spec.eps);
    number("rope.freq_base", spec.rope_base);
    if let Some(factor) = spec.linear {
        number("rope.scaling.factor", factor);
        writer.metadata(&format!("{}.rope.scaling.type", spec.arch), "linear").expect("each key once");
    }
    writer.metadata("general.architecture", spec.arch).expect("each key once");
    writer.metadata("general.name", spec.name).expect("each key once");
    vocabulary::describe(spec.vocabulary, writer).expect("each key once");
}

/// The tensors, in the order of the file.
fn tensors(spec: &Spec) -> Vec<Tensor> {
    let matrix = |name: String, rows: usize, cols: usize, dtype: DType, spread: f32| Tensor {
        name,
        dtype,
        extents: vec![rows, cols],
        numbers: Numbers::Spread(spread),
    };
    // A projection keeps the size of what it projects: root mean square 1 / √cols.
    let projection =
        |name: String, rows, cols, dtype| matrix(name, rows, cols, dtype, 1.0 / (cols as f32).sqrt());
    let vector = |name: String, cols: usize, numbers| Tensor {
        name,
        dtype: spec.vectors,
        extents: vec![cols],
        numbers,
    };
    let norm = |name: String, cols| vector(name, cols, Numbers::Near(1.0));
    let (q_width, kv_width) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
    let gemma = spec.arch == "gemma3";

    // Rows of norm 1 under a last norm that gives the stream size 3: logits spread by about 3. Gemma scales its embedding by
    // √width, and what the layers add should not drown in it.
    let (row_norm, last_norm) = if gemma { (0.25, 12.0) } else { (1.0, 3.0) };
    let head = row_norm / (spec.width as f32).sqrt();
    let mut all = vec![matrix("token_embd.weight".into(), VOCABULARY, spec.width, spec.embedding, head)];
    if !spec.tied {
        all.push(matrix("output.weight".into(), VOCABULARY, spec.width, spec.dtype, head));
    }
    all.push(vector("output_norm.weight".into(), spec.width, Numbers::Near(last_norm)));
    if spec.factors {
        let pairs = spec.head_dim / 2;
        all.push(Tensor { dtype: DType::F32, ..vector("rope_freqs.weight".into(), pairs, Numbers::Factors) });
    }
    for layer in 0..spec.layers {
        let name = |part: &str| format!("blk.{layer}.{part}");
        all.push(norm(name("attn_norm.weight"), spec.width));
        for (part, rows) in [("q", q_width), ("k", kv_width), ("v", kv_width)] {
            all.push(projection(name(&format!("attn_{part}.weight")), rows, spec.width, spec.dtype));
            if spec.arch == "qwen2" {
                all.push(vector(name(&format!("attn_{part}.bias")), rows, Numbers::Spread(0.5)));
            }
            if part != "v" && (gemma || spec.arch == "qwen3") {
                all.push(norm(name(&format!("attn_{part}_norm.weight")), spec.head_dim));
            }
        }
        all.push(projection(name("attn_output.weight"), spec.width, q_width, spec.dtype));
        all.push(norm(name("ffn_norm.weight"), spec.width));
        all.push(projection(name("ffn_gate.weight"), spec.ffn, spec.width, spec.dtype));
        all.push(projection(name("ffn_up.weight"), spec.ffn, spec.width, spec.dtype));
        all.push(projection(name("ffn_down.weight"), spec.width, spec.ffn, spec.down));
        if gemma {
            all.push(norm(name("post_attention_norm.weight"), spec.width));
            all.push(norm(name("post_ffw_norm.weight"), spec.width));
        }
    }
    all
}

/// The bytes of a tensor, reproducible from `seed`.
fn bytes(dtype: DType, numbers: Numbers, elements: usize, seed: u64) -> Vec<u8> {
    let mut random = SplitMix64(seed);
    let values: Vec<f32> = match numbers {
        Numbers::Spread(spread) => {
            return fill(Operand::new(dtype, 1, elements), Fill::Uniform(spread * fill_scale(dtype)), seed);
        }
        Numbers::Near(center) => (0..elements).map(|_| center * (1.0 + 0.25 * random.next_unit())).collect(),
        Numbers::Sixteenths => {
            (0..elements).map(|_| 1.0 + (8.0 * random.next_unit()).trunc() / 16.0).collect()
        }
        Numbers::Factors => {
            (0..elements).map(|i| (16.0 * i as f32 / elements as f32 - 4.0).clamp(1.0, 8.0)).collect()
        }
    };
    let mut bytes = Vec::new();
    quant::quantise(dtype, &values, &mut bytes).expect("vectors are of plain types");
    bytes
}

/// The `scale` of [`Fill::Uniform`] at which a type's random blocks have a root mean square of about 1.
fn fill_scale(dtype: DType) -> f32 {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 | DType::U32 => 1.732,
        _ => 2.0,
    }
}
