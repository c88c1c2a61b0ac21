"""Writes core/text/nfc_table.c from Python's unicodedata:
   python3 tests/golden/tok_nfc.py > core/text/nfc_table.c
"""
import textwrap
import unicodedata as u

HANGUL = range(0xAC00, 0xAC00 + 11172)


def rows(items):
    print(textwrap.indent(textwrap.fill(" ".join(items), 92), "\t"))


decomp = []
for cp in range(0x110000):
    d = u.decomposition(chr(cp))
    if not d or d[0] == "<" or cp in HANGUL:
        continue
    part = [int(x, 16) for x in d.split()]
    # a composition exclusion does not come back from NFC
    back = len(part) == 2 and u.normalize("NFC", chr(cp)) == chr(cp)
    decomp.append((cp, part[0], part[1] if len(part) > 1 else 0, back))

ccc = []  # runs of one class
for cp in range(0x110000):
    c = u.combining(chr(cp))
    if c and ccc and ccc[-1][1] == cp - 1 and ccc[-1][2] == c:
        ccc[-1][1] = cp
    elif c:
        ccc.append([cp, cp, c])

index = sorted((i for i, d in enumerate(decomp) if d[3]), key=lambda i: decomp[i][1:3])
print("/* nfc_table.c - canonical decompositions and combining classes of Unicode %s," % u.unidata_version)
print(" * without Hangul; written by tests/golden/tok_nfc.py. */")
print('#include "core/text/nfc_table.h"\n')
print("/* clang-format off */")
print("const struct nfc_decomp nfc_decomps[] = { /* sorted by cp */")
rows(["{%d,%d,%d}," % d[:3] for d in decomp])
print("};\nconst size_t nfc_n_decomps = sizeof nfc_decomps / sizeof *nfc_decomps;\n")
print("const uint16_t nfc_pairs[] = { /* those that compose, sorted by both parts */")
rows(["%d," % i for i in index])
print("};\nconst size_t nfc_n_pairs = sizeof nfc_pairs / sizeof *nfc_pairs;\n")
print("const struct nfc_class nfc_classes[] = { /* first, last, class */")
rows(["{%d,%d,%d}," % tuple(c) for c in ccc])
print("};\nconst size_t nfc_n_classes = sizeof nfc_classes / sizeof *nfc_classes;")
print("/* clang-format on */")
