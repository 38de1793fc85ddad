"""What is asked and answered in the checks, what a trainer must see of it, and the recipes of the documentation."""

import json
import os
import pathlib
import re
import shlex
import subprocess

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

ROWS = 48
SYSTEM = "Be brief.\nNo lists."
ANSWERS = ["2024-03-15", "NA", "007", '{"a": [1, "b"]}', "true", 'a, "quoted"\n\nline']
ANSWERS += ["{{ messages }} {% if %}", "größer ≥ 2 🙂"]


def question(number):
    return f"Question {number}, <b>what</b>?"


def answer(number, sample):
    """The second answer and those after it are the same."""
    return ANSWERS[(number + 3 * min(sample, 1)) % len(ANSWERS)]


def thought(number, sample):
    """Some answers have none, the first of them too."""
    return "" if number % 3 == 0 else f"thought {number}.{min(sample, 1)}\n\nand \"another\""


def gold(number):
    """In the first answer, in the second, in none."""
    return [answer(number, 0), answer(number, 1), "nowhere"][number % 3]


def message(role, content):
    return {"role": role, "content": content}


def chat(number):
    """Turns of a chat: every second has a system prompt, every third one turn alone."""
    turns = [message("system", f"You are number {number}.")] if number % 2 else []
    if number % 3:
        turns += [message("user", f"First of {number}?"), message("assistant", f"Said {number}.")]
    return [*turns, message("user", question(number))]


def asked(name, number):
    return chat(number) if name == "chats" else [message("system", SYSTEM), message("user", question(number))]


def reply(number, sample):
    return message("assistant", answer(number, sample)) | {"reasoning_content": thought(number, sample)}


def thinking(number, sample):
    reasoning, text = thought(number, sample), answer(number, sample)
    return f"<think>\n{reasoning}\n</think>\n\n{text}" if reasoning else text


def qwen(turns, is_answered=True):
    """What Qwen 3's template makes of turns: the reasoning of the last answer alone."""
    text = ""
    for turn in turns:
        content = turn["content"]
        if turn is turns[-1] and is_answered:
            content = f"<think>\n{turn['reasoning_content']}\n</think>\n\n{content}"
        text += f"<|im_start|>{turn['role']}\n{content}<|im_end|>\n"
    return text if is_answered else text + "<|im_start|>assistant\n"


def tokenizer(template):
    """One that gives back every text as it was: a token for each byte."""
    vocabulary = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    bytes_ = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytes_.decoder = decoders.ByteLevel()
    marks = {"bos_token": "<|begin|>", "eos_token": "<|im_end|>", "pad_token": "<|pad|>"}
    return PreTrainedTokenizerFast(tokenizer_object=bytes_, chat_template=template, **marks)


def text_of(tokenizer, tokens):
    return tokenizer.decode(tokens, clean_up_tokenization_spaces=False)


def trained(tokenizer, row):
    return text_of(tokenizer, [label for label in row["labels"] if label != -100])


class Recipe:
    """A recipe of docs/datasets.md, by the words that it begins with."""

    def __init__(self, title):
        page = pathlib.Path(__file__).parents[2].joinpath("docs/datasets.md").read_text()
        recipes = page.split("## Recipes")[1]
        parts = re.split(r"^\*\*(.+?)\.\*\* ", recipes, flags=re.M)
        self.text = dict(zip(parts[1::2], parts[2::2]))[title]

    def blocks(self, language):
        return re.findall(rf"^```{language}\n(.*?)^```", self.text, flags=re.M | re.S)

    def commands(self):
        lines = "".join(self.blocks("console")).splitlines()
        return [shlex.split(line.removeprefix("$ ")) for line in lines]

    def carry_out(self, folder, *more):
        """Runs the commands of dset in a folder, each with these arguments behind."""
        for program, *arguments in self.commands():
            if program == "dset":
                dset(folder, *arguments, *more)


def dset(folder, *arguments, fails=None):
    """Runs dset and returns what it says; where it is to fail, that must have these words."""
    environment = os.environ | {"HOME": str(folder)}
    done = subprocess.run([os.environ["DSET"], *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == (2 if fails else 0) and (fails or "") in said, (arguments, done.returncode, said)
    return said


class Mock:
    """`dset mock` that gives the answers of one sample."""

    def __init__(self, folder, sample):
        replies = [{"reasoning": thought(n, sample), "answer": answer(n, sample)} for n in range(ROWS)]
        lines = [{"metadata": {"question": question(n)}, "response": reply} for n, reply in enumerate(replies)]
        path = folder / f"answers-{sample}.json"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        command = [os.environ["DSET"], "mock", "--port", "0", "--answers", path]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def __enter__(self):
        line = self.process.stdout.readline()
        return re.search(r"http://\S+", line).group()

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def equal(what, found, wanted):
    assert found == wanted, f"{what}:\n  found  {found!r}\n  wanted {wanted!r}"
