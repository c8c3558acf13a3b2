//! Keys or values of this run into their cache: `cache[g, rows[t].slot mod slots, d] = x[t, g, d]`, rounded to the cache's type.
//!
//! Shapes: `x` `[tokens, kv_heads · head_dim]` F32; `rows` `[tokens, 4]` U32; `cache` `[kv_heads, slots, head_dim]` F32 or F16. Slots not named keep
//! what they hold. `tokens <= slots`, so that no two tokens meet in a slot. Executors note the lowest position of which an element is
//! NaN or an infinity in the cache.

use super::facts::Row;
use super::{Case, CaseInput, Io, Judged, Kernel, Reference, Shader, Operand, Tuning, Variant, params::params, shader::grid_of};
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
}

impl Kernel for KvWrite {
    fn stem(&self) -> &'static str {
        "kv_write"
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

impl Reference for KvWrite {
    fn reference(&self, io: &Io<'_>, inputs: &[&[f64]], before: &[&[f64]]) -> Vec<Vec<Judged>> {
        let dim = io.outputs[0].cols;
        let slots = io.outputs[0].outer[2];
        let rows = inputs[1].chunks_exact(Row::COLS);
        let exact = |&value: &f64| Judged { value, magnitude: 0.0 };
        let mut cache: Vec<Judged> = before[0].iter().map(exact).collect();
        for (t, row) in rows.enumerate() {
            for g in 0..self.kv_heads {
                let slot = row[Row::SLOT] as usize % slots;
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

impl Shader for KvWrite {
    fn variant(&self, io: &Io<'_>, _tuning: &Tuning) -> Variant {
        Variant { kv: Some(io.outputs[0].dtype), ..Variant::plain(self.stem()) }
    }

    fn params(&self, io: &Io<'_>, out: &mut Vec<u8>) {
        let cache = io.outputs[0];
        let params = Params {
            tokens: io.extent.tokens as u32,
            kv_heads: self.kv_heads as u32,
            pairs: (cache.cols / 2) as u32,
            slots: cache.outer[2] as u32,
        };
        out.extend(bytemuck::bytes_of(&params));
    }

    fn grid(&self, io: &Io<'_>, _variant: Variant) -> [u32; 3] {
        grid_of(io.extent.tokens * self.kv_heads * (io.outputs[0].cols / 2), 64)
    }
}

/// One slot, a wrapped ring, several heads, as many tokens as slots, odd widths, both cache types.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    // (kv_heads, head_dim, slots, tokens, position of the first, from one to the next)
    for (kv_heads, head_dim, slots, tokens, first, step) in [
        (1, 2, 1, 1, 0, 1),
        (1, 256, 24, 7, 21, 1),
        (2, 64, 8, 8, 3, 1),
        (3, 20, 5, 2, 1004, 1),
        (8, 128, 300, 130, 0, 1),
        (2, 32, 64, 9, 60, -7),
    ]
    {
        for dtype in [DType::F32, DType::F16] {
            cases.push(Case {
                op: KvWrite { kv_heads }.into(),
                inputs: vec![CaseInput::f32(tokens, kv_heads * head_dim, 3.0), CaseInput::rows(tokens, first, step)],
                outputs: vec![Operand::shaped(dtype, &[kv_heads, slots], head_dim)],
                tokens,
                keys: 0,
                weights: &[],
                caches: &[],
            });
        }
    }
    cases
}
