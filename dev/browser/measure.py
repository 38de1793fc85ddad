"""Asks a viewer over HTTP and says how long it takes: the median and the 99th percentile of 200 requests each, and the
server's processor time for one, without that of the thread that makes the index."""
import http.client, json, os, random, sys, time
from pathlib import Path
from urllib.parse import quote, urlparse

said = json.load(open(sys.argv[1]))
pid, token, host = sys.argv[2], said["token"], urlparse(said["api"]).netloc
connection, rng = http.client.HTTPConnection(host), random.Random(1)


def ask(path):
    began = time.perf_counter()
    connection.request("GET", f"/api/v1/{path}{'&' if '?' in path else '?'}token={token}")
    body = connection.getresponse().read()
    return (time.perf_counter() - began) * 1000, json.loads(body)


def memory(name):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def started():
    """When the server was, in ticks since the machine was."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])


def busy():
    """Milliseconds of processor time of the threads that answer."""
    ticks = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text().strip() != "dset-index":
            fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def measure(what, path, times=200):
    before = busy()
    took = sorted(ask(path())[0] for _ in range(times))
    print(f"{what:34} processor {(busy() - before) / times:6.1f} ms   median {took[len(took) // 2]:7.1f} ms   99 of 100 below {took[int(len(took) * .99) - 1]:7.1f} ms   memory {memory('RssAnon'):4.0f} MB", flush=True)


first, page = ask("records?limit=100")
rows = page["of"]
print(f"{rows:,} records; the first page, with what was read before it: {first:.1f} ms; memory {memory('VmRSS'):.0f} MB ({memory('RssAnon'):.0f} of its own)")
while True:
    indexed, all_answers = ask("overview")[1]["indexed"]
    if indexed >= all_answers:
        break
    time.sleep(0.5)
took = float(Path("/proc/uptime").read_text().split()[0]) - started() / os.sysconf("SC_CLK_TCK")
size = sum(path.stat().st_size for path in Path("dset_generator").glob("dset.search.db*"))
print(f"index: {size / 1e6:.0f} MB, whole {took:.0f} s after the viewer was started; memory {memory('RssAnon'):.0f} MB of its own")
measure("a page at a random place", lambda: f"records?limit=100&offset={rng.randrange(rows)}")
orders = ["seconds", "output_tokens", "answer_bytes", "cost"]
bound = lambda: f"min_output_tokens={rng.randrange(40, 200)}"
measure("filtered and sorted, each new", lambda: f"records?limit=100&{bound()}&max_seconds={rng.random() * 9 + 1:.3f}&sort=-{rng.choice(orders)}&offset={rng.randrange(100)}")
measure("counts of all facets", lambda: f"facets?max_seconds={rng.random() * 9 + 1:.3f}")
measure("a record at a random place", lambda: f"questions/{rng.randrange(rows) + 1}")
measure("distributions", lambda: "distributions", 10)
words = [word for line in open("q.csv").readlines()[1:2000] for word in line.split()[:3] if word.isascii()]
measure("a word", lambda: f"records?limit=100&q={quote(rng.choice(words))}")
measure("two words", lambda: f"records?limit=100&q={quote(rng.choice(words))}+{quote(rng.choice(words))}")
measure("one Chinese character", lambda: f"records?limit=100&q={quote(chr(0x4E00 + rng.randrange(3000)))}")
measure("two: 黑洞", lambda: "records?limit=100&q=" + quote("黑洞") + f"&min_seconds=0.{rng.randrange(1000)}")
print(f"memory after all of it: {memory('VmRSS'):.0f} MB ({memory('RssAnon'):.0f} of its own), at most {memory('VmHWM'):.0f} MB")
