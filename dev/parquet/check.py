"""Compares what dset-parquet reads with DuckDB, on files made anew, and reads what it writes with what people
read Parquet with.

    check.py PROGRAM FOLDER
"""

import datetime as dt
import json
import pathlib
import re
import shutil
import subprocess
import sys

import datasets
import duckdb
import fixtures
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq

datasets.disable_progress_bars()
ROWS, KNOWN = 25_000, 21_000
MOMENT = dt.datetime(2025, 11, 29, 1, 33, 20, tzinfo=dt.timezone.utc)
# What is read otherwise, by the crate's documentation: a column of a file, and how.
OWN_FOR_NO_NUMBER = {("pyarrow_numbers", "nan"), ("pyarrow_numbers", "nan32")}
TEXT_FOR_DIGITS = {("pyarrow_numbers", "d38"), ("pyarrow_numbers", "d38_whole"), ("pyarrow_numbers", "d76")}


def same(name, column, ours, theirs):
    """Compares by value and by type, in the order of keys: 1 is neither 1.0 nor true."""
    own = {"NaN": None, "Infinity": "inf", "-Infinity": "-inf"}
    if (name, column) in OWN_FOR_NO_NUMBER and theirs in own:
        return ours == own[theirs]
    if isinstance(ours, str) and isinstance(theirs, str) and "\\x" in theirs and ours != theirs:
        # Bytes that are UTF-8 are text; DuckDB writes what is no printing character as \xNN.
        raw = re.sub(rb"\\x([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), theirs.encode())
        return ours == raw.decode()
    if (name, column) in TEXT_FOR_DIGITS and isinstance(ours, str):
        return len(ours) > 16 and float(ours) == float(theirs)
    return json.dumps(ours) == json.dumps(theirs)


def reading(program, folder):
    fixtures.make(folder)
    cells = 0
    for parquet in sorted(folder.glob("*.parquet")):
        read = subprocess.run([program, "read", parquet], capture_output=True, text=True)
        if parquet.name.startswith("encrypted"):
            assert "Encrypted" in read.stderr, read.stderr
            continue
        assert read.returncode == 0, (parquet, read.stderr)
        if parquet.name.startswith("pandas"):
            continue
        theirs = [json.loads(line) for line in parquet.with_suffix(".jsonl").read_text().split("\n")[:-1]]
        ours = [json.loads(line) for line in read.stdout.split("\n")[:-1]]
        assert len(ours) == len(theirs), parquet
        for number, (our, their) in enumerate(zip(ours, theirs)):
            assert list(our) == list(their), (parquet, list(our), list(their))
            for column in their:
                cells += 1
                pair = (our[column], their[column])
                assert same(parquet.stem, column, *pair), (parquet.name, column, number, *pair)
    print(f"reading: {cells} cells as DuckDB {duckdb.__version__} has them")


def expected(row):
    text = "" if row % 5 == 0 else f"NA {row}"
    known = row >= KNOWN
    turns = [{"role": role, "content": text} for role in ("user", "assistant")]
    return {
        "text": text,
        "integer": row + 2**60 if known else None,
        "float": row / 4 if known else None,
        "truth": row % 2 == 0 if known else None,
        "time": MOMENT + dt.timedelta(milliseconds=row),
        "texts": [text, ""] if known else [],
        "messages": turns if known else [],
    }


def compare(reader, rows):
    rows = list(rows)
    assert len(rows) == ROWS, (reader, len(rows))
    for number, row in enumerate(rows):
        assert row == expected(number), (reader, number, row)
    print(f"writing: {ROWS} rows as {reader} reads them")


def plain(value):
    """A value of pandas as Python has it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return None if value is pandas.NaT or value is pandas.NA or value != value else value


def writing(program, folder):
    file = folder / "kinds.parquet"
    subprocess.run([program, "kinds", file], check=True)
    again = folder / "again.parquet"
    subprocess.run([program, "kinds", again], check=True)
    assert file.read_bytes() == again.read_bytes(), "the same rows gave other bytes"

    read = pq.read_table(file)
    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    types = [pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.timestamp("ms", "UTC"), pa.list_(pa.string()), pa.list_(message)]
    assert read.schema.types == types, read.schema
    metadata = pq.ParquetFile(file).metadata
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [20_000, 5_000]
    column = metadata.row_group(0).column(0)
    assert column.compression == "ZSTD" and column.has_offset_index and column.has_column_index and column.statistics
    compare("pyarrow " + pa.__version__, read.to_pylist())
    compare("polars " + polars.__version__, polars.read_parquet(file).iter_rows(named=True))
    compare("polars, lazily", polars.scan_parquet(file).collect().iter_rows(named=True))
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        compare("DuckDB " + duckdb.__version__, db.sql(f"FROM '{file}'").to_arrow_table().to_pylist())
    frame = pandas.read_parquet(file, dtype_backend="pyarrow")
    rows = frame.astype(object).to_dict("records")
    compare("pandas " + pandas.__version__, ({k: plain(v) for k, v in row.items()} for row in rows))
    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    loaded = datasets.load_dataset("parquet", data_files=str(file), cache_dir=str(cache), split="train")
    compare("datasets " + datasets.__version__, loaded)
    stream = datasets.load_dataset("parquet", data_files=[str(file)], streaming=True, split="train")
    compare("datasets, streaming", stream)


if __name__ == "__main__":
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    reading(program, folder / "types")
    (folder / "written").mkdir(exist_ok=True)
    writing(program, folder / "written")
