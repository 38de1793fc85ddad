"""Reads the recipes for LLaMA-Factory with its own loader, converters, Qwen 3 template and supervised processor.

    llama_factory.py FOLDER, with the folders `questions` and `chats` that check.py made
"""

import pathlib
import sys
from types import SimpleNamespace

import absent
import asked
import datasets
from asked import ROWS, Recipe, equal, text_of, tokenizer

absent.stand_in("torch", "torchvision", "torchaudio", "peft", "av", "PIL")
from llamafactory.data import loader, parser, template
from llamafactory.data.processor import SupervisedDatasetProcessor

datasets.disable_progress_bars()


def load(folder):
    """The rows of the dataset `sft` as every later step of LLaMA-Factory has them."""
    data = dict(dataset_dir=str(folder), streaming=False, preprocessing_num_workers=None)
    data = SimpleNamespace(**data, overwrite_cache=True, max_samples=None)
    model = SimpleNamespace(cache_dir=str(folder / "hf"), hf_hub_token=None)
    [attributes] = parser.get_dataset_list(["sft"], str(folder))
    return loader._load_single_dataset(attributes, model, data, SimpleNamespace(local_process_index=0))


def supervised(rows):
    """What is read and what is trained of each row."""
    renders = tokenizer(None)
    data = dict(template="qwen3", train_on_prompt=False, tool_format=None, default_system=None, enable_thinking=True)
    data |= dict(preserve_thinking=False, mask_history=False, cutoff_len=4096)
    data = SimpleNamespace(**data)
    own = template.get_template_and_fix_tokenizer(renders, data)
    done = SupervisedDatasetProcessor(own, renders, None, data).preprocess_dataset(rows[:])
    for tokens, labels in zip(done["input_ids"], done["labels"]):
        yield text_of(renders, tokens), asked.trained(renders, {"labels": labels})


def check(rows, name, wanted):
    equal("rows", len(rows), len(wanted))
    texts = list(supervised(rows))
    for row, (text, trained), (number, sample) in zip(rows, texts, wanted, strict=True):
        system, turns = "", asked.asked(name, number)
        if turns[0]["role"] == "system":
            system, turns = turns[0]["content"], turns[1:]
        equal("system", row["_system"], system)
        equal("prompt", row["_prompt"], turns)
        equal("response", row["_response"], [asked.message("assistant", asked.thinking(number, sample))])
        assert (f"<|im_start|>system\n{system}<|im_end|>" in text) == bool(system), text
        reasoning = asked.thought(number, sample)
        last = f"<think>\n{reasoning}\n</think>\n\n{asked.answer(number, sample)}<|im_end|>\n"
        assert trained.endswith(last), (trained, last)
        said = [turn["content"] for turn in turns if turn["role"] == "assistant"]
        equal("turns that are trained", trained.count("<|im_end|>"), 1 + len(said))
        assert all(words in trained for words in said)


def main():
    assert datasets.__version__ == "4.0.0", datasets.__version__
    recipe = Recipe("LLaMA-Factory")
    ways = list(zip(recipe.commands(), recipe.blocks("json"), strict=True))
    equal("layouts", [command[-1] for command, _ in ways], ["sharegpt", "alpaca"])
    for name, file, samples in [("questions", [], 2), ("chats", ["q.jsonl", "--skip-unfit"], 1)]:
        for command, information in ways:
            folder = pathlib.Path(sys.argv[1]) / name
            asked.dset(folder, *command[1:], *file)
            layout = command[-1]
            (folder / "data/dataset_info.json").write_text(information)
            numbers = range(0, ROWS, 3) if name == "chats" and layout == "alpaca" else range(ROWS)
            check(load(folder / "data"), name, [(n, s) for n in numbers for s in range(samples)])
            print(f"ok  llama_factory, {layout}: {name}")


main()
