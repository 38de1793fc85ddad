#!/bin/sh
# Dataset.to_csv leaves out the middle of long lists, and writes short ones as something else that still parses.
# Versions: datasets 5.2.0 (with pandas 3.1.1, numpy 2.4.6, pyarrow 25.0.1).
# Guess: a column of lists is written as Python's or JSON's text of the list, whole.
# Seen: token ids 0..1499 are written as "[   0    1    2 ... 1497 1498 1499]": 1,494 numbers are gone, no warning.
#   The list "x", "y" is written as ['x' 'y'], which Python reads as the one-element list ['xy'].
#   Two chat messages stand side by side without a comma and are a syntax error for a reader.
# Known: huggingface/datasets issue 6778, open since 2024 for the commas.
# Hurts: tags, token ids, log-probabilities and chats exported to CSV are lost or changed, and the export says nothing.
#   Lists belong in JSON Lines or Parquet, or in the CSV as JSON text made before.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile datasets==5.2.0 pandas==3.1.1 numpy==2.4.6 pyarrow==25.0.1
cd "$t"
HF_HOME="$t/hf" HF_HUB_OFFLINE=1 nice "$t/v/bin/python" - <<'PY'
import ast, csv, datasets
datasets.disable_progress_bars()
datasets.Dataset.from_list([{"ids": list(range(1500)), "tags": ["x", "y"],
    "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}]).to_csv("out.csv")
row = next(csv.DictReader(open("out.csv", newline="")))
print(row)
assert row["ids"] == "[   0    1    2 ... 1497 1498 1499]"
assert row["tags"] == "['x' 'y']" and ast.literal_eval(row["tags"]) == ["xy"]
assert "} {" in row["messages"].replace("}\n {", "} {")
try:
    ast.literal_eval(row["messages"]); raise SystemExit("the messages can be read")
except SyntaxError:
    pass
print("seen: 1,500 numbers ->", repr(row["ids"]), "| two tags ->", row["tags"], "= ['xy'] to Python | two messages -> no comma between")
PY
