#!/usr/bin/env python3
"""Golden logits and likelihoods of the default model, by transformers in float32.

    make_model.py MODEL.gguf

writes logits_smollm2.json and nll_smollm2.json beside this file.  Needs torch,
transformers, tokenizers and gguf (transformers reads the GGUF itself).  The tokenizer is
built from the GGUF's own tables, since the converted one misses the digit rule.
"""
import json
import os
import sys

import torch
from gguf import GGUFReader
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
PROMPTS = [
    "The capital of France is",
    "Once upon a time",
    "def fibonacci(n):\n    ",
    "In 2024, 37 of 1,500 ships were",
    "The opposite of hot is",
    "Grüße aus Zürich, wo es heute",
    "   spaces   and\ttabs\n\n",
    "<|im_start|>user\nHello 🙂<|im_end|>\n",
]
NLL_TOKENS = 512


def tokenizer_of(path):
    reader = GGUFReader(path)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in reader.fields["tokenizer.ggml.merges"].contents()]
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
    tok.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    return tok


def main():
    path = sys.argv[1]
    tok = tokenizer_of(path)
    model = AutoModelForCausalLM.from_pretrained(
        os.path.dirname(path) or ".", gguf_file=os.path.basename(path), dtype=torch.float32
    ).eval()
    rows = []
    with torch.no_grad():
        for text in PROMPTS:
            ids = tok.encode(text).ids
            z = model(torch.tensor([ids])).logits[0, -1].double()
            top = torch.topk(z, 20)
            rows.append(
                {
                    "text": text,
                    "ids": ids,
                    "logsumexp": torch.logsumexp(z, 0).item(),
                    "top": [
                        [i, round(v, 6)]
                        for i, v in zip(top.indices.tolist(), top.values.tolist())
                    ],
                }
            )
        with open(os.path.join(HERE, "nll_text.txt"), encoding="utf-8", newline="") as f:
            ids = tok.encode(f.read()).ids[:NLL_TOKENS]
        z = model(torch.tensor([ids])).logits[0].double()
        each = torch.logsumexp(z[:-1], 1) - z[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]
    name = os.path.basename(path)
    with open(os.path.join(HERE, "logits_smollm2.json"), "w", encoding="utf-8") as f:
        lines = ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows)
        f.write('{"model": "%s", "prompts": [\n%s\n]}\n' % (name, lines))
    with open(os.path.join(HERE, "nll_smollm2.json"), "w", encoding="utf-8") as f:
        json.dump({"model": name, "nll": each.mean().item(), "ids": ids}, f)
        f.write("\n")


main()
