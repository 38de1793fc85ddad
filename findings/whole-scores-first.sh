#!/bin/sh
# Scores that are whole at first: a later 4.9 is 4 in Polars and 5 in DuckDB, without a word, where the text "n/a" in its place stops them.
# Versions: polars 2.1.0, duckdb 2.0.1, pyarrow 26.0.1.
# Guess: a number that does not fit the kind that was taken from the first rows widens the column or raises, as a text does; both are typed strictly, and
#   polars.DataFrame says strict=True of itself.
# Seen: 100 rows with the score 4, then 4.9: polars.DataFrame(rows), from_dicts and read_json give 4, also 4 for the text "4.9", and for 100 times true
#   then 5 it is false; the same numbers as a column, {"score": [...]}, raise TypeError, read_ndjson raises. DuckDB reads the 4.9 behind 30,000 whole
#   scores as 5 from JSON lines and from CSV. Of two Parquet files, one with whole scores and one with 2.5 and 4.9, it gives 2.5 and 4.9, or 2 and 5, depending
#   on which one is named first: of 2.5 the Parquet file makes 2, the CSV file makes 3.
# Known: polars issues 20325 and 23152, duckdb issues 25786 and 25824, all open; the advice there is to look at all rows (infer_schema_length=None, sample_size=-1, union_by_name).
# Hurts: judges give 4 and 5 for long, then 4.5; the filter "score > 4.5" and the mean depend on the order of rows and shards. Write 4.0, or the type into the file.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile polars==2.1.0 duckdb==2.0.1 pyarrow==26.0.1
cd "$t"
nice "$t/v/bin/python" - <<'PY'
import json, duckdb, polars, pyarrow, pyarrow.parquet as parquet

def attempt(make):
    try:
        return make()
    except Exception as error:
        return type(error).__name__

def last(make):
    return attempt(lambda: make().to_dicts()[-1]["score"])

def after(late, whole=4, count=100):
    return [{"score": whole}] * count + [{"score": late}]

def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()

few = {name: last(lambda: make(after(4.9))) for name, make in {
    "DataFrame": polars.DataFrame, "from_dicts": polars.from_dicts, "read_json": lambda rows: polars.read_json(json.dumps(rows).encode()),
    "as a column": lambda rows: polars.DataFrame({"score": [row["score"] for row in rows]}),
    "read_ndjson": lambda rows: polars.read_ndjson(lines(rows)), "all rows": lambda rows: polars.DataFrame(rows, infer_schema_length=None)}.items()}
texts = {repr(late): last(lambda: polars.DataFrame(after(late, whole), strict=True)) for whole, late in ((4, "4.9"), (True, 5), (4, [4.9]))}
print(few, texts, sep="\n")
assert few == {"DataFrame": 4, "from_dicts": 4, "read_json": 4, "as a column": "TypeError", "read_ndjson": "ComputeError", "all rows": 4.9}
assert texts["'4.9'"] == 4 and texts["5"] is False and isinstance(texts["[4.9]"], str)

def duck(source):
    return attempt(lambda: [score for score, in duckdb.sql(f"SELECT score FROM {source}").fetchall()])

for name, late in (("late", 4.9), ("half", 2.5), ("text", "n/a")):
    open(f"{name}.jsonl", "wb").write(lines(after(late, count=30_000)))
    open(f"{name}.csv", "w").write("score\n" + "4\n" * 30_000 + f"{late}\n")
behind = {file: found if isinstance(found := duck(f"'{file}'"), str) else found[-1] for file in ("late.jsonl", "late.csv", "half.csv", "text.jsonl", "text.csv")}
parquet.write_table(pyarrow.table({"score": [4, 5]}), "whole.parquet")
parquet.write_table(pyarrow.table({"score": [2.5, 4.9]}), "part.parquet")
order = [duck(f"read_parquet({files})") for files in (["whole.parquet", "part.parquet"], ["part.parquet", "whole.parquet"])]
print(behind, order, sep="\n")
assert behind == {"late.jsonl": 5, "late.csv": 5, "half.csv": 3, "text.jsonl": "InvalidInputException", "text.csv": "ConversionException"}, behind
assert order == [[4, 5, 2, 5], [2.5, 4.9, 4.0, 5.0]]
print("seen: 4.9 behind whole scores is", few["DataFrame"], "in polars.DataFrame,", behind["late.jsonl"], "in DuckDB; two Parquet files in one order and the other:", *order)
PY
