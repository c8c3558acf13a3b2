#!/bin/sh
# Makes tests/fixtures/int8_quality.json: how far llama.cpp's int8 path is from exact arithmetic on Gemma 3 270M.
#
#     tests/tools/int8_quality.sh LLAMA_SOURCE LLAMA_BUILD MODEL.gguf SCRATCH      (python3 with `gguf` 0.19.0 from PyPI)
#
# LLAMA_SOURCE and LLAMA_BUILD as for llamacpp_logits.sh. The exact side has a GELU of its own there (llama.cpp looks it up in a table of
# f16 values); the int8 side is llama.cpp as it is. The twin in F32 takes 1.1 GB in SCRATCH.
set -eu
cd "$(dirname "$0")/../.."
source=$1 build=$2 model=$3 scratch=$4
mkdir -p "$scratch"

rm -rf "$scratch/gelu_f32"
cp -r "$source/ggml/src/ggml-cpu" "$scratch/gelu_f32"
sed -i 's/^#define GGML_GELU_FP16//' "$scratch/gelu_f32/vec.h"
[ -e "$scratch/ops.o" ] || c++ -std=gnu++17 -O3 -DNDEBUG -march=native -fopenmp -D_GNU_SOURCE -D_XOPEN_SOURCE=600 \
    -DGGML_USE_CPU_REPACK -DGGML_USE_LLAMAFILE -DGGML_USE_OPENMP \
    -I"$source/ggml/src" -I"$scratch/gelu_f32" -I"$source/ggml/include" -c "$scratch/gelu_f32/ops.cpp" -o "$scratch/ops.o"
link() {
    out=$1
    shift
    c++ -std=c++17 -O2 -fopenmp -I"$source/include" -I"$source/ggml/include" -o "$out" tests/tools/llamacpp_first_position.cpp "$@" \
        "$build/src/libllama.a" "$build/ggml/src/libggml.a" "$build/ggml/src/libggml-cpu.a" "$build/ggml/src/libggml-base.a" -lpthread -ldl
}
link "$scratch/exact" "$scratch/ops.o"
link "$scratch/usual"

[ -e "$scratch/f32.gguf" ] || python3 tests/tools/dequantise_gguf.py "$model" "$scratch/f32.gguf"
texts=tests/tools/int8_quality_texts.txt
"$scratch/exact" exact "$scratch/f32.gguf" <"$texts" >"$scratch/exact.jsonl"
python3 tests/tools/int8_quality.py wanted "$scratch/exact.jsonl" >"$scratch/wanted"
"$scratch/usual" usual "$model" <"$scratch/wanted" >"$scratch/usual.jsonl"
python3 tests/tools/int8_quality.py fixture "$texts" "$scratch/exact.jsonl" "$scratch/usual.jsonl" >tests/fixtures/int8_quality.json
