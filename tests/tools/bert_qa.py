"""An extractive BERT reader in numpy float64, for tests/span_reader.rs: `python bert_qa.py > tests/fixtures/qa/span_reader.json`.

Written from the papers (arXiv 1810.04805, 1606.08415) and the documented defaults of Hugging Face's question-answering pipeline. The
weights are made of a hash of their place, which the test makes as well; the numbers that come out are committed.
"""

import json
import math

import numpy as np

WIDTH, LAYERS, HEADS, FFN, POSITIONS, EPS = 16, 2, 2, 32, 40, 1e-12
WORDS = (
    "[PAD] [UNK] [CLS] [SEP] the a tank is empty filter red light means that lasts ninety days who when what made it in ##s ##ed by "
    "ward bach lind ##en ##weg city old bridge was built 18 ##90 . , ? ( ) and of river stone"
).split()
TEXT = (
    "The old bridge (in the city) was built in 1890, by Ward and Bach.  It is made of stone.\n"
    "The red light means that the tank is empty. The filter lasts ninety days. Lindenweg is a city, and Ward made the tanks in it. "
    "Bach made the filters and the lights of the bridge in days."
)
QUESTIONS = ["When was the bridge built?", "What made the city?"]


def tensor(index, shape, scale, offset=0.0):
    count = int(np.prod(shape))
    x = (np.arange(count, dtype=np.uint64) * 7919 + index * 1000003 + 12345) % 2**32
    x = x * 2654435761 % 2**32
    x ^= x >> 15
    x = x * 2246822519 % 2**32
    x ^= x >> 13
    values = ((x.astype(np.float64) / 2**32 - 0.5) * scale + offset).astype(np.float32)
    return values.astype(np.float64).reshape(shape)


def names():
    """Tensors in the order of their indices: name, shape, scale, offset."""
    yield "bert.embeddings.word_embeddings.weight", (len(WORDS), WIDTH), 2.0, 0.0
    yield "bert.embeddings.position_embeddings.weight", (POSITIONS, WIDTH), 1.0, 0.0
    yield "bert.embeddings.token_type_embeddings.weight", (2, WIDTH), 1.0, 0.0
    yield "bert.embeddings.LayerNorm.weight", (WIDTH,), 0.5, 1.0
    yield "bert.embeddings.LayerNorm.bias", (WIDTH,), 0.5, 0.0
    for layer in range(LAYERS):
        stem = f"bert.encoder.layer.{layer}."
        for which, rows, cols in (
            ("attention.self.query", WIDTH, WIDTH),
            ("attention.self.key", WIDTH, WIDTH),
            ("attention.self.value", WIDTH, WIDTH),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", FFN, WIDTH),
            ("output.dense", WIDTH, FFN),
        ):
            yield f"{stem}{which}.weight", (rows, cols), 1.2, 0.0
            yield f"{stem}{which}.bias", (rows,), 0.5, 0.0
        for which in ("attention.output.LayerNorm", "output.LayerNorm"):
            yield f"{stem}{which}.weight", (WIDTH,), 0.5, 1.0
            yield f"{stem}{which}.bias", (WIDTH,), 0.5, 0.0
    yield "qa_outputs.weight", (2, WIDTH), 3.0, 0.0
    yield "qa_outputs.bias", (2,), 1.0, 0.0


W = {name: tensor(index, *rest) for index, (name, *rest) in enumerate(names())}


def norm(x, stem):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(var + EPS) * W[f"{stem}.weight"] + W[f"{stem}.bias"]


def dense(x, stem):
    return x @ W[f"{stem}.weight"].T + W[f"{stem}.bias"]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def forward(ids, types):
    e = "bert.embeddings."
    x = W[f"{e}word_embeddings.weight"][ids] + W[f"{e}position_embeddings.weight"][: len(ids)]
    x = norm(x + W[f"{e}token_type_embeddings.weight"][types], f"{e}LayerNorm")
    gelu = np.vectorize(lambda v: 0.5 * v * (1 + math.erf(v / math.sqrt(2))))
    for layer in range(LAYERS):
        s = f"bert.encoder.layer.{layer}."
        split = lambda t: t.reshape(len(ids), HEADS, -1).transpose(1, 0, 2)
        q, k, v = (split(dense(x, f"{s}attention.self.{w}")) for w in ("query", "key", "value"))
        mixed = softmax(q @ k.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS)) @ v
        mixed = mixed.transpose(1, 0, 2).reshape(len(ids), WIDTH)
        x = norm(x + dense(mixed, f"{s}attention.output.dense"), f"{s}attention.output.LayerNorm")
        x = norm(x + dense(gelu(dense(x, f"{s}intermediate.dense")), f"{s}output.dense"), f"{s}output.LayerNorm")
    return dense(x, "qa_outputs")


def words(text):
    """Words with their places: between white space, punctuation by itself."""
    found, start = [], None
    for at, c in enumerate(text + " "):
        alone = not c.isalnum() and not c.isspace()
        if (alone or c.isspace()) and start is not None:
            found.append((start, at))
            start = None
        if alone:
            found.append((at, at + 1))
        elif start is None and not c.isspace():
            start = at
    return found


def pieces(word):
    word, out, at = word.lower(), [], 0
    while at < len(word):
        for end in range(len(word), at, -1):
            piece = ("##" if at else "") + word[at:end]
            if piece in WORDS:
                out.append(WORDS.index(piece))
                at = end
                break
        else:
            return [WORDS.index("[UNK]")]
    return out


def ask(question, longest=15, most=6):
    asked = [p for a, b in words(question) for p in pieces(question[a:b])]
    tokens = [(p, place) for place in words(TEXT) for p in pieces(TEXT[place[0] : place[1]])]
    room = POSITIONS - len(asked) - 3
    stride = min(128, room // 2)
    cls, sep = WORDS.index("[CLS]"), WORDS.index("[SEP]")
    first, best, null, windows = 0, {}, 1.0, []
    while True:
        end = min(len(tokens), first + room)
        part = tokens[first:end]
        ids = [cls, *asked, sep, *(p for p, _ in part), sep]
        types = [0] * (len(asked) + 2) + [1] * (len(part) + 1)
        logits = forward(np.array(ids), np.array(types))
        kept = [0, *range(len(asked) + 2, len(ids) - 1)]
        starts, ends = softmax(logits[kept, 0]), softmax(logits[kept, 1])
        windows.append(logits[kept].round(6).tolist())
        null = min(null, starts[0] * ends[0])
        for i in range(1, len(kept)):
            for j in range(i, min(len(kept), i + longest)):
                place = (part[i - 1][1][0], part[j - 1][1][1])
                best[place] = max(best.get(place, 0.0), starts[i] * ends[j])
        if end == len(tokens):
            break
        first = end - stride
    ranked = sorted(best.items(), key=lambda item: -item[1])[:most]
    spans = [{"start": a, "end": b, "text": TEXT[a:b], "score": score} for (a, b), score in ranked]
    return {"question": question, "windows": windows, "null_score": null, "spans": spans}


config = {
    "model_type": "bert", "architectures": ["BertForQuestionAnswering"], "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "intermediate_size": FFN, "max_position_embeddings": POSITIONS, "type_vocab_size": 2,
    "layer_norm_eps": EPS, "hidden_act": "gelu", "vocab_size": len(WORDS),
}
tensors = [{"name": name, "shape": list(shape), "scale": scale, "offset": offset} for name, shape, scale, offset in names()]
print(json.dumps({"config": config, "words": WORDS, "tensors": tensors, "text": TEXT, "items": [ask(q) for q in QUESTIONS]}))
