"""Chooses the weights of src/tasks/ask/weights.rs: `python ask_weights.py EVIDENCE.jsonl... [--held HELD_BACK.jsonl...]`, where the files
are what `cargo xtask bench qa --evidence FILE` writes, those before `--held` of the sets `own, dev half` and `own, short` only, of every
model that the weights are to fit. With `WORDS_ONLY=1` the vectors' features are left out: the weights without an embedder.

Spans: a softmax over the weighted features of a question's spans; the loss is the negative logarithm of the F1 that is to be expected.
Answers: logistic regression on the best span's features. Both shrink towards the weights that stand at the top here, which were fitted
on Gemma 3 270M alone.
"""

import json
import os
import re
import string
import sys
from collections import Counter

import numpy as np

NAMES = (
    "logprob constrained length asked over_null question sentence_similarity passage_similarity sentence_coverage passage_coverage echo "
    "kind near empty sign counted function_word cut said number"
).split()
RANK = np.array([0.279, 0.265, 0.867, 0.328, 0.088, 0.432, 3.178, 2.067, 1.74, 1.214, -1.419, 0.708, 2.945, -1.578, 0.181, 1.0, -1.0, -1.0, -1.0, -1.0])
ANSWER = np.array([0.222, 0.1, 0.657, 0.252, 0.055, 0.02, 3.544, 2.51, 3.007, 3.766, -0.822, 0.289, 1.676, -0.078, 2.66, 0.0, 0.0, 0.0, 0.0, 0.0, 0.085, -6.59])
SHRINK = {"rank": 10.0, "answer": 3.0}


def normal(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return [w for w in text.split() if w not in ("a", "an", "the")]


def f1(said, accepted):
    best = 0.0
    for one in accepted:
        a, b = normal(said), normal(one)
        common = sum((Counter(a) & Counter(b)).values())
        if common:
            best = max(best, 2 * common / (len(a) + len(b)))
    return best


def load(path):
    items = []
    for line in open(path, encoding="utf8"):
        q = json.loads(line)
        spans = q["evidence"]
        q["x"] = np.array([[s["features"][n] for n in NAMES] for s in spans]).reshape(-1, len(NAMES))
        if os.environ.get("WORDS_ONLY"):
            q["x"][:, [NAMES.index("sentence_similarity"), NAMES.index("passage_similarity")]] = 0
        q["f1"] = np.array([f1(s["text"], q["accepted"]) for s in spans])
        q["at"] = [(s["start"], s["end"]) for s in spans]
        items.append(q)
    return items


def adam(gradient, w, steps=500, rate=0.03):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        g = gradient(w)
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g * g
        w = w - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.99**t)) + 1e-9)
    return w


def fit_rank(items):
    good = [q for q in items if q["accepted"] and len(q["f1"]) and q["f1"].max() > 0]
    x, y = np.concatenate([q["x"] for q in good]), np.concatenate([q["f1"] for q in good])
    counts = np.array([len(q["f1"]) for q in good])
    begins, of = np.r_[0, np.cumsum(counts)[:-1]], np.repeat(np.arange(len(counts)), counts)
    scale = x.std(0) + 1e-6

    def gradient(u):
        s = x @ (u / scale)
        p = np.exp(s - np.maximum.reduceat(s, begins)[of])
        p /= np.add.reduceat(p, begins)[of]
        expected = (np.add.reduceat(p * y, begins) + 1e-3)[of]
        return SHRINK["rank"] * (u - RANK * scale) - ((p * (y - expected + 1e-3) / expected) @ x) / scale

    return adam(gradient, RANK * scale) / scale


def best_of(q, rank):
    """Features of the best span, how far it is ahead, and its F1."""
    if not len(q["x"]):
        return None
    s = q["x"] @ rank
    top = int(s.argmax())
    a, b = q["at"][top]
    apart = [s[i] for i, (c, d) in enumerate(q["at"]) if d <= a or b <= c]
    ahead = min(10.0, s[top] - max(apart)) if apart else 10.0
    return np.array([*q["x"][top], ahead, 1.0]), q["f1"][top], q["evidence"][top]["text"]


def fit_answer(items, rank):
    rows = [(best_of(q, rank), bool(q["accepted"])) for q in items]
    x = np.array([r[0] for r, _ in rows if r])
    y = np.array([float(a) for r, a in rows if r])
    scale = np.r_[x.std(0)[:-1] + 1e-6, 1.0]
    # The constant is hardly held back.
    shrink = SHRINK["answer"] * np.r_[np.ones(len(scale) - 1), 0.1]

    def gradient(u):
        p = 1 / (1 + np.exp(-x @ (u / scale)))
        return ((p - y) @ x) / scale + shrink * (u - ANSWER * scale)

    return adam(gradient, ANSWER * scale) / scale


def judge(items, rank, answer):
    out = []
    for q in items:
        best = best_of(q, rank)
        p = 1 / (1 + np.exp(-best[0] @ answer)) if best else 0.0
        out.append((bool(q["accepted"]), p, best[1] if best else 0.0, q))
    return out


def report(name, judged, least):
    answerable = [j for j in judged if j[0]]
    none = [j for j in judged if not j[0]]
    total = [(j[2] if j[1] >= least else 0.0) if j[0] else float(j[1] < least) for j in judged]
    print(
        f"{name}: least {least:.2f}: F1 {100 * np.mean(total):.1f}, answerable {100 * np.mean([j[2] if j[1] >= least else 0 for j in answerable]):.1f}"
        f" (without refusing {100 * np.mean([j[2] for j in answerable]):.1f}, oracle {100 * np.mean([j[3]['f1'].max(initial=0) for j in answerable]):.1f}),"
        f" recognised {100 * np.mean([j[1] < least for j in none]):.1f}, refused {100 * np.mean([j[1] < least for j in answerable]):.1f}"
    )


def main():
    paths = sys.argv[1:]
    held_back = paths[paths.index("--held") + 1 :] if "--held" in paths else []
    items = [q for path in paths[: len(paths) - len(held_back) - ("--held" in paths)] for q in load(path)]
    document = lambda q: re.sub(r"-\d+$", "", q["id"])
    judged = []
    for held in sorted({document(q) for q in items}):
        rest = [q for q in items if document(q) != held]
        rank = fit_rank(rest)
        judged += judge([q for q in items if document(q) == held], rank, fit_answer(rest, rank))
    for model in sorted({q["model"] for q in items}):
        for least in (0.4, 0.5, 0.6):
            report(f"a document left out, {model}", [j for j in judged if j[3]["model"] == model], least)
    rank = fit_rank(items)
    answer = fit_answer(items, rank)
    for least in (0.4, 0.5, 0.6, 0.7):
        report("itself", judge(items, rank, answer), least)
    for path in held_back:
        for least in (0.4, 0.5, 0.6, 0.7):
            report(path, judge(load(path), rank, answer), least)
    print("RANK", np.round(rank, 3).tolist())
    print("ANSWER", np.round(answer, 3).tolist())


if __name__ == "__main__":
    main()
