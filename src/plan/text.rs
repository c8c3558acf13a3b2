//! A plan as text, for people and for tests: one line a step, `%7 h F32[T, 640] = RmsNorm { eps: 1e-6 } %2, blk.0.attn_norm.weight`.

use std::fmt;

use super::{Plan, Storage, ValueId};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |id: ValueId| {
            let value = self.value(id);
            match value.storage {
                Storage::Temp => format!("%{}", id.0),
                _ => value.name.clone(),
            }
        };
        for step in &self.steps {
            for id in step.changes() {
                let value = self.value(id);
                let label =
                    if value.storage == Storage::Temp { format!(" {}", value.name) } else { String::new() };
                let updated = if step.updates.contains(&id) { "&" } else { "" };
                write!(f, "{updated}{}{label} {}{} ", name(id), value.dtype, value.dims)?;
            }
            let reads: Vec<String> = step.reads.iter().map(|&id| name(id)).collect();
            // Variants are called like the kernels in them, and a fused operation by its own name: that is enough.
            let op = format!("{:?}", step.op);
            let inner = |op: &str| Some(op.split_once('(')?.1.strip_suffix(')')?.to_owned());
            let kernel = inner(&op).and_then(|of| inner(&of)).unwrap_or(op);
            writeln!(f, "= {kernel} {}", reads.join(", "))?;
        }
        Ok(())
    }
}
