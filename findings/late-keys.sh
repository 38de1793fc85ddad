#!/bin/sh
# A key that the first row lacks is dropped by datasets, and whether a stream keeps it depends on what another process did before.
# Versions: datasets 5.2.0 (with pandas 3.1.1, pyarrow 25.0.1).
# Guess (the half about streams: an assertion of this script's first version, which failed): rows in memory are all looked at, so columns are the union of the keys, None where missing (as pandas does); a stream
#   of a generator passes rows on as they are, in every run alike.
# Seen: from_list([{a:1}, {a:2, b:3}]) has no column b, no warning; from_generator likewise. map() that adds b only on the second row
#   drops it; that adds b only on the first row: KeyError 'b'. IterableDataset.from_generator of the same generator keeps b, until some
#   process has run Dataset.from_generator on it: after that the same streaming program drops b, too (it takes the columns from the cache folder).
# Hurts: optional fields (reasoning, error, tool calls) that the first answer lacks vanish from all rows; and a
#   check by streaming passes on one machine and not on the other. Every row needs every key from the first one on.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile datasets==5.2.0 pandas==3.1.1 pyarrow==25.0.1
cd "$t"
cat > late.py <<'PY'
import sys, datasets, pandas as pd
datasets.disable_progress_bars()
D, rows = datasets.Dataset, [{"a": 1}, {"a": 2, "b": 3}]
def gen():
    yield from rows
if sys.argv[1] == "stream":
    got = list(datasets.IterableDataset.from_generator(gen))
    print("streamed:", got)
    assert got == (rows if sys.argv[2] == "kept" else [{"a": 1}, {"a": 2}])
else:
    lst, g, base = D.from_list(rows).to_list(), D.from_generator(gen).to_list(), D.from_list([{"a": 1}, {"a": 2}])
    late = base.map(lambda r: {"b": 3} if r["a"] == 2 else {}).to_list()
    try:
        early = str(base.map(lambda r: {"b": 3} if r["a"] == 1 else {}).to_list())
    except KeyError as e:
        early = repr(e)
    print(lst, g, late, early, sep="\n")
    assert lst == g == late == [{"a": 1}, {"a": 2}] and early == "KeyError('b')"
    assert list(pd.DataFrame(rows).columns) == ["a", "b"]
PY
export HF_HOME="$t/hf" HF_HUB_OFFLINE=1
for step in "stream kept" "prepare" "stream dropped"; do nice "$t/v/bin/python" late.py $step 2>"$t/err"; done
echo "seen: a key that only row 2 has: from_list, from_generator and map drop it, only row 1: map ends with KeyError; the same streaming program keeps it before and drops it after another process ran Dataset.from_generator"
