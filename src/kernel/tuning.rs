//! Which schedule of a kernel a device runs: a table, so that measurements change data and not code.

/// How the work of a matrix product is divided: a file of `shaders/matmul/`, and what the constants at its head are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Schedule {
    /// Some lanes share a row of the weight.
    Matvec,
    /// A row of the weight an invocation.
    Row,
    /// Tiles of both operands in workgroup memory.
    Tiled,
}

impl Schedule {
    /// All of them.
    pub const ALL: [Schedule; 3] = [Schedule::Matvec, Schedule::Row, Schedule::Tiled];

    /// Stem of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Schedule::Matvec => "matvec",
            Schedule::Row => "row",
            Schedule::Tiled => "tiled",
        }
    }

    /// Rows of the weight, and tokens, that one workgroup computes.
    pub const fn tile(self) -> (usize, usize) {
        match self {
            Schedule::Matvec => (4, 4),
            Schedule::Row => (64, 4),
            Schedule::Tiled => (64, 64),
        }
    }
}

/// How the shaders of a device are chosen and sized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Name of the row, for people.
    pub name: &'static str,
    /// Schedule of a matrix product of few tokens.
    pub product_few: Schedule,
    /// Schedule of one of many tokens.
    pub product_many: Schedule,
    /// Largest number of tokens that are few.
    pub few_tokens: usize,
}

impl Tuning {
    /// GPUs.
    pub const HARDWARE: Tuning = Tuning {
        name: "hardware",
        product_few: Schedule::Matvec,
        product_many: Schedule::Tiled,
        few_tokens: 8,
    };

    /// Adapters that rasterise in software: a barrier suspends every invocation of a workgroup there.
    pub const SOFTWARE: Tuning =
        Tuning { name: "software", product_few: Schedule::Row, product_many: Schedule::Row, few_tokens: 8 };

    /// The schedule of a product of so many tokens.
    pub const fn product(&self, tokens: usize) -> Schedule {
        if tokens <= self.few_tokens { self.product_few } else { self.product_many }
    }
}
