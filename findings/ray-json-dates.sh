#!/bin/sh
# Ray Data makes numbers of texts that happen to be dates, if all texts of a file are: read_json and write_json are no round trip.
# Versions: ray 2.60.0 (with pandas 3.1.1, pyarrow 25.0.1).
# Guess: a JSON string is a string again after read_json and write_json; at most a number may change its notation.
# Seen: of two files of answers read alone, one where every answer is an ISO date comes back as milliseconds since 1970
#   ("2024-01-05" -> 1704412800000), one where one answer is a word comes back as it was.
# Hurts: answers to "when was ...?" are texts or numbers, depending on what else is in their shard; what was bought as text is gone.
#   A shard for Ray needs its types in the file (Parquet), not in the texts.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile "ray[data]==2.60.0" pandas==3.1.1 pyarrow==25.0.1
cat > "$t/dates.py" <<'PY'
import glob, json, logging, sys
import ray
folder = sys.argv[1]
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
ray.data.DataContext.get_current().enable_progress_bars = False
def round_trip(name, rows):
    with open(f"{folder}/{name}.jsonl", "w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    ray.data.read_json(f"{folder}/{name}.jsonl").write_json(f"{folder}/{name}")
    parts = sorted(glob.glob(f"{folder}/{name}/*"))
    back = [json.loads(line) for part in parts for line in open(part)]
    print(name, rows, "->", back)
    return sorted(back, key=lambda row: row["id"])
dates = [{"id": 1, "answer": "2024-01-05"}, {"id": 2, "answer": "1969-07-20"}]
assert [row["answer"] for row in round_trip("dates", dates)] == [1704412800000, -14256000000]
mixed = [{"id": 1, "answer": "2024-01-05"}, {"id": 2, "answer": "unknown"}]
assert round_trip("mixed", mixed) == mixed
PY
nice "$t/v/bin/python" "$t/dates.py" "$t" 2>"$t/err" || { tail -5 "$t/err"; exit 1; }
echo "seen: a file of dates comes back as milliseconds, a file with one word among them as texts"
