#!/usr/bin/env python3
"""What quantize.sh asks of GGUF files and our folders; needs the packages gguf and numpy.

    quantize.py count MODEL                       weights in the blocks' matrices, the embedding's type
    quantize.py error MODEL FILE_OR_FOLDER NAME   bits stored and error of those
"""
import json
import os
import sys

import gguf
import numpy as np

OURS = {"attn_q": "q", "attn_k": "k", "attn_v": "v", "attn_output": "o",
        "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down"}


def matrices(path):
    """Name (block, kind) and tensor of each matrix of the blocks."""
    for t in gguf.GGUFReader(path).tensors:
        part = t.name.split(".")
        if part[0] == "blk" and len(part) == 4 and part[2] in OURS and part[3] == "weight":
            yield (part[1], OURS[part[2]]), t


def dense(t):
    return gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32)


class Folder:
    """Codes, scales and offsets of a folder that bitdial wrote."""

    def __init__(self, path):
        self.file = os.path.join(path, "model.safetensors")
        with open(self.file, "rb") as f:
            n = int.from_bytes(f.read(8), "little")
            self.head, self.base = json.loads(f.read(n)), 8 + n
        self.map = np.memmap(self.file, np.uint8, "r")

    def get(self, name):
        t = self.head[name]
        a, b = t["data_offsets"]
        kind = {"F16": np.float16, "U8": np.uint8}[t["dtype"]]
        return self.map[self.base + a:self.base + b].view(kind).reshape(t["shape"])

    def matrix(self, name, shape):
        """W and its bytes; four bits a code."""
        at = f"layers.{name[0]}.{name[1]}."
        code, scale, offset = (self.get(at + x) for x in ("codes", "scale", "offset"))
        q = np.stack([code & 15, code >> 4], -1).reshape(shape[0], -1)[:, :shape[1]]
        group = -(-shape[1] // scale.shape[1] // 32) * 32
        scale, offset = (np.repeat(x.astype(np.float32), group, 1)[:, :shape[1]]
                         for x in (scale, offset))
        return scale * q + offset, code.nbytes + 4 * self.get(at + "scale").size


def error(model, path, name):
    folder = Folder(path) if os.path.isdir(path) else None
    other = {} if folder else dict(matrices(path))
    wrong = square = stored = count = 0
    for key, t in matrices(model):
        w = dense(t)
        if folder:
            v, size = folder.matrix(key, w.shape)
        else:
            v, size = dense(other[key]), other[key].data.nbytes
        wrong += float(((w - v).astype(np.float64) ** 2).sum())
        square += float((w.astype(np.float64) ** 2).sum())
        stored += size
        count += w.size
    print(f"{name:<16} {8 * stored / count:<8.3f} {wrong / square:.6f}")


def count(model):
    reader = gguf.GGUFReader(model)
    kind = next(t.tensor_type.name for t in reader.tensors if t.name == "token_embd.weight")
    print(sum(int(t.n_elements) for _, t in matrices(model)), kind.lower())


if sys.argv[1] == "count":
    count(sys.argv[2])
else:
    error(sys.argv[2], sys.argv[3], sys.argv[4])
