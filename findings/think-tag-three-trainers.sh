#!/bin/sh
# The same answer with reasoning in three trainers with Qwen 3's template: axolotl leaves `<think>` out of what is trained, the two others train it.
# Versions: axolotl 0.19.0, llamafactory 0.9.5, trl 1.16.0 with transformers 5.24.0, datasets 5.2.0 (axolotl's own strategy, LLaMA-Factory's own template, TRL's own
#   training template; torch is not installed, names of it are empty classes).
# Guess (of axolotl it was an assertion of a test, which failed; of TRL written before its first run): all three train from <think> to the end mark, as a model must write it; without
#   reasoning all three train the empty block as well, or none does.
# Seen: LLaMA-Factory and TRL (assistant_only_loss) train "<think>\nT\n</think>\n\nA<|im_end|>", axolotl "T\n</think>\n\nA<|im_end|>". Without reasoning the two train
#   "<think>\n\n</think>\n\nA<|im_end|>", axolotl "A<|im_end|>": it finds a turn by setting other texts in its place, and what comes before them in the template counts as prompt.
# Hurts: by axolotl a base model is not trained to open a thought, nor to leave one empty. Its own copy of the template ends the prompt in <think>, Qwen's does not:
#   the same file gives a model that thinks by itself with two trainers, and with the third one that has to be given <think>. Look at the labels first.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
pip="nice python3 -m pip --python $t/v/bin/python -q --disable-pip-version-check install --no-compile"
$pip transformers==5.24.0 datasets==5.2.0 jinja2==3.1.6 pydantic==2.12.5 colorama==0.4.6 addict==2.4.0
$pip --no-deps axolotl==0.19.0 llamafactory==0.9.5 trl==1.16.0
cd "$t"
HF_HUB_OFFLINE=1 nice "$t/v/bin/python" - 2>"$t/err" <<'PY'
import importlib.machinery as im, logging, pathlib, sys, types
import transformers
class Names(type):
    def __getattr__(cls, name): return empty(name)
def empty(name):
    if name.startswith("__"): raise AttributeError(name)
    return Names(name, (), {})
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision", "torchaudio", "accelerate", "peft", "av", "PIL"):
            return im.ModuleSpec(name, self, is_package=True)
    def create_module(self, spec):
        m = types.ModuleType(spec.name); m.__path__ = []; m.__getattr__ = empty; return m
    def exec_module(self, module): pass
sys.meta_path.append(Absent())
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
import axolotl.prompt_strategies as strategies, trl.data_utils
from axolotl.utils.dict import DictDefault as D
from llamafactory.data.template import TEMPLATES
site = pathlib.Path(trl.__file__).parents[1]
def tokenizer(template):
    tok = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, merges=[]))
    tok.pre_tokenizer, tok.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel()
    template = template and (site / template).read_text()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|im_end|>", chat_template=template)
def axolotl_(reasoning):
    t = tokenizer("axolotl/utils/chat_templates/templates/qwen3.jinja")
    s = strategies.load("chat_template", t, D(sequence_len=999, train_on_inputs=False), D(type="chat_template"))
    row = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "reasoning_content": reasoning}]
    return t.decode([i for i in s.tokenize_prompt({"messages": row})["labels"] if i != -100])
def llama_factory(reasoning):
    t, own = tokenizer(None), TEMPLATES["qwen3"]
    answer = f"<think>\n{reasoning}\n</think>\n\nA" if reasoning else "A"
    row = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": answer}]
    return t.decode(own.encode_multiturn(t, row)[0][1]).rstrip("\n")
def trl_(reasoning):
    t = tokenizer("trl/chat_templates/qwen3_training.jinja")
    row = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A", "reasoning_content": reasoning}]
    got = trl.data_utils._tokenize(t, row, return_assistant_tokens_mask=True)
    return t.decode([i for i, m in zip(got["input_ids"], got["assistant_masks"]) if m]).rstrip("\n")
got = {f.__name__.strip("_"): [f("T"), f("")] for f in (axolotl_, llama_factory, trl_)}
for name, texts in got.items(): print(f"{name:14}", *map(repr, texts))
both = ["<think>\nT\n</think>\n\nA<|im_end|>", "<think>\n\n</think>\n\nA<|im_end|>"]
assert got == {"axolotl": ["T\n</think>\n\nA<|im_end|>", "A<|im_end|>"], "llama_factory": both, "trl": both}, got
print("seen: of an answer with Qwen 3's template LLaMA-Factory and TRL train <think> and the empty block, axolotl neither")
PY
