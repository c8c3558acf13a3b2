//! Scaled dot-product attention without a mask over the sequences that a run packs one behind the other.
//!
//! Row `t` belongs to the sequence `rows[t].sequence`, which has the rows `first <= j < end` of `segments`. For head `h`:
//!
//! `out[t, h] = Σ_j softmax_j(scale · q[t, h] · k[j, h]) v[j, h]`, over the rows `j` of the sequence.
//!
//! So a batch needs no padding, and no sequence sees another.
//!
//! Shapes: `q`, `k`, `v`, `out` `[tokens, heads · head_dim]` F32; `rows` `[tokens, 4]`, `segments` `[sequences, 2]` U32
//! ([`Row`](super::facts::Row), [`Segment`](super::facts::Segment)). Softmax is computed online, as in [`attention`](super::attention).

use super::attention::largest_score;
use super::case::packed;
use super::facts::{Row, Segment};
use super::{Case, CaseInput, EPS32, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, gamma, params::params, shader::fold};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderAttention {
    /// Heads, of queries as of keys and values.
    pub heads: usize,
    /// Width of a head, at most [`EncoderAttention::MAX_HEAD_DIM`].
    pub head_dim: usize,
    /// Factor on the scores, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
}

impl EncoderAttention {
    /// Widest head that the shader's workgroup memory holds.
    pub const MAX_HEAD_DIM: usize = 256;
}

params! {
    /// Heads.
    heads: u32,
    /// Quads of elements of a head.
    quads: u32,
    /// Rows of the run.
    tokens: u32,
    /// Factor on the scores.
    scale: f32,
}

impl Kernel for EncoderAttention {
    fn stem(&self) -> &'static str {
        "encoder_attention"
    }

    /// At most: how long the sequences are is in the operand.
    fn cost(&self, io: &Io<'_>) -> u64 {
        io.outputs[0].count() * io.extent.tokens as u64 * 2
    }

    fn unsupported(&self, _io: &Io<'_>) -> Option<String> {
        let largest = EncoderAttention::MAX_HEAD_DIM;
        let fits = self.head_dim.is_multiple_of(4) && (4..=largest).contains(&self.head_dim);
        (!fits).then(|| format!("heads of a width up to {largest} that 4 divides, got {}", self.head_dim))
    }
}

impl Reference for EncoderAttention {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let [q, k, v, rows, segments] = [inputs[0], inputs[1], inputs[2], inputs[3], inputs[4]];
        let dim = self.head_dim;
        let mut out = vec![Judged::default(); io.outputs[0].elements()];
        for (t, row) in rows.chunks_exact(Row::COLS).enumerate() {
            let segment = &segments[row[Row::SEQUENCE] as usize * Segment::COLS..];
            let span = segment[0] as usize..segment[1] as usize;
            for h in 0..self.heads {
                let at = |row: usize| (row * self.heads + h) * dim;
                let query = &q[at(t)..][..dim];
                let score = |j| {
                    let dot: f64 = query.iter().zip(&k[at(j)..]).map(|(a, b)| a * b).sum();
                    dot * f64::from(self.scale)
                };
                let scores: Vec<f64> = span.clone().map(score).collect();
                let largest = largest_score(&scores);
                let total: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
                let row = &mut out[at(t)..][..dim];
                for (j, score) in span.clone().zip(&scores) {
                    let weight = (score - largest).exp() / total;
                    for (element, value) in row.iter_mut().zip(&v[at(j)..]) {
                        element.value += weight * value;
                        element.magnitude += weight * value.abs();
                    }
                }
            }
        }
        vec![out]
    }

    /// As of [`attention`](super::attention): the error of the scores through an exponential, then a sum over the sequence.
    fn tolerance(&self, io: &Io<'_>) -> f64 {
        let largest_score = self.head_dim as f64 * f64::from(self.scale);
        let score_error = gamma(self.head_dim + 2) * largest_score;
        let exp_error = (3.0 + 4.0 * largest_score) * 2.0 * EPS32;
        2.0 * (score_error + exp_error) + gamma(2 * io.extent.tokens + 4)
    }
}

impl Shader for EncoderAttention {
    fn variant(&self, _io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant::plain(self.stem())
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let params = Params {
            heads: self.heads as u32,
            quads: (self.head_dim / 4) as u32,
            tokens: io.inputs[0].rows as u32,
            scale: self.scale,
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        fold(io.inputs[0].rows * self.heads)
    }
}

/// One head and many, widths to 256, one sequence, sequences of a row, of odd and prime lengths, longer than a tile.
pub fn cases() -> Vec<Case> {
    // (heads, head_dim, tokens, longest sequence)
    [(1, 4, 1, 1), (12, 32, 8, 8), (12, 32, 61, 17), (3, 20, 13, 1), (2, 256, 37, 37), (2, 64, 400, 293), (4, 80, 130, 131)]
        .into_iter()
        .map(|(heads, head_dim, tokens, longest)| {
            let rows = CaseInput::f32(tokens, heads * head_dim, 1.0);
            let facts = Operand::new(DType::U32, tokens, Row::COLS);
            let facts = CaseInput { operand: facts, fill: Fill::Sequences(longest) };
            let segments = Operand::new(DType::U32, packed(tokens, longest).len(), Segment::COLS);
            let segments = CaseInput { operand: segments, fill: Fill::Packed(longest, tokens) };
            Case {
                op: EncoderAttention { heads, head_dim, scale: 1.0 / (head_dim as f32).sqrt() }.into(),
                inputs: vec![rows.clone(), rows.clone(), rows, facts, segments],
                outputs: vec![Operand::new(DType::F32, tokens, heads * head_dim)],
                tokens,
                keys: 0,
                weights: &[],
                caches: &[],
            }
        })
        .collect()
}
