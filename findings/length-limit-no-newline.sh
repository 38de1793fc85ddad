#!/bin/sh
# Say that an answer is not empty (min_length=1), and xgrammar lets the model write no line end, no quote and no backslash in it; a pattern "^https://" leaves one answer: https://.
# Versions: xgrammar 0.2.9 (apache-tvm-ffi 0.1.15.post2), llguidance 1.9.1, pydantic 2.14.4 (torch and transformers are not installed, names of them are empty classes).
# Guess (written before the first run): a pattern is searched for, as JSON Schema says, so any answer that begins with https:// is allowed; every number from 0 to 1 is. Of lengths
#   nothing was guessed: that "he\nlo" is refused for maxLength 5 came out of the same probe.
# Seen: pydantic's schema of answer: str takes code, a quotation, LaTeX, two lines; with Field(min_length=1) or max_length=2000 xgrammar allows none of the four, llguidance all.
#   pattern "^https://" allows "https://" and nothing longer, r"\S" (not blank) one character, r"\.$" only "."; llguidance goes by the standard.
#   A score with ge=0, le=1 ends after six digits: 0.333333 yes, 0.3333333 no. No warning anywhere.
# Known: xgrammar issues 800 (lengths) and 838 (patterns), open since August 2026.
# Hurts: it is the grammar engine of several servers for open models. The answers are valid, paid, and check out: one line, no quotes, `frac` without its backslash, code that ends
#   where its first quote would have come. Which engine a server has isn't seen from outside; ask with lengths and patterns left out, and check them afterwards.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
pip="nice python3 -m pip --python $t/v/bin/python -q --disable-pip-version-check install --no-compile"
$pip apache-tvm-ffi==0.1.15.post2 llguidance==1.9.1 pydantic==2.14.4 numpy==2.4.6
$pip --no-deps xgrammar==0.2.9
cd "$t"
nice "$t/v/bin/python" - 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
import importlib.machinery as im, json, sys, types
class Names(type):
    def __getattr__(cls, name): return empty(name)
    def __call__(cls, *a, **k): return cls
def empty(name):
    if name.startswith("__"): raise AttributeError(name)
    return Names(name, (), {})
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers"): return im.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        m = types.ModuleType(spec.name); m.__path__ = []; m.__getattr__ = empty; return m
    def exec_module(self, module): pass
sys.meta_path.append(Absent())
import llguidance, xgrammar
from pydantic import Field, create_model
compiler = xgrammar.GrammarCompiler(xgrammar.TokenizerInfo([bytes([i]) for i in range(256)] + [b"<eos>"], stop_token_ids=[256]))  # a token a byte
letters = llguidance.LLTokenizer("byte")
def both(kind, field, value):
    schema, text = json.dumps(create_model("Row", answer=(kind, field)).model_json_schema()), json.dumps({"answer": value})
    m = xgrammar.GrammarMatcher(compiler.compile_json_schema(schema))
    x = all(m.accept_token(b) for b in text.encode()) and m.accept_token(256)
    m = llguidance.LLMatcher(letters, llguidance.LLMatcher.grammar_from_json_schema(schema)); ids = letters.tokenize_str(text)
    assert not m.is_error(), m.get_error()
    return x, m.try_consume_tokens(ids) == len(ids) and m.is_accepting()
texts = ["one line", "two\nlines", 'print("x")', "a \"quotation\"", r"\frac{1}{2}"]
for field in (Field(), Field(min_length=1), Field(max_length=2000)):
    got = [both(str, field, v) for v in texts]; print(field.metadata, got)
    assert [g[1] for g in got] == [True] * 5
    assert [g[0] for g in got] == [True] + [not field.metadata] * 4, got
got = {}
for pattern, short, whole in (("^https://", "https://", "https://example.org/a"), (r"\S", "Y", "Yes"), (r"\.$", ".", "Yes.")):
    got[pattern] = both(str, Field(pattern=pattern), short) + both(str, Field(pattern=pattern), whole)
for v in (0.333333, 0.3333333): got[v] = both(float, Field(ge=0, le=1), v)
print(got)
assert all(got[p] == (True, True, False, True) for p in ("^https://", r"\S", r"\.$")) and got[0.333333] == (True, True) and got[0.3333333] == (False, True)
print("seen: with min_length=1 xgrammar takes 'one line' and refuses line ends, quotes and backslashes; ^https:// takes only 'https://'; llguidance takes all")
PY
