#!/bin/sh
# Ray Data's map_batches with a function that returns the batch as it is makes Python pickles of a chat column, in the Parquet file too.
# Versions: ray 2.60.0, pyarrow 25.0.1, pandas 3.1.1; read by duckdb 2.0.1 and polars 2.1.0.
# Guess (first: lists stay lists; then, before this script): read_parquet, map_batches(lambda b: b), write_parquet changes no value and no type: messages stay a list of structs,
#   an empty score stays empty.
# Seen: messages (list of role/content structs) and tags (list of strings) are bytes in the file, each a pickled numpy array that begins with 80 05; so give them DuckDB,
#   Polars, and pyarrow where Ray isn't loaded. Integers with a null are doubles with NaN. The run ends well: one line in the log of the first worker names the
#   first such column, the others aren't named. map, and map_batches with batch_format="pandas" or "pyarrow", keep all of it as it was; so is a list inside of a struct.
# Cause: a batch is a dict of numpy arrays unless asked for otherwise, an array of lists of dicts or strings finds no way back to Arrow, and what finds none is pickled.
# Hurts: who adds a column by map_batches publishes a file whose chats only Python with Ray can read, and rows without a score that a filter takes for numbers. Say
#   batch_format="pyarrow"; DataContext.enable_fallback_to_arrow_object_ext_type = False makes it an error.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile "ray[data]==2.60.0" pandas==3.1.1 pyarrow==25.0.1 duckdb==2.0.1 polars==2.1.0
cat > "$t/write.py" <<'PY'
import logging, sys, pyarrow, pyarrow.parquet, ray
folder = sys.argv[1]
chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
pyarrow.parquet.write_table(pyarrow.table({"id": [1, 2, 3], "score": [4, None, 5], "tags": [["x"], ["y", "z"], None], "messages": [chat, chat + chat, chat[:1]]}), f"{folder}/in.parquet")
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
ray.data.DataContext.get_current().enable_progress_bars = False
same = lambda value: value
source = ray.data.read_parquet(f"{folder}/in.parquet").materialize()
for name, change in {"map": lambda d: d.map(same), "map_batches": lambda d: d.map_batches(same),
                     "pandas": lambda d: d.map_batches(same, batch_format="pandas"), "pyarrow": lambda d: d.map_batches(same, batch_format="pyarrow")}.items():
    change(source).write_parquet(f"{folder}/{name}")
PY
cat > "$t/read.py" <<'PY'
import glob, math, sys, duckdb, polars, pyarrow.parquet
folder = sys.argv[1]
def read(name):
    path, = glob.glob(f"{folder}/{name}/*.parquet")
    rows = sorted(pyarrow.parquet.read_table(path).to_pylist(), key=lambda row: row["id"])
    return path, {key: [row[key] for row in rows] for key in rows[0]}
source = pyarrow.parquet.read_table(f"{folder}/in.parquet").to_pydict()
for name in ("map", "pandas", "pyarrow", "map_batches"):
    path, got = read(name); print(name, {key: str(values[0])[:60] for key, values in got.items()}, got["score"])
    if name != "map_batches": assert got == source, name
assert all(isinstance(value, bytes) and value[:2] == b"\x80\x05" and b"numpy" in value and b"role" in value for value in got["messages"])
assert got["score"][::2] == [4, 5] and math.isnan(got["score"][1]) and isinstance(got["tags"][0], bytes)
in_duckdb = duckdb.sql(f"SELECT messages FROM '{path}'").fetchall()[0][0]
in_polars = polars.read_parquet(path)["messages"].ext.storage()[0]
assert in_duckdb[:2] == in_polars[:2] == b"\x80\x05", (in_duckdb, in_polars)
print("seen: messages", source["messages"][0], "come out of map_batches(lambda b: b) as", got["messages"][0][:12], "...")
PY
nice "$t/v/bin/python" "$t/write.py" "$t" >"$t/out" 2>"$t/err" || { tail -5 "$t/err"; exit 1; }
nice "$t/v/bin/python" "$t/read.py" "$t"
