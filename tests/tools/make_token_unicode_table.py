"""Writes src/tokenizer/unicode_table.rs: the general categories that pre-tokenizer patterns name.

Run from the repository root with `unicodedata2==16.0.0` installed (PyPI), the Unicode version of the
regex engine that the tokenizers crate uses; Python's own unicodedata is years behind.
"""

import unicodedata2

CLASSES = {
    "Lu": 1, "Lt": 1, "Ll": 2, "Lm": 3, "Lo": 3,
    "Mn": 4, "Mc": 4, "Me": 4, "Nd": 5, "Nl": 5, "No": 5,
    "Pc": 6, "Pd": 6, "Ps": 6, "Pe": 6, "Pi": 6, "Pf": 6, "Po": 6,
    "Sm": 7, "Sc": 7, "Sk": 7, "So": 7,
}  # the others are 0

starts = []
for code in range(0x110000):
    kind = CLASSES.get(unicodedata2.category(chr(code)), 0)
    if not starts or starts[-1] & 15 != kind:
        starts.append(code << 4 | kind)

with open("src/tokenizer/unicode_table.rs", "w", encoding="ascii") as file:
    file.write(f"//! General categories of Unicode {unicodedata2.unidata_version}, written by ")
    file.write("`tests/tools/make_token_unicode_table.py`.\n\n")
    file.write("/// Where a run of characters of one class starts, and the class: `start << 4 | class`.\n")
    file.write("#[rustfmt::skip]\n")
    file.write(f"pub(super) static RUNS: [u32; {len(starts)}] = [\n")
    for at in range(0, len(starts), 12):
        file.write("    " + " ".join(f"0x{value:X}," for value in starts[at : at + 12]) + "\n")
    file.write("];\n")
