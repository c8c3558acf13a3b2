"""Decoders with biases in numpy float64, for tests/unread.rs.

    cargo run --no-default-features --example small_models -- SCRATCH --biased
    python biases_reference.py SCRATCH/biased > tests/fixtures/biases.json

Written from the papers that `src/model/arch.rs` names; it adds every bias that is in the file: of the projections of attention and of the
feed-forward block, and of the logits, as llama.cpp does. Needs the packages numpy and gguf.
"""

import hashlib
import json
import math
import sys
from pathlib import Path

import gguf
import numpy as np


class Model:
    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.arch = reader.get_field("general.architecture").contents()
        self.field = lambda key, default=None: (
            field.contents() if (field := reader.get_field(f"{self.arch}.{key}")) else default
        )
        self.tensors = {}
        for tensor in reader.tensors:
            numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
            self.tensors[tensor.name] = numbers.reshape([int(extent) for extent in tensor.shape[::-1]])

    def project(self, x, stem):
        return x @ self.tensors[f"{stem}.weight"].T + self.tensors.get(f"{stem}.bias", 0.0)

    def norm(self, x, name):
        eps = self.field("attention.layer_norm_rms_epsilon")
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * self.tensors[name]

    def rope(self, x, local):
        """x is [tokens, heads, dim]."""
        tokens, _, dim = x.shape
        base = 10_000.0 if local else self.field("rope.freq_base")
        frequencies = base ** (-np.arange(0, dim, 2) / dim)
        if not local:
            frequencies = frequencies / self.field("rope.scaling.factor", 1.0)
            frequencies = frequencies / self.tensors.get("rope_freqs.weight", 1.0)
        angles = np.arange(tokens)[:, None, None] * frequencies
        cos, sin = np.cos(angles), np.sin(angles)
        out = np.empty_like(x)
        neighbours = self.arch == "llama"
        a, b = (x[..., 0::2], x[..., 1::2]) if neighbours else (x[..., : dim // 2], x[..., dim // 2 :])
        turned = a * cos - b * sin, a * sin + b * cos
        if neighbours:
            out[..., 0::2], out[..., 1::2] = turned
        else:
            out[..., : dim // 2], out[..., dim // 2 :] = turned
        return out

    def attention(self, x, layer):
        heads, kv_heads = self.field("attention.head_count"), self.field("attention.head_count_kv")
        dim, window = self.field("attention.key_length"), self.field("attention.sliding_window", 0)
        local = window > 0 and (layer + 1) % 6 != 0
        stem = f"blk.{layer}.attn"
        h = self.norm(x, f"{stem}_norm.weight")
        q, k, v = (
            self.project(h, f"{stem}_{part}").reshape(len(x), count, dim)
            for part, count in (("q", heads), ("k", kv_heads), ("v", kv_heads))
        )
        if f"{stem}_q_norm.weight" in self.tensors:
            q, k = self.norm(q, f"{stem}_q_norm.weight"), self.norm(k, f"{stem}_k_norm.weight")
        q, k = self.rope(q, local), self.rope(k, local)
        apart = np.arange(len(x))[:, None] - np.arange(len(x))[None, :]
        visible = (apart >= 0) & (apart < (window if local else len(x)))
        out = np.empty_like(q)
        for head in range(heads):
            group = head * kv_heads // heads
            scores = np.where(visible, q[:, head] @ k[:, group].T / math.sqrt(dim), -np.inf)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            out[:, head] = weights / weights.sum(-1, keepdims=True) @ v[:, group]
        out = self.project(out.reshape(len(x), -1), f"{stem}_output")
        post = f"blk.{layer}.post_attention_norm.weight"
        return self.norm(out, post) if post in self.tensors else out

    def feed_forward(self, x, layer):
        stem = f"blk.{layer}.ffn"
        h = self.norm(x, f"{stem}_norm.weight")
        gate, up = self.project(h, f"{stem}_gate"), self.project(h, f"{stem}_up")
        if self.arch == "gemma3":
            gate = gate / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)))
        else:
            gate = gate / (1 + np.exp(-gate))
        out = self.project(gate * up, f"{stem}_down")
        post = f"blk.{layer}.post_ffw_norm.weight"
        return self.norm(out, post) if post in self.tensors else out

    def logits(self, ids):
        x = self.tensors["token_embd.weight"][ids]
        if self.arch == "gemma3":
            x = x * math.sqrt(x.shape[1])
        for layer in range(self.field("block_count")):
            x = x + self.attention(x, layer)
            x = x + self.feed_forward(x, layer)
        head = self.tensors.get("output.weight", self.tensors["token_embd.weight"])
        return self.norm(x[-1], "output_norm.weight") @ head.T + self.tensors.get("output.bias", 0.0)


def main():
    results = {}
    for path in sorted(Path(sys.argv[1]).glob("*.gguf")):
        ids = [int(word) for word in path.with_suffix(".ids").read_text().split()]
        logits = Model(path).logits(ids)
        results[path.stem] = {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "logits": [float(f"{logit:.7g}") for logit in logits],
        }
    json.dump(results, sys.stdout)
    print()


main()
