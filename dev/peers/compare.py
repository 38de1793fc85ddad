"""Runs each tool over the same questions against the same service; see `run`."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ANSWER_BYTES, LATENCY_MS = 1600, 200


class Service:
    """A pretend service in a process of its own."""

    def __init__(self, dset):
        words = [dset, "mock", "--latency-ms", str(LATENCY_MS), "--answer-bytes", str(ANSWER_BYTES), "--dialect", "openai"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip().removeprefix("listening on ").rstrip("/")

    def asked(self):
        root = self.url.rsplit("/v1", 1)[0]
        with urllib.request.urlopen(root + "/stats") as reply:
            return json.load(reply)["asked"]

    def close(self):
        self.process.kill()
        self.process.wait()


def commands(dset, tools):
    """Each tool's command over a folder with `q.csv` and `q.jsonl`, and the file that its answers are in."""
    url = lambda service: service.url if service.url.endswith("/v1") else service.url + "/v1"
    return {
        "dset": lambda service, width: (
            [dset, "run", "q.csv", "-o", "out", "-c", width, "-m", "m", "--base-url", url(service), "--key", "none", "-q"],
            "out/output.json",
        ),
        "openai-python, a semaphore": lambda service, width: (
            [f"{tools}/openai/bin/python", os.path.join(os.path.dirname(__file__), "script.py"), "q.csv", "out.jsonl",
             url(service), width],
            "out.jsonl",
        ),
        "batchllm-ai": lambda service, width: (
            [f"{tools}/batchllm-ai/bin/batchllm", "run", "q.csv", "-o", "out.csv", "-m", "m", "-c", width,
             "--input-column", "question", "--checkpoint", "checkpoint.json", "--api-key", "none", "--base-url",
             url(service)],
            "out.csv",
        ),
        "flexllm": lambda service, width: (
            [f"{tools}/flexllm/bin/flexllm", "batch", "q.jsonl", "-o", "out.jsonl", "-m", "m", "-c", width, "--max-qps",
             "100000", "--api-key", "none", "--base-url", url(service)],
            "out.jsonl",
        ),
    }


def folder(rows):
    place = tempfile.mkdtemp(prefix="peers-")
    texts = [f"What is known about substance {row} and how is it measured?" for row in range(rows)]
    with open(f"{place}/q.csv", "w") as file:
        file.write("question\n" + "".join(text + "\n" for text in texts))
    with open(f"{place}/q.jsonl", "w") as file:
        file.writelines(json.dumps({"question": text}) + "\n" for text in texts)
    return place


def answers(place, name):
    """How many different questions have an answer in a file, and how many rows there are."""
    path = f"{place}/{name}"
    if not os.path.exists(path):
        return 0, 0
    with open(path) as file:
        found = [word.split(" ")[0] for word in file.read().split("about substance ")[1:]]
    return len(set(found)), len(found)


def measured(words, place, home):
    """Seconds, CPU seconds and peak MB of a command with all its children."""
    program = (
        "import resource, subprocess, sys, time, json\n"
        "began = time.monotonic()\n"
        "code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps([code, time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))\n"
    )
    env = {**os.environ, "HOME": home}
    ran = subprocess.run([sys.executable, "-c", program, *words], cwd=place, env=env, capture_output=True, text=True, timeout=1200)
    return json.loads(ran.stdout)


def speed(tools, dset, rounds, situations):
    print(f"{ANSWER_BYTES} bytes an answer after {LATENCY_MS} ms, medians of {rounds} rounds\n")
    print("| rows, at once | tool | answers/s | CPU ms a row | peak MB | answered |")
    print("| --- | --- | --- | --- | --- | --- |")
    for rows, width in situations:
        found = {name: [] for name in commands(dset, tools)}
        for _ in range(rounds):
            for name, command in commands(dset, tools).items():
                service, place, home = Service(dset), folder(rows), tempfile.mkdtemp()
                words, output = command(service, str(width))
                code, seconds, cpu, peak = measured(words, place, home)
                found[name].append((rows / seconds, 1000 * cpu / rows, peak, answers(place, output)[0] if code == 0 else 0))
                service.close()
                subprocess.run(["rm", "-rf", place, home], check=True)
        for name, runs in found.items():
            rate, cpu, peak, answered = (statistics.median(one) for one in zip(*runs))
            print(f"| {rows:,}, {width:,} | {name} | {rate:,.0f} | {cpu:.3f} | {peak:.0f} | {answered:,.0f} |", flush=True)


def kills(tools, dset, rows, width):
    print(f"\n`kill -9` after half of {rows:,} questions were asked, {width} at once, and the same command again\n")
    print("| tool | asked in all | bought twice | rows | of different questions |")
    print("| --- | --- | --- | --- | --- |")
    for name, command in commands(dset, tools).items():
        service, place, home = Service(dset), folder(rows), tempfile.mkdtemp()
        words, output = command(service, str(width))
        env = {**os.environ, "HOME": home}
        first = subprocess.Popen(words, cwd=place, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        while service.asked() < rows // 2 and first.poll() is None:
            time.sleep(0.005)
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        subprocess.run(words, cwd=place, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600)
        asked, (different, all_rows) = service.asked(), answers(place, output)
        print(f"| {name} | {asked:,} | {asked - rows:,} | {all_rows:,} | {different:,} |", flush=True)
        service.close()
        subprocess.run(["rm", "-rf", place, home], check=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("dset")
    arguments.add_argument("tools")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--rows", type=int, nargs="+", default=[2_000, 20_000])
    arguments.add_argument("--width", type=int, nargs="+", default=[256, 1_024])
    chosen = arguments.parse_args()
    speed(chosen.tools, chosen.dset, chosen.rounds, [(rows, width) for rows in chosen.rows for width in chosen.width])
    kills(chosen.tools, chosen.dset, 2_000, 256)


if __name__ == "__main__":
    main()
