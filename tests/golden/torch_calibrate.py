# Calibration of a dial by PyTorch on the processor, an independent one: what `bitdial calibrate` is compared with.
#	python3 tests/golden/torch_calibrate.py [MODEL] --data ROWS.jsonl --test TEXT [--steps 240] [--look 70] [--bf16]
#		[--threads N] [--batch 4] [--tokens 256] [--drop 0] [--json]
# Every linear of a block has one float master, and scales and offsets of groups of 64 inputs for INT2 and for INT4, from
# a search of clipped ranges; rounding passes gradients straight through.  The loss is KL from the model as it was, which
# runs beside.  Of four steps one is all INT2, one all INT4, two take one of both for each linear, evenly by a share that is
# drawn.  Adam: masters 3e-4, log-scales and relative offsets 3e-3, cosine, norm of the gradient at most 1.
# KL is printed every --look steps, on the first 2,048 tokens of TEXT: all INT2, a random half, all INT4.
# ROWS has a "text" a line, or is taken as it is.  Seconds a step and the peak from before the first step on come last.
import json
import math
import random
import time

import torch_common as common

p = common.parser(240, 0)
p.add_argument("--data", required=True)
p.add_argument("--test", default="")
p.add_argument("--look", type=int, default=70)
o = common.parse(p)
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from transformers import AutoTokenizer  # noqa: E402

GROUP, SHRINKS = 64, 16


class Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.round()

    @staticmethod
    def backward(ctx, g):
        return g


class Grid(torch.nn.Module):
    """log-scale and relative offset of each group: W = s (q + r)."""

    def __init__(self, w, bits):
        super().__init__()
        g = w.detach().view(w.shape[0], -1, GROUP)
        self.top = 2 ** bits - 1
        lo, hi = g.amin(2), g.amax(2)
        best = torch.full_like(lo, math.inf)
        scale, offset = torch.ones_like(lo), torch.zeros_like(lo)
        for i in range(SHRINKS):
            k = 1 - i * 0.6 / SHRINKS
            s = ((hi - lo) * k / self.top).clamp_min(1e-8)
            r = lo * k / s
            q = (g / s[..., None] - r[..., None]).round().clamp(0, self.top)
            e = ((s[..., None] * (q + r[..., None]) - g) ** 2).sum(2)
            better = e < best
            best, scale, offset = torch.where(better, e, best), torch.where(better, s, scale), torch.where(better, r, offset)
        self.log_s, self.r = torch.nn.Parameter(scale.log()), torch.nn.Parameter(offset)

    def forward(self, w):
        g, s, r = w.view(w.shape[0], -1, GROUP), self.log_s.exp()[..., None], self.r[..., None]
        return (s * (Round.apply((g / s - r).clamp(0, self.top)) + r)).view_as(w)


class Linear(torch.nn.Module):
    def __init__(self, was):
        super().__init__()
        self.master = torch.nn.Parameter(was.weight.detach().clone())
        self.grid = torch.nn.ModuleList([Grid(self.master, 2), Grid(self.master, 4)])
        self.form = 1

    def forward(self, x):
        return F.linear(x, self.grid[self.form](self.master))


def read(path):
    with open(path) as f:
        rows = f.readlines()
    try:
        return "\n".join(json.loads(x)["text"] for x in rows)
    except (ValueError, KeyError):
        return "".join(rows)


def windows(tok, text, length):
    ids = tok(text, return_tensors="pt").input_ids[0]
    n = len(ids) // length
    return ids[:n * length].view(n, length)


def kl(teacher, student, ids):
    with torch.no_grad():
        p = teacher(input_ids=ids).logits.float().log_softmax(-1)
    q = student(input_ids=ids).logits.float().log_softmax(-1)
    return F.kl_div(q, p, log_target=True, reduction="none").sum(-1).mean()


def look(teacher, student, linears, test):
    chance, out = random.Random(7), []
    for forms in ([0] * len(linears), [chance.randrange(2) for _ in linears], [1] * len(linears)):
        for l, f in zip(linears, forms):
            l.form = f
        with torch.no_grad():
            out.append(sum(kl(teacher, student, t[None]).item() for t in test) / len(test))
    return out


def draw(linears, step, chance):
    share = {1: 0, 3: 1}.get(step % 4, chance.random())
    for l in linears:
        l.form = int(chance.random() < share)


torch.manual_seed(1)
chance = random.Random(1)
if o.threads:
    torch.set_num_threads(o.threads)
folder, which = common.place(o.model)
tok = AutoTokenizer.from_pretrained(folder, **which)
teacher, student = common.load(o.model).eval(), common.load(o.model)
for m in (teacher, student):
    m.requires_grad_(False)
    m.config.use_cache = False
linears = []
for block in student.model.layers:
    for part in (block.self_attn, block.mlp):
        for name, child in list(part.named_children()):
            if isinstance(child, torch.nn.Linear):
                linears.append(Linear(child))
                setattr(part, name, linears[-1])
grids = [p for l in linears for p in l.grid.parameters()]
by = torch.optim.Adam([{"params": [l.master for l in linears], "lr": 3e-4}, {"params": grids, "lr": 3e-3}])
rate = torch.optim.lr_scheduler.CosineAnnealingLR(by, o.steps)
data = windows(tok, read(o.data), o.tokens)
order = torch.randperm(len(data))
test = windows(tok, open(o.test).read(), o.tokens)[:2048 // o.tokens] if o.test else None
loaded, spent = common.peak(), []
common.peak(reset=True)
for i in range(o.steps + 1):
    if test is not None and (i % o.look == 0 or i == o.steps):
        print("step %d: KL %s" % (i, " ".join("%.4f" % x for x in look(teacher, student, linears, test))), flush=True)
    if i == o.steps:
        break
    began = time.perf_counter()
    draw(linears, i + 1, chance)
    ids = data[order[[(i * o.batch + k) % len(order) for k in range(o.batch)]]]
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.bf16):
        loss = kl(teacher, student, ids)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([l.master for l in linears] + grids, 1)
    by.step()
    rate.step()
    by.zero_grad(set_to_none=True)
    spent.append(time.perf_counter() - began)
common.report(o, spent[o.drop:], loaded)
