"""Reads the outputs and the folder of a run with datasets, pandas, polars and DuckDB.

The service begins to say how many tokens were cached, and to name itself, only after many rows: more than
any of these looks at to learn what keys and kinds there are.
"""

import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

import datasets
import duckdb
import pandas
import polars

datasets.disable_progress_bars()
ROWS, LATE, ANSWER = 1_200, 900, "x" * 20_000


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked = 0

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        Service.asked += 1
        late = Service.asked > LATE
        usage = {"prompt_tokens": 5, "completion_tokens": 7}
        message = {"content": ANSWER}
        reply = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}
        if late:
            usage["prompt_tokens_details"] = {"cached_tokens": 3}
            message["reasoning_content"] = "thought of " + body["messages"][-1]["content"]
            reply |= {"model": "m-late", "id": "late", "system_fingerprint": "fp_late"}
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def begin(folder):
    """A run into `folder`, and a second one, so that earlier outputs are there too."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = "".join(f"Question {n}?\n" for n in range(ROWS))
    (folder / "q.csv").write_text("question\n" + rows)
    home = folder / "home"
    home.mkdir()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    run = [sys.argv[1], "run", "-q", "--base-url", url, "-m", "m", "--key", "none", "-c", "8"]
    run += ["--stream", "off", "--share-pace", "off"]
    environment = os.environ | {"HOME": str(home)}
    subprocess.run(run + ["-n", "3"], cwd=folder, env=environment, check=True)
    Service.asked = 0
    subprocess.run(run + ["--again"], cwd=folder, env=environment, check=True)
    # The folder as it is by default, for what reads all of it; output.jsonl is made from the same store.
    shutil.copytree(folder / "dset_generator", folder / "default")
    formats = ["--formats", "csv,json,txt,jsonl"]
    subprocess.run(run + formats, cwd=folder, env=environment, check=True)
    assert Service.asked == ROWS, Service.asked
    server.shutdown()
    return folder / "default", folder / "dset_generator"


def check(name, rows):
    """Checks what every reader must give: all rows, in order, each value as it was written."""
    assert len(rows) == ROWS, (name, len(rows))
    late = 0
    for number, row in enumerate(rows):
        metadata, response = row["metadata"], row["response"]
        assert metadata["question"] == f"Question {number}?", (name, metadata)
        assert metadata["row"] == number + 2, (name, metadata)
        assert (metadata["input_tokens"], metadata["output_tokens"]) == (5, 7), (name, metadata)
        assert isinstance(metadata["seconds"], float), (name, metadata)
        assert response["answer"] == ANSWER, (name, number)
        is_late = metadata["cached_tokens"] == 3
        late += is_late
        assert metadata["cached_tokens"] == (3 if is_late else 0), (name, metadata)
        assert metadata["system_fingerprint"] == ("fp_late" if is_late else ""), (name, metadata)
        assert bool(response["reasoning"]) == is_late, (name, number)
    assert late == ROWS - LATE, (name, late)
    print(f"ok  {name}")


TEXTS = ["id", "question", "reasoning", "answer", "parsed", "parsed_from", "model", "finish_reason", "request_id", "time"]
COUNTS = ["row", "sample", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"]
KEYS = ["id", "row", "question", "reasoning", "answer", "parsed", "parsed_from", "model", "sample", "finish_reason", "input_tokens"]
KEYS += ["cached_tokens", "output_tokens", "reasoning_tokens", "seconds", "request_id", "time"]


def check_flat(name, rows, is_time_parsed=False):
    """Checks that a reader gives every row of output.jsonl with the keys, types and values it was written with."""
    assert len(rows) == ROWS, (name, len(rows))
    late = 0
    for number, row in enumerate(rows):
        assert list(row) == KEYS, (name, list(row))
        assert all(type(row[key]) is int for key in COUNTS), (name, row)
        assert type(row["seconds"]) is float, (name, row)
        texts = [key for key in TEXTS if key != "time"] if is_time_parsed else TEXTS
        assert all(type(row[key]) is str for key in texts), (name, {key: type(row[key]) for key in texts})
        assert (row["id"], row["row"], row["sample"]) == ("", number + 2, 0), (name, row)
        assert (row["question"], row["answer"]) == (f"Question {number}?", ANSWER), (name, number)
        assert (row["input_tokens"], row["output_tokens"]) == (5, 7), (name, number)
        time = row["time"] if not is_time_parsed else row["time"].isoformat()
        assert time[4] == "-" and time[10] == "T" and (is_time_parsed or time.endswith("Z")), (name, time)
        is_late = row["cached_tokens"] == 3
        late += is_late
        assert row["request_id"] == ("late" if is_late else ""), (name, number)
        assert bool(row["reasoning"]) == is_late, (name, number)
    assert late == ROWS - LATE, (name, late)
    print(f"ok  {name}")


def check_jsonl(outputs, load):
    output = str(outputs / "output.jsonl")
    check_flat("datasets, the folder with output.jsonl", list(load(str(outputs))))
    check_flat("datasets, output.jsonl", list(load("json", data_files=output)))
    check_flat("datasets, output.jsonl streamed", list(load(str(outputs), streaming=True)))
    pandas_rows = pandas.read_json(output, lines=True).to_dict("records")
    check_flat("pandas, output.jsonl", pandas_rows)
    check_flat("polars, output.jsonl", polars.read_ndjson(output).to_dicts())
    check_flat("polars, output.jsonl lazily", polars.scan_ndjson(output).collect().to_dicts())
    # DuckDB makes a time with a zone of it, which its Python client gives out only where pytz is installed.
    found = duckdb.sql(f"SELECT * REPLACE (time AT TIME ZONE 'UTC' AS time) FROM '{output}'")
    rows = [dict(zip(found.columns, row)) for row in found.fetchall()]
    check_flat("DuckDB, output.jsonl", rows, is_time_parsed=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        outputs, with_jsonl = begin(folder)
        cache = str(folder / "cache")
        assert (outputs / ".earlier").is_dir()

        def load(*args, **kwargs):
            return datasets.load_dataset(*args, split="train", cache_dir=cache, **kwargs)

        output = str(outputs / "output.json")
        check("datasets, the folder", list(load(str(outputs))))
        check("datasets, output.json", list(load("json", data_files=output)))
        check("datasets, streamed", list(load(str(outputs), streaming=True)))
        check("pandas", pandas.read_json(output, lines=True).to_dict("records"))
        check("polars", polars.read_ndjson(output).to_dicts())
        check("polars, lazily", polars.scan_ndjson(output).collect().to_dicts())
        found = duckdb.sql(f"SELECT metadata, response FROM read_json('{output}')").fetchall()
        check("DuckDB", [{"metadata": metadata, "response": response} for metadata, response in found])
        check_jsonl(with_jsonl, load)
        # The folder without its README: one kind of output at least, and nothing else that is there.
        (outputs / "README.md").unlink()
        check("datasets, the folder without its README", list(load(str(outputs))))


main()
