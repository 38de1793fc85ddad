"""Reads datasets in every layout and container with datasets, pandas, polars, DuckDB and pyarrow, and
compares every value with what was asked and answered.

Answers look like dates, numbers and missing values, which readers like to take for such.
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
import pyarrow.parquet

datasets.disable_progress_bars()
ROWS = 60
ANSWERS = ["2024-03-15", "NA", "007", "null", "true", 'a, "quoted"\nline', "1e5"]
SYSTEM = "Be brief."


def answer(number, sample):
    return ANSWERS[(number + sample) % len(ANSWERS)]


def thought(number):
    """Some answers have none, the first of them too."""
    return "" if number % 3 == 0 else f"thought {number}"


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = {}

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number = int(body["messages"][-1]["content"].split()[1].rstrip("?"))
        sample = Service.seen.get(number, 0)
        Service.seen[number] = sample + 1
        message = {"content": answer(number, sample), "reasoning_content": thought(number)}
        usage = {"prompt_tokens": 5, "completion_tokens": 7}
        reply = {"id": f"req_{number}_{sample}", "model": "m", "usage": usage}
        reply["choices"] = [{"index": 0, "message": message, "finish_reason": "stop"}]
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def begin(folder):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    rows = "".join(f"Question {n}?,00{n}\n" for n in range(ROWS))
    (folder / "q.csv").write_text("question,code\n" + rows)
    (folder / "home").mkdir()
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    run = ["run", "-q", "--base-url", url, "-m", "m", "--key", "none", "-c", "1", "-s", SYSTEM]
    run += ["--stream", "off", "--share-pace", "off", "--samples", "2"]
    dset(folder, *run)
    server.shutdown()


def dset(folder, *arguments):
    environment = os.environ | {"HOME": str(folder / "home")}
    subprocess.run([sys.argv[1], *arguments], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)


def message(role, content, reasoning=""):
    return {"role": role, "content": content, "reasoning_content": reasoning}


def asked(number):
    return [message("system", SYSTEM), message("user", f"Question {number}?")]


def thinking(number, text):
    return f"<think>\n{thought(number)}\n</think>\n\n{text}" if thought(number) else text


def marked(number, text):
    before = f"<|begin_of_thought|>\n\n{thought(number)}\n\n<|end_of_thought|>\n\n"
    return (
        f"{before if thought(number) else ''}"
        f"<|begin_of_solution|>\n\n{text}\n\n<|end_of_solution|>"
    )


def of_answer(layout, number, sample):
    """What a row must have, of a layout with a row for every answer."""
    text, question = answer(number, sample), f"Question {number}?"
    if layout == "rows":
        return {
            "question": question, "code": f"00{number}", "row": number + 2, "reasoning": thought(number),
            "answer": text, "model": "m", "sample": sample, "finish_reason": "stop", "input_tokens": 5,
            "output_tokens": 7, "request_id": f"req_{number}_{sample}",
        }
    if layout == "chat":
        return {"messages": asked(number) + [message("assistant", text, thought(number))]}
    if layout == "prompt-completion":
        return {"prompt": f"{SYSTEM}\n\n{question}", "completion": thinking(number, text)}
    if layout == "alpaca":
        return {"instruction": question, "input": "", "output": thinking(number, text), "system": SYSTEM}
    if layout == "sharegpt":
        turns = [("human", question), ("gpt", thinking(number, text))]
        return {"conversations": [{"from": side, "value": value} for side, value in turns], "system": SYSTEM}
    if layout == "thoughts":
        turns = [("user", question), ("assistant", marked(number, text))]
        return {"conversations": [{"from": side, "value": value} for side, value in turns], "system": SYSTEM}
    if layout == "s1k":
        return {"question": question, "thinking_trajectories": [thought(number)], "attempt": text}
    assert layout == "kto", layout
    completion = [message("assistant", text, thought(number))]
    return {"prompt": asked(number), "completion": completion, "label": sample > 0}


def of_question(layout, number):
    texts = [answer(number, sample) for sample in range(2)]
    if layout == "preference":
        chosen, rejected = ([message("assistant", text, thought(number))] for text in reversed(texts))
        scores = {"score_chosen": 1.0, "score_rejected": 0.0}
        return {"prompt": asked(number), "chosen": chosen, "rejected": rejected} | scores
    assert layout == "open-r1", layout
    generations = [thinking(number, text) for text in texts]
    return {"generations": generations, "finish_reasons": ["stop"] * 2, "code": f"00{number}"}


def expected(layout):
    if layout in ["preference", "open-r1"]:
        return [of_question(layout, number) for number in range(ROWS)]
    return [of_answer(layout, number, sample) for number in range(ROWS) for sample in range(2)]


LAYOUTS = ["rows", "chat", "prompt-completion", "alpaca", "sharegpt", "thoughts", "s1k", "kto", "preference", "open-r1"]


def plain(value):
    """What the libraries call lists and structs, as Python does."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return [plain(part) for part in value]
    return {key: plain(part) for key, part in value.items()} if isinstance(value, dict) else value


def check(name, rows, wanted, is_text=False):
    assert len(rows) == len(wanted), (name, len(rows), len(wanted))
    keys = list(rows[0])
    for row, values in zip(rows, wanted):
        assert list(row) == keys, (name, list(row))
        for key, value in values.items():
            found = plain(row[key])
            if is_text and not isinstance(value, str):
                found = json.loads(found)
            assert found == value and (is_text or type(found) is type(value)), (name, key, found, value)


def readers(path, load):
    """Every reader of a file, with its rows."""
    name, ending = str(path), path.name.split(".", 1)[1] if path.is_file() else "folder"
    if ending == "folder":
        yield "datasets", list(load(name))
        yield "datasets, streamed", list(load(name, streaming=True))
    elif ending == "parquet":
        yield "datasets", list(load("parquet", data_files=name))
        yield "pandas", pandas.read_parquet(name).to_dict("records")
        yield "polars", polars.read_parquet(name).to_dicts()
        yield "pyarrow", pyarrow.parquet.read_table(name).to_pylist()
        found = duckdb.sql(f"SELECT * EXCLUDE (time) FROM '{name}'") if "rows" in name else duckdb.sql(f"FROM '{name}'")
        yield "DuckDB", [dict(zip(found.columns, row)) for row in found.fetchall()]
    elif ending.startswith("jsonl"):
        yield "datasets", list(load("json", data_files=name))
        yield "pandas", pandas.read_json(name, lines=True, dtype=False).to_dict("records")
        if not ending.endswith("z"):
            yield "polars", polars.read_ndjson(name, infer_schema_length=None).to_dicts()
    elif ending == "json":
        yield "Python", json.loads(path.read_text())
        yield "datasets", list(load("json", data_files=name))
    else:
        yield "pandas", pandas.read_csv(name, dtype=str, keep_default_na=False).to_dict("records")
        yield "polars", polars.read_csv(name, infer_schema=False).fill_null("").to_dicts()
        found = duckdb.sql(f"FROM read_csv('{name}', all_varchar = true, header = true, nullstr = '\\0')")
        yield "DuckDB", [dict(zip(found.columns, row)) for row in found.fetchall()]


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        begin(folder)

        def load(*args, **kwargs):
            return datasets.load_dataset(*args, split="train", cache_dir=str(folder / "cache"), **kwargs)

        for layout in LAYOUTS:
            rank = ["--rank", "sample"] if layout in ["preference", "kto"] else []
            wanted = expected(layout)
            for ending in [".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".csv", ".parquet", ""]:
                path = folder / (layout + ending)
                dset(folder, "export", "--to", path.name, "--layout", layout, *rank)
                for reader, rows in readers(path, load):
                    check(f"{layout}{ending}: {reader}", rows, wanted, is_text=ending == ".csv")
                    print(f"ok  {layout}{ending or '/'}: {reader}")


main()
