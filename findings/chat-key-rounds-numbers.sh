#!/bin/sh
# One assistant message with a further key (reasoning_content, tool_calls), and load_dataset rounds every number of the file to ten decimals: small ones become 0.0.
# Versions: datasets 5.2.0 (with pandas 3.1.1, pyarrow 25.0.1).
# Guess (written for a column `args` that is {"x": 1} in some rows and {"x": "one"} in others; that plain chats do it was found on the way): the type of that
#   column changes, or it raises; the doubles in the columns beside it are those of the file.
# Seen: JSON lines with p = 1e-12, a log-probability of -0.10536051565782628 and two messages of role and content: exact. If the assistant's message of one
#   row has reasoning_content or tool_calls as well, p is 0.0 and the log-probability -0.1053605157 in all rows; streamed too; no warning. So are the rows of the
#   next file in data_files, which alone is exact; in the other order it raises. Same for args of two kinds, and for exact rows written as one JSON list.
#   With on_mixed_types=None all numbers are exact.
# Cause: to give such a list the type Json every row is parsed and written anew by a writer with ten decimals; that text is what is read. (Dataset.to_json has the
#   same limit when it writes; this is reading a file that was right.)
# Hurts: rewards, probabilities, prices of a token and the arguments a model is to write differ from the file because of a key elsewhere. Numbers that count
#   belong in Parquet; or give each message every key, or say features=.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile datasets==5.2.0 pandas==3.1.1 pyarrow==25.0.1
cd "$t"
HF_HOME="$t/hf" HF_HUB_OFFLINE=1 nice "$t/v/bin/python" - <<'PY'
import json, datasets
datasets.disable_progress_bars()
datasets.logging.set_verbosity(datasets.logging.CRITICAL)
P, LOGPROB = 1e-12, -0.10536051565782628
exact, rounded = [(P, LOGPROB)] * 3, [(0.0, -0.1053605157)] * 3

def write(name, more, args=(1, 1, 1), as_list=False):
    rows = [{"p": P, "logprob": LOGPROB, "args": {"x": x}, "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a", **(more if i == 1 else {})}]}
            for i, x in enumerate(args)]
    with open(name, "w") as file:
        file.write(json.dumps(rows) if as_list else "".join(json.dumps(row) + "\n" for row in rows))
    return name

def numbers(*files, **options):
    return [(row["p"], row["logprob"]) for row in datasets.load_dataset("json", data_files=list(files), split="train", **options)]

call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
plain, reasoned = write("plain.jsonl", {}), write("reasoned.jsonl", {"reasoning_content": "r"})
got = {"plain": numbers(plain), "reasoning": numbers(reasoned), "streamed": numbers(reasoned, streaming=True),
       "tool calls": numbers(write("called.jsonl", {"tool_calls": [call]})), "args of two kinds": numbers(write("kinds.jsonl", {}, (1, "one", 1))),
       "one list": numbers(write("list.json", {}, as_list=True)), "on_mixed_types=None": numbers(reasoned, on_mixed_types=None)}
for name, pairs in got.items(): print(f"{name:20}", pairs)
assert got == {name: exact if name in ("plain", "on_mixed_types=None") else rounded for name in got}
assert numbers(reasoned, plain) == rounded + rounded
try:
    numbers(plain, reasoned); raise SystemExit("the other order of files is read now")
except datasets.exceptions.DatasetGenerationError:
    pass
print("seen: one message with reasoning_content, and p 1e-12 is", got["reasoning"][0][0], "and logprob -0.10536051565782628 is", got["reasoning"][0][1], "in all rows; without it both are exact")
PY
