"""Writes and reads rows of 1.6 kB with dset-parquet and with DuckDB, one after the other: seconds, seconds of
CPU, the most memory, bytes.

    measure.py PROGRAM FOLDER [ROWS]
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

DUCKDB = "import duckdb, sys; db = duckdb.connect(); db.execute(sys.argv[1])"
ROUNDS = int(os.environ.get("ROUNDS", "3"))


def run(name, command, size=None):
    """Runs a command ROUNDS times and prints medians."""
    figures = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0, command
        figures.append((time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
    seconds, cpu, memory = (statistics.median(column) for column in zip(*figures))
    bytes_ = f", {size.stat().st_size:,} bytes" if size else ""
    print(f"{name}: {seconds:.1f} s, {cpu:.1f} s of CPU, {memory:.0f} MiB{bytes_}", flush=True)


def main(program, folder, rows="1000000"):
    folder.mkdir(parents=True, exist_ok=True)
    lines, ours, theirs = folder / "x.jsonl", folder / "ours.parquet", folder / "theirs.parquet"
    with lines.open("wb") as file:
        subprocess.run([program, "lines", rows], check=True, stdout=file)
    print(f"{rows} rows, {lines.stat().st_size / int(rows):.0f} bytes each as JSON", flush=True)
    run("making the rows alone", [program, "lines", rows])
    run("dset-parquet writes, rows made", [program, "write", ours, rows], ours)
    for threads in (1, 2):
        copy = (f"SET threads = {threads}; COPY (SELECT * FROM read_json('{lines}')) TO '{theirs}' "
                "(FORMAT parquet, COMPRESSION zstd)")
        run(f"DuckDB writes, {threads} threads", [sys.executable, "-c", DUCKDB, copy], theirs)
    for file in (ours, theirs):
        run(f"dset-parquet reads {file.name}", [program, "count", file])
        for threads in (1, 2):
            fold = f"SET threads = {threads}; SELECT sum(length(to_json(t)::VARCHAR)) FROM '{file}' t"
            run(f"DuckDB reads {file.name} as JSON, {threads} threads", [sys.executable, "-c", DUCKDB, fold])


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]), *sys.argv[3:])
