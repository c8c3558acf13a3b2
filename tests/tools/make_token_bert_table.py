"""Writes src/tokenizer/bert_table.rs: what BERT's text preparation does to single characters.

Run from the repository root with `tokenizers==0.22.2` installed (PyPI). The tables are read off that
implementation, character by character, since published vocabularies were used with it: its Unicode tables are
older than the standard of today (8 for categories, 9 for decompositions).
"""

from tokenizers import normalizers, pre_tokenizers

OFF = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
CLEAN = normalizers.BertNormalizer(**{**OFF, "clean_text": True})
STRIP = normalizers.BertNormalizer(**{**OFF, "strip_accents": True})
SPLIT = pre_tokenizers.BertPreTokenizer()

SURROGATES = range(0xD800, 0xE000)
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by a formula

dropped, marks, punctuation, bases, sequences = [], [], [], [], []
for code in range(0x110000):
    if code in SURROGATES:
        continue
    char = chr(code)
    if CLEAN.normalize_str(char) == "":
        dropped.append(code)
    if code >= 0x80 and [part for part, _ in SPLIT.pre_tokenize_str(f"a{char}b")] == ["a", char, "b"]:
        punctuation.append(code)
    if code in HANGUL:
        continue
    stripped = STRIP.normalize_str(char)
    if stripped == "":
        marks.append(code)
    elif len(stripped) == 1 and stripped != char:
        bases.append((code, ord(stripped)))
    elif len(stripped) > 1:
        sequences.append((code, [ord(part) for part in stripped]))


def runs(codes):
    """First and last of each run of neighbours."""
    out = []
    for code in codes:
        if out and out[-1][1] == code - 1:
            out[-1] = (out[-1][0], code)
        else:
            out.append((code, code))
    return out


def table(file, doc, name, kind, entries, each):
    file.write(f"\n/// {doc}\n#[rustfmt::skip]\npub(super) static {name}: [{kind}; {len(entries)}] = [\n")
    for at in range(0, len(entries), each):
        file.write("    " + " ".join(entry + "," for entry in entries[at : at + each]) + "\n")
    file.write("];\n")


def pairs(entries):
    return [f"(0x{a:X}, 0x{b:X})" for a, b in entries]


longest = max(len(parts) for _, parts in sequences)
padded = [
    f"(0x{code:X}, [{', '.join(f'0x{part:X}' for part in parts + [0] * (longest - len(parts)))}])"
    for code, parts in sequences
]
with open("src/tokenizer/bert_table.rs", "w", encoding="ascii") as file:
    file.write("//! What BERT's text preparation does to single characters, written by\n")
    file.write("//! `tests/tools/make_token_bert_table.py`. Ranges are first and last, everything ascends.\n")
    table(file, "Control characters: left out.", "DROPPED", "(u32, u32)", pairs(runs(dropped)), 5)
    table(file, "Nonspacing marks: left out where accents are.", "MARKS", "(u32, u32)", pairs(runs(marks)), 5)
    table(
        file, "Punctuation beyond ASCII: words of their own.", "PUNCTUATION", "(u32, u32)",
        pairs(runs(punctuation)), 5,
    )
    table(file, "Characters that decompose to marks and one other.", "BASES", "(u32, u32)", pairs(bases), 5)
    table(
        file, "Characters that decompose to several that are no marks; 0 fills up.", "SEQUENCES",
        f"(u32, [u32; {longest}])", padded, 3,
    )
