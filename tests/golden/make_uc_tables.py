#!/usr/bin/env python3
"""Writes core/base/uc_tables.c: the Unicode classes that text.c looks up.

    pip install tokenizers regex
    python3 tests/golden/make_uc_tables.py > core/base/uc_tables.c

Letters and numbers are asked of the `tokenizers` library itself, because the
scanners must cut text exactly where it does; the rest comes from `regex`.
"""
import sys

import regex
import tokenizers
from tokenizers import Regex, pre_tokenizers

LAST = 0x10FFFF


def is_surrogate(c):
    return 0xD800 <= c <= 0xDFFF


def by_tokenizers(pattern):
    """Code points that tokenizers' own regular expressions put into a class."""
    keep = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    out = set()
    for lo in range(0, LAST + 1, 4096):
        block = "".join(chr(c) for c in range(lo, lo + 4096) if not is_surrogate(c))
        if block:
            for piece, _ in keep.pre_tokenize_str(block):
                out.update(map(ord, piece))
    return out


def by_regex(pattern):
    p = regex.compile(pattern)
    return {c for c in range(LAST + 1) if not is_surrogate(c) and p.match(chr(c))}


def ranges(points):
    out = []
    for c in sorted(points):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def emit(name, points):
    r = ranges(points)
    print(f"\nconst struct uc_range {name}[] = {{")
    for i in range(0, len(r), 4):
        print("\t" + " ".join(f"{{ 0x{a:04x}, 0x{b:04x} }}," for a, b in r[i : i + 4]))
    print("};")
    print(f"const size_t {name}_n = sizeof {name} / sizeof *{name};")


def main():
    letter = by_tokenizers(r"\p{L}")
    number = by_tokenizers(r"\p{N}")
    # Hangul vowels and finals join the consonant before them, as marks do.
    jamo = set(range(0x1160, 0x1200)) | set(range(0xD7B0, 0xD7C7)) | set(range(0xD7CB, 0xD7FC))
    mark = by_regex(r"[\p{Mn}\p{Me}]") | jamo
    wide = by_regex(r"[\p{EA=W}\p{EA=F}]") - mark
    wide |= set(range(0x3248, 0x3250))  # ambiguous, but 2 in C libraries
    unassigned = by_regex(r"\p{Cn}")
    # Format characters draw nothing but for the soft hyphen and the Arabic and
    # Kaithi number signs, which terminals give a column.
    visible = {0x00AD, 0x08E2, 0x110BD, 0x110CD} | set(range(0x0600, 0x0606)) | {0x06DD, 0x070F}
    visible |= {0x0890, 0x0891}
    unseen = by_regex(r"\p{Cf}") - visible
    unseen |= by_regex(r"\p{Variation_Selector}") | {0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0}
    unseen |= {0x17B4, 0x17B5}

    print("/* uc_tables.c - Unicode classes as sorted ranges.  Generated: do not edit.")
    print(" *")
    print(" * By tests/golden/make_uc_tables.py from tokenizers", tokenizers.__version__, "(uc_letters,")
    print(" * uc_numbers) and regex", regex.__version__ + " (the others). */")
    print('#include "core/base/uc_tables.h"')
    print("\n/* clang-format off */")
    emit("uc_letters", letter)
    emit("uc_numbers", number)
    emit("uc_marks", mark - unseen)
    emit("uc_wide", wide - unassigned - unseen)
    emit("uc_unseen", unseen)
    emit("uc_unassigned", unassigned - letter - number)


if __name__ == "__main__":
    sys.exit(main())
