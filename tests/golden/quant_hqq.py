"""Writes quant_hqq.txt: what the package hqq makes of weights that tests/test_quant.c
draws as well.  Needs torch and hqq from PyPI (made with hqq 0.2.x on the CPU):

    python tests/golden/quant_hqq.py > tests/golden/quant_hqq.txt

Each group is given to the package as a tensor of its own, because it stops when the mean
error of the whole tensor rises and ours when that of a group does.  One line a case:
"case BITS GROUP AMPLITUDE", then for each row and group "scale offset" of
W = scale * q + offset, then "error" and the row's mean |W - W_r|.
"""
from functools import partial

import torch
from hqq.core.optimize import optimize_weights_proximal_v2
from hqq.core.quantize import Quantizer

ROWS, COLS = 4, 256

Quantizer.optimize_weights = partial(
    optimize_weights_proximal_v2,
    dtype=torch.float32,
    opt_params={
        "lp_norm": 0.7,
        "beta": 1e1,
        "kappa": 1.01,
        "iters": 20,
        "tol": 0.0,
        "early_stop": True,
        "scale_gridsearch": False,
    },
)


def weights(seed, amplitude):
    """Sums of three draws of a linear congruential generator, exact in float."""
    state, out = seed, []
    for _ in range(ROWS * COLS):
        total = 0
        for _ in range(3):
            state = (state * 1664525 + 1013904223) % 2**32
            total += (state >> 16) - 32768
        out.append(total / 65536 * amplitude)
    return torch.tensor(out, dtype=torch.float32).reshape(ROWS, COLS)


for amplitude in (0.0625, 4.0):
    for bits in (1, 2, 3, 4, 5, 6, 8):
        for group in (32, 64, 128):
            print("case", bits, group, amplitude)
            w = weights(bits * 1000 + group, amplitude)
            for row in w:
                errors = []
                for part in row.split(group):
                    q, meta = Quantizer.quantize(
                        part[None, :], nbits=bits, group_size=group, axis=1, bitpack=False, device="cpu"
                    )
                    scale, zero = meta["scale"].flatten(), meta["zero"].flatten()
                    print("%.8g %.8g" % (scale, -zero * scale))
                    errors.append(((q.flatten() - zero) * scale - part).abs())
                print("error %.8g" % torch.cat(errors).mean())
