# Log p of every option of share/tasks/basics.jsonl, a question a line, into task_smollm2.txt: the default model,
# dequantized, by transformers.   python3 tests/golden/task_make.py FOLDER_OF_THE_MODEL
import json
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

name = "SmolLM2-135M-Instruct.Q4_1.gguf"
tok = AutoTokenizer.from_pretrained(sys.argv[1], gguf_file=name)
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], gguf_file=name, dtype=torch.float32).eval()


def ids(text):
    return tok(text, add_special_tokens=False).input_ids


def logp(context, option):
    whole, n = ids(context + " " + option), len(ids(context))
    with torch.no_grad():
        z = torch.log_softmax(model(torch.tensor([whole])).logits[0].double(), -1)
    return sum(z[i - 1, whole[i]].item() for i in range(n, len(whole)))


with open("tests/golden/task_smollm2.txt", "w") as out:
    for line in open("share/tasks/basics.jsonl"):
        item = json.loads(line)
        print(*["%.6f" % logp(item["prompt"], o) for o in item["options"]], file=out)
