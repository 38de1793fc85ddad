"""Servers that are started and stopped, runs of dset against them, and what must hold after one."""

import contextlib
import csv
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

# Ended from outside, the servers are to end as well.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

# A proxy of a hundred packages is slow to import on a busy machine.
READY_S = 120
# A run of fifty questions takes seconds.
RUN_S = 120
# Each server gets this time to end by itself.
STOP_S = 10
# The exit code of dset for it.
KEY_REFUSED = 4

THINGS = ["apples", "nails", "letters", "eggs", "stamps", "tiles", "pears"]
NAMES = ["Ada", "Björn", "Chloé", "Dmitri", "Esra", "Fumiko", "Grace"]
# What an answer may hold and must keep on its way through a server and three formats.
AWKWARD = ['She said "so".', "Two\nlines,\n\nand a comma", "\tTab", "€ 3 – 三 – 👩‍🏫", "a\\b {{x}} <b>&amp;</b>"]


def fail(what):
    sys.exit(f"FAILED: {what}")


def check(condition, what):
    if not condition:
        fail(what)


def word_problems(count=50):
    """Questions with their answers, always the same; no two are alike."""
    draw = random.Random(7)
    problems = {}
    while len(problems) < count:
        one, two, each = draw.randint(3, 60), draw.randint(3, 60), draw.randint(2, 9)
        name, thing = draw.choice(NAMES), draw.choice(THINGS)
        question = (
            f"{name} has {one} {thing}, buys {two} more and gives each of {each} friends two. "
            f"How many {thing} are left?"
        )
        awkward = AWKWARD[len(problems) % len(AWKWARD)]
        problems[question] = f"{one} + {two} - 2 · {each} = {one + two - 2 * each}. {awkward} Done"
    return problems


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def server(command, log, env=None):
    """A server that is stopped at the end, however that comes; its words go to `log`."""
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def fetched(url):
    with urllib.request.urlopen(url, timeout=10) as reply:
        return reply.read()


def wait_until_ready(url, process, log):
    """Asks until there is a 200. Fails when the server has ended, or after READY_S."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(OSError):
            fetched(url)
            return time.monotonic() - began
        if process.poll() is not None:
            fail(f"{process.args[0]} ended with {process.returncode}:\n{Path(log).read_text()[-3000:]}")
        check(time.monotonic() - began < READY_S, f"{url} is not ready after {READY_S} s, see {log}")
        time.sleep(0.1)


@contextlib.contextmanager
def mock(dset, log, *arguments):
    """The pretend service; gives its URL."""
    with server([dset, "mock", *arguments], log) as process:
        began = time.monotonic()
        while not (said := Path(log).read_text()).endswith("\n"):
            check(process.poll() is None, f"dset mock ended: {said}")
            check(time.monotonic() - began < READY_S, "dset mock does not say where it listens")
            time.sleep(0.02)
        yield said.split()[-1]


def fresh_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


class Run:
    """One file of questions, asked in one way."""

    def __init__(self, dset, folder, questions, *arguments, key):
        self.dset, self.folder, self.questions = dset, folder, list(questions)
        self.arguments, self.key = arguments, key
        self.output = folder / "out"
        with open(folder / "q.csv", "w", newline="") as file:
            csv.writer(file).writerows([["question"], *([question] for question in questions)])

    def dset_says(self, command, *arguments, exit=0):
        """Runs a command of dset, which must end with `exit`; returns its lines of JSON."""
        # Nothing of the user's settings; `.env` is read from the working folder, which has none.
        env = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        done = subprocess.run(
            [self.dset, command, "q.csv", "-o", "out", "--json", *arguments],
            cwd=self.folder,
            env={**env, "SERVER_KEY": self.key},
            capture_output=True,
            text=True,
            timeout=RUN_S,
        )
        with open(self.folder / f"{command}.log", "a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode != exit:
            fail(f"dset {command} in {self.folder} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def run(self, exit=0):
        # What is left unsaid here is dset's own: pace, retries, timeouts.
        said = ["--key", "SERVER_KEY", "--backoff", "1s,2s,4s", "--share-pace", "off"]
        return self.dset_says("run", *said, "--verbose", *self.arguments, exit=exit)

    def complete(self):
        """Asks everything; then all must be there, once, and a second run must ask nothing.

        Returns the events of the first run and the answers by question.
        """
        began = time.monotonic()
        events = self.run()
        self.seconds = time.monotonic() - began
        again = [event for event in self.run() if event["event"] in ("ask", "answer")]
        check(not again, f"{self.folder}: a second run asks {len(again)} times")
        self.dset_says("verify")
        with open(self.folder / "q.csv", newline="") as file:
            check("ERROR" not in file.read(), f"{self.folder}: a row is marked ERROR")
        return events, self.answers()

    def answers(self):
        """Reads all three outputs, as others would, and returns what they say: all the same."""
        with open(self.output / "output.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        lines = (self.output / "output.json").read_text("utf-8").splitlines()
        objects = [json.loads(line) for line in lines]
        text = (self.output / "output.txt").read_bytes().decode("utf-8")
        of_csv = [(row["question"], row["thoughts"], row["final_answer"]) for row in rows]
        of_json = [
            (o["metadata"]["question"], o["response"]["reasoning"], o["response"]["answer"]) for o in objects
        ]
        check([question for question, _, _ in of_json] == self.questions, f"{self.folder}: rows of output.json")
        check(of_csv == of_json, f"{self.folder}: output.csv says what output.json does not")
        at = 0
        for question, reasoning, answer in of_json:
            block = f"Question: {question}\nThought Process: {reasoning}\nFinal Answer: {answer}\n{'-' * 50}\n\n"
            at = text.find(block, at)
            check(at >= 0, f"{self.folder}: output.txt lacks {question}")
            at += len(block)
            check(answer.strip(), f"{self.folder}: no answer to {question}")
        check(text.count("\nQuestion: ") == len(of_json), f"{self.folder}: output.txt has too many rows")
        return {question: (reasoning, answer) for question, reasoning, answer in of_json}


def check_wrong_key(dset, folder, questions, *arguments):
    """A key that is refused ends the run at once, with no row marked."""
    run = Run(dset, folder, questions, *arguments, key="sk-a-wrong-key")
    run.run(exit=KEY_REFUSED)
    check("ERROR" not in (folder / "q.csv").read_text(), f"{folder}: a row is marked ERROR")


def count(events, name):
    return sum(event["event"] == name for event in events)
