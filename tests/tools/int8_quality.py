"""Puts llama.cpp's two answers together as tests/fixtures/int8_quality.json. Behind int8_quality.sh.

    python int8_quality.py chats MESSAGES > TEXTS                 what users say, a line each, as prompts of SmolLM2
    python int8_quality.py wanted EXACT > WANTED
    python int8_quality.py fixture TEXTS EXACT USUAL > FIXTURE
    python int8_quality.py chat_fixture MESSAGES EXACT USUAL > FIXTURE
"""

import json
import sys
from pathlib import Path

NOTE = (
    "Made by tests/tools/int8_quality.sh with llama.cpp (sdist 11434), Gemma 3 270M Q4_K_M. exact: every tensor dequantised to F32, F32"
    " cache, F32 GELU: the 20 likeliest tokens at the first new position. int8: log-probabilities of the same tokens from the file as"
    " llama.cpp runs it, activations in int8. deviation: mean distance of the two."
)


CHAT_NOTE = (
    "Made by tests/tools/int8_quality_chats.sh with the llama.cpp of npm's @node-llama-cpp/linux-x64 3.22.1, SmolLM2-135M-Instruct Q4_1."
    " text: what a user says, the only message of a conversation. The rest as in int8_quality.json; its activation is SiLU, which llama.cpp"
    " computes in F32."
)
# What the model's template makes of a message.
CHAT = (
    "<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\\n"
    "<|im_start|>user\\n{}<|im_end|>\\n<|im_start|>assistant\\n"
)


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def main():
    if sys.argv[1] == "chats":
        for line in Path(sys.argv[2]).read_text().splitlines():
            print(CHAT.format(line))
        return
    if sys.argv[1] == "wanted":
        for item in lines(sys.argv[2]):
            print(*item["ids"], "@", *item["top"])
        return
    texts = [line.replace("\\n", "\n") for line in Path(sys.argv[2]).read_text().splitlines()]
    items = []
    for text, exact, usual in zip(texts, lines(sys.argv[3]), lines(sys.argv[4]), strict=True):
        assert (exact["ids"], exact["top"]) == (usual["ids"], usual["top"]), text
        pairs = list(zip(exact["logprobs"], usual["logprobs"], strict=True))
        deviation = sum(abs(a - b) for a, b in pairs) / len(pairs)
        items.append(
            {
                "text": text,
                "ids": exact["ids"],
                "top": exact["top"],
                "exact": exact["logprobs"],
                "int8": usual["logprobs"],
                "deviation": round(deviation, 6),
            }
        )
    mean = sum(item["deviation"] for item in items) / len(items)
    note = CHAT_NOTE if sys.argv[1] == "chat_fixture" else NOTE
    head = json.dumps({"note": note, "mean_deviation": round(mean, 6)}, ensure_ascii=False)
    print(head[:-1] + ', "items": [')
    print(",\n".join(json.dumps(item, ensure_ascii=False) for item in items))
    print("]}")


if __name__ == "__main__":
    main()
