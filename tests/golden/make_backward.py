# Loss, gradients and ten losses of AdamW of a tiny random model of each kind of llama that opens here, by
# transformers in double, into backward.json beside this file; tests/test_backward_golden.c compares.
#	python3 tests/golden/make_backward.py
# Weights are a hash of a tensor's name and an element's place, gradients are kept as 32 sums each
# (small ones whole), so the file stays small: both sides compute the same (`weight`, `sketch`).
import json
import os

import numpy
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

GOLDEN = numpy.uint64(0x9E3779B97F4A7C15)
BUCKETS, STEPS, LR, DECAY = 32, 10, 0.004, 0.01

# what differs from case to case; `own`: a folder of ours, whose config has a section "bitdial"
CASES = [
    {"case": "grouped heads, tied", "hidden": 32, "inter": 72, "heads": 4, "kv": 2, "dim": 8,
     "vocab": 67, "theta": 10000.0, "eps": 1e-5, "tied": True},
    {"case": "heads of another width, untied", "hidden": 40, "inter": 56, "heads": 5, "kv": 5, "dim": 14,
     "vocab": 64, "theta": 500000.0, "eps": 1e-6, "tied": False},
    {"case": "interleaved rotation", "hidden": 32, "inter": 48, "heads": 4, "kv": 1, "dim": 6,
     "vocab": 50, "theta": 10000.0, "eps": 1e-5, "tied": False, "own": True, "pairs": True},
    {"case": "sliding window (Mistral)", "hidden": 48, "inter": 64, "heads": 6, "kv": 2, "dim": 8,
     "vocab": 65, "theta": 1000000.0, "eps": 1e-5, "tied": False, "own": True, "window": 4},
]
LENGTHS = [11, 3, 1, 7]  # of the sequences of a batch
KINDS = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
         "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
         "attn_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"}


def hashed(name, n):
    at = numpy.uint64(0xCBF29CE484222325)  # FNV-1a
    with numpy.errstate(over="ignore"):
        for c in name.encode():
            at = (at ^ numpy.uint64(c)) * numpy.uint64(0x100000001B3)
        z = at + numpy.arange(1, n + 1, dtype=numpy.uint64) * GOLDEN  # splitmix64
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return z ^ (z >> numpy.uint64(31))


def weight(name, shape):
    n = int(numpy.prod(shape))
    x = (hashed(name, n) >> numpy.uint64(40)).astype(numpy.float64) / 2**23 - 1
    x = 1 + x / 4 if "norm" in name else x * (1 if name == "embed" else 0.25)
    return torch.tensor(x.astype(numpy.float32).reshape(shape)).double()


def sketch(g):
    g = g.double().numpy().ravel()
    if g.size <= 2 * BUCKETS:
        return g.tolist()
    z = hashed("sketch", g.size)
    sign = numpy.where(z >> numpy.uint64(63), -1.0, 1.0)
    return numpy.bincount((z % numpy.uint64(BUCKETS)).astype(int), sign * g, BUCKETS).tolist()


def theirs(name):
    if name in ("embed", "norm", "head"):
        return {"embed": "model.embed_tokens.weight", "norm": "model.norm.weight", "head": "lm_head.weight"}[name]
    _, layer, kind = name.split(".")
    return "model.layers.%s.%s.weight" % (layer, KINDS[kind])


# Rows of q and k from their order with neighbours paired to the one with halves paired, and back.
def halves(w, dim):
    return w.reshape(-1, dim // 2, 2, w.shape[1]).transpose(1, 2).reshape(w.shape)


def pairs(w, dim):
    return w.reshape(-1, 2, dim // 2, w.shape[1]).transpose(1, 2).reshape(w.shape)


def build(c):
    common = dict(vocab_size=c["vocab"], hidden_size=c["hidden"], intermediate_size=c["inter"],
                  num_hidden_layers=2, num_attention_heads=c["heads"], num_key_value_heads=c["kv"],
                  head_dim=c["dim"], max_position_embeddings=64, rms_norm_eps=c["eps"],
                  rope_theta=c["theta"], tie_word_embeddings=c["tied"], attn_implementation="eager")
    if "window" in c:
        model = MistralForCausalLM(MistralConfig(sliding_window=c["window"], **common))
    else:
        model = LlamaForCausalLM(LlamaConfig(**common))
    model = model.double()
    names = ["embed"]
    for i in range(2):
        names += ["layers.%d.%s" % (i, k) for k in ("attn_norm", "q", "k", "v", "o", "mlp_norm", "gate", "up", "down")]
    names += ["norm"] + ([] if c["tied"] else ["head"])
    have = dict(model.named_parameters())
    for name in names:
        w = weight(name, tuple(have[theirs(name)].shape))
        if c.get("pairs") and name.rsplit(".", 1)[-1] in ("q", "k"):
            w = halves(w, c["dim"])
        with torch.no_grad():
            have[theirs(name)].copy_(w)
    return model, names, have


def config(c):
    out = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
           "vocab_size": c["vocab"], "hidden_size": c["hidden"], "intermediate_size": c["inter"],
           "num_hidden_layers": 2, "num_attention_heads": c["heads"], "num_key_value_heads": c["kv"],
           "head_dim": c["dim"], "max_position_embeddings": 64, "rms_norm_eps": c["eps"],
           "rope_theta": c["theta"], "tie_word_embeddings": c["tied"]}
    if c.get("own"):
        out["bitdial"] = {"v": 1, "rope_pairs": c.get("pairs", False), "stored": {}}
    if "window" in c:
        out["sliding_window"] = c["window"]
    return out


# Cross-entropy over the labelled rows, each sequence by itself.
def loss_of(model, ids, labels):
    total, at = 0, 0
    for n in LENGTHS:
        z = model(torch.tensor([ids[at:at + n]])).logits[0]
        total = total + torch.nn.functional.cross_entropy(
            z, torch.tensor(labels[at:at + n]), ignore_index=-1, reduction="sum")
        at += n
    return total / sum(y >= 0 for y in labels)


def short(x):
    return float("%.9g" % x)


def run(c):
    model, names, have = build(c)
    n = sum(LENGTHS)
    ids = [int(x % numpy.uint64(c["vocab"])) for x in hashed(c["case"] + "/ids", n)]
    labels = [int(x % numpy.uint64(c["vocab"])) for x in hashed(c["case"] + "/labels", n)]
    labels = [-1 if i % 5 == 2 or i < 4 else y for i, y in enumerate(labels)]
    trained = [x for x in names if x not in ("embed", "head")]
    for name, p in have.items():
        p.requires_grad_(name in [theirs(x) for x in trained])
    by = torch.optim.AdamW([
        {"params": [have[theirs(x)] for x in trained if "norm" not in x], "weight_decay": DECAY},
        {"params": [have[theirs(x)] for x in trained if "norm" in x], "weight_decay": 0.0}], lr=LR)
    grads, losses = [], []
    for step in range(STEPS + 1):
        by.zero_grad()
        loss = loss_of(model, ids, labels)
        losses.append(short(loss.item()))
        loss.backward()
        for x in trained if step == 0 else []:
            g = have[theirs(x)].grad
            if c.get("pairs") and x.rsplit(".", 1)[-1] in ("q", "k"):
                g = pairs(g, c["dim"])
            grads.append({"name": x, "norm": short(g.norm().item()), "sketch": [short(v) for v in sketch(g)]})
        by.step()
    tensors = [{"name": x, "file": x if c.get("own") else theirs(x), "shape": list(have[theirs(x)].shape)}
               for x in names]
    return {"case": c["case"], "config": config(c), "tensors": tensors, "lengths": LENGTHS, "ids": ids,
            "labels": labels, "lr": LR, "decay": DECAY, "losses": losses, "grads": grads}


torch.manual_seed(0)
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "backward.json")
with open(path, "w", encoding="utf-8") as f:
    f.write('{"cases": [\n%s\n]}\n' % ",\n".join(json.dumps(run(c)) for c in CASES))
