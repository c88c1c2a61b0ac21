#!/usr/bin/env python3
"""What quantize.sh asks of GGUF files and our folders; needs the packages gguf and numpy.

    quantize.py count MODEL                       weights in the blocks' matrices, the embedding's type
    quantize.py error MODEL FILE_OR_FOLDER NAME   bits stored and error of those
    quantize.py random LIKE OUT MILLIONS          a model of random weights with LIKE's tokenizer
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


def random_model(like, out, millions):
    """Blocks of 2048 and 8192 with 32 and 8 heads, as many as it takes, and LIKE's tokenizer."""
    cols, inner, kv = 2048, 8192, 512
    block = 2 * cols * cols + 2 * cols * kv + 3 * cols * inner
    blocks = max(1, round(millions * 1e6 / block))
    reader = gguf.GGUFReader(like)
    w = gguf.GGUFWriter(out, "llama")
    w.add_block_count(blocks)
    w.add_context_length(2048)
    w.add_embedding_length(cols)
    w.add_feed_forward_length(inner)
    w.add_head_count(32)
    w.add_head_count_kv(8)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_rope_dimension_count(64)
    w.add_rope_freq_base(10000.0)
    for field in reader.fields.values():
        if field.name.startswith("tokenizer."):
            w.add_key_value(field.name, field.contents(), field.types[0],
                            field.types[1] if len(field.types) > 1 else None)
    vocab = len(reader.fields["tokenizer.ggml.tokens"].data)
    w.add_vocab_size(vocab)
    rng = np.random.default_rng(1)

    def add(name, rows, width):
        w.add_tensor(name, (rng.standard_normal((rows, width), np.float32) * 0.02).astype(np.float16))

    add("token_embd.weight", vocab, cols)
    w.add_tensor("output_norm.weight", np.ones(cols, np.float32))
    for i in range(blocks):
        for name in ("attn_norm", "ffn_norm"):
            w.add_tensor(f"blk.{i}.{name}.weight", np.ones(cols, np.float32))
        for name, rows, width in (("attn_q", cols, cols), ("attn_k", kv, cols), ("attn_v", kv, cols),
                                  ("attn_output", cols, cols), ("ffn_gate", inner, cols),
                                  ("ffn_up", inner, cols), ("ffn_down", cols, inner)):
            add(f"blk.{i}.{name}.weight", rows, width)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def count(model):
    reader = gguf.GGUFReader(model)
    kind = next(t.tensor_type.name for t in reader.tensors if t.name == "token_embd.weight")
    print(sum(int(t.n_elements) for _, t in matrices(model)), kind.lower())


if sys.argv[1] == "count":
    count(sys.argv[2])
elif sys.argv[1] == "error":
    error(sys.argv[2], sys.argv[3], sys.argv[4])
else:
    random_model(sys.argv[2], sys.argv[3], float(sys.argv[4]))
