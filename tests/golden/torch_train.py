# Seconds a step and peak memory of a full fine-tune by PyTorch on the processor: what `bitdial train` is compared
# with (tests/bench_train.sh).  Needs torch and transformers (and gguf for a GGUF), nothing else.
#	python3 tests/golden/torch_train.py [MODEL] [--bf16] [--steps 7] [--drop 2] [--threads N]
#		[--batch 4] [--tokens 256] [--lr 1e-5] [--frozen-ends] [--checkpoint] [--json]
# MODEL is a GGUF, dequantized by transformers, or a folder; else the default model of bitdial.  Every token has a
# label; which tokens they are changes no time.  Weights, gradients and AdamW's moments are float, with --bf16 the
# products are of bfloat16 (autocast).  --frozen-ends leaves embedding and head as they are, as bitdial does.
# The peak is VmHWM from before the first step on: loading is not held against it, and is printed beside it.
import argparse
import json
import os
import statistics
import time

DEFAULT = os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"),
                       "bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf")


def options():
    p = argparse.ArgumentParser()
    p.add_argument("model", nargs="?", default=DEFAULT)
    for name, value in (("steps", 7), ("drop", 2), ("threads", 0), ("batch", 4), ("tokens", 256)):
        p.add_argument("--" + name, type=int, default=value)
    p.add_argument("--lr", type=float, default=1e-5)
    for name in ("bf16", "frozen-ends", "checkpoint", "json"):
        p.add_argument("--" + name, action="store_true")
    o = p.parse_args()
    if o.steps < 1 or not 0 <= o.drop < o.steps or o.batch < 1 or o.tokens < 2:
        p.error("--steps must be above --drop, a batch has rows of at least two tokens")
    return o


o = options()
if o.threads:  # before torch is there: OpenMP looks once
    os.environ["OMP_NUM_THREADS"] = str(o.threads)
import torch  # noqa: E402
from transformers import AutoModelForCausalLM  # noqa: E402


# Bytes; reset: the peak begins anew at what is resident now.
def peak(reset=False):
    if reset:
        try:
            with open("/proc/self/clear_refs", "w") as f:
                f.write("5")
        except OSError:
            print("torch_train: the peak cannot be reset here and includes loading")
    with open("/proc/self/status") as f:
        return next(int(x.split()[1]) * 1024 for x in f if x.startswith("VmHWM"))


def load():
    if os.path.isdir(o.model):
        return AutoModelForCausalLM.from_pretrained(o.model, dtype=torch.float32)
    return AutoModelForCausalLM.from_pretrained(
        os.path.dirname(os.path.abspath(o.model)), gguf_file=os.path.basename(o.model), dtype=torch.float32)


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
model = load()
model.train()
model.config.use_cache = False
if o.checkpoint:
    model.gradient_checkpointing_enable()
if o.frozen_ends:
    model.get_input_embeddings().requires_grad_(False)
    model.get_output_embeddings().requires_grad_(False)
by = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=o.lr)
ids = torch.randint(0, model.config.vocab_size, (o.batch, o.tokens))
loaded, spent = peak(), []
peak(reset=True)
for i in range(o.steps):
    began = time.perf_counter()
    loss = step(model, by, ids)
    spent.append(time.perf_counter() - began)
    if not o.json:
        print("step %d: loss %.4f, %.3f s" % (i + 1, loss, spent[-1]), flush=True)
median, used = statistics.median(spent[o.drop:]), peak()
if o.json:
    print(json.dumps({"torch": torch.__version__, "math": "bf16" if o.bf16 else "f32", "threads": torch.get_num_threads(),
                      "tokens": o.batch * o.tokens, "steps": o.steps - o.drop, "step_s": round(median, 4),
                      "fastest_s": round(min(spent[o.drop:]), 4), "slowest_s": round(max(spent[o.drop:]), 4),
                      "tok_s": round(o.batch * o.tokens / median, 1), "peak_bytes": used, "load_peak_bytes": loaded}))
else:
    print("torch %s, %s, %d threads, %d tokens: median of %d steps %.3f s (%.1f tok/s), peak %.2f GB (loading: %.2f GB)"
          % (torch.__version__, "bf16 autocast" if o.bf16 else "fp32", torch.get_num_threads(), o.batch * o.tokens,
             o.steps - o.drop, median, o.batch * o.tokens / median, used / 1e9, loaded / 1e9))
