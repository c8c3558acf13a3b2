//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864): pair `i` of each head turns by the angle of its position.
//!
//! `(a, b) -> (a cos - b sin, a sin + b cos)`, with cos and sin from row `rows[t].position` of a table that the host computes in f64.
//! [`Pairing::Halves`] pairs element `i` with `i + pairs` (GPT-NeoX: Gemma, Qwen), [`Pairing::Neighbours`] pairs `2i` with
//! `2i + 1` (Llama as GGUF stores it). Elements of a head after the pairs are copied.
//!
//! Shapes: `x`, `out` `[tokens, heads · head_dim]`; `table` `[context, 2 · pairs]`, cos and sin alternating; F32; `rows` `[tokens, 4]` U32.

use super::facts::Row;
use super::{Case, CaseInput, EPS32, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, params::params, shader::grid_of};
use crate::tensor::DType;

/// Which two elements of a head turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// `i` and `i + pairs`.
    Halves,
    /// `2i` and `2i + 1`.
    Neighbours,
}

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Width of a head.
    pub head_dim: usize,
    /// Which two elements turn together.
    pub pairing: Pairing,
}

impl Rope {
    /// Positions within a head of the two elements of pair `i`.
    pub fn pair(&self, i: usize, pairs: usize) -> (usize, usize) {
        match self.pairing {
            Pairing::Halves => (i, i + pairs),
            Pairing::Neighbours => (2 * i, 2 * i + 1),
        }
    }
}

params! {
    /// Elements of the output.
    elements: u32,
    /// Elements of a token's row.
    cols: u32,
    /// Width of a head.
    head_dim: u32,
    /// Pairs of a head that turn.
    pairs: u32,
    /// 1 for [`Pairing::Neighbours`], 0 for [`Pairing::Halves`].
    neighbours: u32,
}

impl Kernel for Rope {
    fn stem(&self) -> &'static str {
        "rope"
    }
}

impl Reference for Rope {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let pairs = io.inputs[1].cols / 2;
        let cols = io.inputs[0].cols;
        let mut out: Vec<Judged> =
            inputs[0].iter().map(|&value| Judged { value, magnitude: value.abs() }).collect();
        for t in 0..io.extent.tokens {
            for head in 0..cols / self.head_dim {
                let base = t * cols + head * self.head_dim;
                for i in 0..pairs {
                    let (a_at, b_at) = self.pair(i, pairs);
                    let (a, b) = (inputs[0][base + a_at], inputs[0][base + b_at]);
                    let row = inputs[2][t * Row::COLS + Row::POSITION] as usize * 2 * pairs;
                    let (cos, sin) = (inputs[1][row + 2 * i], inputs[1][row + 2 * i + 1]);
                    let magnitude = a.abs() + b.abs();
                    out[base + a_at] = Judged { value: a * cos - b * sin, magnitude };
                    out[base + b_at] = Judged { value: a * sin + b * cos, magnitude };
                }
            }
        }
        vec![out]
    }

    fn tolerance(&self, _io: &Io<'_>) -> f64 {
        3.0 * EPS32
    }
}

impl Shader for Rope {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let params = Params {
            elements: io.outputs[0].elements() as u32,
            cols: io.outputs[0].cols as u32,
            head_dim: self.head_dim as u32,
            pairs: (io.inputs[1].cols / 2) as u32,
            neighbours: u32::from(self.pairing == Pairing::Neighbours),
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.outputs[0].elements(), 64)
    }
}

/// Both pairings; one pair, whole heads, heads turned in part; positions away from 0; over 65,535 workgroups.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for pairing in [Pairing::Halves, Pairing::Neighbours] {
        // (heads, head_dim, pairs, tokens, pos)
        for (heads, head_dim, pairs, tokens, pos) in
            [(1, 2, 1, 1, 0), (4, 256, 128, 3, 1000), (3, 20, 5, 7, 13), (8, 64, 32, 130, 1), (1, 128, 64, 65_537, 0)]
        {
            let table = Operand::new(DType::F32, pos + tokens, 2 * pairs);
            let (first, step) = if tokens == 7 { (pos + tokens - 1, -1) } else { (pos, 1) };
            cases.push(Case {
                op: Rope { head_dim, pairing }.into(),
                inputs: vec![
                    CaseInput::f32(tokens, heads * head_dim, 2.0),
                    CaseInput { operand: table, fill: Fill::Rotations },
                    CaseInput::rows(tokens, first, step),
                ],
                outputs: vec![Operand::new(DType::F32, tokens, heads * head_dim)],
                tokens,
                keys: 0,
                weights: &[],
                caches: &[],
            });
        }
    }
    cases
}
