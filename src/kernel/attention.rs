//! Scaled dot-product attention of `tokens` queries over the key and the value cache of a sequence, causal.
//!
//! For head `h` of the query of row `t`, at position `p = rows[t].position`, with `g = h / (heads / kv_heads)` its key-value head:
//!
//! `out[t, h] = Σ_j softmax_j(scale · q[t, h] · k[g, j]) v[g, j]`, over the positions `j` with
//! `p - window < j <= p` (all `0 <= j <= p` without a window).
//!
//! Position `j` lies in slot `j mod slots` of the cache; the caller keeps `slots` large enough that no position a query of
//! this run may see has been overwritten: at least `window + tokens - 1` slots for a window.
//!
//! Shapes: `q`, `out` `[tokens, heads · head_dim]` F32; `k`, `v` `[kv_heads, slots, head_dim]` F32 or F16; `rows` `[tokens, 4]` U32
//! ([`Row`](super::facts::Row)).
//! Softmax is computed online (Milakov and Gimelshein 2018, arXiv 1805.02867) with a finite lowest maximum, so that a
//! masked tile never computes `exp(-inf - -inf)`.

use super::facts::Row;
use super::{Case, CaseInput, EPS32, Fill, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, gamma, params::params, shader::fold};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Query heads.
    pub heads: usize,
    /// Key-value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of a head, at most [`Attention::MAX_HEAD_DIM`].
    pub head_dim: usize,
    /// Number of positions a query sees, itself included; `None` for all before it.
    pub window: Option<usize>,
    /// Factor on the scores, usually `1 / sqrt(head_dim)`.
    pub scale: f32,
}

impl Attention {
    /// Widest head that the shader's workgroup memory holds.
    pub const MAX_HEAD_DIM: usize = 256;

    /// First position that the query at position `p` sees.
    pub fn first_visible(&self, p: usize) -> usize {
        self.window.map_or(0, |window| (p + 1).saturating_sub(window))
    }
}

/// The largest; NaN where one of them is no number, so that no weight comes of it: -inf would else be as good as unseen.
pub(super) fn largest_score(scores: &[f64]) -> f64 {
    let all_finite = scores.iter().all(|score| score.is_finite());
    if all_finite { scores.iter().copied().fold(f64::MIN, f64::max) } else { f64::NAN }
}

params! {
    /// Query heads.
    heads: u32,
    /// Query heads that share a key-value head.
    group: u32,
    /// Quads of elements of a head.
    quads: u32,
    /// Slots of the cache.
    slots: u32,
    /// Tokens of the run.
    tokens: u32,
    /// Positions that a query sees, itself included.
    window: u32,
    /// Factor on the scores.
    scale: f32,
}

impl Kernel for Attention {
    fn stem(&self) -> &'static str {
        "attention"
    }

    fn cost(&self, io: &Io<'_>) -> u64 {
        let visible = io.extent.keys.min(self.window.unwrap_or(usize::MAX));
        io.outputs[0].count() * visible as u64 * 2
    }

    fn unsupported(&self, _io: &Io<'_>) -> Option<String> {
        let fits = self.head_dim.is_multiple_of(4) && (4..=Attention::MAX_HEAD_DIM).contains(&self.head_dim);
        (!fits).then(|| {
            format!("heads of a width up to {} that 4 divides, got {}", Attention::MAX_HEAD_DIM, self.head_dim)
        })
    }
}

impl Reference for Attention {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], _before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        let slots = io.inputs[1].outer[2];
        let rows = inputs[3];
        let dim = self.head_dim;
        let mut out = vec![Judged::default(); io.outputs[0].elements()];
        for t in 0..io.extent.tokens {
            let p = rows[t * Row::COLS + Row::POSITION] as usize;
            for h in 0..self.heads {
                let g = h / (self.heads / self.kv_heads);
                let query = &q[(t * self.heads + h) * dim..][..dim];
                let at = |j: usize| (g * slots + j % slots) * dim;
                let visible = self.first_visible(p)..p + 1;
                let scores: Vec<f64> = visible
                    .clone()
                    .map(|j| {
                        let dot: f64 = query.iter().zip(&k[at(j)..]).map(|(a, b)| a * b).sum();
                        dot * f64::from(self.scale)
                    })
                    .collect();
                let largest = largest_score(&scores);
                let total: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
                let row = &mut out[(t * self.heads + h) * dim..][..dim];
                for (j, score) in visible.zip(&scores) {
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

    /// Each weight carries the error of its score: `head_dim` products of at most 1 in the cases below, times the scale,
    /// through an exponential whose own error WGSL bounds by `3 + 2·|x|` units in the last place; then a sum over the positions.
    fn tolerance(&self, io: &Io<'_>) -> f64 {
        let largest_score = self.head_dim as f64 * f64::from(self.scale);
        let score_error = gamma(self.head_dim + 2) * largest_score;
        let exp_error = (3.0 + 4.0 * largest_score) * 2.0 * EPS32;
        2.0 * (score_error + exp_error) + gamma(2 * io.extent.keys + 4)
    }
}

impl Shader for Attention {
    fn variant(&self, io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant { kv: Some(io.inputs[1].dtype), ..Variant::plain(self.stem()) }
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let params = Params {
            heads: self.heads as u32,
            group: (self.heads / self.kv_heads) as u32,
            quads: (self.head_dim / 4) as u32,
            slots: io.inputs[1].outer[2] as u32,
            tokens: io.extent.tokens as u32,
            window: self.window.map_or(u32::MAX, |window| u32::try_from(window).unwrap_or(u32::MAX)),
            scale: self.scale,
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        fold(io.extent.tokens * self.heads)
    }
}

/// Heads 1 to 8 and grouped, widths to 256, windows whose ring has wrapped, one token and many, both cache types.
pub fn cases() -> Vec<Case> {
    // (heads, kv_heads, head_dim, window, slots, tokens, position of the first)
    let shapes = [
        (1, 1, 4, None, 1, 1, 0),
        (1, 1, 32, None, 8, 5, 0),
        (4, 1, 256, None, 37, 3, 30),
        (4, 2, 64, None, 300, 1, 299),
        (6, 2, 80, None, 64, 17, 40),
        (3, 3, 20, Some(1), 4, 3, 9),
        (4, 1, 256, Some(16), 24, 7, 100),
        (8, 2, 128, Some(16), 80, 64, 33),
        (2, 1, 32, Some(512), 600, 2, 1000),
        (4, 4, 64, None, 1100, 1, 1090),
    ];
    let mut cases = Vec::new();
    for (heads, kv_heads, head_dim, window, slots, tokens, pos) in shapes {
        // Rows in the order of their positions, as a prompt has them; where the cache holds all, also the other way round.
        let orders: &[(usize, i32)] =
            if tokens > 1 && pos + tokens <= slots { &[(pos, 1), (pos + tokens - 1, -1)] } else { &[(pos, 1)] };
        for (cache, &(first, step)) in [DType::F32, DType::F16].into_iter().flat_map(|cache| orders.iter().map(move |order| (cache, order))) {
            let scale = 1.0 / (head_dim as f32).sqrt();
            let kv = Operand::shaped(cache, &[kv_heads, slots], head_dim);
            let kv = CaseInput { operand: kv, fill: Fill::Uniform(1.0) };
            cases.push(Case {
                op: Attention { heads, kv_heads, head_dim, window, scale }.into(),
                inputs: vec![CaseInput::f32(tokens, heads * head_dim, 1.0), kv.clone(), kv, CaseInput::rows(tokens, first, step)],
                outputs: vec![Operand::new(DType::F32, tokens, heads * head_dim)],
                tokens,
                keys: pos + tokens,
                weights: &[],
                caches: &[1, 2],
            });
        }
    }
    cases
}
