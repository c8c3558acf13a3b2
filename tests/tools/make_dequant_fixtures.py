"""Writes tests/fixtures/formats/: what the public Python packages say about bytes that our readers read.

    python -m venv VENV && VENV/bin/pip install gguf==0.19.0 safetensors==0.8.0
    VENV/bin/python tests/tools/make_dequant_fixtures.py
    VENV/bin/python tests/tools/make_dequant_fixtures.py --check FILE...

The second form makes the gguf package read files that our writer wrote (the seeds of fuzz/seeds.rs, say) and
prints what it finds.

Per element type T:
    dequant/T.blocks   random blocks; among their f16 scales zeros of both signs, subnormals, the largest, negatives
    dequant/T.f32      the weights that gguf.dequantize makes of them
    quantise/values.f32, quantise/T.blocks   weights, and the blocks that gguf.quantize makes of them
And sample.gguf, sample.safetensors with their contents as JSON.
"""

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import safetensors
from gguf import GGMLQuantizationType as T
from gguf import GGUFValueType as V

OUT = Path(__file__).resolve().parent.parent / "fixtures" / "formats"

# Byte offsets of the f16 fields of a block (ggml-common.h).
HALVES = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
}
# 0, -0, least and largest subnormal of both signs, least normal, largest, 1, -1.
SCALES = [0x0000, 0x8000, 0x0001, 0x8001, 0x03FF, 0x83FF, 0x0400, 0x7BFF, 0xFBFF, 0x3C00, 0xBC00]


def blocks_of(dtype, random):
    _, size = gguf.GGML_QUANT_SIZES[dtype]
    count = len(SCALES) + 3
    blocks = random.integers(0, 256, (count, size), dtype=np.uint8)
    blocks[-1] = 0
    blocks[-2] = 255
    for number, at in enumerate(HALVES[dtype]):
        scales = np.float16(random.normal(0, 0.02, count))
        scales[: len(SCALES)] = np.roll(np.array(SCALES, np.uint16), number).view(np.float16)
        blocks[:, at : at + 2] = scales.reshape(-1, 1).view(np.uint8)
    return blocks


def plain(dtype, random):
    """Every kind of finite number that the type has."""
    values = random.normal(0, 1, 48).astype(np.float32)
    edges = np.array([0.0, -0.0, 1.0, -1.0, 6.1e-5, -6.0e-8, 5.96e-8, 65504.0, -65504.0, 3.0e-5], np.float32)
    values = np.concatenate([values, edges])
    if dtype == T.BF16:
        return np.ascontiguousarray(gguf.quantize(values.reshape(1, -1), T.BF16)).reshape(-1, 2)
    return gguf.quantize(values, dtype).view(np.uint8).reshape(-1, 4 if dtype == T.F32 else 2)


def dequant(random):
    (OUT / "dequant").mkdir(parents=True, exist_ok=True)
    for dtype in [T.F32, T.F16, T.BF16, *HALVES]:
        blocks = blocks_of(dtype, random) if dtype in HALVES else plain(dtype, random)
        values = gguf.dequantize(np.ascontiguousarray(blocks), dtype)
        assert np.isfinite(values).all(), dtype
        (OUT / "dequant" / f"{dtype.name}.blocks").write_bytes(blocks.tobytes())
        (OUT / "dequant" / f"{dtype.name}.f32").write_bytes(values.astype("<f4").tobytes())


def quantise(random):
    (OUT / "quantise").mkdir(parents=True, exist_ok=True)
    rows = [random.normal(0, scale, 32) for scale in (1.0, 0.02, 1e-6, 1000.0)]
    rows += [np.zeros(32), np.full(32, -0.75), np.linspace(-1, 1, 32), np.linspace(0.25, 8, 32)]
    rows += [np.where(np.arange(32) % 2 == 0, 3.0, -3.0), np.eye(1, 32, 17)[0] * -5.5]
    values = np.array(rows, np.float32)
    (OUT / "quantise" / "values.f32").write_bytes(values.tobytes())
    for dtype in [T.F32, T.F16, T.BF16, T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0]:
        blocks = np.ascontiguousarray(gguf.quantize(values, dtype))
        (OUT / "quantise" / f"{dtype.name}.blocks").write_bytes(blocks.tobytes())


def sample_gguf(random):
    path = OUT / "sample.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    scalars = [
        ("u8", V.UINT8, 200), ("i8", V.INT8, -100), ("u16", V.UINT16, 60000), ("i16", V.INT16, -30000),
        ("u32", V.UINT32, 4000000000), ("i32", V.INT32, -2000000000), ("f32", V.FLOAT32, 0.15625),
        ("bool", V.BOOL, True), ("string", V.STRING, "caf\u00e9 \u2581\U0001f56f\ufe0f"), ("u64", V.UINT64, 2**63 + 1),
        ("i64", V.INT64, -(2**62)), ("f64", V.FLOAT64, 1e-300),
    ]
    for name, kind, value in scalars:
        writer.add_key_value(f"test.{name}", value, kind)
        if kind != V.STRING:
            writer.add_key_value(f"test.array.{name}", [value, value], V.ARRAY, sub_type=kind)
    writer.add_array("test.array.string", ["", "a", "\u2581the", "caf\u00e9"])
    tensors = []
    for index, dtype in enumerate([T.F32, T.F16, T.BF16, *HALVES]):
        elements, size = gguf.GGML_QUANT_SIZES[dtype]
        shape = (3, elements * 2)
        data = random.integers(0, 256, (3, size * 2), dtype=np.uint8)
        if dtype in (T.F32, T.F16):
            data = data.view(np.float32 if dtype == T.F32 else np.float16)
            writer.add_tensor(f"blk.{index}.weight", data)
        else:
            writer.add_tensor(f"blk.{index}.weight", data, raw_dtype=dtype)
        tensors.append({"name": f"blk.{index}.weight", "dtype": dtype.name, "shape": list(shape), "hex": data.tobytes().hex()})
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    reader = gguf.GGUFReader(path)
    for tensor in tensors:
        read = next(t for t in reader.tensors if t.name == tensor["name"])
        assert [int(e) for e in reversed(read.shape)] == tensor["shape"]
        tensor["offset"] = int(read.data_offset)
    contents = {"metadata": {n: v for n, v in metadata(reader).items() if not n.startswith("GGUF.")}, "tensors": tensors}
    (OUT / "sample_gguf.json").write_text(json.dumps(contents, indent=1) + "\n")


def sample_safetensors(random):
    tensors = {}
    for name, dtype, width, shape in [
        ("weight", "float32", 4, [2, 3]), ("half", "float16", 2, [5]), ("brain", "bfloat16", 2, [1, 3]),
        ("embeddings.position_ids", "int64", 8, [1, 2]), ("scalar", "float32", 4, []),
    ]:
        size = width * int(np.prod(shape, dtype=np.int64))
        tensors[name] = {"dtype": dtype, "shape": shape, "data": random.integers(0, 256, size, dtype=np.uint8)}
    specs = {
        name: safetensors.TensorSpec(
            dtype=t["dtype"], shape=t["shape"], data_ptr=t["data"].ctypes.data, data_len=t["data"].nbytes
        )
        for name, t in tensors.items()
    }
    (OUT / "sample.safetensors").write_bytes(safetensors.serialize(specs, {"format": "pt"}))
    contents = {
        name: {"dtype": specs[name].dtype, "shape": t["shape"], "hex": t["data"].tobytes().hex()}
        for name, t in tensors.items()
    }
    (OUT / "sample_safetensors.json").write_text(json.dumps(contents, indent=1) + "\n")


def metadata(reader):
    return {
        name: {"types": [kind.name for kind in field.types], "value": field.contents()}
        for name, field in reader.fields.items()
    }


def check(path):
    reader = gguf.GGUFReader(path)
    print(path)
    for name, field in metadata(reader).items():
        print(f"  {name}: {field['types']} {field['value']}")
    for tensor in reader.tensors:
        shape = [int(extent) for extent in reversed(tensor.shape)]
        print(f"  {tensor.name}: {tensor.tensor_type.name} {shape} at {tensor.data_offset}, {tensor.n_bytes} bytes")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        for file in sys.argv[2:]:
            check(file)
    else:
        generator = np.random.default_rng(20260)
        dequant(generator)
        quantise(generator)
        sample_gguf(generator)
        sample_safetensors(generator)
