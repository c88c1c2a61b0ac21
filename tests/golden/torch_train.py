# Seconds a step and peak memory of a full fine-tune by PyTorch on the processor: what `bitdial train` is compared
# with (tests/bench_train.sh).  Needs torch and transformers (and gguf for a GGUF), nothing else.
#	python3 tests/golden/torch_train.py [MODEL] [--bf16] [--steps 7] [--drop 2] [--threads N]
#		[--batch 4] [--tokens 256] [--lr 1e-5] [--frozen-ends] [--checkpoint] [--json]
# MODEL is a GGUF, dequantized by transformers, or a folder; else the default model of bitdial.  Every token has a
# label; which tokens they are changes no time.  Weights, gradients and AdamW's moments are float, with --bf16 the
# products are of bfloat16 (autocast).  --frozen-ends leaves embedding and head as they are, as bitdial does.
# The peak is VmHWM from before the first step on: loading is not held against it, and is printed beside it.
import time

import torch_common as common

p = common.parser(7, 2)
p.add_argument("--lr", type=float, default=1e-5)
for name in ("frozen-ends", "checkpoint"):
    p.add_argument("--" + name, action="store_true")
o = common.parse(p)
import torch  # noqa: E402


def step(model, by, ids):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=o.bf16):
        loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    by.step()
    by.zero_grad(set_to_none=True)
    return loss.item()


torch.manual_seed(1)
if o.threads:
    torch.set_num_threads(o.threads)
model = common.load(o.model)
model.train()
model.config.use_cache = False
if o.checkpoint:
    model.gradient_checkpointing_enable()
if o.frozen_ends:
    model.get_input_embeddings().requires_grad_(False)
    model.get_output_embeddings().requires_grad_(False)
by = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=o.lr)
ids = torch.randint(0, model.config.vocab_size, (o.batch, o.tokens))
loaded, spent = common.peak(), []
common.peak(reset=True)
for i in range(o.steps):
    began = time.perf_counter()
    loss = step(model, by, ids)
    spent.append(time.perf_counter() - began)
    if not o.json:
        print("step %d: loss %.4f, %.3f s" % (i + 1, loss, spent[-1]), flush=True)
common.report(o, spent[o.drop:], loaded)
