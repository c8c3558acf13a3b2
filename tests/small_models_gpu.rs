//! The small models on software GPUs: llvmpipe and SwiftShader give the logits that llama.cpp gave, as the CPU does.
//!
//! A process takes its Vulkan drivers from `VK_ICD_FILENAMES` once, so each driver gets a process of its own: this program again, with
//! the one test that is otherwise ignored.

mod small;

use rushlight::session::{BackendChoice, MAX_CHUNK};
use rushlight::tensor::DType;
use small::gguf::{Form, write};
use small::oracle::{Oracle, deviation, f16_cache_rounding, load, logits, rounding};
use small::specs::SPECS;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Mesa's llvmpipe, by the names that its manifest has had.
const LLVMPIPE: &[&str] =
    &["/usr/share/vulkan/icd.d/lvp_icd.json", "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"];
/// SwiftShader as Chromium ships it.
const SWIFTSHADER: &[&str] =
    &["/usr/lib/chromium/vk_swiftshader_icd.json", "/opt/google/chrome/vk_swiftshader_icd.json"];

/// Name that the adapter must have, for the test that runs on it.
const ADAPTER: &str = "RUSHLIGHT_TEST_ADAPTER";

/// Runs the comparison in a process that sees one driver only.
fn run_on(adapter: &str, manifests: &[&str]) {
    static ALONE: Mutex<()> = Mutex::new(()); // A software GPU takes every core.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let manifest = manifests.iter().find(|path| Path::new(path).exists());
    let manifest =
        manifest.unwrap_or_else(|| panic!("none of {manifests:?} is there: run `cargo xtask setup`"));
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this)
        .args(["--exact", "logits_equal_llama_cpp", "--ignored", "--nocapture"])
        .env("VK_ICD_FILENAMES", manifest)
        .env_remove("VK_DRIVER_FILES") // It would win over the other.
        .env(ADAPTER, adapter)
        .output()
        .expect("this program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "the comparison on {adapter} failed");
    assert!(text.contains("1 passed"), "the comparison on {adapter} did not run");
}

#[test]
fn llvmpipe_equals_llama_cpp() {
    run_on("llvmpipe", LLVMPIPE);
}

#[test]
fn swiftshader_equals_llama_cpp() {
    run_on("SwiftShader", SWIFTSHADER);
}

#[test]
#[ignore = "started once a driver by the other tests"]
fn logits_equal_llama_cpp() {
    let adapter = std::env::var(ADAPTER).expect("started by the other tests");
    for spec in SPECS {
        let file = write(spec, Form::Published);
        let oracle = Oracle::of(spec);
        let (position, expected) = oracle.logits.last_key_value().expect("three positions");
        let ids = &oracle.ids[..=*position];
        // Only two kernels know of the cache's type, and the models of width 64 bring every shape of attention.
        let f16 = (spec.width == 64).then_some((DType::F16, rounding(spec) + f16_cache_rounding(spec)));
        let caches = [(DType::F32, rounding(spec))].into_iter().chain(f16);
        for (kv, bound) in caches {
            let mut session = load(BackendChoice::Gpu, kv, &file);
            let device = session.info().backend.device;
            assert!(device.contains(&adapter), "{device} is not {adapter}");
            let mut runs = vec![(ids, MAX_CHUNK), (&ids[..1], 1)];
            if spec.arch == "gemma3" && spec.width == 64 {
                runs.push((ids, 7)); // Meets the end of the ring within a run.
            }
            for (ids, chunk) in runs {
                let expected = if ids.len() == 1 { &oracle.logits[&0] } else { expected };
                let deviation = deviation(&logits(&mut session, ids, chunk), expected);
                println!("{} {kv} {} by {chunk}: {deviation:.1e} of {bound:.1e}", spec.name, ids.len());
                assert!(deviation < bound, "{} {kv} by {chunk}: {deviation} over {bound}", spec.name);
            }
        }
    }
}
