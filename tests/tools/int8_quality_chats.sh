#!/bin/sh
# Makes tests/fixtures/int8_quality_chats.json: how far llama.cpp's int8 path is from exact arithmetic on SmolLM2-135M-Instruct.
#
#     tests/tools/int8_quality_chats.sh HEADERS LIBRARIES MODEL.gguf SCRATCH      (python3 with `gguf` 0.19.0 from PyPI)
#
# HEADERS is `vendor/llama.cpp` of PyPI's llama-cpp-python 0.3.36 (sdist), LIBRARIES `bins/linux-x64` of npm's @node-llama-cpp/linux-x64
# 3.22.1: this model has no GELU, so that llama.cpp needs no change to be exact. The twin in F32 takes 540 MB in SCRATCH.
set -eu
cd "$(dirname "$0")/../.."
headers=$1 libraries=$2 model=$3 scratch=$4
mkdir -p "$scratch"
c++ -std=c++17 -O2 -I"$headers/include" -I"$headers/ggml/include" -o "$scratch/first" tests/tools/llamacpp_first_position.cpp \
    -L"$libraries" -l:libllama.v0.5.0.so -l:libggml.v0.5.0.so -l:libggml-base.so -Wl,-rpath,"$libraries"
export GGML_BACKENDS="$libraries"
[ -e "$scratch/f32.gguf" ] || python3 tests/tools/dequantise_gguf.py "$model" "$scratch/f32.gguf"
messages=tests/tools/int8_quality_chats.txt
python3 tests/tools/int8_quality.py chats "$messages" >"$scratch/texts"
"$scratch/first" chats "$scratch/f32.gguf" <"$scratch/texts" >"$scratch/exact.jsonl"
python3 tests/tools/int8_quality.py wanted "$scratch/exact.jsonl" >"$scratch/wanted"
"$scratch/first" usual "$model" <"$scratch/wanted" >"$scratch/usual.jsonl"
python3 tests/tools/int8_quality.py chat_fixture "$messages" "$scratch/exact.jsonl" "$scratch/usual.jsonl" \
    >tests/fixtures/int8_quality_chats.json
