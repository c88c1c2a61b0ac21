# What the PyTorch programs that bitdial is compared with have in common: torch_train.py, torch_calibrate.py.
import argparse
import os

DEFAULT = os.path.join(os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share"),
                       "bitdial/models/SmolLM2-135M-Instruct.Q4_1.gguf")


# Options of both; the caller adds its own.  MODEL: a GGUF, dequantized by transformers, or a folder.
def parser(steps, drop):
    p = argparse.ArgumentParser()
    p.add_argument("model", nargs="?", default=DEFAULT)
    for name, value in (("steps", steps), ("drop", drop), ("threads", 0), ("batch", 4), ("tokens", 256)):
        p.add_argument("--" + name, type=int, default=value)
    for name in ("bf16", "json"):
        p.add_argument("--" + name, action="store_true")
    return p


def parse(p):
    o = p.parse_args()
    if o.steps < 1 or not 0 <= o.drop < o.steps or o.batch < 1 or o.tokens < 2:
        p.error("--steps must be above --drop, a batch has rows of at least two tokens")
    if o.threads:  # before torch is there: OpenMP looks once
        os.environ["OMP_NUM_THREADS"] = str(o.threads)
    return o


# Bytes; reset: the peak begins anew at what is resident now.
def peak(reset=False):
    if reset:
        try:
            with open("/proc/self/clear_refs", "w") as f:
                f.write("5")
        except OSError:
            print("the peak cannot be reset here and includes loading")
    with open("/proc/self/status") as f:
        return next(int(x.split()[1]) * 1024 for x in f if x.startswith("VmHWM"))


# Where transformers finds it: a folder, and the name of a GGUF in it.
def place(model):
    if os.path.isdir(model):
        return model, {}
    return os.path.dirname(os.path.abspath(model)), {"gguf_file": os.path.basename(model)}


def load(model):
    import torch
    from transformers import AutoModelForCausalLM
    folder, which = place(model)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **which)


# A line of JSON or of words: spent is seconds of the steps that count.
def report(o, spent, loaded):
    import json
    import statistics
    import torch
    median, used = statistics.median(spent), peak()
    if o.json:
        print(json.dumps({"torch": torch.__version__, "math": "bf16" if o.bf16 else "f32",
                          "threads": torch.get_num_threads(), "tokens": o.batch * o.tokens, "steps": len(spent),
                          "step_s": round(median, 4), "fastest_s": round(min(spent), 4),
                          "slowest_s": round(max(spent), 4), "tok_s": round(o.batch * o.tokens / median, 1),
                          "peak_bytes": used, "load_peak_bytes": loaded}))
    else:
        print("torch %s, %s, %d threads, %d tokens: median of %d steps %.3f s (%.1f tok/s), peak %.2f GB "
              "(loading: %.2f GB)" % (torch.__version__, "bf16 autocast" if o.bf16 else "fp32",
                                      torch.get_num_threads(), o.batch * o.tokens, len(spent), median,
                                      o.batch * o.tokens / median, used / 1e9, loaded / 1e9))
