//! Keys or values of this run into their cache: `cache[g, (pos + t) mod slots, d] = x[t, g, d]`, rounded to the cache's type.
//!
//! Shapes: `x` `[tokens, kv_heads · head_dim]` F32; `cache` `[kv_heads · slots, head_dim]` F32 or F16. Slots not named keep
//! what they hold. `tokens <= slots`, so that no two tokens meet in a slot.

use super::{Case, CaseInput, Io, Judged, Kernel, Operand};
use crate::tensor::DType;

/// See the module's documentation.
#[derive(Clone, Debug, PartialEq)]
pub struct KvWrite {
    /// Key-value heads.
    pub kv_heads: usize,
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
