#!/bin/sh
# Dataset.to_json rounds every number to ten decimals, so small ones become 0.0.
# Versions: datasets 5.2.0 (with pandas 3.1.1, pyarrow 25.0.1).
# Guess: JSON Lines written from a dataset hold doubles that read back the same, as Parquet does.
# Seen: 1e-12 is written as 0.0, -1.2345678901234567e-07 as -0.0000001235, also inside an object. Parquet keeps them.
# Hurts: probabilities, price per token, tiny losses. A p-value of 1e-12 and a true zero are the same row afterwards. Money as a string or in millionths.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile datasets==5.2.0 pandas==3.1.1 pyarrow==25.0.1
cd "$t"
HF_HOME="$t/hf" HF_HUB_OFFLINE=1 nice "$t/v/bin/python" - <<'PY'
import json, datasets
datasets.disable_progress_bars()
row = {"p": 1e-12, "logprob": -1.2345678901234567e-07, "usd": 1.5e-07, "nested": {"p": 1e-12}}
d = datasets.Dataset.from_list([row])
d.to_json("out.jsonl"); text = open("out.jsonl").read().strip(); print(text)
d.to_parquet("out.parquet")
assert datasets.Dataset.from_parquet("out.parquet", cache_dir="c")[0] == row
assert text == '{"p":0.0,"logprob":-0.0000001235,"usd":0.00000015,"nested":{"p":0.0}}', text
assert json.loads(text)["p"] == 0 != row["p"]
print("seen: to_json writes 1e-12 as 0.0 and -1.2345678901234567e-07 as -0.0000001235; Parquet of the same rows reads back exactly")
PY
