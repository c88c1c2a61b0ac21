#!/usr/bin/env python3
"""random_gguf.py FILE [1b|300m|360m|135m] - a GGUF file of random float16 weights in a known shape.

Speed does not hang on what the weights are (as long as they are not zero), so that a model of any
size can be timed without fetching one: `make peer-speed MODEL=FILE`.  The vocabulary is the 256
bytes, one merge, and as many unused tokens as the shape wants.  Needs the PyPI packages gguf and
numpy."""
import sys

try:
    import gguf
    import numpy as np
except ImportError as e:
    sys.exit(f"random_gguf.py: skipped, {e}")

# name: layers, width, inner, heads, key heads, head width, vocabulary, rope base; all with tied heads
SHAPES = {
    "1b": (16, 2048, 8192, 32, 8, 64, 128256, 500000.0),  # Llama-3.2-1B
    "300m": (5, 2048, 8192, 32, 8, 64, 8192, 500000.0),  # blocks of the above, few of them
    "360m": (32, 960, 2560, 15, 5, 64, 49152, 100000.0),  # SmolLM2-360M
    "135m": (30, 576, 1536, 9, 3, 64, 49152, 100000.0),  # SmolLM2-135M
}
if len(sys.argv) < 2 or (sys.argv + ["1b"])[2] not in SHAPES:
    sys.exit(__doc__)
path, shape = sys.argv[1], (sys.argv + ["1b"])[2]
layers, width, inner, heads, kv_heads, head, vocab, base = SHAPES[shape]
rng = np.random.default_rng(1)


def byte_letters():
    """GPT-2's letter for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in plain]
    return {**{b: chr(b) for b in plain}, **{b: chr(256 + i) for i, b in enumerate(other)}}


out = gguf.GGUFWriter(path, "llama")
out.add_name(f"random {shape}")
out.add_context_length(8192)
out.add_embedding_length(width)
out.add_block_count(layers)
out.add_feed_forward_length(inner)
out.add_head_count(heads)
out.add_head_count_kv(kv_heads)
out.add_rope_dimension_count(head)
out.add_layer_norm_rms_eps(1e-5)
out.add_rope_freq_base(base)
out.add_vocab_size(vocab)
out.add_file_type(gguf.LlamaFileType.MOSTLY_F16)

letters = byte_letters()
unused = [f"<unused_{i}>" for i in range(vocab - 258)]
out.add_tokenizer_model("gpt2")
out.add_tokenizer_pre("smollm")
out.add_token_list(["<|end|>"] + [letters[b] for b in range(256)] + ["th"] + unused)
out.add_token_types([gguf.TokenType.CONTROL] + [gguf.TokenType.NORMAL] * 257
                    + [gguf.TokenType.UNUSED] * len(unused))
out.add_token_merges(["t h"])
out.add_bos_token_id(0)
out.add_eos_token_id(0)
out.add_add_bos_token(False)


def linear(name, rows, cols):
    w = rng.standard_normal((rows, cols), dtype=np.float32) * (0.5 / np.sqrt(cols))
    out.add_tensor(name + ".weight", w.astype(np.float16))


def ones(name):
    out.add_tensor(name + ".weight", np.ones(width, np.float32))


linear("token_embd", vocab, width)
for i in range(layers):
    b = f"blk.{i}."
    ones(b + "attn_norm")
    linear(b + "attn_q", heads * head, width)
    linear(b + "attn_k", kv_heads * head, width)
    linear(b + "attn_v", kv_heads * head, width)
    linear(b + "attn_output", width, heads * head)
    ones(b + "ffn_norm")
    linear(b + "ffn_gate", inner, width)
    linear(b + "ffn_up", inner, width)
    linear(b + "ffn_down", width, inner)
ones("output_norm")
out.write_header_to_file()
out.write_kv_data_to_file()
out.write_tensors_to_file()
out.close()
