"""Writes a GGUF file with the same metadata and every tensor as F32: what an engine with F32 arithmetic has to agree with.

    python dequantise_gguf.py IN.gguf OUT.gguf      (with the `gguf` package, PyPI, 0.19.0)
"""

import sys

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter
from gguf.quants import dequantize

ALL_F32 = 0


def main():
    reader = GGUFReader(sys.argv[1])
    writer = GGUFWriter(sys.argv[2], reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        if field.name == "general.file_type":
            writer.add_file_type(ALL_F32)
            continue
        kind = field.types[0]
        items = field.types[-1] if kind == GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=items)
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        # The reader's shape is in GGUF's order, the fastest dimension first.
        writer.add_tensor(tensor.name, values.reshape(tuple(reversed(tensor.shape.tolist()))))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
