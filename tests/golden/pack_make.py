"""Golden rows to learn, by Hugging Face transformers.  Run from the root of the tree, after tpl_make.py:

    python3 tests/golden/pack_make.py ../shared/data FOLDER_OF_THE_DEFAULT_MODEL

writes tests/golden/pack_rows.txt: conversations, their ids and labels (-100: not learned), by the families'
templates and the tokenizers that tpl_make.py made, by the default model's own, and by the published ones of
Llama 2 and 3.  What is learned is told from the rendered text: from where the prompt of an answer ends to the end of the
token that ends it, by the characters that each token stands for.
"""
import json
import sys

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

OUT = "tests/golden/"
DATA, MODEL = sys.argv[1:3]
templates = [json.loads(l) for l in open(OUT + "tpl_templates.txt")]


def made(kind):
    c = json.load(open(OUT + "tpl_" + kind + "/tokenizer_config.json"))
    return PreTrainedTokenizerFast(tokenizer_file=OUT + "tpl_" + kind + "/tokenizer.json", bos_token=c["bos_token"], eos_token=c["eos_token"])


smollm = AutoTokenizer.from_pretrained(MODEL, gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf")
j = json.load(open(DATA + "/tokenizers/llama2.tokenizer.json"))
for a in j["added_tokens"]:
    a["normalized"] = False  # as the model's later releases have it: a space before </s> is a token
llama2 = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(j)), bos_token="<s>", eos_token="</s>")
llama3 = PreTrainedTokenizerFast(tokenizer_file=DATA + "/tokenizers/llama3.tokenizer.json", bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
of = lambda i: templates[i]["jinja"]
CASES = [(i, t["tok"], made(t["tok"]), t["jinja"]) for i, t in enumerate(templates)]
CASES += [(-1, "smollm", smollm, smollm.chat_template), (5, "llama2", llama2, of(5)), (3, "llama3", llama3, of(3)), (4, "llama3", llama3, of(4))]
END = {"chatml": "<|im_end|>", "llama3": "<|eot_id|>", "phi3": "<|end|>"}


def talk(roles, *texts):
    return [{"role": {"s": "system", "u": "user", "a": "assistant"}[r], "content": t} for r, t in zip(roles, texts)]


TALKS = [
    talk("ua", "Hello, who are you?", "In short: a program. Next step: ask me something."),
    talk("sua", "Answer briefly.", "What is 12 + 30?", "42"),
    talk("uaua", "Tell me a story.", "Once upon a time, there was a cat.", "And then?", "It slept.\n\nThe end."),
    talk("suauaua", "You are a pirate.", "Hi!", "Arr, matey!", "Where is\nthe gold?", "Under the tree.", "caf\u00e9 \u4f60\u597d?", "\u0928\u092e\u0938\u094d\u0924\u0947 \U0001f468\u200d\U0001f469\u200d\U0001f467"),
    talk("uau", "int main(void)\n{\n\treturn 0;\n}", "It returns 0.", "Thanks"),
    talk("ua", "  leading and\n\n  trailing", "1. one\n2. two\n"),
]


def spans(tok, jinja, name, messages):
    render = lambda m, gen: tok.apply_chat_template(m, chat_template=jinja, add_generation_prompt=gen, tokenize=False)
    whole, out = render(messages, False), []
    for i, m in enumerate(messages):
        if m["role"] == "assistant":
            start = len(render(messages[:i], True))
            end = END.get(name, tok.eos_token)
            body = m["content"].strip()
            out.append((start, whole.index(end, whole.index(body, start) + len(body)) + len(end)))
            if whole[:start] != render(messages[:i], True):
                raise ValueError("the prompt is not the beginning of the conversation")
    return whole, out


n = skipped = 0
with open(OUT + "pack_rows.txt", "w", newline="\n") as f:
    for i, kind, tok, jinja in CASES:
        name = templates[i]["name"] if i >= 0 else "chatml"
        for messages in TALKS:
            try:
                whole, answers = spans(tok, jinja, name, messages)
            except Exception as e:  # a role order that the family refuses
                skipped += 1
                continue
            enc = tok(whole, add_special_tokens=False, return_offsets_mapping=True)
            labels = [-100] * len(enc.input_ids)
            straddles = False
            for a, b in answers:
                for k, (x, y) in enumerate(enc.offset_mapping):
                    inside = max(0, min(y, b) - max(x, a))
                    if x >= a and y > x and (y <= b or x == b - len(END.get(name, tok.eos_token))):  # the end may swallow blanks behind it
                        labels[k] = enc.input_ids[k]
                    elif inside:
                        straddles = True
            # Phi-3's first templates open the next answer whether it was asked for or not; nothing of that is learned
            if straddles or (messages[-1]["role"] == "user" and whole.endswith("<|assistant|>\n")):
                skipped += 1
                continue
            f.write(json.dumps({"template": i, "tok": kind, "messages": messages, "ids": enc.input_ids, "labels": labels}) + "\n")
            n += 1
print(n, "rows,", skipped, "left out")
