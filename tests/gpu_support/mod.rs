//! Opens the GPU executor on a software Vulkan driver: Mesa's llvmpipe, or whatever `VK_ICD_FILENAMES` names.
#![allow(dead_code)] // Each test crate uses a part.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use rushlight::gpu::{GpuExecutor, GpuOptions};

/// Mesa's llvmpipe, by the names that its manifest has had.
const LLVMPIPE: [&str; 2] =
    ["/usr/share/vulkan/icd.d/lvp_icd.json", "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json"];

/// One device at a time: a software adapter takes every core.
static ALONE: Mutex<()> = Mutex::new(());

fn clock() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1000.0
}

/// What the adapter suggests.
pub fn options() -> GpuOptions {
    GpuOptions::new(clock)
}

/// Names the software driver to whoever opens a device; the lock keeps others from opening one beside it.
pub fn software_driver() -> MutexGuard<'static, ()> {
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if std::env::var_os("VK_ICD_FILENAMES").is_none()
        && let Some(driver) = LLVMPIPE.into_iter().find(|path| std::path::Path::new(path).exists())
    {
        // SAFETY: under the lock, and tests that read the environment do so before they open a device.
        unsafe { std::env::set_var("VK_ICD_FILENAMES", driver) };
    }
    alone
}

/// An executor, and the lock that keeps others from opening one beside it.
pub fn open(options: GpuOptions) -> (GpuExecutor, MutexGuard<'static, ()>) {
    let alone = software_driver();
    let executor = pollster::block_on(GpuExecutor::open(options))
        .unwrap_or_else(|error| panic!("{error}; `cargo xtask setup` installs Mesa's software driver"));
    (executor, alone)
}
