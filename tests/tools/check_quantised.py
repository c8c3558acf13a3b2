"""Compares what `rushlight quantize` wrote with how the public `gguf` package reads it.

    rushlight quantize MODEL OUT.gguf --type q4_k && rushlight quantize OUT.gguf PLAIN.gguf --type f32
    VENV/bin/python tests/tools/check_quantised.py OUT.gguf PLAIN.gguf

PLAIN.gguf is what our own dequantiser makes of OUT.gguf: every tensor has to be what `gguf.dequantize` makes of it, bit by bit.
VENV as in make_dequant_fixtures.py.
"""

import sys

import gguf
import numpy as np

written, plain = (gguf.GGUFReader(path) for path in sys.argv[1:3])
twins = {tensor.name: tensor for tensor in plain.tensors}
assert len(twins) == len(written.tensors)
for tensor in written.tensors:
    theirs = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    ours = np.asarray(twins[tensor.name].data, np.float32).reshape(theirs.shape)
    assert (ours.view(np.uint32) == theirs.view(np.uint32)).all(), tensor.name
print(len(twins), "tensors are the same:", ", ".join(sorted({tensor.tensor_type.name for tensor in written.tensors})))
