//! Rows of a table: `out[t, c] = scale · table[ids[t, column], c]`.
//!
//! Shapes: `ids` `[tokens, facts]` U32, such as the facts of rows; `table` `[vocabulary, cols]` of any weight type; `out` `[tokens, cols]` F32.
//! Bound in parts, a dispatch writes only the tokens whose row lies in its part.

use super::facts::Row;
use super::{Case, CaseInput, EPS32, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, params::params, shader::grid_of};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding {
    /// Factor on every element: `sqrt(cols)` for Gemma, 1 elsewhere.
    pub scale: f32,
    /// Which fact of a row is its id.
    pub column: usize,
}

params! {
    /// Tokens of the run.
    tokens: u32,
    /// Facts of a row.
    facts: u32,
    /// Which of them is the id.
    column: u32,
    /// Elements of a row.
    cols: u32,
    /// First row of the part of the table that is bound.
    row_start: u32,
    /// Rows of that part.
    rows: u32,
    /// Quantisation blocks of that part.
    blocks: u32,
    /// Factor on every element.
    scale: f32,
}

impl Kernel for Embedding {
    fn stem(&self) -> &'static str {
        "embedding"
    }

    fn looks_up(&self) -> bool {
        true
    }
}

impl Reference for Embedding {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let cols = io.inputs[1].cols;
        let mut out = Vec::with_capacity(io.extent.tokens * cols);
        for id in inputs[0].iter().skip(self.column).step_by(io.inputs[0].cols) {
            for element in &inputs[1][*id as usize * cols..][..cols] {
                let value = element * f64::from(self.scale);
                // A minimum makes an element the difference of two products, each of which may be larger than it.
                out.push(Judged { value, magnitude: value.abs() + f64::from(self.scale) });
            }
        }
        vec![out]
    }

    /// Scale times quant, less a minimum, times the scale of the embedding.
    fn tolerance(&self, _io: &Io<'_>) -> f64 {
        5.0 * EPS32
    }
}

impl Shader for Embedding {
    fn variant(&self, io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant { weight: Some(io.inputs[1].dtype), ..Variant::plain(self.stem()) }
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let table = io.inputs[1];
        let params = Params {
            tokens: io.extent.tokens as u32,
            facts: io.inputs[0].cols as u32,
            column: self.column as u32,
            cols: table.cols as u32,
            row_start: io.row_start as u32,
            rows: table.rows as u32,
            blocks: table.blocks() as u32,
            scale: self.scale,
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.extent.tokens * io.inputs[1].cols.div_ceil(8), 64)
    }
}

/// Every weight type; rows of one block and of several; plain types with odd widths.
pub fn cases() -> Vec<Case> {
    let case = |dtype, vocabulary: usize, cols, tokens, scale| Case {
        op: Embedding { scale, column: 0 }.into(),
        inputs: vec![
            CaseInput { operand: Operand::new(DType::U32, tokens, 1), fill: Fill::Ids(vocabulary as u32) },
            CaseInput { operand: Operand::new(dtype, vocabulary, cols), fill: Fill::Uniform(1.0) },
        ],
        outputs: vec![Operand::new(DType::F32, tokens, cols)],
        tokens,
        keys: 0,
        weights: &[1],
        caches: &[],
    };
    let mut cases = vec![
        case(DType::F32, 3, 1, 1, 1.0),
        case(DType::F32, 11, 7, 5, 2.0),
        case(DType::F16, 11, 13, 4, 1.0),
        case(DType::BF16, 5, 3, 3, 1.5),
        case(DType::F32, 17, 8, 65_537, 1.0),
    ];
    // The second fact of a row.
    cases.push(Case {
        op: Embedding { scale: 1.0, column: Row::POSITION }.into(),
        inputs: vec![
            CaseInput::rows(9, 3, 4),
            CaseInput { operand: Operand::new(DType::F32, 41, 24), fill: Fill::Uniform(1.0) },
        ],
        ..case(DType::F32, 41, 24, 9, 1.0)
    });
    for dtype in DType::WEIGHTS {
        cases.push(case(dtype, 37, 256, 5, 1.0));
        cases.push(case(dtype, 101, 768, 70, 27.0));
    }
    cases
}
