#!/usr/bin/env python3
"""Writes tests/golden/blocks.txt: blocks of every ggml type that is read, and their floats.

Needs numpy and gguf (pip install numpy gguf); run it from the top of the tree.  Each line is
a type, the bytes of a block in hexadecimal, and the little-endian floats that gguf.quants
gives for them.
"""
import numpy as np
from gguf import GGMLQuantizationType as T, GGML_QUANT_SIZES, quants

# Where the half floats of a block are; everything else may be any byte.
HALVES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
          T.Q4_K: [0, 2], T.Q6_K: [208]}
# 1, -1, largest, smallest normal and subnormal, zeros, infinity, 0.1
EXTREME = [0x3C00, 0xBC00, 0x7BFF, 0xFBFF, 0x0400, 0x0001, 0x8001, 0x0000, 0x8000, 0x7C00, 0x2E66]


def main():
    rng = np.random.default_rng(20)
    lines = []
    for t, at in HALVES.items():
        size = GGML_QUANT_SIZES[t][1]
        count = 12 if size < 100 else 4
        for i in range(count):
            b = rng.integers(0, 256, size, dtype=np.uint8)
            if i == 0:
                b[:] = 255
            if i == 1:
                b[:] = 0
            if i == 2:
                b[:] = 128
            for k, a in enumerate(at):
                h = EXTREME[(i + 3 * k) % len(EXTREME)] if i % 2 else rng.integers(0x2000, 0x3C00)
                b[a:a + 2] = np.frombuffer(np.uint16(h).tobytes(), np.uint8)
            lines.append((t, b))
    for t in (T.F16, T.BF16):
        values = EXTREME + [0x0080, 0x7F7F, 0xFF80, 0x7F80, 0x3F80] + list(rng.integers(0, 0x7C00, 6))
        lines += [(t, np.frombuffer(np.uint16(v).tobytes(), np.uint8)) for v in values
                  if t == T.BF16 or (v & 0x7C00) != 0x7C00 or not v & 0x3FF]
    with open("tests/golden/blocks.txt", "w") as f:
        for t, b in lines:
            with np.errstate(all="ignore"):
                y = quants.dequantize(b.copy(), t).astype("<f4")
            f.write(f"{t.name} {b.tobytes().hex()} {y.tobytes().hex()}\n")


main()
