#!/bin/sh
# DuckDB writes NaN and Infinity as bare words into .json files, which are then not JSON.
# Versions: duckdb 2.0.1, polars 2.1.0; Node.js 20's JSON.parse.
# Guess: null (as Polars writes it), a string, or an error; never text that JSON does not have.
# Seen: COPY ... TO 'o.json' gives {"i":2,"score":NaN,...,"best":Infinity}. DuckDB reads it back; Polars refuses the whole file
#   at that place, and so does JSON.parse. A decimal 1.10 is written as 1.1.
# Known: duckdb issue 17329, open since 2025.
# Hurts: averages over empty groups are NaN in DuckDB; one such row makes the exported file unreadable for strict readers, every Rust and JavaScript one among them.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile duckdb==2.0.1 polars==2.1.0
cd "$t"
nice "$t/v/bin/python" - <<'PY'
import subprocess, duckdb, polars as pl
duckdb.sql("""copy (select * from (values (1, 0.5::double, 1.10::decimal(4,2), 1.0::double), (2, 'nan'::double, 2.50::decimal(4,2), 'inf'::double))
              t(i, score, usd, best)) to 'o.json'""")
text = open("o.json").read(); print(text)
assert text.split("\n")[:2] == ['{"i":1,"score":0.5,"usd":1.1,"best":1.0}', '{"i":2,"score":NaN,"usd":2.5,"best":Infinity}']
assert len(duckdb.sql("from 'o.json'").fetchall()) == 2
try:
    pl.read_ndjson("o.json"); raise SystemExit("Polars reads it now")
except pl.exceptions.ComputeError as e:
    said = str(e).split("\n")[0]
node = subprocess.run(["node", "-e", "for (const l of require('fs').readFileSync('o.json','utf8').trim().split('\\n')) JSON.parse(l)"], capture_output=True, text=True)
js = [l for l in node.stderr.split("\n") if l.startswith("SyntaxError")][0]
print(said, js, sep="\n")
assert node.returncode == 1
assert pl.DataFrame({"s": [float("nan")]}).write_ndjson() == '{"s":null}\n'
print('seen: COPY TO JSON writes "score":NaN and "best":Infinity; Polars:', said, "| JSON.parse:", js, "| Polars writes null")
PY
