"""Carries out the recipes of docs/datasets.md and compares what trainers see with what was asked and answered.

Real are TRL's functions for data, axolotl's strategy for chats with its Qwen 3 template, LLaMA-Factory's
loader, converters, template and supervised processor under the `datasets` that it pins, and `datasets` and
`huggingface_hub` for the Hub. Not run are the trainers themselves: torch, accelerate, peft and the like are not
installed, and names of theirs are empty classes (absent.py). axolotl's own opening of a file needs more than
that; `datasets` opens it by the recipe's `path` and `ds_type`. OpenAI's rules are those of its cookbook
("Data preparation and analysis for chat model fine-tuning"), with what its interface refuses beside.

    check.py DSET LLAMAFACTORY, the second the folder of what LLaMA-Factory alone needs
"""

import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "LLAMAFACTORY_VERBOSITY": "ERROR"}
import absent
import asked
import datasets
import huggingface_hub
import trl.data_utils as trl
import yaml
from asked import ROWS, Recipe, dset, equal, qwen, reply, text_of, tokenizer

absent.stand_in("torch", "accelerate")
import axolotl
import axolotl.prompt_strategies
from axolotl.datasets import TokenizedPromptDataset
from axolotl.utils.dict import DictDefault
from axolotl.utils.schemas.datasets import SFTDataset

datasets.disable_progress_bars()
SITE = pathlib.Path(trl.__file__).parent
QWEN = (SITE / "chat_templates/qwen3.jinja").read_text()
LLAMA = (SITE / "chat_templates/llama3.jinja").read_text()


def begin(folder):
    """Asks questions with a system prompt, twice each, and chats, once each."""
    (folder / "questions").mkdir()
    with open(folder / "questions/q.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["question", "topic", "gold", "text", "system"])
        rows.writerows([asked.question(n), f"topic {n % 5}", asked.gold(n), "mine", "theirs"] for n in range(ROWS))
    (folder / "chats").mkdir()
    rows = [{"messages": asked.chat(n), "topic": f"topic {n % 5}"} for n in range(ROWS)]
    (folder / "chats/q.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with asked.Mock(folder, 0) as url:
        settings = f'base-url = "{url}"\nmodel = "m"\nkey = "none"\nshare-pace = "off"\n'
        (folder / "chats/dset.toml").write_text(settings)
        (folder / "questions/dset.toml").write_text(settings + f"system = {json.dumps(asked.SYSTEM)}\n")
        dset(folder / "chats", "run", "q.jsonl", "-q")
        dset(folder / "questions", "run", "-q")
    with asked.Mock(folder, 1) as url:
        path = folder / "questions/dset.toml"
        path.write_text(path.read_text().replace(path.read_text().split('"')[1], url))
        dset(folder / "questions", "run", "-q", "--samples", "2")


def load(path, kind="parquet"):
    return datasets.load_dataset(kind, data_files=str(path), split="train", cache_dir=f"{path}.cache")


def number_of(text):
    """The number of the question that a text holds."""
    return int(text.split("Question ")[1].split(",")[0])


def whole(name, number, sample):
    return [*asked.asked(name, number), reply(number, sample)]


def expected(name):
    samples = range(2) if name == "questions" else range(1)
    return [(number, sample) for number in range(ROWS) for sample in samples]


def trl_supervised(folder, name, *file):
    recipe = Recipe("TRL, supervised")
    recipe.carry_out(folder, *file)
    trainer = {}
    names = {"load_dataset": lambda path: datasets.load_dataset(str(folder / path), cache_dir=str(folder / "hf"))}
    names |= {"SFTTrainer": lambda model, **given: trainer.update(given), "model": None}
    [code] = recipe.blocks("python")
    exec(code, names)

    renders = tokenizer(QWEN)
    rows = {part: list(trainer[f"{part}_dataset"]) for part in ["train", "eval"]}
    assert rows["train"] and rows["eval"] and not {r["id"] for r in rows["train"]} & {r["id"] for r in rows["eval"]}
    found = {}
    for row in rows["train"] + rows["eval"]:
        assert trl.is_conversational(row) and list(row) == ["messages", "id", "model", "sample"]
        text = trl.maybe_apply_chat_template(row, renders)["text"]
        equal("tokens of TRL", text_of(renders, trl._tokenize(renders, row["messages"])["input_ids"]), text)
        found[number_of(text), row["sample"]] = text
    equal("TRL, supervised", found, {key: qwen(whole(name, *key)) for key in expected(name)})


def trl_without_reasoning(folder, name, *file):
    """A template that drops `reasoning_content`, and what the recipe says for it."""
    drops = tokenizer(LLAMA)
    for place in ["field", "think"]:
        dset(folder, "export", *file, "--to", f"{place}.parquet", "--layout", "chat", "--reasoning", place)
        rows = load(folder / f"{place}.parquet")
        for row, (number, sample) in zip(rows, expected(name), strict=True):
            text = trl.apply_chat_template(row, drops)["text"]
            words = asked.answer(number, sample) if place == "field" else asked.thinking(number, sample)
            end = f"<|start_header_id|>assistant<|end_header_id|>\n\n{words}<|eot_id|>"
            assert text.endswith(end), (text, end)


def trl_columns(folder):
    """What the recipe says of columns, and of the length that TRL cuts at."""
    keep = ["--keep", "topic,text", "--rename", "text=prompt"]
    dset(folder, "export", "--to", "kept.parquet", "--layout", "chat", *keep)
    row = load(folder / "kept.parquet")[0]
    assert (row["topic"], row["prompt"]) == ("topic 0", "mine")
    try:
        trl.apply_chat_template(row, tokenizer(QWEN))
        raise SystemExit("TRL takes a column prompt beside messages now")
    except KeyError:
        pass
    row.pop("prompt")
    text = trl.apply_chat_template(row, tokenizer(QWEN))["text"]
    equal("beside a column of the user's", text, qwen(whole("questions", 0, 0)))
    source = (SITE / "trainer/sft_config.py").read_text()
    assert "max_length: int | None = field(\n        default=1024," in source


def trl_preferences(folder):
    with asked.Mock(folder, 1) as url:
        recipe = Recipe("TRL, preferences")
        path = folder / "dset.toml"
        path.write_text(path.read_text().replace(path.read_text().split('"')[1], url))
        recipe.carry_out(folder)
    renders = tokenizer(QWEN)
    rows = load(folder / "dpo.parquet")
    pairs = [(n, [s for s in (0, 1) if asked.gold(n) in asked.answer(n, s)]) for n in range(ROWS) if n % 3 != 2]
    assert all(len(good) == 1 for _, good in pairs)
    for row, (number, [good]) in zip(rows, pairs, strict=True):
        assert trl.is_conversational(row)
        equal("the prompt of a pair", trl.maybe_extract_prompt(row), row)
        text = trl.maybe_apply_chat_template(row, renders)
        assert text["prompt"].startswith(qwen(asked.asked("questions", number), is_answered=False)), text
        for column, sample in [("chosen", good), ("rejected", 1 - good)]:
            equal(column, text["prompt"] + text[column], qwen(whole("questions", number, sample)))

    unpaired = trl.unpair_preference_dataset(rows)
    wanted = [(n, good[0] if label else 1 - good[0], label) for label in (True, False) for n, good in pairs]
    unpaired_rows(unpaired, wanted)
    rank = recipe.commands()[1][-1]
    dset(folder, "export", "--to", "kto.parquet", "--layout", "kto", "--rank", rank)
    samples = [(n, s) for n in range(ROWS) for s in range(4)]
    unpaired_rows(load(folder / "kto.parquet"), [(n, s, asked.gold(n) in asked.answer(n, s)) for n, s in samples])


def unpaired_rows(rows, wanted):
    renders = tokenizer(QWEN)
    for row, (number, sample, label) in zip(rows, wanted, strict=True):
        text = trl.maybe_apply_chat_template(row, renders)
        equal("label", text["label"], label)
        equal("completion", text["prompt"] + text["completion"], qwen(whole("questions", number, sample)))


def trl_prompt_completion(folder, chats):
    layout = ["--to", "texts.jsonl", "--layout", "prompt-completion"]
    dset(folder, "export", *layout, "--samples", "first")
    for number, row in enumerate(load(folder / "texts.jsonl", "json")):
        assert not trl.is_conversational(row) and trl.maybe_apply_chat_template(row, None) == row
        equal("prompt", row["prompt"], f"{asked.SYSTEM}\n\n{asked.question(number)}")
        equal("completion", row["completion"], asked.thinking(number, 0))

    dset(chats, "export", "q.jsonl", *layout, fails="--skip-unfit")
    assert "left out" in dset(chats, "export", "q.jsonl", *layout, "--skip-unfit")
    rows = list(load(chats / "texts.jsonl", "json"))
    equal("chats of one turn", [number_of(row["prompt"]) for row in rows], list(range(0, ROWS, 3)))
    system = f"You are number {rows[1]['prompt'].split('.')[0].split()[-1]}.\n\n"
    equal("its prompt", rows[1]["prompt"], system + asked.question(3))


def axolotl_chats(folder, name, *file):
    recipe = Recipe("axolotl")
    recipe.carry_out(folder, *file)
    [text] = recipe.blocks("yaml")
    [given] = yaml.safe_load(text)["datasets"]
    SFTDataset.model_validate(given, extra="forbid")
    renders = tokenizer(axolotl_template())
    configuration = DictDefault({"sequence_len": 4096, "train_on_inputs": False})
    strategy = axolotl.prompt_strategies.load(given["type"], renders, configuration, DictDefault(given))
    rows = load(folder / given["path"], given["ds_type"])
    for row, key in zip(TokenizedPromptDataset(strategy, rows), expected(name), strict=True):
        turns = whole(name, *key)
        equal("axolotl", text_of(renders, row["input_ids"]), qwen(turns))
        said = [turn["content"] + "<|im_end|>" for turn in turns[:-1] if turn["role"] == "assistant"]
        reasoning = turns[-1]["reasoning_content"]
        last = (f"{reasoning}\n</think>\n\n" if reasoning else "") + turns[-1]["content"] + "<|im_end|>"
        equal("what axolotl trains", asked.trained(renders, row), "".join([*said, last]))

    [row] = list(rows.select([rows.num_rows - 1]))
    turns = [{k.replace("reasoning_content", "reasoning"): v for k, v in turn.items()} for turn in row["messages"]]
    other = text_of(renders, strategy.tokenize_prompt({"messages": turns})["input_ids"])
    assert "<think>\n\n</think>" in other and "thought" not in other, other
    if name == "questions":
        turns = [turn for turn in row["messages"] if turn["role"] != "system"]
        other = text_of(renders, strategy.tokenize_prompt({"messages": turns, "system": "theirs"})["input_ids"])
        assert other.startswith("<|im_start|>system\ntheirs<|im_end|>"), other


def axolotl_template():
    folder = pathlib.Path(axolotl.__file__).parent
    return (folder / "utils/chat_templates/templates/qwen3.jinja").read_text()


def openai(folder, name, *file):
    Recipe("OpenAI fine-tuning").carry_out(folder, *file)
    lines = (folder / "openai.jsonl").read_text().splitlines()
    assert len(lines) >= 10, "OpenAI wants ten"
    for line, (number, sample) in zip(lines, expected(name), strict=True):
        row = json.loads(line)
        assert isinstance(row, dict) and list(row) == ["messages"] and row["messages"]
        for turn in row["messages"]:
            assert set(turn) == {"role", "content"} and turn["role"] in ("system", "user", "assistant")
            assert isinstance(turn["content"], str) and turn["content"]
        assert row["messages"][-1]["role"] == "assistant"
        last = asked.message("assistant", asked.answer(number, sample))
        equal("OpenAI", row["messages"], [*asked.asked(name, number), last])


def hub(folder, name, *file):
    recipe = Recipe("The Hub")
    recipe.carry_out(folder, *file)
    card = folder / "hub/README.md"
    card.write_text(card.read_text().replace("---\n", "---\nlicense: cc-by-4.0\n", 1))
    recipe.carry_out(folder, *file)
    found = huggingface_hub.DatasetCard.load(card)
    equal("license", found.data.license, "cc-by-4.0")
    rows = datasets.load_dataset(str(folder / "hub"), split="train", cache_dir=str(folder / "hf"))
    for row, key in zip(rows, expected(name), strict=True):
        wanted = [{"reasoning_content": ""} | turn for turn in whole(name, *key)]
        equal("the Hub", row["messages"], wanted)
    [_, upload] = recipe.commands()
    hf = [sys.executable, "-c", "from huggingface_hub.cli.hf import main; main()"]
    done = subprocess.run([*hf, *upload[1:], "--help"], capture_output=True, text=True, check=True)
    assert all(flag in done.stdout for flag in upload if flag.startswith("--")), done


def llama_factory(folder, site):
    """LLaMA-Factory reads with the `datasets` that it pins, in a process of its own."""
    paths = os.pathsep.join([site, str(pathlib.Path(__file__).parent)])
    environment = os.environ | {"PYTHONPATH": paths}
    script = pathlib.Path(__file__).parent / "llama_factory.py"
    subprocess.run([sys.executable, script, folder], env=environment, check=True)


def main():
    os.environ["DSET"] = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        begin(folder)
        questions, chats = folder / "questions", folder / "chats"
        for name, file in [("questions", []), ("chats", ["q.jsonl"])]:
            for check in [trl_supervised, trl_without_reasoning, axolotl_chats, openai, hub]:
                check(folder / name, name, *file)
                print(f"ok  {check.__name__}: {name}")
        llama_factory(folder, str(pathlib.Path(sys.argv[2]).resolve()))
        alone = [(trl_columns, [questions]), (trl_prompt_completion, [questions, chats]), (trl_preferences, [questions])]
        for check, folders in alone:
            check(*folders)
            print(f"ok  {check.__name__}")


main()
