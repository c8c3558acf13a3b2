//! Every case of every kernel on every executor, judged by the reference in its kernel file.
//!
//! The GPU executor runs here on a software Vulkan driver: Mesa's llvmpipe, or whatever `VK_ICD_FILENAMES` names.
//! `RUSHLIGHT_ONLY` takes the cases whose label contains it; `RUSHLIGHT_TIMES` prints the slowest.

#[cfg(feature = "gpu")]
mod gpu_support;

use std::time::Instant;

use rushlight::cpu::{CpuExecutor, CpuOptions};
use rushlight::formats::quant::dequantise;
use rushlight::kernel::{Case, Primitive};
use rushlight::plan::executor::Submit;
use rushlight::plan::{ExecError, Executor, Precision};
use rushlight::selftest::{CaseError, CaseReport, LoadedCase, load_case, run_case};

/// Runs the cases that `wanted` takes, and fails with the list of those that are wrong.
fn run<E: Executor>(what: &str, executor: &mut E, wanted: impl Fn(&Case) -> bool) {
    let only = std::env::var("RUSHLIGHT_ONLY").unwrap_or_default();
    let mut times = Vec::new();
    let mut wrong = Vec::new();
    let mut worst: Vec<(&str, f64)> = Vec::new();
    let started = Instant::now();
    for case in rushlight::kernel::all_cases().iter().filter(|case| wanted(case)) {
        let label = case.label();
        if !label.contains(&only) {
            continue;
        }
        let begun = Instant::now();
        let result: Result<CaseReport, CaseError> = pollster::block_on(run_case(executor, case));
        times.push((begun.elapsed(), label.clone()));
        match result {
            Ok(report) => {
                let stem = case.op.kernel().stem();
                match worst.iter_mut().find(|(other, _)| *other == stem) {
                    Some((_, ratio)) => *ratio = ratio.max(report.worst),
                    None => worst.push((stem, report.worst)),
                }
            }
            Err(error) => wrong.push(format!("{label}: {error}")),
        }
    }
    println!("{what}: {} cases in {:.1?}, on {}", times.len(), started.elapsed(), executor.info().device);
    for (stem, ratio) in worst {
        println!("  {stem}: at most {ratio:.3} of the error allowed");
    }
    if std::env::var_os("RUSHLIGHT_TIMES").is_some() {
        times.sort();
        for (time, label) in times.iter().rev().take(12) {
            println!("  {time:.2?} {label}");
        }
    }
    assert!(!times.is_empty(), "no case was run");
    assert!(wrong.is_empty(), "{what}: {} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn clock() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1000.0
}

#[test]
fn counts_over_32_bits_are_right() {
    // The browser test runs the same where addresses have no more.
    assert!(rushlight::selftest::wide_counts().expect("every count is right") > 100);
}

#[test]
fn cpu_agrees_with_the_references() {
    let mut executor = CpuExecutor::new(CpuOptions { threads: None, precision: Precision::Exact, clock });
    run("CPU", &mut executor, |_| true);
}

/// A row of activations as the fast path takes it: bytes with a scale for each 32, as numbers.
fn quantised(x: &[f32]) -> Vec<f64> {
    let blocks = x.chunks_exact(32).map(|block| {
        let largest = block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
        let (scale, inverse) = (largest / 127.0, if largest > 0.0 { 127.0 / largest } else { 0.0 });
        block.iter().map(move |x| f64::from((x * inverse).round_ties_even()) * f64::from(scale))
    });
    blocks.flatten().collect()
}

/// The fast path is the product of the file's weights with activations as bytes, and nothing else is lost: it equals that product in
/// f64 up to f32 rounding, and stays within half a step of each activation's byte of the exact one.
#[test]
fn fast_products_lose_only_what_bytes_lose() {
    let mut executor = CpuExecutor::new(CpuOptions { threads: None, precision: Precision::Fast, clock });
    let cases = rushlight::kernel::all_cases();
    let mut seen = std::collections::BTreeMap::new();
    for case in cases
        .iter()
        .filter(|case| matches!(case.op.primitive(), Some(Primitive::MatMul(_))) && !case.is_spoilt())
    {
        let (x, weight) = (case.inputs[0].operand, case.inputs[1].operand);
        if weight.dtype.block_elements() == 1 {
            continue;
        }
        let numbers: Vec<f32> = bytemuck::pod_collect_to_vec(&case.input_bytes(0));
        let mut weights = vec![0.0; weight.elements()];
        dequantise(weight.dtype, &case.input_bytes(1), &mut weights).expect("whole blocks");
        let got = pollster::block_on(async {
            let loaded = load_case(&mut executor, case).await?;
            let LoadedCase { plan, extent, outputs } = &loaded;
            let run = Submit { plan: *plan, extent: *extent, inputs: &[], outputs };
            let ticket = executor.submit(run)?;
            Ok::<_, ExecError>(executor.take(ticket).await?.outputs.swap_remove(0))
        });
        let got: Vec<f32> = bytemuck::pod_collect_to_vec(&got.expect("the executor takes its own cases"));
        let worst = seen.entry(weight.dtype).or_insert((0.0f64, 0.0f64));
        for (t, row) in numbers.chunks_exact(x.cols).enumerate() {
            let bytes = quantised(row);
            // Half a step of each block.
            let steps: Vec<f64> = row
                .chunks_exact(32)
                .map(|block| f64::from(block.iter().fold(0.0f32, |largest, x| largest.max(x.abs()))) / 254.0)
                .collect();
            for (n, weights) in weights.chunks_exact(x.cols).enumerate() {
                let (mut exact, mut lossy, mut size, mut half_steps) = (0.0, 0.0, 0.0, 0.0);
                for (k, &w) in weights.iter().enumerate() {
                    let w = f64::from(w);
                    exact += w * f64::from(row[k]);
                    lossy += w * bytes[k];
                    // A weight is a difference of two terms of about its own largest size: both are rounded.
                    size += (w.abs() + 0.5) * bytes[k].abs();
                    half_steps += w.abs() * steps[k / 32];
                }
                let got = f64::from(got[t * weight.rows + n]);
                let rounding = rushlight::kernel::gamma(x.cols / 8 + 8) * size;
                let label = || format!("{}, token {t}, row {n}: got {got}", case.label());
                assert!((got - lossy).abs() <= rounding, "{}, expected {lossy} within {rounding:e}", label());
                let bound = half_steps * (1.0 + 1e-4) + rounding;
                assert!((got - exact).abs() <= bound, "{}, expected {exact} within {bound:e}", label());
                *worst =
                    (worst.0.max((got - lossy).abs() / rounding), worst.1.max((got - exact).abs() / bound));
            }
        }
    }
    assert_eq!(seen.len(), 10, "every quantised type has a case");
    for (dtype, (rounding, bytes)) in seen {
        println!(
            "  {dtype}: at most {rounding:.3} of the rounding allowed, {bytes:.3} of what bytes may lose"
        );
    }
}

/// Activations as bytes, and their scales, lose no NaN and no infinity: whatever depends on one is none either, and nothing else.
#[test]
fn fast_products_of_what_is_no_number_are_none() {
    let mut executor = CpuExecutor::new(CpuOptions { threads: None, precision: Precision::Fast, clock });
    let mut seen = 0;
    let cases = rushlight::kernel::all_cases();
    for case in cases
        .iter()
        .filter(|case| matches!(case.op.primitive(), Some(Primitive::MatMul(_))) && case.is_spoilt())
    {
        let decoded = |index: usize| {
            let operand = case.inputs[index].operand;
            let mut numbers = vec![0.0; operand.elements()];
            dequantise(operand.dtype, &case.input_bytes(index), &mut numbers).expect("whole blocks");
            let finite = |row: &[f32]| row.iter().all(|x| x.is_finite());
            numbers.chunks_exact(operand.cols).map(finite).collect::<Vec<bool>>()
        };
        let (x, weight) = (decoded(0), decoded(1));
        assert!(x.contains(&false) || weight.contains(&false), "{}", case.label());
        let got = pollster::block_on(async {
            let loaded = load_case(&mut executor, case).await?;
            let LoadedCase { plan, extent, outputs } = &loaded;
            let run = Submit { plan: *plan, extent: *extent, inputs: &[], outputs };
            let ticket = executor.submit(run)?;
            Ok::<_, ExecError>(executor.take(ticket).await?.outputs.swap_remove(0))
        });
        let got: Vec<f32> = bytemuck::pod_collect_to_vec(&got.expect("the executor takes its own cases"));
        for (index, got) in got.iter().enumerate() {
            let (t, n) = (index / weight.len(), index % weight.len());
            assert_eq!(got.is_finite(), x[t] && weight[n], "{}, token {t}, row {n}: {got}", case.label());
        }
        seen += 1;
    }
    assert_eq!(seen, 13 * 2 * 3, "every type, either operand, three numbers");
}

#[cfg(feature = "gpu")]
mod gpu {
    use super::*;
    use crate::gpu_support::{open, options};
    use rushlight::gpu::GpuOptions;
    use rushlight::kernel::Tuning;

    #[test]
    fn hardware_schedules_agree_with_the_references() {
        let (mut executor, _alone) = open(GpuOptions { tuning: Some(Tuning::HARDWARE), ..options() });
        run("GPU, hardware schedules", &mut executor, |_| true);
    }

    #[test]
    fn software_schedules_agree_with_the_references() {
        let (mut executor, _alone) = open(GpuOptions { tuning: Some(Tuning::SOFTWARE), ..options() });
        run("GPU, software schedules", &mut executor, |case| {
            matches!(case.op.primitive(), Some(Primitive::MatMul(_)))
        });
    }

    #[test]
    fn weights_in_parts_agree_with_the_references() {
        for max_binding_bytes in [4 * 1024, 20_000] {
            let (mut executor, _alone) =
                open(GpuOptions { max_binding_bytes: Some(max_binding_bytes), ..options() });
            // Every part is a dispatch: thousands of them show no more than dozens.
            let few_parts =
                |case: &Case| case.weights.iter().all(|&w| case.inputs[w].operand.elements() < 200_000);
            let what = format!("GPU, parts of {max_binding_bytes} bytes");
            run(&what, &mut executor, |case| !case.weights.is_empty() && few_parts(case));
        }
    }
}
