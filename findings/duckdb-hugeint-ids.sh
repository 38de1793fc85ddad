#!/bin/sh
# DuckDB rounds 64-bit ids on their way from JSON lines to Parquet, and two rows come out with one id.
# Version: duckdb 2.0.0.
# Guess: a number above 2^63 is refused, or stays whole as UBIGINT or DECIMAL; a copy from one file to another changes no value.
# Seen: read_json makes a column with one id above 2^63 HUGEINT, in which every id is exact; COPY ... (FORMAT parquet) writes
#   that column as DOUBLE without a word, the small ids of the column too: 9007199254740993 and 9007199254740992 are one id after it.
# Hurts: ids that are 64-bit hashes, and seeds, no longer join with the file they came from. Ids belong in texts.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile duckdb==2.0.0
cat > "$t/ids.py" <<'PY'
import duckdb, json, sys
folder = sys.argv[1]
ids = [9007199254740993, 9007199254740992, 12345678901234567891]
with open(f"{folder}/in.jsonl", "w") as file:
    file.writelines(json.dumps({"id": id}) + "\n" for id in ids)
db = duckdb.connect()
read = db.execute(f"SELECT id, typeof(id) FROM read_json('{folder}/in.jsonl')").fetchall()
print("read", read)
assert read == [(id, "HUGEINT") for id in ids]
db.execute(f"COPY (FROM read_json('{folder}/in.jsonl')) TO '{folder}/out.parquet' (FORMAT parquet)")
back = db.execute(f"SELECT id, typeof(id) FROM '{folder}/out.parquet'").fetchall()
print("back", back)
assert {kind for _, kind in back} == {"DOUBLE"} and back[0][0] == back[1][0]
PY
nice "$t/v/bin/python" "$t/ids.py" "$t" 2>"$t/err" || { tail -5 "$t/err"; exit 1; }
echo "seen: exact ids as HUGEINT in memory, doubles in the Parquet file, two rows with one id"
