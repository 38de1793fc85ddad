#!/bin/sh
# A row's id that pandas 3 has as the index is a column of the Parquet file or not, depending on its values.
# Versions: pandas 3.1.1 with pyarrow 26.0.1; read by duckdb 2.0.1 and polars 2.1.0.
# Guess: set_index("id") and to_parquet write `id` as a column, as every other value is; only an index that was never
#   set, the numbering from 0, is left out.
# Seen: ids in equal steps (10, 11, 12; 5, 10, 15) become a RangeIndex by set_index and by read_csv(index_col=...), and the
#   file has no such column: two numbers in its metadata, which pandas alone reads. DuckDB and Polars see no `id`.
#   Of two parts of one dataset, written by the same line of code, the sorted one has no ids and the shuffled one has:
#   read together by name, half of the ids are NULL, and nothing is said.
# Hurts: answers are joined to questions by id; a part without ids joins nothing, or is refused, or is numbered anew.
#   Whoever reads such files has to look into the metadata "pandas"; whoever writes them says reset_index() first.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile pandas==3.1.1 pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0
cd "$t"
nice "$t/v/bin/python" - <<'PY'
import io, duckdb, pandas, polars
import pyarrow.parquet as parquet

def part(name, ids):
    frame = pandas.DataFrame({"id": ids, "question": [f"q{i}" for i in ids]}).set_index("id")
    frame.to_parquet(name)
    return type(frame.index).__name__, parquet.read_schema(name).names

sorted_part, stepped, shuffled = part("1.parquet", [10, 11, 12]), part("3.parquet", [5, 10, 15]), part("2.parquet", [15, 13, 14])
print(sorted_part, stepped, shuffled)
assert sorted_part == stepped == ("RangeIndex", ["question"])
assert shuffled == ("Index", ["question", "id"])
read = pandas.read_csv(io.StringIO("id,question\n10,a\n11,b\n"), index_col="id")
assert isinstance(read.index, pandas.RangeIndex)
assert list(pandas.read_parquet("1.parquet").index) == [10, 11, 12]
assert polars.read_parquet("1.parquet").columns == ["question"]
both = duckdb.sql("SELECT id, question FROM read_parquet(['2.parquet', '1.parquet'], union_by_name = true)").fetchall()
print(both)
assert both == [(15, "q15"), (13, "q13"), (14, "q14"), (None, "q10"), (None, "q11"), (None, "q12")]
print("seen: ids 10, 11, 12 as the index -> no column `id`; ids 15, 13, 14 -> a column; both read by DuckDB ->", [row[0] for row in both])
PY
