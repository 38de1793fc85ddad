#!/bin/sh
# fastparquet reads a chat column as None in every row, without a word.
# Versions: fastparquet 2026.9.0, pandas 3.1.1, pyarrow 26.0.1.
# Guess: a reader that cannot do lists of structs says so, or gives lists of dicts.
# Seen: a Parquet file with id (string), tags (list of strings) and messages (list of role/content structs): pandas with engine="fastparquet"
#   gives the ids, the tags, and None for each of the three chats; no warning. Lists of lists: None as well. The pyarrow engine gives the chats.
#   A decimal(20,2) amount of 1234567890.12 comes out as the double 1234567890.1200001, not the nearest one.
# Known: its documentation says one level of nesting, issue 917 has the lists of lists; no warning at run time.
# Hurts: whoever has only fastparquet installed trains on nothing, or drops "empty" rows: all of them.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1
cd "$t"
nice "$t/v/bin/python" - <<'PY'
import decimal, warnings, pandas as pd, pyarrow as pa, pyarrow.parquet as pq
chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
pq.write_table(pa.table({"id": ["r1", "r2", "r3"], "tags": [["x"], ["y", "z"], []], "messages": [chat, chat[:1], chat], "grid": [[[1], [2]], [[3]], [[4]]],
    "usd": pa.array([decimal.Decimal("1234567890.12")] * 3, pa.decimal128(20, 2))}), "c.parquet")
with warnings.catch_warnings(record=True) as w:
    warnings.simplefilter("always")
    a = pd.read_parquet("c.parquet", engine="fastparquet", columns=["id", "tags", "messages", "grid", "usd"])
said = [str(x.message) for x in w if "messages" in str(x.message) or "nested" in str(x.message)]
b = pd.read_parquet("c.parquet", engine="pyarrow")
print(a.to_string(), said)
assert a["id"].to_list() == ["r1", "r2", "r3"] and a["tags"].to_list() == [["x"], ["y", "z"], []] and not said
assert a["messages"].to_list() == [None] * 3 and a["grid"].to_list() == [None] * 3
assert list(b["messages"][0]) == chat
assert float(a["usd"][0]) == 1234567890.1200001 != 1234567890.12
print("seen: fastparquet gives ids and tags, and None for each of three chats, no warning; pyarrow gives the chats; decimal 1234567890.12 -> 1234567890.1200001")
PY
