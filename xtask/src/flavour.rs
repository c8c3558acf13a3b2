//! The two builds of the wasm core. A visitor downloads one of them: the package picks by what the browser can do.

use std::path::PathBuf;
use std::process::Command;

use crate::paths;

/// Link arguments of a module that several workers run in one memory. The page makes the memory, at least as large as
/// `initial-memory` (`INITIAL_PAGES` of pkg/src/shared-memory.ts) and at most `max-memory`; each thread gets a stack and
/// thread-local variables of its own, which wasm-bindgen sets up through the exported symbols.
const SHARED_MEMORY: [&str; 8] = [
    "--shared-memory",
    "--import-memory",
    "--initial-memory=4194304",
    "--max-memory=4294967296",
    "--export=__wasm_init_tls",
    "--export=__tls_size",
    "--export=__tls_align",
    "--export=__tls_base",
];

/// What rustc emits for every wasm32 target of today.
const BASE_FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// `simd128` and one thread: every browser since 2023. Its flags are in .cargo/config.toml.
    Compat,
    /// Relaxed SIMD, and threads in shared memory.
    Full,
}

impl Flavour {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Compat, Self::Full];

    /// Its folder in `pkg/wasm`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compat => "compat",
            Self::Full => "full",
        }
    }

    /// Cargo's build folder: one each, so that neither's flags throw away what the other built.
    pub fn target(self) -> PathBuf {
        match self {
            Self::Compat => paths::web_target(),
            Self::Full => paths::web_target().join(self.name()),
        }
    }

    /// Whether the standard library has to be compiled as well: the one that comes with rustc has no threads.
    pub fn builds_std(self) -> bool {
        self == Self::Full
    }

    /// Sets the compiler's flags. What the environment has would replace them, and the build needs them.
    pub fn set_flags(self, command: &mut Command) {
        command.env_remove("RUSTFLAGS").env_remove("CARGO_BUILD_RUSTFLAGS");
        match self.flags() {
            flags if flags.is_empty() => command.env_remove("CARGO_ENCODED_RUSTFLAGS"),
            flags => command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")),
        };
    }

    /// The compiler's flags where they are not those of .cargo/config.toml.
    pub fn flags(self) -> Vec<String> {
        if self == Self::Compat {
            return Vec::new();
        }
        let fixed = [
            "--cfg",
            "getrandom_backend=\"wasm_js\"",
            "-C",
            "target-feature=+atomics,+bulk-memory,+mutable-globals,+simd128,+relaxed-simd",
        ];
        let linked = SHARED_MEMORY.iter().map(|argument| format!("-Clink-arg={argument}"));
        fixed.iter().map(|&flag| flag.to_owned()).chain(linked).collect()
    }

    /// What wasm-opt may use beyond the first version of WebAssembly: what rustc emits.
    pub fn wasm_opt_flags(self) -> Vec<&'static str> {
        let more: &[&str] = match self {
            Self::Compat => &[],
            Self::Full => &["--enable-threads", "--enable-relaxed-simd"],
        };
        BASE_FEATURES.iter().chain(more).copied().collect()
    }
}
