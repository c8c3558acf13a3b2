//! Values of a plan: what they are called, how large they are, where they live.

use std::fmt;

use crate::kernel::{Extent, Operand};
use crate::tensor::DType;

/// Names a value of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ValueId(pub u32);

impl ValueId {
    /// Its place among the values of its plan.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One dimension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dim {
    /// Known when the plan is made.
    Fixed(usize),
    /// Rows of the run, one a token.
    Tokens,
    /// Rows that the host wants the outcome of.
    Wanted,
    /// Sequences of the run.
    Sequences,
}

impl Dim {
    /// What it is in a run.
    pub const fn bind(self, extent: Extent) -> usize {
        match self {
            Dim::Fixed(count) => count,
            Dim::Tokens => extent.tokens,
            Dim::Wanted => extent.wanted,
            Dim::Sequences => extent.sequences,
        }
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(count) => write!(f, "{count}"),
            Dim::Tokens => f.write_str("T"),
            Dim::Wanted => f.write_str("W"),
            Dim::Sequences => f.write_str("S"),
        }
    }
}

/// Dimensions of a value, slowest first. The last one is always known: a kernel is chosen by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dims {
    outer: Vec<Dim>,
    cols: usize,
}

impl Dims {
    /// Any number of dimensions before the last.
    pub fn new(outer: impl Into<Vec<Dim>>, cols: usize) -> Self {
        Dims { outer: outer.into(), cols }
    }

    /// Elements of a row.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All dimensions but the last.
    pub fn outer(&self) -> &[Dim] {
        &self.outer
    }

    /// Whether a run decides how large it is.
    pub fn is_symbolic(&self) -> bool {
        self.outer.iter().any(|dim| !matches!(dim, Dim::Fixed(_)))
    }
}

impl From<(Dim, usize)> for Dims {
    fn from((rows, cols): (Dim, usize)) -> Self {
        Dims::new([rows], cols)
    }
}

impl fmt::Display for Dims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for dim in &self.outer {
            write!(f, "{dim}, ")?;
        }
        write!(f, "{}]", self.cols)
    }
}

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Read-only, loaded from the model file under this name.
    Weight,
    /// Brought by the host with a run; shared by all plans of an executor under its name.
    Input,
    /// Lives across runs, shared by all plans of an executor under its name; zero at first.
    State,
    /// Lives within a run, as long as a step still reads it.
    Temp,
    /// Written by the plan, for the host to read.
    Output,
}

/// A value of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Value {
    /// Weight's name in the file, or what the value holds: for files, texts and errors.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Its dimensions, perhaps symbolic.
    pub dims: Dims,
    /// Where it lives.
    pub storage: Storage,
}

impl Value {
    /// Elements of a row.
    pub fn cols(&self) -> usize {
        self.dims.cols
    }

    /// The operand that it is in a run.
    pub fn operand(&self, extent: Extent) -> Operand {
        let outer: Vec<usize> = self.dims.outer.iter().map(|dim| dim.bind(extent)).collect();
        Operand::shaped(self.dtype, &outer, self.dims.cols)
    }
}
