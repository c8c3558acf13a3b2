//! Cases: a kernel with shapes and reproducible data, made the same way for every test, browser and benchmark.

use super::facts::{Row, Segment};
use super::{Extent, Io, Op, Operand};
use crate::tensor::DType;

/// How an input gets its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// Uniform in `-scale..scale`. Quantised operands get random blocks with scales of about this size.
    Uniform(f32),
    /// Token ids below the bound; the first is 0 and the last the largest that is allowed.
    Ids(u32),
    /// Every element the same.
    Constant(f32),
    /// A table of cosines and sines, `[positions, 2 * pairs]`: cos at even, sin at odd columns.
    Rotations,
    /// Uniform in `-scale..scale` in steps so coarse that equal elements are common: ties.
    Coarse(f32),
    /// As [`Fill::Uniform`]`(scale)`, but for the number in the middle, which is no number but the second (NaN, an infinity). Of a
    /// quantised operand the scale of the block in the middle is that.
    Spoilt(f32, f32),
    /// Facts of rows whose positions begin at the first number and grow by the second.
    Rows(usize, i32),
    /// Facts of rows of sequences of 1 to so many rows that follow each other, the longest first.
    Sequences(usize),
    /// First row and end of those sequences, of so many rows in all, then segments without rows.
    Packed(usize, usize),
    /// First row and end of each of the operand's rows as segments, of near equal lengths, of so many rows in all.
    Segments(usize),
}

/// One input of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseInput {
    /// Type and shape.
    pub operand: Operand,
    /// How it is filled.
    pub fill: Fill,
}

impl CaseInput {
    /// An F32 input with uniform numbers.
    pub const fn f32(rows: usize, cols: usize, scale: f32) -> Self {
        CaseInput { operand: Operand::new(DType::F32, rows, cols), fill: Fill::Uniform(scale) }
    }

    /// Facts of rows whose positions begin at `first` and grow by `step`.
    pub const fn rows(tokens: usize, first: usize, step: i32) -> Self {
        CaseInput { operand: Operand::new(DType::U32, tokens, Row::COLS), fill: Fill::Rows(first, step) }
    }
}

/// A kernel, shapes and data.
#[derive(Clone, Debug)]
pub struct Case {
    /// The operation with its attributes.
    pub op: Op,
    /// Inputs in binding order.
    pub inputs: Vec<CaseInput>,
    /// Outputs in binding order. A cache among them starts filled with [`Fill::Uniform`]`(1.0)`.
    pub outputs: Vec<Operand>,
    /// Number of tokens of the run.
    pub tokens: usize,
    /// Keys that a row of it sees at most; 0 where it sees none.
    pub keys: usize,
    /// Indices of inputs that are weights: uploaded, repacked and split as a model's are.
    pub weights: &'static [usize],
    /// Indices of inputs that are caches.
    pub caches: &'static [usize],
}

impl Case {
    /// A name for messages: stem, attributes, shapes.
    pub fn label(&self) -> String {
        let shape = |o: &Operand| format!("{}[{},{}]", o.dtype, o.rows, o.cols);
        let inputs: Vec<String> = self.inputs.iter().map(|i| shape(&i.operand)).collect();
        let outputs: Vec<String> = self.outputs.iter().map(shape).collect();
        let spoilt = self.inputs.iter().enumerate().find_map(|(index, input)| match input.fill {
            Fill::Spoilt(_, number) => Some(format!(", {number} in input {index}")),
            _ => None,
        });
        let spoilt = spoilt.unwrap_or_default();
        format!("{:?} {} -> {} with {} keys{spoilt}", self.op, inputs.join(" "), outputs.join(" "), self.keys)
    }

    /// The symbols of its run.
    pub fn extent(&self) -> Extent {
        Extent { keys: self.keys, ..Extent::tokens(self.tokens) }
    }

    /// Whether one of its numbers is none.
    pub fn is_spoilt(&self) -> bool {
        self.inputs.iter().any(|input| matches!(input.fill, Fill::Spoilt(..)))
    }

    /// The bytes of input `index` as a file would hold them.
    pub fn input_bytes(&self, index: usize) -> Vec<u8> {
        let input = &self.inputs[index];
        fill(input.operand, input.fill, seed(&self.label(), index))
    }

    /// The bytes of output `index` before the step: what a cache already holds.
    pub fn output_bytes(&self, index: usize) -> Vec<u8> {
        fill(self.outputs[index], Fill::Uniform(1.0), seed(&self.label(), 100 + index))
    }

    /// The operands as the kernel sees them, undivided.
    pub fn with_io<R>(&self, run: impl FnOnce(&Io<'_>) -> R) -> R {
        let inputs: Vec<Operand> = self.inputs.iter().map(|i| i.operand).collect();
        run(&Io { inputs: &inputs, outputs: &self.outputs, extent: self.extent(), row_start: 0 })
    }
}

/// A seed from a label, so that a case keeps its numbers when the list around it changes (FNV-1a).
fn seed(label: &str, index: usize) -> u64 {
    label.bytes().chain(index.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine.
#[derive(Clone, Debug)]
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `-1..1` with 24 bits, exact in f32.
    pub fn next_unit(&mut self) -> f32 {
        let bits = (self.next_u64() >> 40) as i32;
        (bits - (1 << 23)) as f32 / (1 << 23) as f32
    }
}

/// Reproducible bytes for an operand. Only integer arithmetic and exact scaling by powers of two decide the numbers, so
/// they are equal on every machine (except [`Fill::Rotations`], which uses the platform's sine).
pub fn fill(operand: Operand, how: Fill, seed: u64) -> Vec<u8> {
    let mut rng = SplitMix64(seed);
    let elements = operand.elements();
    let mut bytes = Vec::new();
    if let Fill::Spoilt(scale, number) = how {
        let mut bytes = fill(operand, Fill::Uniform(scale), seed);
        spoil(operand.dtype, number, &mut bytes);
        return bytes;
    }
    match (operand.dtype, how) {
        (DType::U32, Fill::Ids(bound)) => {
            for i in 0..elements {
                let id = match i {
                    0 => 0,
                    _ if i + 1 == elements => bound - 1,
                    _ => (rng.next_u64() % u64::from(bound)) as u32,
                };
                bytes.extend(id.to_le_bytes());
            }
        }
        (DType::U32, Fill::Rows(first, step)) => {
            for t in 0..operand.rows {
                let position = (first as i64 + t as i64 * i64::from(step)).max(0) as u32;
                let row = Row { token: t as u32, position, sequence: 0, slot: position };
                bytes.extend(bytemuck::bytes_of(&row));
            }
        }
        (DType::U32, Fill::Sequences(longest)) => {
            for (sequence, segment) in packed(operand.rows, longest).iter().enumerate() {
                for token in segment.first..segment.end {
                    let position = token - segment.first;
                    let row = Row { token, position, sequence: sequence as u32, slot: 0 };
                    bytes.extend(bytemuck::bytes_of(&row));
                }
            }
        }
        (DType::U32, Fill::Packed(longest, rows)) => {
            let mut segments = packed(rows, longest);
            segments.resize(operand.rows, Segment::default());
            bytes.extend(bytemuck::cast_slice::<Segment, u8>(&segments));
        }
        (DType::U32, Fill::Segments(rows)) => {
            // In 64 bits: in a browser the product of two extents overflows a `usize`.
            let (rows, segments) = (rows as u64, operand.rows as u64);
            for segment in 0..segments {
                for bound in [segment * rows / segments, (segment + 1) * rows / segments] {
                    bytes.extend((bound as u32).to_le_bytes());
                }
            }
        }
        (_, Fill::Rotations) => {
            let pairs = operand.cols / 2;
            for element in 0..elements / 2 {
                let (position, pair) = (element / pairs, element % pairs);
                let angle = position as f64 * 10_000f64.powf(-(pair as f64) / pairs as f64);
                bytes.extend((angle.cos() as f32).to_le_bytes());
                bytes.extend((angle.sin() as f32).to_le_bytes());
            }
        }
        (DType::F32 | DType::F16 | DType::BF16 | DType::U32, _) => {
            for _ in 0..elements {
                let value = match how {
                    Fill::Constant(value) => value,
                    Fill::Coarse(scale) => (rng.next_unit() * 8.0).round() / 8.0 * scale,
                    Fill::Uniform(scale) => rng.next_unit() * scale,
                    Fill::Ids(_)
                    | Fill::Rotations
                    | Fill::Rows(..)
                    | Fill::Sequences(_)
                    | Fill::Packed(..)
                    | Fill::Segments(_)
                    | Fill::Spoilt(..) => 0.0,
                };
                match operand.dtype {
                    DType::F16 => bytes.extend(half::f16::from_f32(value).to_le_bytes()),
                    DType::BF16 => bytes.extend(half::bf16::from_f32(value).to_le_bytes()),
                    _ => bytes.extend(value.to_le_bytes()),
                }
            }
        }
        (dtype, how) => {
            let scale = match how {
                Fill::Uniform(scale) | Fill::Constant(scale) | Fill::Coarse(scale) => scale,
                _ => 1.0,
            };
            random_blocks(dtype, elements / dtype.block_elements(), scale, &mut rng, &mut bytes);
        }
    }
    bytes
}

/// Sequences of 1 to `longest` rows that follow each other, the longest first, of `rows` in all.
pub fn packed(rows: usize, longest: usize) -> Vec<Segment> {
    let mut segments = Vec::new();
    let (mut first, mut length) = (0, longest);
    while first < rows {
        let end = (first + length).min(rows);
        segments.push(Segment { first: first as u32, end: end as u32 });
        first = end;
        length = 1 + (7 * segments.len() + 3) % longest;
    }
    segments
}

/// Puts `number` into the block in the middle: as the element of a plain type, as the scale of a quantised one.
fn spoil(dtype: DType, number: f32, bytes: &mut [u8]) {
    let block = dtype.block_bytes();
    let start = bytes.len() / block / 2 * block;
    let field = match dtype {
        DType::F32 => number.to_le_bytes().to_vec(),
        DType::BF16 => half::bf16::from_f32(number).to_le_bytes().to_vec(),
        _ => half::f16::from_f32(number).to_le_bytes().to_vec(),
    };
    let at = start + f16_fields(dtype).0.first().copied().unwrap_or(0);
    bytes[at..at + field.len()].copy_from_slice(&field);
}

/// Elements of all operands of a case that is spoilt, at most.
const SPOILT_ELEMENTS: usize = 60_000;

/// Cases in which one number of one input is none: NaN, or an infinity. Of each kernel and each combination of types, the largest of
/// these cases that is small.
pub fn spoilt(cases: &[Case]) -> Vec<Case> {
    let elements = |case: &Case| -> usize {
        let inputs = case.inputs.iter().map(|input| input.operand.elements());
        inputs.chain(case.outputs.iter().map(Operand::elements)).sum()
    };
    let kind = |case: &Case| {
        let inputs = case.inputs.iter().map(|input| input.operand.dtype);
        let types: Vec<DType> = inputs.chain(case.outputs.iter().map(|output| output.dtype)).collect();
        // Attributes change the arithmetic of few kernels; their cases alternate between them.
        (std::mem::discriminant(&case.op), types)
    };
    let mut chosen: Vec<&Case> = Vec::new();
    for case in cases.iter().filter(|case| elements(case) <= SPOILT_ELEMENTS) {
        match chosen.iter_mut().find(|other| kind(other) == kind(case)) {
            Some(other) if elements(other) <= elements(case) => *other = case,
            Some(_) => {}
            None => chosen.push(case),
        }
    }
    let mut all = Vec::new();
    for case in chosen {
        for (index, input) in case.inputs.iter().enumerate() {
            let Fill::Uniform(scale) = input.fill else { continue };
            for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut case = case.clone();
                case.inputs[index].fill = Fill::Spoilt(scale, number);
                all.push(case);
            }
        }
    }
    all
}

/// Byte offsets of the f16 fields of a block (scale, and minimum where there is one), and the largest value that the
/// other fields multiply the scale with.
fn f16_fields(dtype: DType) -> (&'static [usize], f32) {
    match dtype {
        DType::Q4_0 => (&[0], 8.0),
        DType::Q4_1 => (&[0, 2], 15.0),
        DType::Q5_0 => (&[0], 16.0),
        DType::Q5_1 => (&[0, 2], 31.0),
        DType::Q8_0 => (&[0], 128.0),
        DType::Q2_K => (&[80, 82], 15.0 * 3.0),
        DType::Q3_K => (&[108], 32.0 * 4.0),
        DType::Q4_K => (&[0, 2], 63.0 * 15.0),
        DType::Q5_K => (&[0, 2], 63.0 * 31.0),
        DType::Q6_K => (&[208], 128.0 * 32.0),
        DType::F32 | DType::F16 | DType::BF16 | DType::U32 => (&[], 1.0),
    }
}

/// Random blocks: every byte random, then the f16 fields set so that elements are of the size of `scale`. One block in
/// eight has a scale that is subnormal as an f16, as most scales of published Q6_K tensors are.
fn random_blocks(dtype: DType, blocks: usize, scale: f32, rng: &mut SplitMix64, bytes: &mut Vec<u8>) {
    let (fields, largest) = f16_fields(dtype);
    for _ in 0..blocks {
        let start = bytes.len();
        while bytes.len() < start + dtype.block_bytes() {
            let word = rng.next_u64().to_le_bytes();
            let missing = start + dtype.block_bytes() - bytes.len();
            bytes.extend(&word[..missing.min(word.len())]);
        }
        let subnormal = rng.next_u64().is_multiple_of(8);
        for &at in fields {
            let unit = (rng.next_unit().abs() + 1.0) / 2.0;
            let value = if subnormal { unit * 6.0e-5 } else { unit * scale / largest };
            let value = if rng.next_u64().is_multiple_of(2) { value } else { -value };
            let field = half::f16::from_f32(value).to_le_bytes();
            bytes[start + at..start + at + 2].copy_from_slice(&field);
        }
    }
}
