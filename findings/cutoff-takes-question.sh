#!/bin/sh
# A row longer than LLaMA-Factory's cutoff_len loses the END of its prompt: the question behind a long text and the assistant's mark go, and the answer is trained after half a sentence.
# Versions: llamafactory 0.9.5, trl 1.16.0 with transformers 5.24.0, datasets 5.2.0 (LLaMA-Factory's own template for Qwen; torch is not installed, names of it are empty classes).
# Guess (written before the first run): the end of the row is cut, that is the answer's end.
# Seen: cutoff_len 2048 as it comes, a text with "Question: ...?" behind it, a token a letter. 2,398 tokens: the whole question and "<|im_start|>assistant\n" are cut away; the answer
#   is kept and trained, its end mark too. 2,063 tokens, 15 too many: "t?<|im_end|>\n<|im_start|>assistant\n" is gone, the answer follows on "this tex". 2,258 tokens with an
#   answer as long as the prompt: both lose their ends. TRL (pack_dataset "bfd", as it comes) keeps the first 2048 of each. Nothing is said by either.
# Known: issues 3143 and 1575 of LLaMA-Factory ask about it, closed; the option's help says "the cutoff length of the tokenized inputs".
# Hurts: retrieval, summaries, long code, each with the question at the end: the longer rows teach answers without a question, and an end mark where the prompt stops in a word.
#   Rows that do not fit have to be dropped before, counted with the trainer's template; or the question put first.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
pip="nice python3 -m pip --python $t/v/bin/python -q --disable-pip-version-check install --no-compile"
$pip transformers==5.24.0 datasets==5.2.0 jinja2==3.1.6
$pip --no-deps llamafactory==0.9.5 trl==1.16.0
cd "$t"
HF_HUB_OFFLINE=1 HF_HOME="$t/hf" nice "$t/v/bin/python" - 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
import importlib.machinery as im, sys, types, datasets, transformers
class Names(type):
    def __getattr__(cls, name): return empty(name)
def empty(name):
    if name.startswith("__"): raise AttributeError(name)
    return Names(name, (), {})
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in "torch torchvision torchaudio accelerate peft av PIL".split(): return im.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        m = types.ModuleType(spec.name); m.__path__ = []; m.__getattr__ = empty; return m
    def exec_module(self, module): pass
sys.meta_path.append(Absent())
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from llamafactory.data.processor.supervised import SupervisedDatasetProcessor
from llamafactory.data.template import TEMPLATES
from trl.data_utils import pack_dataset
tok = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[]))  # a token a letter
tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel()
tok.add_special_tokens(["<|im_start|>", "<|im_end|>"])
T = transformers.PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|im_end|>", pad_token="<|im_end|>")
def rows(prompt, answer):
    def cut(n):
        p = SupervisedDatasetProcessor(template=TEMPLATES["qwen"], tokenizer=T, processor=None, data_args=types.SimpleNamespace(
            cutoff_len=n, train_on_prompt=False, mask_history=False, neat_packing=False))
        ids, labels = p._encode_data_example([{"role": "user", "content": prompt}], [{"role": "assistant", "content": answer}], "S", "", [], [], [])
        k = sum(x == -100 for x in labels)
        return ids, T.decode(ids[:k]), T.decode(ids[k:])
    ids, p, a = cut(9999)
    assert p.endswith("?<|im_end|>\n<|im_start|>assistant\n")
    trl = pack_dataset(datasets.Dataset.from_dict({"input_ids": [ids]}), 2048, "bfd")[0]["input_ids"]
    return len(ids), cut(2048)[1:], trl == ids[:2048]
q = " Question: what is the last word of this text?"
far, few, more = rows("word " * 460 + q, "It is the word word."), rows("word " * 193 + q, "yes " * 255), rows("word " * 220 + q, "yes " * 270)
for n, (p, a), same in (far, few, more): print(n, "tokens; prompt ends", repr(p[-20:]), "answer ends", repr(a[-20:]), "TRL keeps the start:", same)
assert [r[0] for r in (far, few, more)] == [2398, 2063, 2258] and far[2] and few[2] and more[2]
assert "Question" not in far[1][0] and far[1][1] == "It is the word word.<|im_end|>\n"
assert few[1][0].endswith("of this tex") and few[1][1] == "yes " * 255 + "<|im_end|>\n"
assert "Question" not in more[1][0] and more[1][1].endswith("yes y")
print("seen: in rows over cutoff_len the answer follows on half a prompt, without question, end mark and <|im_start|>assistant; TRL cuts the end of the row")
PY
