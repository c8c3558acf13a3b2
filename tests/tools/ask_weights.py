"""Chooses the weights of src/tasks/ask/weights.rs: `python ask_weights.py EVIDENCE.jsonl [HELD_BACK.jsonl]`, where the files are what
`cargo xtask bench qa --evidence FILE` writes, the first one of the dev half of our own questions only. With `WORDS_ONLY=1` the vectors'
features are left out: the weights without an embedder.

Spans: a softmax over the weighted features of a question's spans; the loss is the negative logarithm of the F1 that is to be expected.
Answers: logistic regression on the best span's features. Both shrink towards the weights that stand at the top here.
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
    "kind near empty sign"
).split()
RANK = np.array([0.3, 0.3, 0.2, 0.3, 0.1, 0.3, 3.0, 1.0, 1.0, 0.5, -2.0, 1.0, 1.0, -1.0, -0.5])
ANSWER = np.array([0.05, 0.05, 0.0, 0.1, 0.1, 0.2, 3.0, 1.0, 2.0, 1.0, -1.0, 0.5, 1.0, -0.5, 0.0, 0.1, -1.0])
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


def adam(loss_grad, w, steps=1500, rate=0.02):
    m, v = np.zeros_like(w), np.zeros_like(w)
    for t in range(1, steps + 1):
        g = loss_grad(w)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w = w - rate * m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-9)
    return w


def fit_rank(items, scale):
    good = [q for q in items if q["accepted"] and len(q["f1"]) and q["f1"].max() > 0]

    def grad(w):
        g = SHRINK["rank"] * (w - RANK) * scale**2
        for q in good:
            s = q["x"] @ w
            p = np.exp(s - s.max())
            p /= p.sum()
            expected = (p * q["f1"]).sum() + 1e-3
            g -= ((p * (q["f1"] - expected + 1e-3)) @ q["x"]) / expected
        return g

    return adam(grad, RANK.copy())


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
    scale = x.std(0) + 1e-6

    def grad(w):
        p = 1 / (1 + np.exp(-x @ w))
        g = (p - y) @ x + SHRINK["answer"] * (w - ANSWER) * scale**2
        return g

    return adam(grad, ANSWER.copy())


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
    items = load(sys.argv[1])
    scale = np.concatenate([q["x"] for q in items]).std(0) + 1e-6
    document = lambda q: re.sub(r"-\d+$", "", q["id"])
    judged = []
    for held in sorted({document(q) for q in items}):
        rest = [q for q in items if document(q) != held]
        rank = fit_rank(rest, scale)
        judged += judge([q for q in items if document(q) == held], rank, fit_answer(rest, rank))
    for least in np.arange(0.3, 0.85, 0.05):
        report("a document left out", judged, least)
    rank = fit_rank(items, scale)
    answer = fit_answer(items, rank)
    for least in (0.4, 0.5, 0.6, 0.7):
        report("itself", judge(items, rank, answer), least)
    for path in sys.argv[2:]:
        for least in (0.4, 0.5, 0.6, 0.7):
            report(path, judge(load(path), rank, answer), least)
    print("RANK", np.round(rank, 3).tolist())
    print("ANSWER", np.round(answer, 3).tolist())
    print(dict(zip(NAMES, np.round(scale, 2))))


if __name__ == "__main__":
    main()
