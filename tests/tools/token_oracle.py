"""Makes tests/fixtures/tokenizer/NAME_llama.json: texts with llama.cpp's ids for a GGUF vocabulary.

    python3 tests/tools/token_oracle.py ORACLE MODEL.gguf NAME [COUNT]

ORACLE is the program of token_oracle.cpp, linked with libllama of a llama.cpp build. The texts are drawn
with a fixed seed from what tokenizers trip over; those with U+2581 are left in (ids only).
"""

import json
import random
import struct
import subprocess
import sys

PARTS = (
    [" ", "  ", "    ", "\n", "\n\n", "\r\n", "\r", "\t", "\t\t", "\u00a0", "\u3000", "\u200d", "\u2028", "\u0085"]
    + ["\0", "\x01", "\x1b", "\x7f", "'s", "'LL", "'re", "don't", "I'Ve", "the", "The", " quick", "brown fox"]
    + ["1", "22", "333", "4444", "55555", "3.14", "1,000", "½", "²", "٣٤", "Ⅻ", "...", "!?", "—", "“q”", "$", "€"]
    + ["<", ">", "<|", "|>", "a\u0301", "é", "ÉCOLE", "straße", "ǅ", "ﬁ", "你好", "世界", "日本語", "かな", "カナ"]
    + ["한국어", "שלום", "مرحبا", "हिन्दी", "ไทย", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "😀", "𓀀", "\U0010ffff", "\ufffd", "\ufeff"]
    + ["_", "__init__", "->", "==", "{", "}", "();", "/", "//", "aaaaaaaa", "z" * 40, "\u2581", "\u0300\u0301"]
)
SPECIALS = (
    ["<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "[multimodal]", "<start_of_turn>user\n", "<end_of_turn>\n"]
    + ["<start_of_turn>", "<end_of_turn", "start_of_turn>", "<unused0>", "<unused99>", "<unused", "<table>", "</table>"]
    + ["<h1>", "</h1>", "<s>", "</s>", "<strong>", "<0x41>", "<0x0A>", "<start_of_image>", "<|eot_id|>", "<|im_end|>"]
    + ["<|endoftext|>", "<|begin_of_text|>", "<|im_start|>", "<<bos>>", "<bos><bos>", "<|end|>", "[PAD151646]"]
)


def text(source: random.Random) -> str:
    kind = source.randrange(5)
    count = source.randint(1, 16)
    if kind <= 1:
        return "".join(source.choice(PARTS) for _ in range(count))
    if kind == 2:
        return "".join(source.choice(PARTS + SPECIALS * 2) for _ in range(count))
    if kind == 3:
        limit = source.choice([0x80, 0x800, 0x10000, 0x110000])
        codes = (source.randrange(limit) for _ in range(count))
        return "".join(chr(code) for code in codes if not 0xD800 <= code < 0xE000)
    return source.choice(PARTS + SPECIALS) * source.randint(2, 70)


def main() -> None:
    oracle, model, name = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 600
    source = random.Random(20251122)
    texts = list(dict.fromkeys(text(source) for _ in range(count)))
    packed = b"".join(struct.pack("<I", len(raw)) + raw for raw in (item.encode() for item in texts))
    lines = subprocess.run([oracle, model], input=packed, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
    assert len(lines) == 2 * len(texts), (len(lines), len(texts))
    ids = [[int(word) for word in line.split()] for line in lines]
    items = [
        {"text": item, "ids": ids[2 * place], "ids_nospecial": ids[2 * place + 1]} for place, item in enumerate(texts)
    ]
    with open(f"tests/fixtures/tokenizer/{name}_llama.json", "w", encoding="utf-8") as file:
        rows = ",\n".join(json.dumps(item, ensure_ascii=True, separators=(",", ":")) for item in items)
        file.write('{"items":[\n' + rows + "\n]}\n")


main()
