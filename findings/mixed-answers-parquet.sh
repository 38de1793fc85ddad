#!/bin/sh
# One answer that is a number among texts, and DuckDB's Parquet file has "yes" with its quotes for pandas, as bytes for Polars, without quotes for datasets; where all are texts it is yes for all.
# Versions: duckdb 2.0.1, polars 2.1.0, pandas 3.1.1, pyarrow 26.0.1, datasets 5.2.0.
# Guess (written before the first run): a column that DuckDB takes for JSON is text in the Parquet file, and every reader has the same text.
# Seen: JSON lines with the answers "yes", "007", 7, "null", null; read_json, COPY to Parquet. pandas and pyarrow: '"yes"', '"007"', '7', '"null"'. Polars: the bytes
#   b'"yes"', and filter(answer == "yes") gives no row and no error. datasets: 'yes', '007', the number 7, 'null'. DuckDB itself: answer = 'yes' raises "Malformed JSON",
#   answer = '7' finds the number. COPY to CSV has the quotes in the cells, COPY to JSON is right. Without the 7 the type is VARCHAR, and all of them read yes.
# Cause: kinds that do not agree make the column JSON, a value of which is its JSON text; in Parquet that is bytes with a mark, and each reader does with the mark what it likes.
# Known: polars issue 27219 (open) asks for the mark of Arrow's own files, where it gives text; nothing was found for the quotes.
# Hurts: exact match, counts per label and joins by the answer are 0, for all rows of a shard, because of one row in it; of two shards of one set one has the quotes and the other has not.
#   Name the type (columns = {...: 'VARCHAR'}) or take answer ->> '$' before writing.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile duckdb==2.0.1 polars==2.1.0 pandas==3.1.1 pyarrow==26.0.1 datasets==5.2.0
cd "$t"
HF_HOME="$t/hf" HF_HUB_OFFLINE=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1 nice "$t/v/bin/python" - 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
import json, datasets, duckdb, pandas, polars, pyarrow.parquet as parquet

def write(name, answers, select="*"):
    with open(f"{name}.jsonl", "w") as f:
        for n, answer in enumerate(answers):
            f.write(json.dumps({"id": n, "answer": answer}) + "\n")
    for kind in ("parquet", "csv", "json"):
        duckdb.sql(f"COPY (SELECT {select} FROM '{name}.jsonl') TO '{name}.{kind}'")
    file = f"{name}.parquet"
    return {"pandas": [v if isinstance(v, str) else None for v in pandas.read_parquet(file)["answer"]],
            "pyarrow": parquet.read_table(file)["answer"].to_pylist(),
            "Polars": polars.read_parquet(file)["answer"].to_list(),
            "datasets": datasets.load_dataset("parquet", data_files=file, split="train")["answer"][:]}

texts, mixed = write("texts", ["yes", "007", "null", None]), write("mixed", ["yes", "007", 7, "null", None])
named = write("named", ["yes", "007", 7, "null", None], "id, answer ->> '$' AS answer")
for reader in mixed: print(f"{reader:9}", texts[reader], "with a number:", mixed[reader])
assert all(column == ["yes", "007", "null", None] for column in texts.values())
assert all(column == ["yes", "007", "7", "null", None] for column in named.values())
quoted = ['"yes"', '"007"', '7', '"null"', None]
assert mixed["pandas"] == mixed["pyarrow"] == quoted
assert mixed["Polars"] == [value and value.encode() for value in quoted]
assert mixed["datasets"] == ["yes", "007", 7, "null", None]
found = [polars.read_parquet(f"{name}.parquet").filter(polars.col("answer") == "yes").height for name in ("texts", "mixed")]
assert found == [1, 0], found
def ask(answer):
    try: return duckdb.sql(f"SELECT id FROM 'mixed.parquet' WHERE answer = '{answer}'").fetchall()
    except Exception as error: return str(error).split(":")[1].split(" at ")[0].strip()
print("DuckDB, answer = 'yes':", ask("yes"), "answer = '7':", ask("7"), "Polars, answer == \"yes\", rows of either file:", found)
assert ask("yes") == "Malformed JSON" and ask("7") == [(2,)]
assert open("texts.csv").read().split("\n")[1] == "0,yes" and open("mixed.csv").read().split("\n")[1] == '0,"""yes"""'
assert open("mixed.json").read().split("\n")[:3] == ['{"id":0,"answer":"yes"}', '{"id":1,"answer":"007"}', '{"id":2,"answer":7}']
print("seen: yes, beside one number, is", *(f"{mixed[reader][0]!r} in {reader}," for reader in mixed), "alone among texts it is yes in all four")
PY
