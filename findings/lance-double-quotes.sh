#!/bin/sh
# A column's name in double quotes is a text to Lance: delete('"status" != \'bad\'') deletes every row. lancedb, on the same folder, deletes the right ones.
# Versions: pylance 14.0.2, lancedb 0.40.0, pyarrow 26.0.1.
# Guess (of Lance, before the first run): "status" in double quotes is the column, as in SQL, and a name that is no column raises. Of lancedb, after an issue was read: it differs.
# Seen: three rows, status ok, bad, ok. In to_table, count_rows, delete and update of Lance '"status" != \'bad\'' holds for all three rows and '"status" = \'bad\'' for
#   none; so does "nope", which is no column. The rows are deleted, the count is given as a success. Dataset.sql() of the same object takes the same text as
#   SQL and gives rows 1 and 3; so do lancedb's where and delete. The other way round status = "bad" is right in Lance and "no field named bad" in the two
#   others, and where there is a column bad they compare with it, silently.
# Known: that lancedb reads them as SQL since 0.38.0 (lancedb issue 3825), that names with spaces want backticks; nothing was found about rows that are deleted.
# Hurts: a filter made by a library that quotes names, as DuckDB, Polars and PostgreSQL want it, empties the dataset or updates each row. Backticks or bare names are
#   right in Lance, single quotes for texts in all; count_rows with the same text before each delete.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile pylance==14.0.2 lancedb==0.40.0 pyarrow==26.0.1
cd "$t"
nice "$t/v/bin/python" - 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
import itertools, lance, lancedb, pyarrow
numbers = itertools.count()
def fresh():
    name = f"t{next(numbers)}"
    db = lancedb.connect("db")
    db.create_table(name, pyarrow.table({"id": [1, 2, 3], "status": ["ok", "bad", "ok"], "note": ["x", "x", "x"]}))
    return db.open_table(name), lance.dataset(f"db/{name}.lance")
def attempt(make):
    try: return make()
    except Exception as error: return "no such field" if "No field named" in str(error) else f"{type(error).__name__}: {error}"
def ids(table): return sorted(table["id"].to_pylist())
def lance_delete(where): data = fresh()[1]; data.delete(where); return ids(data.to_table())
def lance_update(where): data = fresh()[1]; data.update({"note": "'y'"}, where=where); return [row["id"] for row in data.to_table().to_pylist() if row["note"] == "y"]
def lance_sql(where): return sorted(i for batch in fresh()[1].sql(f"SELECT id FROM dataset WHERE {where}").build().to_batch_records() for i in batch["id"].to_pylist())
def lancedb_delete(where): table = fresh()[0]; table.delete(where); return ids(table.to_arrow())
ways = {"lance to_table": lambda where: ids(fresh()[1].to_table(filter=where)), "lance count_rows": lambda where: fresh()[1].count_rows(filter=where), "lance update": lance_update,
        "lance delete": lance_delete, "lance sql": lance_sql, "lancedb where": lambda where: ids(fresh()[0].search().where(where).to_arrow()), "lancedb delete": lancedb_delete}
texts = ["status != 'bad'", "`status` != 'bad'", "\"status\" != 'bad'", "\"status\" = 'bad'", "\"nope\" != 'bad'", 'status = "bad"']
got = {where: {name: attempt(lambda: way(where)) for name, way in ways.items()} for where in texts}
for where, found in got.items(): print(f"{where:20}", found)
def row(*values): return dict(zip(ways, values))
none = "no such field"
assert got[texts[0]] == row([1, 3], 2, [1, 3], [2], [1, 3], [1, 3], [2])
assert list(got[texts[1]].values())[:4] == [[1, 3], 2, [1, 3], [2]]
assert got[texts[2]] == row([1, 2, 3], 3, [1, 2, 3], [], [1, 3], [1, 3], [2])
assert got[texts[3]] == row([], 0, [], [1, 2, 3], [2], [2], [1, 3])
assert got[texts[4]] == row([1, 2, 3], 3, [1, 2, 3], [], none, none, none)
assert got[texts[5]] == row([2], 1, [2], [1, 3], none, none, none)
print("seen: after delete", texts[2], "the ids left are", got[texts[2]]["lance delete"], "in Lance and", got[texts[2]]["lancedb delete"], "in lancedb")
PY
