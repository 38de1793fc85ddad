"""Reads the outputs and the folder of a run with datasets, pandas, polars and DuckDB.

The service begins to say how many tokens were cached, and to name itself, only after many rows: more than
any of these looks at to learn what keys and kinds there are.
"""

import http.server
import json
import os
import pathlib
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
    server.shutdown()
    return folder / "dset_generator"


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


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        outputs = begin(folder)
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
        # The folder without its README: one kind of output at least, and nothing else that is there.
        (outputs / "README.md").unlink()
        check("datasets, the folder without its README", list(load(str(outputs))))


main()
