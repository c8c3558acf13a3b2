//! The small models on software GPUs: llvmpipe and SwiftShader give the logits that llama.cpp gave, as the CPU does.
//!
//! A process takes its Vulkan drivers from `VK_ICD_FILENAMES` once, so this program has its own `main`: it starts itself once a
//! driver and sums what those processes say. Arguments are parts of names, as with other tests.

mod small;

use rushlight::session::{BackendChoice, MAX_CHUNK};
use rushlight::tensor::DType;
use small::gguf::{Form, write};
use small::oracle::{Oracle, deviation, f16_cache_rounding, load, logits, rounding};
use small::specs::{SPECS, Spec};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// A software GPU.
struct Driver {
    /// Part of the adapter's name.
    adapter: &'static str,
    /// Its manifest, by the names that it has had.
    manifests: &'static [&'static str],
    /// Whether it is several times slower than the other. Then only the first model, where a ring wraps, is run at length; the rest
    /// as far as the middle of their prompts, which takes every shader that they have.
    slow: bool,
}

const DRIVERS: [Driver; 2] = [
    Driver {
        adapter: "llvmpipe",
        manifests: &["/usr/share/vulkan/icd.d/lvp_icd.json", "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"],
        slow: false,
    },
    // As Chromium ships it.
    Driver {
        adapter: "SwiftShader",
        manifests: &[
            "/usr/lib/chromium/vk_swiftshader_icd.json",
            "/opt/google/chrome/vk_swiftshader_icd.json",
        ],
        slow: true,
    },
];

/// Set in the process of a driver: the adapter that it must find.
const ADAPTER: &str = "RUSHLIGHT_TEST_ADAPTER";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let name = |adapter: &str, spec: &Spec| format!("{adapter}::{}", spec.name);
    let chosen = |adapter: &str| -> Vec<&Spec> {
        let filters = || arguments.iter().filter(|argument| !argument.starts_with('-'));
        let wanted = |spec: &&Spec| {
            filters().next().is_none() || filters().any(|part| name(adapter, spec).contains(part.as_str()))
        };
        SPECS.iter().filter(wanted).collect()
    };
    if arguments.iter().any(|argument| argument == "--list") {
        for Driver { adapter, .. } in &DRIVERS {
            for spec in chosen(adapter) {
                println!("{}: test", name(adapter, spec));
            }
        }
        return ExitCode::SUCCESS;
    }
    if let Ok(adapter) = std::env::var(ADAPTER) {
        let driver = DRIVERS.iter().find(|driver| driver.adapter == adapter);
        return run_here(driver.expect("a name of the table"), &chosen(&adapter));
    }
    let failed = DRIVERS
        .iter()
        .filter(|driver| !chosen(driver.adapter).is_empty())
        .filter(|driver| {
            run_in_process(driver, &arguments)
                .inspect_err(|error| println!("{}: {error}", driver.adapter))
                .is_err()
        })
        .count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts this program again, where it sees one driver only.
fn run_in_process(driver: &Driver, arguments: &[String]) -> Result<(), String> {
    let manifests = driver.manifests;
    let manifest = manifests.iter().find(|path| Path::new(path).exists());
    let manifest =
        manifest.ok_or_else(|| format!("none of {manifests:?} is there: run `cargo xtask setup`"))?;
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let status = Command::new(this)
        .args(arguments)
        .env("VK_ICD_FILENAMES", manifest)
        .env_remove("VK_DRIVER_FILES") // It would win over the other.
        .env(ADAPTER, driver.adapter)
        .stdin(Stdio::null())
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(status.to_string()) }
}

/// Every model on the adapter of this process, with the lines that libtest prints.
fn run_here(driver: &Driver, specs: &[&Spec]) -> ExitCode {
    println!("\nrunning {} tests", specs.len());
    let (mut passed, mut failed) = (0, 0);
    for spec in specs {
        let start = Instant::now();
        let outcome = compare(driver, spec);
        let seconds = start.elapsed().as_secs_f64();
        let name = format!("{}::{}", driver.adapter, spec.name);
        match outcome {
            Ok(share) => {
                passed += 1;
                println!("test {name} ... ok ({seconds:.1} s, {share:.3} of the error allowed)");
            }
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED\n    {error}");
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One run over a prompt.
struct Run {
    /// Type of the cache.
    kv: DType,
    /// Position whose logits are compared.
    position: usize,
    /// Tokens at once.
    chunk: usize,
}

/// The runs over a model's prompt, those with the same cache together.
fn runs(driver: &Driver, spec: &Spec) -> Vec<Run> {
    let [first, middle, last] = spec.positions();
    let f32 = |position, chunk| Run { kv: DType::F32, position, chunk };
    if driver.slow && spec.name != SPECS[0].name {
        return vec![f32(middle, MAX_CHUNK), f32(first, 1)];
    }
    // A chunk of 7 meets the ring's end within a run; one of 1 is how an answer is written.
    let f16 = Run { kv: DType::F16, position: last, chunk: MAX_CHUNK };
    vec![f32(last, MAX_CHUNK), f32(last, 7), f32(first, 1), f16]
}

/// The largest error as a share of what is allowed.
fn compare(driver: &Driver, spec: &Spec) -> Result<f64, String> {
    let file = write(spec, Form::Published);
    let oracle = Oracle::of(spec);
    let mut nearest = 0.0_f64;
    for runs in runs(driver, spec).chunk_by(|a, b| a.kv == b.kv) {
        let kv = runs[0].kv;
        let more = if kv == DType::F16 { f16_cache_rounding(spec) } else { 0.0 };
        let bound = rounding(spec) + more;
        let mut session = load(BackendChoice::Gpu, kv, &file);
        let device = session.info().backend.device;
        if !device.contains(driver.adapter) {
            return Err(format!("{device} is not {}", driver.adapter));
        }
        for Run { position, chunk, .. } in runs {
            let got = logits(&mut session, &oracle.ids[..=*position], *chunk);
            let share = deviation(&got, &oracle.logits[position]) / bound;
            if share.is_nan() || share >= 1.0 {
                return Err(format!(
                    "{kv} cache, position {position} by {chunk}: {share:.3} of the error allowed"
                ));
            }
            nearest = nearest.max(share);
        }
    }
    Ok(nearest)
}
