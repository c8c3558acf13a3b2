//! `cargo xtask build-web`: Rust to wasm, wasm to a module with its JavaScript, TypeScript to the package,
//! and the package to the page. What is up to date is left alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::fingerprint::{self, Stamp};
use crate::setup::{self, Scope};
use crate::toolchain::{TARGET, WasmToolchain};
use crate::{npm, paths, process, sizes};

/// Stem of the generated module.
const NAME: &str = "rushlight";
/// Everything the wasm depends on, beside the compiler.
const INPUTS: [&str; 6] =
    ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "src", "shaders", "pkg/package-lock.json"];
/// What wasm-opt may use beyond the first version of WebAssembly: what rustc emits with `simd128`.
const WASM_FEATURES: [&str; 7] = [
    "--enable-simd",
    "--enable-bulk-memory",
    "--enable-nontrapping-float-to-int",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-reference-types",
    "--enable-multivalue",
];

/// Arguments of `cargo xtask build-web`.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Build the core that runs the kernels' own cases in a browser, to pkg/wasm-selftest, and nothing else
    #[arg(long)]
    pub selftest: bool,
    /// More features of the crate
    #[arg(long, value_delimiter = ',')]
    pub features: Vec<String>,
}

impl Options {
    fn features(&self) -> String {
        let mut features = vec!["web"];
        if self.selftest {
            features.push("selftest");
        }
        features.extend(self.features.iter().map(String::as_str));
        features.join(",")
    }

    /// Where the module goes: the selftest build stays out of the folder that is published.
    fn output(&self) -> PathBuf {
        npm::folder(npm::PACKAGE).join(if self.selftest { "wasm-selftest" } else { "wasm" })
    }
}

/// Builds what the options ask for.
pub fn run(options: &Options) -> Result<()> {
    let toolchain = setup::ensure(Scope::Build)?;
    let core = build_core(&toolchain, options)?;
    if options.selftest {
        return sizes::print(&[options.output()]);
    }
    build_script(npm::PACKAGE, &[npm::PACKAGE], &core)?;
    build_script(npm::PAGE, &[npm::PACKAGE, npm::PAGE], &core)?;
    sizes::print(&[options.output(), npm::folder(npm::PACKAGE).join("dist")])
}

/// Rust to `pkg/wasm`; returns the fingerprint of its inputs.
fn build_core(toolchain: &WasmToolchain, options: &Options) -> Result<String> {
    let (features, output) = (options.features(), options.output());
    let inputs: Vec<PathBuf> = INPUTS.iter().map(|input| paths::root().join(input)).collect();
    let salt = format!("{}\n{features}\n{WASM_FEATURES:?}", toolchain.version());
    let core = fingerprint::tree(&salt, &inputs)?;
    let module = output.join(format!("{NAME}_bg.wasm"));
    let stamp = Stamp::new(if options.selftest { "wasm-selftest" } else { "wasm" }, core.clone());
    if !stamp.is_fresh(&[module.clone(), output.join(format!("{NAME}.js"))]) {
        stamp.clear();
        compile(toolchain, &features)?;
        bind(&output)?;
        optimise(&module)?;
        stamp.write()?;
    }
    Ok(core)
}

fn compile(toolchain: &WasmToolchain, features: &str) -> Result<()> {
    let mut cargo = toolchain.cargo("build");
    cargo.args([
        "--package",
        NAME,
        "--lib",
        "--profile",
        "web",
        "--no-default-features",
        "--features",
        features,
    ]);
    process::run(&format!("cargo build for {TARGET} ({features})"), &mut cargo).map(drop)
}

/// Writes the JavaScript and type definitions that belong to the module.
fn bind(output: &Path) -> Result<()> {
    let compiled = paths::web_target().join(TARGET).join("web").join(format!("{NAME}.wasm"));
    if output.exists() {
        std::fs::remove_dir_all(output).with_context(|| format!("cannot empty {}", output.display()))?;
    }
    let spinner = process::spinner("wasm-bindgen");
    let mut bindgen = Bindgen::new();
    bindgen.input_path(&compiled).out_name(NAME).typescript(true);
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.web(true).and_then(|bindgen| bindgen.generate(output)).context("wasm-bindgen failed")?;
    spinner.finish_and_clear();
    Ok(())
}

fn optimise(module: &Path) -> Result<()> {
    let package = npm::folder(npm::PACKAGE);
    let program = process::npm_bin(&package, "wasm-opt");
    if !program.is_file() {
        bail!("pkg has no wasm-opt: its package.json must list `binaryen` among the devDependencies");
    }
    let optimised = module.with_extension("wasm.optimised");
    let mut wasm_opt = process::command(program);
    wasm_opt.arg("-Oz").args(WASM_FEATURES).arg(module).arg("-o").arg(&optimised);
    process::run("wasm-opt -Oz", &mut wasm_opt)?;
    std::fs::rename(&optimised, module).with_context(|| format!("cannot write {}", module.display()))
}

/// `npm run build` of a project, whose inputs are the wasm core and the sources of `projects`.
fn build_script(project: &str, projects: &[&str], core: &str) -> Result<()> {
    let inputs: Vec<PathBuf> = projects.iter().map(|project| npm::folder(project)).collect();
    let stamp = Stamp::new(&format!("build-{project}"), fingerprint::tree(core, &inputs)?);
    let results = npm::folder(project).join("dist");
    if !stamp.is_fresh(&[results]) {
        stamp.clear();
        npm::script(project, "build")?;
        stamp.write()?;
    }
    Ok(())
}
