//! How weights lie in the CPU executor's memory.
//!
//! Eight rows make a group, which lies in one piece: first all its scales, then its quants, both in the order of the columns. A vector
//! of 32 bytes holds the same four columns ("a quad") of the eight rows, so that sums of products stay in the lane of their row,
//! scales of eight rows are one load, and no lanes are ever added up.
//!
//! The quants of a block of 32 columns are planes of bits:
//! - nibbles, 4 vectors: the low half of vector `v` is quad `v`, the high half quad `v + 4`;
//! - pairs of bits, 2 vectors: bits `2f..2f+2` of vector `u` are quad `4u + f`, above the nibbles where there are both;
//! - single bits, 1 vector: bit `p` is quad `p`, above the others.
//!
//! Nothing is lost: the quants and scales are those of the file. The quants of Q8_0, `q + 128`, are two planes of nibbles: products of
//! bytes overflow 16-bit sums, those of nibbles do not.

use crate::tensor::DType;

/// Rows of a group.
pub const ROWS: usize = super::super::simd::LANES;
/// Columns of a block.
pub const BLOCK: usize = 32;
/// Quads of a block.
pub const QUADS: usize = BLOCK / 4;
/// Bytes of a vector.
pub const VECTOR: usize = 4 * ROWS;

/// Where the scale of a weight comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// f16 a block: `d`.
    Block,
    /// Two f16 a block: `d` and a minimum that is added.
    BlockMin,
    /// Two f16 a superblock, `d` and `dmin`; a byte each a block: `d s`, and `dmin m` is subtracted.
    SuperMin,
    /// f16 a superblock; a signed byte for each half of a block: `d s`.
    Half,
    /// Two f16 a superblock; two bytes for each half of a block: `d s`, and `dmin m` is subtracted.
    HalfMin,
}

/// Planes and scales of a quantised type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The type.
    pub dtype: DType,
    /// Where scales are.
    pub scale: Scale,
    /// The quant that stands for 0.
    pub zero: i32,
    /// Whether there is a plane of nibbles.
    pub nibbles: bool,
    /// Whether there is a plane of pairs.
    pub pairs: bool,
    /// Whether there is a plane of single bits.
    pub singles: bool,
    /// Whether the lower nibbles are in a plane of their own.
    pub low: bool,
}

impl Layout {
    /// Blocks that share a header.
    pub const fn blocks_per_super(&self) -> usize {
        self.dtype.block_elements() / BLOCK
    }

    /// Bytes of the header of a superblock.
    pub const fn header_bytes(&self) -> usize {
        match self.scale {
            Scale::Block | Scale::BlockMin => 0,
            Scale::Half => 2 * ROWS,
            Scale::SuperMin | Scale::HalfMin => 4 * ROWS,
        }
    }

    /// Bytes of the scales of a block.
    pub const fn scale_bytes(&self) -> usize {
        match self.scale {
            Scale::Block | Scale::SuperMin | Scale::Half => 2 * ROWS,
            Scale::BlockMin | Scale::HalfMin => 4 * ROWS,
        }
    }

    /// Scales of a block: one, or one for each half.
    pub const fn halves(&self) -> usize {
        match self.scale {
            Scale::Half | Scale::HalfMin => 2,
            _ => 1,
        }
    }

    /// Whether something is added to or subtracted from scale times quant.
    pub const fn has_min(&self) -> bool {
        matches!(self.scale, Scale::BlockMin | Scale::SuperMin | Scale::HalfMin)
    }

    /// Bytes of the scales of a superblock.
    pub const fn super_bytes(&self) -> usize {
        self.header_bytes() + self.blocks_per_super() * self.scale_bytes()
    }

    /// Bytes of the scales of a group.
    pub const fn group_scale_bytes(&self, cols: usize) -> usize {
        cols / self.dtype.block_elements() * self.super_bytes()
    }

    /// Offset of the pairs among the quants of a block.
    pub const fn pairs_at(&self) -> usize {
        if self.nibbles { 4 * VECTOR } else { 0 }
    }

    /// Offset of the single bits among them.
    pub const fn singles_at(&self) -> usize {
        self.pairs_at() + if self.pairs { 2 * VECTOR } else { 0 }
    }

    /// Bytes of the quants of a block.
    pub const fn quant_bytes(&self) -> usize {
        self.singles_at() + if self.singles { VECTOR } else { 0 }
    }

    /// Bytes of a group of rows with `cols` columns.
    pub const fn group_bytes(&self, cols: usize) -> usize {
        self.group_scale_bytes(cols) + cols / BLOCK * self.quant_bytes()
    }

    /// Bytes of a group in the plane of lower nibbles.
    pub const fn low_bytes(&self, cols: usize) -> usize {
        if self.low { cols / BLOCK * 4 * VECTOR } else { 0 }
    }

    /// Quads whose products with activations of magnitude 127 fit 16-bit sums: a lane adds two products a quad.
    pub const fn chain(&self) -> usize {
        let bits = self.nibbles as u32 * 4 + self.pairs as u32 * 2 + self.singles as u32;
        let largest = i16::MAX as usize / (2 * 127 * ((1 << bits) - 1));
        let most = QUADS / self.halves();
        let mut chain = most;
        while chain > largest {
            chain /= 2;
        }
        chain
    }
}

/// A type of the table, for the compiler: micro-kernels are compiled for each.
pub trait Format: Copy {
    /// Its row.
    const LAYOUT: Layout;
}

macro_rules! formats {
    ($d:tt $($name:ident = $scale:ident, zero $zero:literal, $($plane:ident)*;)*) => {
        $(
            #[doc = concat!("See [`Layout`] of [`DType::", stringify!($name), "`].")]
            #[allow(non_camel_case_types)]
            #[derive(Clone, Copy)]
            pub struct $name;

            impl Format for $name {
                const LAYOUT: Layout = Layout {
                    $($plane: true,)*
                    ..Layout {
                        dtype: DType::$name,
                        scale: Scale::$scale,
                        zero: $zero,
                        nibbles: false,
                        pairs: false,
                        singles: false,
                        low: false,
                    }
                };
            }
        )*

        /// The layout of a quantised type.
        pub fn layout(dtype: DType) -> Option<&'static Layout> {
            match dtype {
                $(DType::$name => Some(const { &$name::LAYOUT }),)*
                DType::F32 | DType::F16 | DType::BF16 | DType::U32 => None,
            }
        }

        /// Calls a function with the format of a quantised type as its last type argument; `None` for other types.
        macro_rules! with_format {
            ($dtype:expr, $function:ident::<$simd:ty>($d($argument:expr),* $d(,)?)) => {
                match $dtype {
                    $($crate::tensor::DType::$name => {
                        Some($function::<$simd, $crate::cpu::packed::layout::$name>($d($argument),*))
                    })*
                    $crate::tensor::DType::F32 | $crate::tensor::DType::F16 | $crate::tensor::DType::BF16 | $crate::tensor::DType::U32 => None,
                }
            };
        }
    };
}

formats! {
    $
    Q4_0 = Block, zero 8, nibbles;
    Q4_1 = BlockMin, zero 0, nibbles;
    Q5_0 = Block, zero 16, nibbles singles;
    Q5_1 = BlockMin, zero 0, nibbles singles;
    Q8_0 = Block, zero 128, nibbles low;
    Q2_K = HalfMin, zero 0, pairs;
    Q3_K = Half, zero 4, pairs singles;
    Q4_K = SuperMin, zero 0, nibbles;
    Q5_K = SuperMin, zero 0, nibbles singles;
    Q6_K = Half, zero 32, nibbles pairs;
}
pub(crate) use with_format;
