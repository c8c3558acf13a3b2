//! `out[t, n] = x[t] · w[n]`: groups of eight rows of the weight over all threads, each with all tokens.

use std::ops::Range;

use super::activations::{Activations, Row};
use super::floats::{self, Columns, Tiles};
use super::ints::{self, Unpacked};
use super::packed::layout::ROWS;
use super::packed::{Form, Weight, unpack};
use super::pool::Pool;
use super::shared::SharedMut;
use super::simd::Level;
use crate::plan::ValueId;
use crate::tensor::DType;

/// Bytes of weights that a task reads at least: handing over costs less than reading them.
const TASK_BYTES: usize = 1 << 14;
/// Tasks a thread, for balance.
const TASKS_PER_THREAD: usize = 8;

/// What a weight is multiplied with, `[tokens, k]`.
#[derive(Clone, Copy)]
pub enum Factor<'a> {
    /// As it is.
    Exact(floats::Rows<'a>),
    /// As bytes.
    Quantised(&'a Activations),
}

/// The last operands of matrix products as factors, and which values of the run they are: the next product may take the same.
#[derive(Default)]
pub struct Factors {
    bytes: (Option<ValueId>, Activations),
    tiles: (Option<ValueId>, Tiles),
}

impl Factors {
    /// `x` `[tokens, cols]`, which is `value`: as bytes, or as it is.
    pub fn of<'a>(
        &'a mut self,
        executor: (Level, &Pool),
        bytes: bool,
        value: ValueId,
        x: &'a [f32],
        cols: usize,
    ) -> Factor<'a> {
        if bytes {
            if self.bytes.0 != Some(value) {
                self.bytes.1.quantise(executor, x, cols);
                self.bytes.0 = Some(value);
            }
            return Factor::Quantised(&self.bytes.1);
        }
        if self.tiles.0 != Some(value) {
            self.tiles.1.lay_out(executor, x, cols);
            self.tiles.0 = Some(value);
        }
        Factor::Exact(self.tiles.1.rows(x, cols))
    }

    /// A new run gives its values other numbers.
    pub fn forget(&mut self) {
        self.bytes.0 = None;
        self.tiles.0 = None;
    }
}

/// Whether a product may take activations as bytes.
pub fn takes_bytes(weight: &Weight) -> bool {
    matches!(weight.form, Form::Blocks(_))
}

/// Groups that a task takes.
pub fn groups_per_task(weight: &Weight, groups: usize, threads: usize) -> usize {
    let group_bytes = (weight.held_bytes() / weight.groups()).max(1);
    // Even, since products in f32 take two at a time.
    groups.div_ceil(TASKS_PER_THREAD * threads).max(TASK_BYTES / group_bytes).next_multiple_of(2).max(2)
}

/// Computes the columns of groups `first..first + count` of `out` `[tokens, n]`.
pub fn matmul(
    (level, pool): (Level, &Pool),
    x: Factor<'_>,
    weight: &Weight,
    (first, count): (usize, usize),
    out: &mut [f32],
) {
    let (n, k) = (weight.desc.shape.rows(), weight.desc.shape.cols());
    let tokens = out.len() / n;
    if let (Form::Vector, Factor::Exact(x)) = (weight.form, x) {
        for (out, x) in out.iter_mut().zip(x.x.chunks_exact(k)) {
            *out = floats::dot(level, x, weight.vector());
        }
        return;
    }
    let per_task = groups_per_task(weight, count, pool.threads());
    let out = SharedMut::new(out);
    let end = first + count;
    pool.run(count.div_ceil(per_task), &|task| {
        let groups = first + task * per_task..end.min(first + (task + 1) * per_task);
        let write = |group: usize, token: usize, products: &[f32]| {
            let columns = products.len().min(n - group * ROWS);
            // SAFETY: every group of columns is computed by one task.
            copy(unsafe { out.part(token * n + group * ROWS, columns) }, products);
        };
        match (weight.form, x) {
            (Form::Blocks(layout), Factor::Quantised(x)) if tokens == 1 => {
                let mut products = [0.0; ROWS];
                for group in groups {
                    ints::group_times_token(level, layout, weight.group(group), x.row(0), &mut products);
                    write(group, 0, &products);
                }
            }
            (Form::Blocks(layout), Factor::Quantised(x)) => {
                let rows: Vec<Row<'_>> = (0..tokens).map(|token| x.row(token)).collect();
                let mut unpacked = Unpacked::default();
                let mut products = vec![[0.0; ROWS]; tokens];
                for group in groups {
                    let weights = weight.group(group);
                    ints::group_times_tokens(level, layout, weights, &rows, &mut unpacked, &mut products);
                    products.iter().enumerate().for_each(|(token, products)| write(group, token, products));
                }
            }
            (_, Factor::Exact(x)) => exact(level, weight, x, groups, write),
            // `takes_bytes` is asked before activations are quantised.
            (Form::Vector | Form::Numbers(_), Factor::Quantised(_)) => {}
        }
    });
}

/// Copies as much as there is room for. Of known size that is an instruction or two, otherwise a call, which costs more than the copy.
pub fn copy(to: &mut [f32], from: &[f32]) {
    #[cold]
    fn rest(to: &mut [f32], from: &[f32]) {
        to.copy_from_slice(&from[..to.len()]);
    }
    match (to.as_chunks_mut::<ROWS>(), from.as_chunks::<ROWS>().0) {
        (([a, b], []), [from_a, from_b]) => (*a, *b) = (*from_a, *from_b),
        (([a], []), [from_a]) => *a = *from_a,
        _ => rest(to, from),
    }
}

/// Products in f32 of some groups, two at a time.
fn exact(
    level: Level,
    weight: &Weight,
    x: floats::Rows<'_>,
    groups: Range<usize>,
    write: impl Fn(usize, usize, &[f32]),
) {
    let mut unpacked = [Vec::new(), Vec::new()];
    let mut alone = vec![[[0.0; ROWS]]; x.outputs()];
    let mut twice = vec![[[0.0; ROWS]; 2]; x.outputs()];
    let mut group = groups.start;
    while group < groups.end {
        let [first, second] = &mut unpacked;
        if group + 1 < groups.end {
            let pair = [numbers(level, weight, group, first), numbers(level, weight, group + 1, second)];
            floats::times_rows_twice(level, pair, x, &mut twice);
            for (token, products) in twice[..x.rows()].iter().enumerate() {
                write(group, token, products.as_flattened());
            }
            group += 2;
        } else {
            floats::times_rows(level, [numbers(level, weight, group, first)], x, &mut alone);
            alone[..x.rows()]
                .iter()
                .enumerate()
                .for_each(|(token, products)| write(group, token, &products[0]));
            group += 1;
        }
    }
}

/// A group as numbers: where it lies, if it is plain F32.
pub fn numbers<'a>(
    level: Level,
    weight: &'a Weight,
    group: usize,
    unpacked: &'a mut Vec<f32>,
) -> Columns<'a> {
    let packed = weight.group(group);
    let numbers: &[f32] = match weight.form {
        Form::Numbers(DType::F32) => bytemuck::try_cast_slice(packed.main).unwrap_or_default(),
        form => {
            unpacked.resize(weight.desc.shape.cols() * ROWS, 0.0);
            unpack::group(level, form, packed, unpacked);
            unpacked
        }
    };
    Columns { numbers, stride: ROWS }
}
