"""Golden tokenizations, by Hugging Face tokenizers.  Run from the root of the tree:

    python3 tests/golden/tok_make.py SmolLM2-135M-Instruct.Q4_1.gguf

writes tests/golden/tok_{smollm2,pretok,nfc,small}.txt and the small tokenizers
tests/golden/tok_{bpe,spm}/tokenizer.json (pip install tokenizers gguf).
"""
import json
import os
import random
import sys
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers as pt
from tokenizers import trainers

OUT = "tests/golden/"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
HEAD = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = HEAD + r"\p{N}{1,3}" + TAIL
QWEN2 = HEAD + r"\p{N}" + TAIL

TEXTS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", "\t\t", " \n", "\n ", "a", " a", "a ", "a  ",
    "Hello, world!", "Hello world", " Hello world", "  Hello   world  ", "I'm sure they'll say it's what we've got, he'd",
    "I'M SURE THEY'LL SAY IT'S", "'some 's't've''ll", "don't can\u2019t won't", "1234567", "in 2024, 3.14159 and 1,000,000",
    "a 1", "a  1", "a   12  b", "x1y2z3", "phone: +49 (30) 1234-5678", "\u0661\u0662\u0663 \u4e00\u4e8c \u2160\u2161 \u00bd \u00b2",
    "int main(void)\n{\n\treturn 0;\n}\n", "for (int i = 0; i < n; i++) {\n        sum += a[i];\n}",
    "def f(x):\n    return x ** 2 if x else None\n\n\nclass A:\n    pass\n", "SELECT * FROM t WHERE a = 'b' AND c <> 1;",
    '{"key": [1, 2.5, null, true], "s": "a\\nb"}', "<div class=\"x\">&nbsp;</div>", "#include <stdio.h>\r\n#define X(a) #a\r\n",
    "\\frac{1}{2} \\sum_{i=0}^{n}", "a_b-c.d/e\\f:g;h", "...!!!???---___", "$100 \u20ac50 \u00a320 \u00a51000", "C++ C# F# .NET",
    "https://example.org/path?q=1&r=%20#frag", "user@example.com", "/usr/share/doc/*.gz", "git commit -m 'fix: it'",
    "\u00fcber Stra\u00dfe \u00c4pfel na\u00efve caf\u00e9 fa\u00e7ade", "cafe\u0301 e\u0301\u0300", "\u0130stanbul \u0131\u015f\u0131k",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u041a\u0430\u043a \u0434\u0435\u043b\u0430?", "\u039a\u03b1\u03bb\u03b7\u03bc\u03ad\u03c1\u03b1 \u03ba\u03cc\u03c3\u03bc\u03b5",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "\u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f \u0939\u093f\u0928\u094d\u0926\u0940 \u0967\u0968\u0969",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u0627\u0644\u0633\u0651\u064e\u0644\u0627\u0645\u064f \u0639\u064e\u0644\u064e\u064a\u0652\u0643\u064f\u0645", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3067\u3059\u3002", "\ud55c\uad6d\uc5b4 \ubb38\uc7a5\uc785\ub2c8\ub2e4.", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01",
    "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd \u0baa\u0bc7\u0b9a\u0bc1\u0b95\u0bbf\u0bb1\u0bc7\u0ba9\u0bcd", "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8", "\u0531\u0575\u0562\u0578\u0582\u0562\u0565\u0576",
    "\U0001f600", "\U0001f44d\U0001f3fd ok", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", "\u2764\ufe0f\u200d\U0001f525!", "a\U0001f600b \U0001f680\U0001f680",
    "no\u00a0break", "\u00a0word", "\u2003em space", "\u3000\u5168\u89d2", "zero\u200bwidth", "\ufeffbom", "soft\u00adhyphen", "a\u2028b\u2029c", "\u0085next", "tab\tand\x0bvt\x0cff",
    "line one\nline two\n\nline four   \n", "trailing   ", "trailing\n\n\n", "\n\n\nleading", "   \n   \n   x", "\r\n  \r\n\ty", "a\rb", "\n \n \n", " \t \t x",
    "(foo) [bar] {baz}", "(foo", "\tword", "$x ?y !z", "\"quoted\" \u201ccurly\u201d \u2018single\u2019", "em\u2014dash \u2013 en", "\u2026", "\u00ab\u00bb\u2039\u203a", "\u2200x\u2208\u211d: x\u00b2\u22650", "\u2190\u2192\u2191\u2193",
    "<|im_start|>user\nhi<|im_end|>", "<|endoftext|>", "<|im_end", "<repo_name>x", "|<|im_end|>|", "</s><s>[INST] x [/INST]",
    "The quick brown fox jumps over the lazy dog.", "THE QUICK BROWN FOX", "camelCaseIdentifier snake_case_identifier", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababab",
    "=" * 80, "-" * 40 + "\n", "# Title\n\n- item 1\n- item 2\n\n> quote\n", "| a | b |\n|---|---|\n| 1 | 2 |", "```c\nint x;\n```",
    "Once upon a time, there was a little girl named Lily.", "What is the capital of France?", "2 + 2 = 4", "0x1F 0b101 1e-5", "3rd 4th 21st", "v1.2.3-rc4", "12:34:56 2024-01-31T00:00:00Z",
    "\u0e01\u0e4d\u0e32 \u0e01\u0e33", "\u1e9b\u0323", "\u212b \u2126 \u00c5", "\u017ft '\u017f x'\u017fy", "\ufb01 \ufb00", "\u01c4\u01c5\u01c6", "\u2075\u2076 \u2460\u2461", "\U0001d400\U0001d401 \U00010330", "\U00020000\U0002a6d6", "x\u0300\u0301\u0302y",
]

ALPHABET = [" ", " ", " ", "\n", "\r", "\t", "a", "b", "s", "t", "ll", "re", "'", "'", "S", "LL", "1", "2", "\u0663", "\u00bd", "\u2167", ".", ",", "!", "(", "_", "\u00e9", "\u0301", "\u0928", "\u094d", "\u0940", "\u0645", "\u064e",
            "\u4e2d", "\u3042", "\uac00", "\U0001f600", "\u200d", "\ufe0f", "\u00a0", "\u3000", "\u2028", "\u0085", "\u017f", "\u2019", "\u20ac", "\x01", "\x1b", "\u00aa", "\U0001d400", "The", " the", "ing", "\u1100", "\u1161", "\u11a8"]


def strings(seed, n, most):
    r = random.Random(seed)
    return ["".join(r.choice(ALPHABET) for _ in range(r.randint(1, most))) for _ in range(n)]


def lines(name, rows):
    with open(OUT + name, "w", encoding="utf-8", newline="\n") as f:
        for row in rows:
            f.write(json.dumps(row, ensure_ascii=True) + "\n")


def smollm2(path):
    import gguf

    g = gguf.GGUFReader(path)
    tokens = g.fields["tokenizer.ggml.tokens"].contents()
    kinds = g.fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(m.split(" ")) for m in g.fields["tokenizer.ggml.merges"].contents()]
    t = Tokenizer(models.BPE({x: i for i, x in enumerate(tokens)}, merges))
    t.pre_tokenizer = pt.Sequence([pt.Digits(individual_digits=True), pt.ByteLevel(add_prefix_space=False, use_regex=True)])
    t.decoder = decoders.ByteLevel()
    special = [x for x, k in zip(tokens, kinds) if k == 3]
    rows = [{"text": s, "ids": t.encode(s, add_special_tokens=False).ids} for s in TEXTS + strings(7, 200, 30)]
    t.add_special_tokens([AddedToken(x, normalized=False) for x in special])
    t2 = [s for s in TEXTS if "<" in s] + ["a <|im_end|> b", "<|im_start|><|im_start|>system\n\n<|im_end|>  \n"]
    rows += [{"text": s, "special": True, "ids": t.encode(s, add_special_tokens=False).ids} for s in t2]
    lines("tok_smollm2.txt", rows)


def pretok():
    split = lambda r: pt.Split(Regex(r), "isolated")
    kinds = {"gpt2": split(GPT2), "llama3": split(LLAMA3), "qwen2": split(QWEN2),
             "smollm": pt.Sequence([pt.Digits(individual_digits=True), split(GPT2)])}
    texts = [s for s in TEXTS if s] + strings(1, 400, 24)
    lines("tok_pretok.txt", ({"pre": k, "text": s, "pieces": [len(p[0].encode()) for p in f.pre_tokenize_str(s)]} for k, f in kinds.items() for s in texts))


def nfc():
    r = random.Random(3)
    ranges = [(0x41, 0x7A), (0xC0, 0x24F), (0x300, 0x36F), (0x385, 0x3FF), (0x591, 0x5C7), (0x900, 0x9FF), (0xB40, 0xBE0), (0xDD0, 0xDDF), (0x1100, 0x1112), (0x1161, 0x1175), (0x11A8, 0x11C2),
              (0xAC00, 0xAC60), (0x1E00, 0x1FFF), (0x2126, 0x212B), (0x3040, 0x30FF), (0xF900, 0xFA20), (0xFB1D, 0xFB4E), (0x1D158, 0x1D165), (0x11099, 0x110BA), (0x2F800, 0x2F820), (0x1AB0, 0x1ABD)]
    rows = []
    for s in [s for s in TEXTS if s] + ["".join(chr(r.randint(*r.choice(ranges))) for _ in range(r.randint(1, 12))) for _ in range(600)]:
        rows.append({"text": s, "nfc": unicodedata.normalize("NFC", s)})
    lines("tok_nfc.txt", rows)


def small():
    """Two trained tokenizers of a few hundred tokens, and what they make of all texts."""
    corpus = [s for s in TEXTS if s] * 3
    b = Tokenizer(models.BPE())
    b.normalizer = normalizers.NFC()
    b.pre_tokenizer = pt.Sequence([split_of(QWEN2), pt.ByteLevel(add_prefix_space=False, use_regex=False)])
    b.decoder = decoders.ByteLevel()
    b.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=420, initial_alphabet=pt.ByteLevel.alphabet(), show_progress=False))
    b.add_special_tokens([AddedToken(x, normalized=False) for x in ("<|im_start|>", "<|im_end|>", "<|endoftext|>")])
    b.add_tokens([AddedToken("caf\u00e9", normalized=True), AddedToken("  ", normalized=False), AddedToken("[x]", normalized=False),
                  AddedToken("left", lstrip=True, normalized=False), AddedToken("right", rstrip=True, normalized=False), AddedToken("one", single_word=True, normalized=False),
                  AddedToken("ones", normalized=False)])
    s = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    s.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    s.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    first = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    s.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=640, special_tokens=first, limit_alphabet=100, show_progress=False))
    j = json.loads(s.to_str())
    j["added_tokens"] = [a for a in j["added_tokens"] if a["id"] < 3]
    s = Tokenizer.from_str(json.dumps(j))
    rows = []
    for name, t in (("bpe", b), ("spm", s)):
        os.makedirs(OUT + "tok_" + name, exist_ok=True)
        with open(OUT + "tok_" + name + "/tokenizer.json", "w", newline="\n") as f:
            f.write(json.dumps(json.loads(t.to_str()), ensure_ascii=True, separators=(",", ":")) + "\n")
        more = ["a left b", " \n left", "right  b", "one ones bone one", "xone", "cafe\u0301", "a  b   c", "left right  left"] if name == "bpe" else ["<s>a</s> b", "a<s><s> b"]
        for x in TEXTS + more:
            rows.append({"tok": name, "text": x, "ids": t.encode(x, add_special_tokens=False).ids})
    lines("tok_small.txt", rows)


def split_of(r):
    return pt.Split(Regex(r), "isolated")


smollm2(sys.argv[1])
pretok()
nfc()
small()
