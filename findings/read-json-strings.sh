#!/bin/sh
# pandas.read_json turns quoted JSON strings into numbers, column by column.
# Versions: pandas 3.1.1; duckdb 2.0.1 beside it.
# Guess: the quotes settle the type in JSON; "007" stays text (a CSV reader guesses types, a JSON reader has no need to).
# Seen: "007" and "010" become the integers 7 and 10, "1e5" and "2" become 100000.0 and 2.0, "1_0" and "2" become 10 and 2. One value
#   that is no number ("n/a") and the whole column is text again, so a single row changes the type of all the others.
#   DuckDB keeps "007" as text.
# Hurts: short answers, ids, codes and letters-or-digits choices: an exact-match score against "007" is 0 for all rows. dtype=False keeps them.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile pandas==3.1.1 duckdb==2.0.1
cd "$t"
nice "$t/v/bin/python" - <<'PY'
import duckdb, pandas as pd
open("a.jsonl", "w").write('{"code":"007","answer":"1e5","key":"1_0","mixed":"007"}\n{"code":"010","answer":"2","key":"2","mixed":"n/a"}\n')
a = pd.read_json("a.jsonl", lines=True).to_dict("list")
print(a)
assert a == {"code": [7, 10], "answer": [100000.0, 2.0], "key": [10, 2], "mixed": ["007", "n/a"]}
assert pd.read_json("a.jsonl", lines=True, dtype=False)["code"].to_list() == ["007", "010"]
assert duckdb.sql("select code from 'a.jsonl'").fetchall() == [("007",), ("010",)]
print("seen: pandas reads the JSON strings \"007\", \"1e5\", \"1_0\" as 7, 100000.0, 10; with one \"n/a\" in the column they stay text; DuckDB keeps text")
PY
