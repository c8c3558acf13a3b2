//! At every level that the processor has: what depends on NaN or an infinity is none of the numbers either, and nothing else changes.

use std::ops::Range;

use super::activations::Activations;
use super::attention::{self, Rows, Tile};
use super::buffer::Buffer;
use super::packed::layout::ROWS;
use super::packed::{Form, Weight};
use super::pool::Pool;
use super::simd::Level;
use super::{encoder, ints, rows};
use crate::kernel::argmax::NOT_FINITE;
use crate::kernel::glu::Activation;
use crate::kernel::{Fill, Operand, case};
use crate::tensor::{DType, Shape, TensorDesc};

const NUMBERS: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

fn numbers(count: usize, seed: u64) -> Vec<f32> {
    bytemuck::pod_collect_to_vec(&case::fill(Operand::new(DType::F32, 1, count), Fill::Uniform(1.0), seed))
}

fn on_all_levels(test: impl Fn(Level, &Pool, f32)) {
    let pool = Pool::new(Some(1));
    for level in Level::all() {
        for number in NUMBERS {
            test(level, &pool, number);
        }
    }
}

#[test]
fn products_with_bytes() {
    const COLS: usize = 512;
    // As many as a tile and one more.
    const TOKENS: usize = 5;
    on_all_levels(|level, pool, number| {
        for dtype in DType::WEIGHTS.into_iter().filter(|dtype| dtype.block_elements() > 1) {
            let of = |fill| {
                let shape = Shape::new([ROWS, COLS]);
                let mut weight = Weight::new(&TensorDesc { name: "w".to_owned(), dtype, shape }).unwrap();
                weight.write(pool, 0, &case::fill(Operand::new(dtype, ROWS, COLS), fill, 7)).unwrap();
                weight
            };
            let (sound, spoilt) = (of(Fill::Uniform(0.25)), of(Fill::Spoilt(0.25, number)));
            let mut x = numbers(TOKENS * COLS, 9);
            let bad = 3;
            x[bad * COLS + 37] = number;
            let mut activations = Activations::default();
            activations.quantise((level, pool), &x, COLS);
            let tokens: Vec<_> = (0..TOKENS).map(|token| activations.row(token)).collect();
            for (weight, row) in [(&sound, None), (&spoilt, Some(ROWS / 2))] {
                let Form::Blocks(layout) = weight.form else { panic!("{dtype} has blocks") };
                let mut together = [[0.0; ROWS]; TOKENS];
                let mut unpacked = ints::Unpacked::default();
                ints::group_times_tokens(
                    level,
                    layout,
                    weight.group(0),
                    &tokens,
                    &mut unpacked,
                    &mut together,
                );
                for (token, together) in together.iter().enumerate() {
                    let mut alone = [0.0; ROWS];
                    ints::group_times_token(level, layout, weight.group(0), tokens[token], &mut alone);
                    for (r, products) in together.iter().zip(alone).enumerate() {
                        let finite = token != bad && Some(r) != row;
                        let both = [products.0.is_finite(), products.1.is_finite()];
                        assert_eq!(both, [finite; 2], "{level:?}, {dtype}, {number}: token {token}, row {r}");
                    }
                }
            }
        }
    });
}

#[test]
fn choices() {
    on_all_levels(|level, pool, number| {
        for count in [1, 7, 8, 9, 4096, 5003, 70_001] {
            let x = numbers(count, 3);
            let chosen = |x: &[f32]| {
                let mut out = [0];
                rows::argmax((level, pool), x, count, &mut out);
                out[0]
            };
            assert!((chosen(&x) as usize) < count);
            for at in [0, count / 2, count - 1] {
                let mut x = x.clone();
                x[at] = number;
                assert_eq!(chosen(&x), NOT_FINITE, "{level:?}, {number} at {at} of {count}");
            }
        }
    });
}

#[test]
fn attention_sees_what_it_sees() {
    const DIM: usize = 12;
    const KEYS: usize = 70;
    // As a prompt's: each sees a key more than the one before; then one that has lost the first.
    let seen: [Range<usize>; 5] = [0..38, 0..39, 0..40, 0..41, 30..70];
    on_all_levels(|level, _, number| {
        for (what, at) in [("query", 2), ("key", 5), ("value", 5), ("key", 39), ("value", 39), ("value", 69)]
        {
            let mut q = numbers(seen.len() * DIM, 1);
            let (mut k, mut v) = (numbers(KEYS * DIM, 2), numbers(KEYS * DIM, 3));
            match what {
                "query" => q[at * DIM + 3] = number,
                "key" => k[at * DIM + 3] = number,
                _ => v[at * DIM + 3] = number,
            }
            let (k, v) = (Buffer::F32(k), Buffer::F32(v));
            let of = |numbers| Rows { numbers, first: 0, stride: DIM, slots: KEYS };
            let queries = q.chunks_exact(DIM).zip(seen.clone()).collect();
            let tile = Tile { queries, keys: of(&k), values: of(&v), scale: 0.3, dim: DIM };
            let part = attention::attend(level, &tile, 0..KEYS);
            for (i, seen) in seen.iter().enumerate() {
                let mut out = [0.0; DIM];
                attention::write(&part, i, &mut out);
                let reached = if what == "query" { i == at } else { seen.contains(&at) };
                let label = format!("{level:?}, {number} in {what} {at}: query {i}");
                match what {
                    // Only that column of the values.
                    "value" => {
                        assert_eq!(out[3].is_finite(), !reached, "{label}");
                        assert!(out[..3].iter().chain(&out[4..]).all(|x| x.is_finite()), "{label}");
                    }
                    _ => assert!(out.iter().all(|x| x.is_finite() != reached), "{label}"),
                }
            }
        }
    });
}

#[test]
fn rows_and_elements() {
    const COLS: usize = 21;
    on_all_levels(|level, pool, number| {
        let label = format!("{level:?}, {number}");
        let (sound, w) = (numbers(2 * COLS, 1), numbers(COLS, 2));
        let mut x = sound.clone();
        let bad = COLS + 17;
        x[bad] = number;
        // Element by element.
        let mut out = vec![0.0; 2 * COLS];
        let only_it = |out: &[f32], what: &str| {
            for (i, out) in out.iter().enumerate() {
                assert_eq!(out.is_finite(), i != bad, "{label}: {what} {i}");
            }
        };
        for activation in [Activation::GeluTanh, Activation::Silu] {
            rows::glu((level, pool), activation, &x, &sound, &mut out);
            only_it(&out, "gate");
            rows::glu((level, pool), activation, &sound, &x, &mut out);
            only_it(&out, "up");
        }
        encoder::gelu((level, pool), &x, &mut out);
        only_it(&out, "gelu");
        // A row, and only that one.
        let whole_row = |out: &[f32], what: &str| {
            for (i, out) in out.iter().enumerate() {
                assert_eq!(out.is_finite(), i < COLS, "{label}: {what} {i}");
            }
        };
        rows::rms_norm((level, pool), 1e-6, &x, &w, &mut out);
        whole_row(&out, "rms_norm");
        encoder::layer_norm((level, pool), 1e-6, &x, [&w, &w], &mut out);
        whole_row(&out, "layer_norm");
        encoder::l2_norm(&x, COLS, &mut out);
        whole_row(&out, "l2_norm");
    });
}
