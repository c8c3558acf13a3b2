//! `cargo xtask build-web`: Rust to wasm in two flavours, wasm to a module with its JavaScript, TypeScript to the package,
//! and the package to the page. What is up to date is left alone.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::fingerprint::{self, Stamp};
use crate::flavour::Flavour;
use crate::setup::{self, Scope};
use crate::toolchain::{TARGET, WasmToolchain};
use crate::{npm, paths, process, sizes};

/// Stem of the generated module.
const NAME: &str = "rushlight";
/// Everything the wasm depends on, beside the compiler.
const INPUTS: [&str; 7] =
    ["Cargo.toml", "Cargo.lock", ".cargo/config.toml", "jinja", "src", "shaders", "pkg/package-lock.json"];
/// Arguments of `cargo xtask build-web`.
#[derive(clap::Args, Default)]
pub struct Options {
    /// Build the cores that run the kernels' own cases in a browser, to pkg/wasm-selftest, and nothing else
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

    /// Where the modules go, one folder a flavour: the selftest builds stay out of the folder that is published.
    fn output(&self) -> PathBuf {
        npm::folder(npm::PACKAGE).join(if self.selftest { "wasm-selftest" } else { "wasm" })
    }

    fn outputs(&self) -> Vec<PathBuf> {
        Flavour::ALL.iter().map(|flavour| self.output().join(flavour.name())).collect()
    }
}

/// Builds what the options ask for.
pub fn run(options: &Options) -> Result<()> {
    setup::ensure(Scope::Build)?;
    let mut cores = String::new();
    for flavour in Flavour::ALL {
        cores += &build_core(flavour, options)?;
    }
    if options.selftest {
        return sizes::print(&options.outputs());
    }
    build_script(npm::PACKAGE, &[npm::PACKAGE], &cores, &["modules", "dist"])?;
    build_script(npm::PAGE, &[npm::PACKAGE, npm::PAGE], &cores, &["dist"])?;
    let mut folders = options.outputs();
    folders.push(npm::folder(npm::PACKAGE).join("dist"));
    sizes::print(&folders)
}

/// Rust to `pkg/wasm`; returns the fingerprint of its inputs.
fn build_core(flavour: Flavour, options: &Options) -> Result<String> {
    let toolchain = WasmToolchain::find_or_install(flavour)?;
    let (features, output) = (options.features(), options.output().join(flavour.name()));
    let inputs: Vec<PathBuf> = INPUTS.iter().map(|input| paths::root().join(input)).collect();
    let flags = [flavour.flags(), flavour.wasm_opt_flags().iter().map(|flag| flag.to_string()).collect()];
    let salt = format!("{}\n{features}\n{flags:?}", toolchain.version());
    let core = fingerprint::tree(&salt, &inputs)?;
    let module = output.join(format!("{NAME}_bg.wasm"));
    let name = format!("{}-{}", if options.selftest { "wasm-selftest" } else { "wasm" }, flavour.name());
    let stamp = Stamp::new(&name, core.clone());
    if !stamp.is_fresh(&[module.clone(), output.join(format!("{NAME}.js"))]) {
        stamp.clear();
        compile(&toolchain, flavour, &features)?;
        bind(flavour, &output)?;
        optimise(flavour, &module)?;
        stamp.write()?;
    }
    Ok(core)
}

fn compile(toolchain: &WasmToolchain, flavour: Flavour, features: &str) -> Result<()> {
    let mut cargo = toolchain.cargo("build", flavour);
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
    process::run(&format!("cargo build for {TARGET}, {} ({features})", flavour.name()), &mut cargo).map(drop)
}

/// Writes the JavaScript and type definitions that belong to the module.
fn bind(flavour: Flavour, output: &Path) -> Result<()> {
    let compiled = flavour.target().join(TARGET).join("web").join(format!("{NAME}.wasm"));
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

fn optimise(flavour: Flavour, module: &Path) -> Result<()> {
    let package = npm::folder(npm::PACKAGE);
    let program = process::npm_bin(&package, "wasm-opt");
    if !program.is_file() {
        bail!("pkg has no wasm-opt: its package.json must list `binaryen` among the devDependencies");
    }
    let optimised = module.with_extension("wasm.optimised");
    let mut wasm_opt = process::command(program);
    wasm_opt.arg("-Oz").args(flavour.wasm_opt_flags()).arg(module).arg("-o").arg(&optimised);
    process::run("wasm-opt -Oz", &mut wasm_opt)?;
    std::fs::rename(&optimised, module).with_context(|| format!("cannot write {}", module.display()))
}

/// `npm run build` of a project, whose inputs are the wasm core and the sources of `projects`; it makes the folders `results`.
fn build_script(project: &str, projects: &[&str], core: &str, results: &[&str]) -> Result<()> {
    let inputs: Vec<PathBuf> = projects.iter().map(|project| npm::folder(project)).collect();
    let stamp = Stamp::new(&format!("build-{project}"), fingerprint::tree(core, &inputs)?);
    let results: Vec<PathBuf> = results.iter().map(|result| npm::folder(project).join(result)).collect();
    if !stamp.is_fresh(&results) {
        stamp.clear();
        npm::script(project, "build")?;
        stamp.write()?;
    }
    Ok(())
}
