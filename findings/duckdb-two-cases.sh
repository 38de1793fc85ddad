#!/bin/sh
# A column name in double quotes does not name that column in DuckDB when another one differs from it only in case.
# Versions: duckdb 2.0.1, pyarrow 26.0.1.
# Guess: quoted names are exact in SQL, so "answer" and "Answer" are two columns.
# Seen: from a Parquet file with Answer = 'x' and answer = 'y', select "answer" gives 'x': the other column. The second one has been renamed answer_1.
#   Copied to Parquet again the file has the columns Answer and answer_1. Two keys of an object in JSON Lines that differ only in case
#   ("Content-Type" and "content-type" of kept headers) stop the whole file: "Duplicate name ... in struct auto-detected in JSON".
# Hurts: a dataset with the user's own column Answer beside the tool's answer: every query reads the wrong one.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile duckdb==2.0.1 pyarrow==26.0.1
cd "$t"
nice "$t/v/bin/python" - <<'PY'
import duckdb, pyarrow as pa, pyarrow.parquet as pq
pq.write_table(pa.table({"Answer": ["x"], "answer": ["y"]}), "c.parquet")
both = duckdb.sql("select \"Answer\", \"answer\" from 'c.parquet'").fetchall()
names = duckdb.sql("from 'c.parquet'").columns
duckdb.sql("copy (from 'c.parquet') to 'd.parquet'")
again = pq.read_schema("d.parquet").names
open("h.jsonl", "w").write('{"id":1,"headers":{"Content-Type":"a","content-type":"b"}}\n')
try:
    said = str(duckdb.sql("from 'h.jsonl'").fetchall())
except duckdb.Error as e:
    said = type(e).__name__ + ": " + str(e)
print(both, names, again, said, sep="\n")
assert both == [("x", "x")] and names == ["Answer", "answer_1"] == again
assert said.startswith("NotImplementedException") and 'Duplicate name "content-type" in struct' in said
assert pq.read_table("c.parquet").to_pylist() == [{"Answer": "x", "answer": "y"}]
print("seen: select \"Answer\", \"answer\" gives", both[0], "where the file has ('x', 'y'); columns become", names, "; headers that differ in case: NotImplementedException")
PY
