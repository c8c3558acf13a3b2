//! Every case of every kernel on every executor, judged by the reference in its kernel file.
//!
//! The GPU executor runs here on a software Vulkan driver: Mesa's llvmpipe, or whatever `VK_ICD_FILENAMES` names.
//! `RUSHLIGHT_ONLY` takes the cases whose label contains it; `RUSHLIGHT_TIMES` prints the slowest.

#[cfg(feature = "gpu")]
mod gpu_support;

use std::time::Instant;

use rushlight::cpu::{CpuExecutor, CpuOptions};
use rushlight::kernel::Case;
use rushlight::plan::{Executor, Precision};
use rushlight::selftest::{CaseError, CaseReport, run_case};

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
fn cpu_agrees_with_the_references() {
    let mut executor = CpuExecutor::new(CpuOptions { threads: None, precision: Precision::Exact, clock });
    run("CPU", &mut executor, |_| true);
}

#[cfg(feature = "gpu")]
mod gpu {
    use super::*;
    use crate::gpu_support::{open, options};
    use rushlight::gpu::GpuOptions;
    use rushlight::kernel::{Op, Tuning};

    #[test]
    fn hardware_schedules_agree_with_the_references() {
        let (mut executor, _alone) = open(GpuOptions { tuning: Some(Tuning::HARDWARE), ..options() });
        run("GPU, hardware schedules", &mut executor, |_| true);
    }

    #[test]
    fn software_schedules_agree_with_the_references() {
        let (mut executor, _alone) = open(GpuOptions { tuning: Some(Tuning::SOFTWARE), ..options() });
        run("GPU, software schedules", &mut executor, |case| matches!(case.op, Op::MatMul(_)));
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
