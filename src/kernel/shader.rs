//! Shaders as text: which variants there are, and how one is put together from its files.
//!
//! A shader may hold lines `//!include shared/x.wgsl`, and three whose file depends on the variant: `$WEIGHT` (how a
//! weight type is unpacked), `$KV` (how a cache is) and `$SCHEDULE` (how the work is divided). A file is included once,
//! however often it is named. WGSL lets declarations come in any order, so an include may stand anywhere.

use thiserror::Error;

use super::shaders;
use super::tuning::Schedule;
use crate::tensor::DType;

/// One legal form of a kernel's shader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The kernel.
    pub stem: &'static str,
    /// What `$WEIGHT` stands for.
    pub weight: Option<DType>,
    /// What `$KV` stands for: F32 or F16.
    pub kv: Option<DType>,
    /// What `$SCHEDULE` stands for: a file of `shaders/matmul/`.
    pub schedule: Option<Schedule>,
}

impl Variant {
    /// A shader without variable includes.
    pub const fn plain(stem: &'static str) -> Self {
        Variant { stem, weight: None, kv: None, schedule: None }
    }

    /// A name for labels and messages: `matmul-tiled-Q4_K`.
    pub fn name(&self) -> String {
        let mut name = self.stem.to_owned();
        for part in
            [self.schedule.map(Schedule::name), self.weight.map(DType::name), self.kv.map(DType::name)]
                .into_iter()
                .flatten()
        {
            name.push('-');
            name.push_str(part);
        }
        name
    }
}

/// The variable includes that a kernel's shader has; their combinations are its variants.
struct Family {
    stem: &'static str,
    weights: &'static [DType],
    caches: &'static [DType],
    schedules: &'static [Schedule],
}

const CACHES: &[DType] = &[DType::F32, DType::F16];

/// Every legal variant. Kernels that are not here have one.
const FAMILIES: &[Family] = &[
    Family { stem: "attention", weights: &[], caches: CACHES, schedules: &[] },
    Family { stem: "embedding", weights: &DType::WEIGHTS, caches: &[], schedules: &[] },
    Family { stem: "kv_write", weights: &[], caches: CACHES, schedules: &[] },
    Family { stem: "matmul", weights: &DType::WEIGHTS, caches: &[], schedules: &Schedule::ALL },
    Family { stem: "norm_product", weights: &DType::WEIGHTS, caches: &[], schedules: &Schedule::ALL },
];

/// All variants of all kernels.
pub fn variants() -> Vec<Variant> {
    /// `None` alone for a placeholder that a shader doesn't have.
    fn choices<T: Copy>(values: &[T]) -> Vec<Option<T>> {
        if values.is_empty() { vec![None] } else { values.iter().copied().map(Some).collect() }
    }
    let mut all = Vec::new();
    for (stem, _) in shaders() {
        let Some(family) = FAMILIES.iter().find(|family| family.stem == stem) else {
            all.push(Variant::plain(stem));
            continue;
        };
        for &schedule in &choices(family.schedules) {
            for &weight in &choices(family.weights) {
                for &kv in &choices(family.caches) {
                    all.push(Variant { stem, weight, kv, schedule });
                }
            }
        }
    }
    all
}

macro_rules! included {
    ($($path:literal),* $(,)?) => {
        /// Files that shaders include, by their path under `shaders/`.
        pub const INCLUDED: &[(&str, &str)] =
            &[$(($path, include_str!(concat!("../../shaders/", $path)))),*];
    };
}

included![
    "matmul/matvec.wgsl",
    "matmul/row.wgsl",
    "matmul/tiled.wgsl",
    "shared/bf16.wgsl",
    "shared/f16.wgsl",
    "shared/f32.wgsl",
    "shared/finite.wgsl",
    "shared/grid.wgsl",
    "shared/half.wgsl",
    "shared/kv_f16.wgsl",
    "shared/kv_f32.wgsl",
    "shared/nibbles32.wgsl",
    "shared/online_attention.wgsl",
    "shared/product.wgsl",
    "shared/q2_k.wgsl",
    "shared/q3_k.wgsl",
    "shared/q4_0.wgsl",
    "shared/q4_1.wgsl",
    "shared/q4_k.wgsl",
    "shared/q5_0.wgsl",
    "shared/q5_1.wgsl",
    "shared/q5_k.wgsl",
    "shared/q6_k.wgsl",
    "shared/q8_0.wgsl",
    "shared/quants2.wgsl",
    "shared/scales6.wgsl",
    "shared/weight.wgsl",
];

/// A shader that names a file there is not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("shader {variant} includes {include}, which is not among the shaders")]
pub struct ShaderError {
    /// Name of the variant.
    pub variant: String,
    /// What its text names.
    pub include: String,
}

/// The whole WGSL of a variant.
pub fn expand(variant: Variant) -> Result<String, ShaderError> {
    let source = shaders().find(|(stem, _)| *stem == variant.stem).map(|(_, source)| source);
    let source = source.ok_or_else(|| missing(variant, variant.stem))?;
    let mut done = Vec::new();
    let mut text = String::new();
    expand_into(variant, source, &mut done, &mut text)?;
    Ok(text)
}

fn expand_into(
    variant: Variant,
    source: &str,
    done: &mut Vec<String>,
    text: &mut String,
) -> Result<(), ShaderError> {
    for line in source.lines() {
        let Some(include) = line.strip_prefix("//!include ") else {
            text.push_str(line);
            text.push('\n');
            continue;
        };
        let path = resolve(variant, include.trim()).ok_or_else(|| missing(variant, include))?;
        if done.contains(&path) {
            continue;
        }
        let (_, included) =
            INCLUDED.iter().find(|(name, _)| *name == path).ok_or_else(|| missing(variant, &path))?;
        done.push(path);
        expand_into(variant, included, done, text)?;
    }
    Ok(())
}

/// Path of an include; `None` for a placeholder that the variant leaves open.
fn resolve(variant: Variant, include: &str) -> Option<String> {
    Some(match include {
        "$WEIGHT" => format!("shared/{}.wgsl", variant.weight?.name().to_lowercase()),
        "$KV" => format!("shared/kv_{}.wgsl", variant.kv?.name().to_lowercase()),
        "$SCHEDULE" => format!("matmul/{}.wgsl", variant.schedule?.name()),
        path => path.to_owned(),
    })
}

fn missing(variant: Variant, include: &str) -> ShaderError {
    ShaderError { variant: variant.name(), include: include.to_owned() }
}

/// Name and whole text of every variant: what tests hand to every compiler.
pub fn expanded_shaders() -> Result<Vec<(String, String)>, ShaderError> {
    variants().into_iter().map(|variant| Ok((variant.name(), expand(variant)?))).collect()
}

/// Largest number of workgroups in one dimension that every device takes.
pub const MAX_WORKGROUPS: usize = 65_535;

/// A grid of `workgroups`, folded into two dimensions where one is too short; `shared/grid.wgsl` unfolds it. The last
/// row of the fold may be longer than needed.
pub fn fold(workgroups: usize) -> [u32; 3] {
    let rows = workgroups.div_ceil(MAX_WORKGROUPS).max(1);
    [workgroups.div_ceil(rows) as u32, rows as u32, 1]
}

/// The grid of a kernel with one invocation for each of `items`.
pub fn grid_of(items: usize, workgroup_size: usize) -> [u32; 3] {
    fold(items.div_ceil(workgroup_size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_grids_cover_the_workgroups_within_the_limit() {
        for workgroups in [1, 2, 65_535, 65_536, 65_537, 131_070, 131_071, 10_000_019] {
            let [x, y, z] = fold(workgroups).map(|extent| extent as usize);
            assert!(x * y >= workgroups && x * y < workgroups + y, "{workgroups}: {x} x {y}");
            assert!(x <= MAX_WORKGROUPS && y <= MAX_WORKGROUPS && z == 1, "{workgroups}: {x} x {y}");
        }
    }

    #[test]
    fn names_of_variants_are_unique() {
        let mut names: Vec<String> = variants().iter().map(Variant::name).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
