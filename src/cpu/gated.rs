//! Two products as a gated linear unit: both are computed for eight columns at a time, and only what comes of them is written.

use super::floats;
use super::ints::{self, Unpacked};
use super::matmul::{self, Factor};
use super::packed::layout::ROWS;
use super::packed::{Form, Weight};
use super::pool::Pool;
use super::rows;
use super::shared::SharedMut;
use super::simd::Level;
use crate::kernel::glu::Activation;

/// Columns of groups `first..first + count` of `out` `[tokens, n]`, from the same groups of both weights, which are of one type and shape.
pub fn gated_product(
    (level, pool): (Level, &Pool),
    activation: Activation,
    x: Factor<'_>,
    [gate, up]: [&Weight; 2],
    (first, count): (usize, usize),
    out: &mut [f32],
) {
    let n = gate.desc.shape.rows();
    let tokens = out.len() / n;
    let per_task = matmul::groups_per_task(gate, count, pool.threads());
    let out = SharedMut::new(out);
    let end = first + count;
    pool.run(count.div_ceil(per_task), &|task| {
        let groups = first + task * per_task..end.min(first + (task + 1) * per_task);
        let mut gated = vec![[0.0; ROWS]; tokens];
        // All tokens of a group at once: a call for each would cost more than its work.
        let mut write = |group: usize, gate: &[[f32; ROWS]], up: &[[f32; ROWS]]| {
            let columns = ROWS.min(n - group * ROWS);
            let (gate, up) = (gate.as_flattened(), up.as_flattened());
            rows::glu_rows(level, activation, gate, up, gated.as_flattened_mut());
            for (token, gated) in gated.iter().enumerate() {
                // SAFETY: every group of columns is computed by one task.
                let out = unsafe { out.part(token * n + group * ROWS, columns) };
                matmul::copy(out, gated);
            }
        };
        if let (Factor::Quantised(x), 1) = (x, tokens) {
            // The unit over all columns of the task at once: eight do not fill a vector everywhere.
            let columns = ROWS * groups.len();
            let mut products = [vec![[0.0; ROWS]; groups.len()], vec![[0.0; ROWS]; groups.len()]];
            for (weight, products) in [gate, up].into_iter().zip(&mut products) {
                let Form::Blocks(layout) = weight.form else { return };
                for (group, products) in groups.clone().zip(products) {
                    ints::group_times_token(level, layout, weight.group(group), x.row(0), products);
                }
            }
            let [gates, ups] = &products;
            let columns = columns.min(n - groups.start * ROWS);
            // SAFETY: every group of columns is computed by one task.
            let out = unsafe { out.part(groups.start * ROWS, columns) };
            rows::glu_rows(
                level,
                activation,
                &gates.as_flattened()[..columns],
                &ups.as_flattened()[..columns],
                out,
            );
            return;
        }
        match x {
            Factor::Quantised(x) => {
                let rows: Vec<_> = (0..tokens).map(|token| x.row(token)).collect();
                let mut unpacked = Unpacked::default();
                let mut products = [vec![[0.0; ROWS]; tokens], vec![[0.0; ROWS]; tokens]];
                for group in groups {
                    for (weight, products) in [gate, up].into_iter().zip(&mut products) {
                        // `takes_bytes` is asked before activations are quantised.
                        let Form::Blocks(layout) = weight.form else { return };
                        let packed = weight.group(group);
                        ints::group_times_tokens(level, layout, packed, &rows, &mut unpacked, products);
                    }
                    let [gates, ups] = &products;
                    write(group, gates, ups);
                }
            }
            Factor::Exact(x) => {
                let mut unpacked = [Vec::new(), Vec::new()];
                let mut products = vec![[[0.0; ROWS]; 2]; x.outputs()];
                let (mut gates, mut ups) = (vec![[0.0; ROWS]; tokens], vec![[0.0; ROWS]; tokens]);
                for group in groups {
                    let [of_gate, of_up] = &mut unpacked;
                    let pair = [
                        matmul::numbers(level, gate, group, of_gate),
                        matmul::numbers(level, up, group, of_up),
                    ];
                    floats::times_rows_twice(level, pair, x, &mut products);
                    for (token, [gate, up]) in products[..x.rows()].iter().enumerate() {
                        (gates[token], ups[token]) = (*gate, *up);
                    }
                    write(group, &gates, &ups);
                }
            }
        }
    });
}
