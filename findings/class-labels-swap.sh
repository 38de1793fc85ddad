#!/bin/sh
# load_dataset of two Parquet files that `datasets` wrote itself turns every "good" of the second one into "bad", if the files name their classes in another way.
# Version: datasets 5.2.0 (with pandas 3.1.1, pyarrow 25.0.1).
# Guess (written before the first run): classes are matched by name, or it raises; scores that are made classes keep the order of numbers.
# Seen: part 1 has bad and good, part 2 only good; class_encode_column on each writes ClassLabel(bad, good) and ClassLabel(good). load_dataset of both (as files, as a folder, as a
#   stream): bad, good, bad, bad; no error, no warning. In the other order: names are asked for and one raises "Invalid integer class label 1". concatenate_datasets refuses the
#   two because the features differ; b.cast(a.features), the way to make them the same, gives bad, bad. The names of the first file are put on the numbers of all.
#   class_encode_column("score") of 1..12, which train_test_split(stratify_by_column=) wants first, numbers by spelling: 1, 10, 11, 12, 2 become 0, 1, 2, 3, 4.
# Known: align_labels_with_mapping exists for labels of a model; nothing was found about files or cast.
# Hurts: labels made shard by shard, language by language, or a second delivery in which a class is lacking: all labels behind the lacking one are shifted, in training as
#   in evaluation. Scores that went through a stratified split are classes of another order. Keep labels as texts in files, or give the same ClassLabel(names=...) to each part.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile datasets==5.2.0 pandas==3.1.1 pyarrow==25.0.1
cd "$t"
HF_HUB_OFFLINE=1 HF_HOME="$t/hf" nice "$t/v/bin/python" - 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
import os
from datasets import Dataset, concatenate_datasets, disable_progress_bars, load_dataset
disable_progress_bars()
def part(labels): return Dataset.from_dict({"label": labels}).class_encode_column("label")
def named(d): return [d.features["label"].int2str(i) for i in d["label"]]
a, b = part(["bad", "good"]), part(["good", "good"])
assert named(a) + named(b) == ["bad", "good", "good", "good"]
os.mkdir("d"); files = ["d/train-00000.parquet", "d/train-00001.parquet"]
a.to_parquet(files[0]); b.to_parquet(files[1])
assert named(Dataset.from_parquet(files[1])) == ["good", "good"]
got = {"files": load_dataset("parquet", data_files=files, split="train"), "folder": load_dataset("d", split="train"), "from_parquet": Dataset.from_parquet(files)}
got = {k: named(d) for k, d in got.items()}
s = load_dataset("d", split="train", streaming=True)
got["stream"] = [s.features["label"].int2str(r["label"]) for r in s]
for k in got: print(k, got[k])
assert all(v == ["bad", "good", "bad", "bad"] for v in got.values()), got
try:
    concatenate_datasets([a, b]); raise SystemExit("they are joined now")
except ValueError as e: print("concatenate_datasets:", str(e)[:60])
cast = b.cast(a.features); print("cast", named(cast)); assert named(cast) == ["bad", "bad"]
back = load_dataset("parquet", data_files=files[::-1], split="train")
try:
    named(back); raise SystemExit("the other order works now")
except ValueError as e: print("other order:", e)
score = Dataset.from_dict({"score": list(range(1, 13))})
try:
    score.train_test_split(0.5, stratify_by_column="score"); raise SystemExit("numbers are taken now")
except ValueError as e: print("split:", e)
ids = dict(zip(score["score"], score.class_encode_column("score")["score"])); print("scores", ids)
assert [ids[n] for n in (1, 10, 11, 12, 2, 9)] == [0, 1, 2, 3, 4, 11]
print("seen: bad good + good good is read as bad good bad bad; cast says bad bad; of the scores 1..12 ten is class 1 and two is class 4")
PY
