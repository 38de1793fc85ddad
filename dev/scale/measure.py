#!/usr/bin/env python3
"""What a job takes in every way in which it can be asked, what Ray takes for each shard, what short shards ask in
a minute, and what kills leave of a job. `run` begins it.

All rows are there in the end, none is doubled, and the service's audit has as many answers as the job has rows: or this
fails. Figures are of this machine; asks take 200 ms.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PLACE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(PLACE, "..", "postgres"))

from world import OPEN, PASSWORD, Server, Service  # noqa: E402

LATENCY_MS = 200
#: Asks at once of a process that nothing limits, and of one that is killed.
WIDTH, KILLED_WIDTH = 64, 8
#: Shards that workers take one after the other.
SHARDS = 8
#: Rows of each shard, and how many shards, where it is looked what Ray takes for one: the fewer for what it takes once.
SHARD_ROWS, FEW, MANY = 1_000, 4, 24
#: Shards of a job that takes a minute and a half under its limit.
RATE_SHARDS = 36
TICKS = os.sysconf("SC_CLK_TCK")

#: Without workers it asks the shards itself, by turns.
DRIVER = """
import json, sys, time
import dset
job, workers, rpm, shards = sys.argv[1], *map(int, sys.argv[2:])
if workers:
    import ray, dset.ray
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
print("begun", flush=True)
began = time.monotonic()
limit = {"rpm": rpm // max(workers, 1)} if rpm else {}
if workers:
    dset.ray.run(job, num_workers=workers, num_cpus=0.1, **limit)
else:
    for shard in range(shards):
        dset.run(job=job, shard=shard, **limit)
print(json.dumps({"seconds": time.monotonic() - began}), flush=True)
"""


def processor_time(fields):
    """User and system time of a line of /proc/PID/stat, and that of the children that were waited for."""
    own = fields.rsplit(")", 1)[1].split()
    return sum(map(int, own[11:13])) / TICKS, sum(map(int, own[13:15])) / TICKS, int(own[1])


def read(path, binary=False):
    try:
        with open(path, "rb" if binary else "r") as file:
            return file.read()
    except OSError:
        return b"" if binary else ""


class Marked:
    """The processor time of all processes with a word in their environment, those that nobody waits for too."""

    def __init__(self, word):
        self.word, self.seen, self.is_over = word.encode(), {}, threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)
        self.thread.start()

    def look(self):
        while not self.is_over.wait(0.1):
            for pid in filter(str.isdigit, os.listdir("/proc")):
                if pid in self.seen or self.word in read(f"/proc/{pid}/environ", True):
                    stat = read(f"/proc/{pid}/stat")
                    if stat:
                        self.seen[pid] = processor_time(stat)[0]

    def now(self):
        return sum(list(self.seen.values()))

    def seconds(self):
        self.is_over.set()
        self.thread.join()
        return self.now()


class Arm:
    """One way to ask a job: a folder, a service of its own, and what it took."""

    def __init__(self, dset, rows, rpm, latency_ms=LATENCY_MS):
        self.dset, self.rows, self.rpm = dset, rows, rpm
        self.folder = tempfile.mkdtemp(prefix="dset-scale-")
        self.service = Service(dset, "--latency-ms", str(latency_ms))
        with open(os.path.join(self.folder, "q.csv"), "w") as file:
            file.write("question\n" + "".join(f"What is {row}?\n" for row in range(rows)))
        self.asks = ["--base-url", self.service.url, "--key", "none", "-m", "m", "--quiet"]
        self.seconds = self.processor = self.server = 0.0

    def environment(self, **more):
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        return {**kept, "PGPASSWORD": PASSWORD, "XDG_STATE_HOME": os.path.join(self.folder, "state"),
                "XDG_CONFIG_HOME": os.path.join(self.folder, "config"), "NO_PROXY": "*", **more}

    def begin(self, *words, **more):
        return subprocess.Popen(words, cwd=self.folder, env=self.environment(**more), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def done(self, *words):
        going = self.begin(self.dset, *words)
        said, _ = going.communicate()
        assert going.returncode == 0, f"dset {' '.join(words)}: exit {going.returncode}: {said}"
        return said

    def all_of(self, commands):
        """Runs these at once, and takes down how long that took and what processor time."""
        began = time.monotonic()
        going = [self.begin(self.dset, *words) for words in commands]
        for one, words in zip(going, commands):
            said = one.stdout.read()
            _, status, used = os.wait4(one.pid, 0)
            one.returncode = os.waitstatus_to_exitcode(status)
            assert one.returncode == 0, f"dset {' '.join(words)}: exit {one.returncode}: {said}"
            self.processor += used.ru_utime + used.ru_stime
        self.seconds = time.monotonic() - began

    def split(self, shards, *words):
        self.done("job", "split", "q.csv", "--shards", str(shards), "-o", "job", *self.asks[:-1], *words)

    def limit(self):
        return ["--rpm", str(self.rpm)] if self.rpm else ["-c", str(WIDTH)]

    def check(self, folder):
        """All rows, each once, and no answer beside them; returns what the service has answered beside that."""
        self.done("verify", "q.csv", "-o", folder)
        self.done("export", "q.csv", "-o", folder, "--to", "all.jsonl", "--force")
        rows = [json.loads(line) for line in read(os.path.join(self.folder, "all.jsonl")).splitlines()]
        found = [row["question"] for row in rows]
        assert found == [f"What is {row}?" for row in range(self.rows)], f"{len(found)} rows, {len(set(found))} different"
        return self.service.stats()["answered"] - self.rows

    def close(self):
        self.service.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def one_process(arm, _):
    arm.all_of([["run", "q.csv", "-o", "one", *arm.asks, *arm.limit()]])
    return "one"


def four_shards(arm, _):
    arm.split(4, *arm.limit())
    arm.all_of([["run", "--job", "job", "--shard", str(shard), "--quiet"] for shard in range(4)])
    arm.done("job", "merge", "job")
    return "job/merged"


def postgres(workers):
    def ask(arm, server):
        name = os.path.basename(arm.folder)
        server.sql(f'CREATE DATABASE "{name}"')
        store = ["--store", server.address(name)]
        arm.split(SHARDS, *store, *arm.limit())
        before = of_server(server)
        arm.all_of([["work", *store, "-o", f"w{number}", "--quiet"] for number in range(workers)])
        arm.server = of_server(server) - before
        arm.done("job", "merge", "job", *store)
        return "job/merged"

    return ask


def of_server(server):
    """The processor time of the server until now, in seconds."""
    main = read(os.path.join(server.data, "postmaster.pid")).splitlines()[0]
    total = sum(processor_time(read(f"/proc/{main}/stat"))[:2])
    for pid in filter(str.isdigit, os.listdir("/proc")):
        stat = read(f"/proc/{pid}/stat")
        if stat and processor_time(stat)[2] == int(main):
            total += processor_time(stat)[0]
    return total


def on_ray(workers, shards=SHARDS):
    def ask(arm, _):
        arm.split(shards, "-c", str(WIDTH))
        python = os.path.join(PLACE, "..", "..", "target", "python", "bin", "python")
        word = os.path.basename(arm.folder)
        marked = Marked(f"SCALE={word}")
        job = os.path.join(arm.folder, "job")
        driver = arm.begin(python, "-c", DRIVER, job, str(workers), str(arm.rpm or 0), str(shards), SCALE=word,
                           RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
        said = driver.stdout.readline()
        # What the cluster takes to begin is none of the job's.
        began = marked.now() if said == "begun\n" else 0.0
        rest, _ = driver.communicate()
        said += rest
        arm.processor = marked.seconds() - began
        assert driver.returncode == 0, said
        arm.seconds = json.loads(said.strip().splitlines()[-1])["seconds"]
        arm.done("job", "merge", "job")
        return "job/merged"

    return ask


WAYS = [
    ("one process", one_process),
    ("four shards", four_shards),
    *((f"PostgreSQL, {count} worker{'s' * (count > 1)}", postgres(count)) for count in (1, 2, 4)),
    *((f"Ray, {count} worker{'s' * (count > 1)}", on_ray(count)) for count in (1, 2, 4)),
]


def table(dset, given):
    server = Server()
    try:
        print(f"{given.rows:,} questions, {LATENCY_MS} ms an ask, {os.cpu_count()} CPUs; {WIDTH} asks at once a process where no "
              f"limit is said; {SHARDS} shards for workers\n")
        print("| how | `--rpm` | in the fullest minute | rows/s | CPU s for 1,000 rows | of the server | rows | doubled | paid twice |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
        for rpm in (None, given.rpm or given.rows):
            for name, ask in WAYS:
                if given.only and given.only not in name:
                    continue
                arm = Arm(dset, given.rows, rpm)
                try:
                    twice = arm.check(ask(arm, server))
                    fullest = arm.service.stats()["asks_minute_max"]
                finally:
                    arm.close()
                assert twice == 0, f"{name}: {twice} paid twice"
                assert not rpm or fullest <= rpm, f"{name}: {fullest} in a minute, of {rpm}"
                thousand = 1_000 / given.rows
                served = f"{arm.server * thousand:.2f}" if arm.server else ""
                print(f"| {name} | {f'{rpm:,}' if rpm else ''} | {f'{fullest:,}' if rpm else ''} | {given.rows / arm.seconds:,.0f} | "
                      f"{arm.processor * thousand:.2f} | {served} | {given.rows:,} | 0 | {twice} |", flush=True)
    finally:
        server.close()


def shards(dset, given):
    """What a shard takes more where Ray hands it out to one worker than where one process asks all by turns."""
    print(f"shards of {SHARD_ROWS:,} rows, {given.latency_ms} ms an ask, {WIDTH} asks at once\n")
    print("| how | shards | s | CPU s |\n| --- | --- | --- | --- |", flush=True)
    took = {}
    for name, workers in (("one process by turns", 0), ("Ray, 1 worker", 1)):
        for count in (FEW, MANY):
            arm = Arm(dset, count * SHARD_ROWS, None, given.latency_ms)
            try:
                twice = arm.check(on_ray(workers, count)(arm, None))
            finally:
                arm.close()
            assert twice == 0, f"{name}: {twice} paid twice"
            took[workers, count] = arm.seconds, arm.processor
            print(f"| {name} | {count} | {arm.seconds:.1f} | {arm.processor:.1f} |", flush=True)
    for what, at in (("s", 0), ("CPU s", 1)):
        turns, on = ((took[workers, MANY][at] - took[workers, FEW][at]) / (MANY - FEW) for workers in (0, 1))
        once = took[1, FEW][at] - took[0, FEW][at] - FEW * (on - turns)
        print(f"\na shard takes {turns:.3f} {what} by turns and {on:.3f} on Ray, which takes {once:.2f} {what} once", flush=True)


def rate(dset, given):
    """Short shards on Ray under one limit: the fullest minute is nearly the limit, and never more."""
    rpm = given.rpm or 1_200
    rows = rpm * 3 // 2
    print(f"--rpm {rpm:,} for all workers, {rows:,} rows in {RATE_SHARDS} shards\n")
    print("| workers | seconds of a shard | in the fullest minute | seconds of all |\n| --- | --- | --- | --- |", flush=True)
    for workers in (1, 2, 4):
        arm = Arm(dset, rows, rpm)
        try:
            arm.check(on_ray(workers, RATE_SHARDS)(arm, None))
            fullest = arm.service.stats()["asks_minute_max"]
        finally:
            arm.close()
        print(f"| {workers} | {60 * rows * workers / rpm / RATE_SHARDS:.1f} | {fullest:,} | {arm.seconds:.0f} |", flush=True)
        assert 0.95 * rpm <= fullest <= rpm, f"{workers} workers: {fullest} in a minute, of {rpm}"


def kills(dset, given):
    """Shards that are killed at random throughout, until all are done."""
    arm, at_once = Arm(dset, given.rows, None, given.latency_ms), 4
    try:
        arm.split(given.shards, "-c", str(given.width))
        waiting, going, killed, began = list(range(given.shards)), {}, 0, time.monotonic()
        while waiting or going:
            while waiting and len(going) < at_once:
                shard = waiting.pop(random.randrange(len(waiting)))
                going[shard] = arm.begin(dset, "run", "--job", "job", "--shard", str(shard), "--quiet")
            time.sleep(random.uniform(0.05, 2 * given.every))
            for shard, one in list(going.items()):
                if one.poll() is not None:
                    assert one.returncode == 0, f"shard {shard}: exit {one.returncode}: {one.stdout.read()}"
                    del going[shard]
            # Whoever was killed asks again; that which is never killed would end the trial.
            if going:
                shard = random.choice(list(going))
                going[shard].send_signal(signal.SIGKILL)
                if going.pop(shard).wait() == -signal.SIGKILL:
                    killed += 1
                waiting.append(shard)
        took = time.monotonic() - began
        arm.done("job", "merge", "job")
        twice = arm.check("job/merged")
    finally:
        for one in going.values():
            one.kill()
        arm.close()
    most = killed * given.width
    assert 0 <= twice <= most, f"{twice} paid twice, {most} on their way at {killed} kills"
    print(f"{given.rows:,} rows in {given.shards} shards, {at_once} at once, {took:.0f} s: {killed} kills, {given.rows:,} rows, "
          f"0 doubled, verified; paid twice {twice} of at most {most} on their way")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dset")
    parser.add_argument("mode", nargs="?", choices=["table", "shards", "rate", "kills"], default="table")
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--rpm", type=int, help="the one limit of all; as many as rows in the table where it is not said")
    parser.add_argument("--only", help="ways with this in their names")
    parser.add_argument("--shards", type=int, default=16, help="of kills")
    parser.add_argument("--latency-ms", type=int, default=LATENCY_MS, help="of shards and kills")
    parser.add_argument("--width", type=int, default=KILLED_WIDTH, help="asks at once of a shard, of kills")
    parser.add_argument("--every", type=float, default=0.4, help="seconds between kills, in the middle")
    given = parser.parse_args()
    OPEN.things = []
    {"table": table, "shards": shards, "rate": rate, "kills": kills}[given.mode](given.dset, given)


if __name__ == "__main__":
    main()
