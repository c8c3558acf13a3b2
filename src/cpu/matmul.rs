//! `out[t, n] = x[t] · w[n]`: groups of eight rows of the weight over all threads, each with all tokens.

use std::ops::Range;

use super::activations::{Activations, Row};
use super::floats::{self, Columns};
use super::ints::{self, Unpacked};
use super::packed::layout::ROWS;
use super::packed::{Form, Weight, unpack};
use super::pool::Pool;
use super::shared::SharedMut;
use super::simd::Level;
use crate::tensor::DType;

/// Bytes of weights that a task reads at least: handing over costs less than reading them.
const TASK_BYTES: usize = 1 << 14;
/// Tasks a thread, for balance.
const TASKS_PER_THREAD: usize = 8;

/// What a weight is multiplied with.
#[derive(Clone, Copy)]
pub enum Factor<'a> {
    /// `[tokens, k]`.
    Exact(&'a [f32]),
    /// The same as bytes.
    Quantised(&'a Activations),
}

/// The same, laid out.
#[derive(Clone, Copy)]
enum Operand<'a> {
    Exact(&'a floats::Rows<'a>),
    Quantised(&'a Activations),
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
        for (out, x) in out.iter_mut().zip(x.chunks_exact(k)) {
            *out = floats::dot(level, x, weight.vector());
        }
        return;
    }
    let laid;
    let x = match x {
        Factor::Exact(x) => {
            let rows: Vec<&[f32]> = x.chunks_exact(k).collect();
            laid = floats::Rows::new((level, pool), &rows, k);
            Operand::Exact(&laid)
        }
        Factor::Quantised(x) => Operand::Quantised(x),
    };
    let per_task = groups_per_task(weight, count, pool.threads());
    let out = SharedMut::new(out);
    let end = first + count;
    pool.run(count.div_ceil(per_task), &|task| {
        let groups = first + task * per_task..end.min(first + (task + 1) * per_task);
        let write = |group: usize, token: usize, products: &[f32; ROWS]| {
            let rows = ROWS.min(n - group * ROWS);
            // SAFETY: every group of columns is computed by one task.
            let target = unsafe { out.part(token * n + group * ROWS, rows) };
            match target.first_chunk_mut() {
                // A copy of known size is one instruction, any other a call.
                Some(target) => *target = *products,
                None => target.copy_from_slice(&products[..rows]),
            }
        };
        match (weight.form, x) {
            (Form::Blocks(layout), Operand::Quantised(x)) if tokens == 1 => {
                let mut products = [0.0; ROWS];
                for group in groups {
                    ints::group_times_token(level, layout, weight.group(group), x.row(0), &mut products);
                    write(group, 0, &products);
                }
            }
            (Form::Blocks(layout), Operand::Quantised(x)) => {
                let rows: Vec<Row<'_>> = (0..tokens).map(|token| x.row(token)).collect();
                let mut unpacked = Unpacked::default();
                let mut products = vec![[0.0; ROWS]; tokens];
                for group in groups {
                    let weights = weight.group(group);
                    ints::group_times_tokens(level, layout, weights, &rows, &mut unpacked, &mut products);
                    products.iter().enumerate().for_each(|(token, products)| write(group, token, products));
                }
            }
            (_, Operand::Exact(x)) => exact(level, weight, x, groups, write),
            // `takes_bytes` is asked before activations are quantised.
            (Form::Vector | Form::Numbers(_), Operand::Quantised(_)) => {}
        }
    });
}

/// Products in f32 of some groups, two at a time.
fn exact(
    level: Level,
    weight: &Weight,
    x: &floats::Rows<'_>,
    groups: Range<usize>,
    write: impl Fn(usize, usize, &[f32; ROWS]),
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
                write(group, token, &products[0]);
                write(group + 1, token, &products[1]);
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
fn numbers<'a>(level: Level, weight: &'a Weight, group: usize, unpacked: &'a mut Vec<f32>) -> Columns<'a> {
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
