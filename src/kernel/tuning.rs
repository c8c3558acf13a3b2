//! Which schedule of a kernel a device runs: a table, so that measurements change data and not code.

/// How the shaders of a device are chosen and sized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Name of the row, for people.
    pub name: &'static str,
    /// Schedule of a matrix product of few tokens: a file of `shaders/matmul/`.
    pub matmul_few: &'static str,
    /// Schedule of one of many tokens.
    pub matmul_many: &'static str,
    /// Largest number of tokens that are few.
    pub few_tokens: usize,
}

impl Tuning {
    /// GPUs.
    pub const HARDWARE: Tuning =
        Tuning { name: "hardware", matmul_few: "matvec", matmul_many: "tiled", few_tokens: 8 };

    /// Adapters that rasterise in software: a barrier suspends every invocation of a workgroup there.
    pub const SOFTWARE: Tuning =
        Tuning { name: "software", matmul_few: "row", matmul_many: "row", few_tokens: 8 };
}
