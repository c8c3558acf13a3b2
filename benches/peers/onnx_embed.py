"""Times onnxruntime on one sentence, natively, and prints JSON.

    python onnx_embed.py GRAPH.onnx IDS THREADS RUNS

IDS are separated by commas. Two runs that are not timed come first.
"""

import json
import sys
import time

import numpy as np
import onnxruntime

WARM_UP = 2


def main():
    graph, ids, threads, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    inputs = {"ids": np.array([[int(number) for number in ids.split(",")]], np.int64)}
    ms = []
    for _ in range(WARM_UP + runs):
        began = time.perf_counter()
        (vector,) = session.run(None, inputs)
        ms.append((time.perf_counter() - began) * 1e3)
    print(json.dumps({"ms": ms[WARM_UP:], "vector": vector.tolist(), "version": onnxruntime.__version__}))


if __name__ == "__main__":
    main()
