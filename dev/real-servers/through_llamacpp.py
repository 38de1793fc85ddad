"""dset → llama.cpp's server with a tiny model, over both of its wires, in one piece and streamed."""

import contextlib
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
    for name, path, _ in WAYS[::2]:
        folder = fresh_folder(FOLDER / f"{name}-wrong-key")
        check_wrong_key(DSET, folder, PROBLEMS, "--base-url", url + path, "-m", "tiny")
