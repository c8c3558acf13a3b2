//! What a tensor is, apart from where its numbers lie: element type, shape, name.
//!
//! No storage and no device: every other room describes its data with these types.

use std::fmt;

/// Element type of a tensor. The quantised ones are block formats of GGUF: [`DType::block_elements`]
/// consecutive elements of a row share [`DType::block_bytes`] bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types)]
pub enum DType {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an F32.
    BF16,
    /// Unsigned 32-bit integers: token ids, never a weight.
    U32,
    /// 32 4-bit quants, one f16 scale.
    Q4_0,
    /// 32 4-bit quants, f16 scale and minimum.
    Q4_1,
    /// 32 5-bit quants, one f16 scale.
    Q5_0,
    /// 32 5-bit quants, f16 scale and minimum.
    Q5_1,
    /// 32 signed bytes, one f16 scale.
    Q8_0,
    /// 256 2-bit quants, 16 4-bit scales and minimums.
    Q2_K,
    /// 256 3-bit quants, 16 6-bit scales.
    Q3_K,
    /// 256 4-bit quants, 8 6-bit scales and minimums.
    Q4_K,
    /// 256 5-bit quants, 8 6-bit scales and minimums.
    Q5_K,
    /// 256 6-bit quants, 16 8-bit scales.
    Q6_K,
}

impl DType {
    /// Every weight type, in the order tables and tests go through them.
    pub const WEIGHTS: [DType; 13] = [
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::Q4_0,
        DType::Q4_1,
        DType::Q5_0,
        DType::Q5_1,
        DType::Q8_0,
        DType::Q2_K,
        DType::Q3_K,
        DType::Q4_K,
        DType::Q5_K,
        DType::Q6_K,
    ];

    /// Elements that share one block; 1 for plain types.
    pub const fn block_elements(self) -> usize {
        match self {
            DType::F32 | DType::F16 | DType::BF16 | DType::U32 => 1,
            DType::Q4_0 | DType::Q4_1 | DType::Q5_0 | DType::Q5_1 | DType::Q8_0 => 32,
            DType::Q2_K | DType::Q3_K | DType::Q4_K | DType::Q5_K | DType::Q6_K => 256,
        }
    }

    /// Bytes of one block in the file.
    pub const fn block_bytes(self) -> usize {
        match self {
            DType::F32 | DType::U32 => 4,
            DType::F16 | DType::BF16 => 2,
            DType::Q4_0 => 18,
            DType::Q4_1 => 20,
            DType::Q5_0 => 22,
            DType::Q5_1 => 24,
            DType::Q8_0 => 34,
            DType::Q2_K => 84,
            DType::Q3_K => 110,
            DType::Q4_K => 144,
            DType::Q5_K => 176,
            DType::Q6_K => 210,
        }
    }

    /// The field's name of the type, as GGUF tools print it.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "F32",
            DType::F16 => "F16",
            DType::BF16 => "BF16",
            DType::U32 => "U32",
            DType::Q4_0 => "Q4_0",
            DType::Q4_1 => "Q4_1",
            DType::Q5_0 => "Q5_0",
            DType::Q5_1 => "Q5_1",
            DType::Q8_0 => "Q8_0",
            DType::Q2_K => "Q2_K",
            DType::Q3_K => "Q3_K",
            DType::Q4_K => "Q4_K",
            DType::Q5_K => "Q5_K",
            DType::Q6_K => "Q6_K",
        }
    }

    /// Bytes that `elements` consecutive elements take; `None` when they are not whole blocks or
    /// the product overflows.
    ///
    /// ```
    /// use rushlight::tensor::DType;
    /// assert_eq!(DType::Q8_0.bytes_for(64), Some(68));
    /// assert_eq!(DType::Q8_0.bytes_for(33), None);
    /// ```
    pub fn bytes_for(self, elements: usize) -> Option<usize> {
        if !elements.is_multiple_of(self.block_elements()) {
            return None;
        }
        (elements / self.block_elements()).checked_mul(self.block_bytes())
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Extents of a tensor, slowest first: a weight matrix is `[rows, cols]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// A shape from its extents, slowest first.
    pub fn new(extents: impl Into<Vec<usize>>) -> Self {
        Shape(extents.into())
    }

    /// The extents, slowest first.
    pub fn extents(&self) -> &[usize] {
        &self.0
    }

    /// Number of elements; `None` on overflow. A shape without extents has one element.
    pub fn elements(&self) -> Option<usize> {
        self.0.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent))
    }

    /// The same in 64 bits, for counts of what need not lie in memory; saturates.
    pub fn count(&self) -> u64 {
        self.0.iter().fold(1, |product: u64, &extent| product.saturating_mul(extent as u64))
    }

    /// The fastest extent: elements of a row. 1 for a shape without extents.
    pub fn cols(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }

    /// Product of all extents but the fastest. Saturates, so that a bad shape can't panic here.
    pub fn rows(&self) -> usize {
        self.0.iter().rev().skip(1).fold(1usize, |product, &extent| product.saturating_mul(extent))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, extent) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{extent}")?;
        }
        f.write_str("]")
    }
}

/// A named tensor without its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorDesc {
    /// Name in the file, as published: `blk.0.attn_q.weight`.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Extents, slowest first.
    pub shape: Shape,
}

impl TensorDesc {
    /// Bytes of the whole tensor in the file; `None` when a row is not whole blocks or on overflow.
    pub fn bytes(&self) -> Option<usize> {
        self.dtype.bytes_for(self.shape.cols())?;
        self.dtype.bytes_for(self.shape.elements()?)
    }
}

/// Index of the first number that is none: NaN or an infinity.
#[inline]
pub fn first_not_finite(x: &[f32]) -> Option<usize> {
    // All of them without a branch, since nearly always there is none.
    let any = x.iter().fold(false, |any, x| any | !x.is_finite());
    if any { x.iter().position(|x| !x.is_finite()) } else { None }
}
