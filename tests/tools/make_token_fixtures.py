"""Writes tests/fixtures/tokenizer/bpe.json and spm.json: small vocabularies that both encoders can read.

Run from the repository root with `tokenizers==0.22.2` installed (PyPI). bpe.json is byte-level BPE, spm.json
BPE over characters with byte fallback in the manner of Llama; both are trained on the text below. Tests
put each pre-tokenizer's patterns into bpe.json, and turn spm.json's merges into scores.
"""

import json

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TEXT = [
    "The old lighthouse keeper didn't like the new lamp; he'd say it's too bright, and we'll all go blind.",
    "They're sure they've seen 12 ships, 345 gulls and 6789 waves since 1998, haven't they? I'M NOT SURE.",
    "def count(items, start=0):\n    total = start\n    for item in items:\n        total += item.size\n    return total\n",
    "fn main() {\n\tlet mut sum = 0;\n\tfor i in 0..10 {\n\t\tsum += i * 2; // doubled\n\t}\n\tprintln!(\"{sum}\");\n}\n",
    "Der Leuchtturmwärter mochte die neue Lampe nicht, sie war ihm zu grell. ÉCOLE, école, Übermut, straße.",
    "Смотритель маяка не любил новую лампу, потому что она была слишком яркой. Маяк стоит у моря.",
    "灯台守は新しいランプが好きではありませんでした。灯台は海のそばに立っています。你好，世界。",
    "등대지기는 새 등불을 좋아하지 않았다. שומר המגדלור לא אהב את המנורה. لم يحب حارس المنارة المصباح.",
    "Prices: $3.50, €20, £7 - 25% off!!! (really?) [yes] {no} <maybe> a@b.example http://c.example/d?e=f&g=h#i",
    "    four spaces,        eight spaces,\n\n\n three line breaks \t\t two tabs \r\n and a return... 😀😀 👍🏽 naïve café",
] * 4


def train(tokenizer: Tokenizer, size: int, alphabet: list[str]) -> dict:
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False, min_frequency=2)
    tokenizer.train_from_iterator(TEXT, trainer)
    return json.loads(tokenizer.to_str())


def save(name: str, content: dict) -> None:
    with open(f"tests/fixtures/tokenizer/{name}.json", "w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


def byte_level() -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, 1200, pre_tokenizers.ByteLevel.alphabet())
    tokenizer.add_special_tokens([AddedToken(text, special=True) for text in ("<|begin_of_text|>", "<|im_end|>")])
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("<tool><tool>", normalized=False)])
    save("bpe", json.loads(tokenizer.to_str()))


def sentencepiece_like() -> None:
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    # Words are kept apart while training only: a merge of two words would not be seen as one in SentencePiece.
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    trained = train(tokenizer, 900, [])
    control = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    words = control + [word for word in sorted(trained["model"]["vocab"], key=trained["model"]["vocab"].get)]
    vocab = {word: place for place, word in enumerate(dict.fromkeys(words))}
    # SentencePiece merges any two neighbours that make a token, so every such pair has to be a merge here.
    merges = [
        (word[:cut], word[cut:])
        for word in dict.fromkeys("".join(merge) for merge in trained["model"]["merges"])
        for cut in range(1, len(word))
        if word[:cut] in vocab and word[cut:] in vocab
    ]
    final = Tokenizer(models.BPE(vocab, merges, byte_fallback=True, unk_token="<unk>"))
    final.normalizer = tokenizer.normalizer
    final.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    final.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")])
    save("spm", json.loads(final.to_str()))


byte_level()
sentencepiece_like()
