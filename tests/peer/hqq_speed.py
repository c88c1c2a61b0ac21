#!/usr/bin/env python3
"""hqq_speed.py [THREADS] - weights a second of the PyPI package hqq (0.2.x, with torch), as JSON lines:
the matrix and formats of tests/bench_quant.c, groups along the inputs, its default options.

Run in a virtual environment that has both packages; beside it, on the same cores:
build/tests/bench_quant THREADS."""
import json
import statistics
import sys
import time

try:
    import torch
    from hqq.core.quantize import Quantizer
except ImportError as e:
    sys.exit(f"hqq_speed.py: skipped, {e}")

RUNS = 3
threads = int(sys.argv[1]) if len(sys.argv) > 1 else torch.get_num_threads()
torch.set_num_threads(threads)
torch.manual_seed(1)
w = torch.randn(4096, 4096)
for bits, group in ((2, 64), (3, 64), (4, 128), (4, 64)):
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        Quantizer.quantize(w, nbits=bits, group_size=group, axis=1, optimize=True, device="cpu",
                           compute_dtype=torch.float32, bitpack=True)
        times.append(time.perf_counter() - began)
    t = statistics.median(times)
    print(json.dumps({"bench": f"hqq package int{bits}g{group} 4096x4096", "threads": threads,
                      "us": round(t * 1e6, 1), "min_us": round(min(times) * 1e6, 1),
                      "gweights_s": round(w.numel() / t * 1e-9, 5)}), flush=True)
