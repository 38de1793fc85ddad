"""dset → llama.cpp's server with a tiny model, over both of its wires and with a schema, in one piece and streamed."""

import contextlib
import json
import re
import sys
from pathlib import Path

from runs import (
    Run,
    check,
    check_wrong_key,
    count,
    free_port,
    fresh_folder,
    server,
    wait_until_ready,
    word_problems,
)

DSET, SERVER, MODEL = (Path(path).resolve() for path in sys.argv[1:4])
FOLDER = fresh_folder(Path(sys.argv[4]).resolve())
KEY = "a-key-of-nobody"
SLOTS = 4
# Name, path, stream.
WAYS = [
    ("chat", "/v1", "off"),
    ("chat-streamed", "/v1", "on"),
    ("messages", "/v1/messages", "off"),
    ("messages-streamed", "/v1/messages", "on"),
]
PROBLEMS = word_problems()
# All of it is sent.
SCHEMA = {
    "type": "object",
    "properties": {
        "label": {"enum": ["yes", "no", "perhaps"]},
        "count": {"type": "integer", "minimum": 1, "maximum": 20},
        "word": {"type": "string", "pattern": "^[a-z]{2,6}$"},
        "sure": {"type": "boolean"},
        "places": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"$ref": "#/$defs/place"}},
        "more": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/place"}]},
    },
    "required": ["label", "count", "word", "places"],
    "$defs": {
        "place": {"type": "object", "properties": {"x": {"type": "integer", "minimum": 0, "maximum": 9}}, "required": ["x"]}
    },
}


def fits(answer):
    """Says, without a library, whether an answer is one of the schema."""
    value = json.loads(answer)
    is_place = lambda place: set(place) == {"x"} and type(place["x"]) is int and 0 <= place["x"] <= 9
    return (
        {"label", "count", "word", "places"} <= set(value) <= set(SCHEMA["properties"])
        and value["label"] in ("yes", "no", "perhaps")
        and (type(value["count"]) is int and 1 <= value["count"] <= 20)
        and re.fullmatch("[a-z]{2,6}", value["word"])
        and (1 <= len(value["places"]) <= 3 and all(map(is_place, value["places"])))
        and (value.get("more") is None or is_place(value["more"]))
        and isinstance(value.get("sure", True), bool)
    )


def check_schema(name, stream, url):
    """Every answer fits at the first ask: the server holds to what it was sent."""
    folder = fresh_folder(FOLDER / name)
    (folder / "answer.json").write_text(json.dumps(SCHEMA))
    said = ["--base-url", f"{url}/v1", "-m", "tiny", "--stream", stream, "--max-tokens", "400", "--schema", "answer.json"]
    run = Run(DSET, folder, PROBLEMS, *said, key=KEY)
    events, answers = run.complete()
    asks = count(events, "ask")
    check(asks == len(PROBLEMS), f"{name}: {asks} asks for {len(PROBLEMS)} questions")
    check(all(fits(answer) for _, answer in answers.values()), f"{name}: an answer does not fit")
    print(f"{name}: {len(answers)} of {len(PROBLEMS)} answers fit, {asks} asks, {run.seconds:.1f} s; such as {json.loads(next(iter(answers.values()))[1])}")


def check_way(name, path, stream, url):
    folder = fresh_folder(FOLDER / name)
    # The longest answer fits into a slot's share of the context.
    said = ["--base-url", url + path, "-m", "tiny", "--stream", stream, "--max-tokens", "400"]
    run = Run(DSET, folder, PROBLEMS, *said, key=KEY)
    events, answers = run.complete()
    asks = count(events, "ask")
    # It closes a connection behind each stream without a word: an ask sent on one is lost.
    check(asks == len(PROBLEMS), f"{name}: {asks} asks for {len(PROBLEMS)} questions")
    texts = [answer for _, answer in answers.values()]
    words = sum(len(text.split()) for text in texts)
    # The model writes characters of several bytes, one byte a token.
    check(any("😀" in text for text in texts), f"{name}: nobody smiles")
    check(not any("\ufffd" in text for text in texts), f"{name}: a character is broken")
    used = [event["tokens"] for event in events if event["event"] == "answer"]
    check(all(tokens["output"] > 0 and tokens["input"] > 0 for tokens in used), f"{name}: tokens are not told")
    print(
        f"{name}: {len(answers)} of {len(PROBLEMS)} rows, {asks} asks, {words} words, "
        f"{run.seconds:.1f} s"
    )


port, log = free_port(), FOLDER / "server.log"
command = [SERVER, "-m", MODEL, "--host", "127.0.0.1", "--port", str(port), "--api-key", KEY]
# Of several threads, one that is not let run holds up the others at every token.
command += ["--parallel", str(SLOTS), "--threads", "1", "--threads-batch", "1"]
with contextlib.ExitStack() as stack:
    process = stack.enter_context(server(command, log))
    url = f"http://127.0.0.1:{port}"
    print(f"llama-server is ready after {wait_until_ready(f'{url}/health', process, log):.1f} s")
    for way in WAYS:
        check_way(*way, url)
    check_schema("schema", "off", url)
    check_schema("schema-streamed", "on", url)
    for name, path, _ in WAYS[::2]:
        folder = fresh_folder(FOLDER / f"{name}-wrong-key")
        check_wrong_key(DSET, folder, PROBLEMS, "--base-url", url + path, "-m", "tiny")
