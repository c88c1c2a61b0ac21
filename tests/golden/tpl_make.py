"""Golden conversations, by Hugging Face transformers.  Run from the root of the tree,
after tok_make.py:

    python3 tests/golden/tpl_make.py

writes tests/golden/tpl_{templates,rendered}.txt and the tokenizers they use,
tests/golden/tpl_{bpe,spm}/tokenizer.json (pip install transformers jinja2).
"""
import json
import os

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast

OUT = "tests/golden/"

CHATML = "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
CHATML_PLAIN = "{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
QWEN25 = r"""{%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0]['role'] == 'system' %}
        {{- messages[0]['content'] }}
    {%- else %}
        {{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}
    {%- endif %}
    {{- "\n\n# Tools\n\nYou may call one or more functions to assist with the user query." }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) or (message.role == "assistant" and not message.tool_calls) %}
        {{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""
LLAMA2 = "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
LLAMA3 = "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
LLAMA31 = r"""{{- bos_token }}
{%- if not date_string is defined %}
    {%- set date_string = "26 Jul 2024" %}
{%- endif %}

{#- This block extracts the system message, so we can slot it into the right place. #}
{%- if messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}

{#- System message + builtin tools #}
{{- "<|start_header_id|>system<|end_header_id|>\n\n" }}
{{- "Cutting Knowledge Date: December 2023\n" }}
{{- "Today Date: " + date_string + "\n\n" }}
{{- system_message }}
{{- "<|eot_id|>" }}

{%- for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}
"""
ALTERNATE = "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
MISTRAL1 = "{{ bos_token }}{% for message in messages %}" + ALTERNATE + "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
MISTRAL1_SPACE = MISTRAL1.replace("+ eos_token}}", "+ eos_token + ' ' }}")
SPLIT_SYSTEM = """{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}

{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('After the optional system message, conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
"""
MISTRAL2 = SPLIT_SYSTEM + r"""    {%- if message["role"] == "user" %}
        {%- if loop.first and system_message is defined %}
            {{- " [INST] " + system_message + "\n\n" + message["content"] + " [/INST]" }}
        {%- else %}
            {{- " [INST] " + message["content"] + " [/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"] + eos_token}}
    {%- else %}
        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}
    {%- endif %}
{%- endfor %}
"""
MISTRAL3 = SPLIT_SYSTEM + r"""    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST] " + system_message + "\n\n" + message["content"] + "[/INST]" }}
        {%- else %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- endif %}
    {%- elif message["role"] == "assistant" %}
        {{- " " + message["content"]|trim + eos_token}}
    {%- endif %}
{%- endfor %}
"""
PHI3 = "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
PHI3_FIRST = "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') %}{{'<|user|>' + '\n' + message['content'] + '<|end|>' + '\n' + '<|assistant|>' + '\n'}}{% elif (message['role'] == 'assistant') %}{{message['content'] + '<|end|>' + '\n'}}{% endif %}{% endfor %}"
PHI3_MEDIUM = PHI3_FIRST.replace("{{ bos_token }}", "")
PHI3_SMALL = "{{ bos_token }}{% for message in messages %}{{'<|' + message['role'] + '|>' + '\n' + message['content'] + '<|end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
ZEPHYR = "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"

TEMPLATES = [("chatml", "bpe", CHATML), ("chatml", "bpe", CHATML_PLAIN), ("chatml", "bpe", QWEN25), ("llama3", "bpe", LLAMA3), ("llama3", "bpe", LLAMA31),
             ("llama2", "spm", LLAMA2), ("mistral", "spm", MISTRAL1), ("mistral", "spm", MISTRAL1_SPACE), ("mistral", "spm", MISTRAL2), ("mistral", "spm", MISTRAL3),
             ("phi3", "spm", PHI3), ("phi3", "spm", PHI3_FIRST), ("phi3", "bpe", PHI3_MEDIUM), ("phi3", "bpe", PHI3_SMALL), ("zephyr", "spm", ZEPHYR), ("zephyr", "bpe", ZEPHYR)]


def talk(roles, *texts):
    return [{"role": {"s": "system", "u": "user", "a": "assistant"}[r], "content": t} for r, t in zip(roles, texts)]


TALKS = [
    (talk("u", "Hello, who are you?"), True),
    (talk("su", "Answer briefly.", "What is 12 + 30?"), True),
    (talk("uau", "Tell me a story.", "Once upon a time, there was a cat.", "And then?"), True),
    (talk("suauau", "You are a pirate.", "Hi!", "Arr, matey!", "Where is\nthe gold?", "  Under the tree.  ", "Thanks"), True),
    (talk("uau", "  leading and\n\n  trailing \n", "\n\nan answer\n", "caf\u00e9 \u4f60\u597d \U0001f468\u200d\U0001f469\u200d\U0001f467 \u0928\u092e\u0938\u094d\u0924\u0947"), True),
    (talk("ua", "int main(void)\n{\n\treturn 0;\n}", "It returns 0."), False),
    (talk("suau", "  spaces  ", " a ", " b ", " c "), True),
]


def tokenizers():
    made = {}
    names = ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin_of_text|>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>"]
    for kind, strip in (("bpe", False), ("spm", True)):
        with open(OUT + "tok_" + kind + "/tokenizer.json") as f:
            j = json.load(f)
        j["added_tokens"] = [a for a in j["added_tokens"] if a["special"]]
        for a in j["added_tokens"]:
            a["normalized"] = False
        for i, a in enumerate(sorted(j["added_tokens"], key=lambda a: a["id"])):
            if kind == "bpe":
                a["id"] = len(j["model"]["vocab"]) + i
        t = Tokenizer.from_str(json.dumps(j))
        t.add_special_tokens([AddedToken(x, normalized=False, rstrip=strip and x != "<|eot_id|>") for x in names])
        os.makedirs(OUT + "tpl_" + kind, exist_ok=True)
        with open(OUT + "tpl_" + kind + "/tokenizer.json", "w", newline="\n") as f:
            f.write(json.dumps(json.loads(t.to_str()), ensure_ascii=True, separators=(",", ":")) + "\n")
        bos, eos = ("<|begin_of_text|>", "<|endoftext|>") if kind == "bpe" else ("<s>", "</s>")
        with open(OUT + "tpl_" + kind + "/tokenizer_config.json", "w", newline="\n") as f:
            f.write(json.dumps({"bos_token": bos, "eos_token": eos}) + "\n")
        made[kind] = PreTrainedTokenizerFast(tokenizer_object=t, bos_token=bos, eos_token=eos)
    return made


def lines(name, rows):
    with open(OUT + name, "w", newline="\n") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=True) + "\n")


made = tokenizers()
rows = []
for i, (name, kind, jinja) in enumerate(TEMPLATES):
    for messages, generation in TALKS:
        row = {"template": i, "messages": messages, "generation": generation}
        try:
            text = made[kind].apply_chat_template(messages, chat_template=jinja, add_generation_prompt=generation, tokenize=False)
            row["text"] = text
            row["ids"] = made[kind].encode(text, add_special_tokens=False)
        except Exception as e:
            row["error"] = str(e)
        rows.append(row)
lines("tpl_templates.txt", ({"name": n, "tok": k, "jinja": j} for n, k, j in TEMPLATES))
lines("tpl_rendered.txt", rows)
print(sum("error" in r for r in rows), "refused of", len(rows))
