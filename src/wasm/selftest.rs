//! Runs the kernels' own cases in a browser. Not in the package that visitors download.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::cpu::{CpuExecutor, CpuOptions};
use crate::gpu::{GpuExecutor, GpuOptions};
use crate::kernel::{self, shader};
use crate::plan::{Executor, Precision};
use crate::selftest::run_case;
use crate::session::{AnyExecutor, MAX_CHUNK};

/// A case that agreed with its reference.
#[derive(Serialize)]
struct Passed {
    label: String,
    /// Largest error as a share of what is allowed.
    worst: f64,
    elements: usize,
}

/// Names and sources of every shader as an executor would hand it to the device: pairs, as JSON.
#[wasm_bindgen(js_name = expandedShaders)]
pub fn expanded_shaders() -> Result<String, JsValue> {
    let shaders =
        shader::expanded_shaders().map_err(|failure| error("ERR_INTERNAL", &failure.to_string()))?;
    to_json(&shaders)
}

/// How many counts of work and bytes that pass 32 bits are right here; an error that says which one is not.
#[wasm_bindgen(js_name = wideCounts)]
pub fn wide_counts() -> Result<usize, JsValue> {
    crate::selftest::wide_counts().map_err(|failure| error("ERR_SELFTEST", &failure))
}

/// An executor without a model.
#[wasm_bindgen]
pub struct SelfTest {
    executor: AnyExecutor,
    cases: Vec<kernel::Case>,
}

/// Opens the executor of a backend, `gpu` or `cpu`, the latter with room for so many threads.
#[wasm_bindgen(js_name = createSelfTest)]
pub async fn create_self_test(backend: String, threads: usize) -> Result<SelfTest, JsValue> {
    let executor = match backend.as_str() {
        "cpu" => AnyExecutor::Cpu(CpuExecutor::new(CpuOptions {
            threads: Some(threads),
            precision: Precision::Exact,
            clock: performance_now,
        })),
        _ => AnyExecutor::Gpu(
            GpuExecutor::open(GpuOptions::new(performance_now))
                .await
                .map_err(|failure| session_error(failure.into()))?,
        ),
    };
    Ok(SelfTest { executor, cases: kernel::all_cases() })
}

#[wasm_bindgen]
impl SelfTest {
    /// Number of cases.
    pub fn cases(&self) -> usize {
        self.cases.len()
    }

    /// What the cases run on.
    pub fn device(&self) -> String {
        self.executor.info().device
    }

    /// Label of a case.
    pub fn label(&self, index: usize) -> Option<String> {
        Some(self.cases.get(index)?.label())
    }

    /// Runs a case against its reference: `Passed` as JSON, or an error that says where they part.
    pub async fn run(&mut self, index: usize) -> Result<String, JsValue> {
        let Some(case) = self.cases.get(index) else {
            return Err(error(
                "ERR_BAD_ARGUMENT",
                &format!("case: expected less than {}, got {index}", self.cases.len()),
            ));
        };
        let label = case.label();
        match run_case(&mut self.executor, case).await {
            Ok(report) => to_json(&Passed { label, worst: report.worst, elements: report.elements }),
            Err(failure) => Err(error("ERR_SELFTEST", &format!("{label}: {failure}"))),
        }
    }
}

/// A pool of two threads, one of whose tasks panics on the other thread.
#[wasm_bindgen]
pub struct PoolTrap(pool::Pool);

#[wasm_bindgen]
impl PoolTrap {
    /// The pool, still without the thread that the page lends it.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        PoolTrap(pool::Pool::lent(2))
    }

    /// Runs a job whose caller waits for the thread that is lost.
    pub fn run(&self) {
        let caller = std::thread::current().id();
        let lost = AtomicBool::new(false);
        self.0.run(2, &|_| {
            if std::thread::current().id() != caller {
                lost.store(true, Ordering::Release);
                panic!("a task of the test");
            }
            while !lost.load(Ordering::Acquire) {
                std::hint::spin_loop();
            }
        });
    }
}

#[wasm_bindgen]
impl Engine {
    /// Logits after the last of `ids`.
    pub async fn logits(&mut self, ids: Vec<u32>) -> Result<Vec<f32>, JsValue> {
        self.session()?.logits(&ids, MAX_CHUNK).await.map_err(session_error)
    }
}
