//! Keys or values of this run into their cache: `cache[g, (pos + t) mod slots, d] = x[t, g, d]`, rounded to the cache's type.
//!
//! Shapes: `x` `[tokens, kv_heads · head_dim]` F32; `cache` `[kv_heads · slots, head_dim]` F32 or F16. Slots not named keep
//! what they hold. `tokens <= slots`, so that no two tokens meet in a slot. Executors note the lowest position of which an element is
//! NaN or an infinity in the cache.

use super::{Case, CaseInput, Io, Judged, Kernel, Operand, Tuning, Variant, params::params, shader::grid_of};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct KvWrite {
    /// Key-value heads.
    pub kv_heads: usize,
}

params! {
    /// Tokens of the run.
    tokens: u32,
    /// Key-value heads.
    kv_heads: u32,
    /// Pairs of elements of a head.
    pairs: u32,
    /// Slots of the cache.
    slots: u32,
    /// Position of the first token.
    pos: u32,
}

impl Kernel for KvWrite {
    fn stem(&self) -> &'static str {
        "kv_write"
    }

    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let dim = io.outputs[0].cols;
        let slots = io.outputs[0].rows / self.kv_heads;
        let exact = |&value: &f64| Judged { value, magnitude: 0.0 };
        let mut cache: Vec<Judged> = before[0].iter().map(exact).collect();
        for t in 0..io.tokens {
            for g in 0..self.kv_heads {
                let slot = (io.pos + t) % slots;
                for d in 0..dim {
                    let value = inputs[0][(t * self.kv_heads + g) * dim + d];
                    cache[(g * slots + slot) * dim + d] = Judged { value, magnitude: value.abs() + 6.2e-5 };
                }
            }
        }
        vec![cache]
    }

    /// F32 is copied. F16 has 11 significant bits (below 6.1e-5 a fixed step, which the magnitude's constant covers), and
    /// WGSL lets an implementation round to either neighbour.
    fn tolerance(&self, io: &Io<'_>) -> f64 {
        match io.outputs[0].dtype {
            DType::F16 => 1.0 / 1024.0,
            _ => 0.0,
        }
    }

    fn variant(&self, io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant { kv: Some(io.outputs[0].dtype), ..Variant::plain(self.stem()) }
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let cache = io.outputs[0];
        let params = Params {
            tokens: io.tokens as u32,
            kv_heads: self.kv_heads as u32,
            pairs: (cache.cols / 2) as u32,
            slots: (cache.rows / self.kv_heads) as u32,
            pos: io.pos as u32,
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.tokens * self.kv_heads * (io.outputs[0].cols / 2), 64)
    }

    fn cost(&self, io: &Io<'_>) -> u64 {
        io.inputs[0].count()
    }

    fn notes_faults(&self) -> bool {
        true
    }

    fn unsupported(&self, io: &Io<'_>) -> Option<String> {
        let cols = io.outputs[0].cols;
        (!cols.is_multiple_of(2)).then(|| format!("heads of even width, got {cols}"))
    }
}

/// One slot, a wrapped ring, several heads, as many tokens as slots, odd widths, both cache types.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // (kv_heads, head_dim, slots, tokens, pos)
    for (kv_heads, head_dim, slots, tokens, pos) in
        [(1, 2, 1, 1, 0), (1, 256, 24, 7, 21), (2, 64, 8, 8, 3), (3, 20, 5, 2, 1004), (8, 128, 300, 130, 0)]
    {
        for dtype in [DType::F32, DType::F16] {
            cases.push(Case {
                op: KvWrite { kv_heads }.into(),
                inputs: vec![CaseInput::f32(tokens, kv_heads * head_dim, 3.0)],
                outputs: vec![Operand::new(dtype, kv_heads * slots, head_dim)],
                tokens,
                pos,
                weights: &[],
                caches: &[],
            });
        }
    }
    cases
}
