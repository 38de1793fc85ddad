"""Shards on Ray, with workers and drivers that are killed, and what happens without dset's keys and names.

All drivers share one cluster. The figures of each proof are printed: `pytest -s tests/test_ray.py`; those marked
`long` take minutes.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

ray = pytest.importorskip("ray")

import dset  # noqa: E402
import dset.ray  # noqa: E402
from conftest import Service, questions  # noqa: E402

QUESTIONS, SHARDS, WIDTH = 160, 4, 4
#: How long a process may take, in seconds: a machine that does much else begins workers slowly.
PATIENCE = 120


@pytest.fixture(scope="module")
def cluster():
    """Two CPUs in this process's cluster; the address, for drivers of their own."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def driver(cluster, code, *arguments):
    """The command and the environment of a driver that joins the cluster."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return command, {**os.environ, "RAY_ADDRESS": cluster}


def begun(cluster, code, *arguments, **options):
    command, environment = driver(cluster, code, *arguments)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **options}
    return subprocess.Popen(command, env=environment, start_new_session=True, **quiet)


def done(cluster, code, *arguments):
    command, environment = driver(cluster, code, *arguments)
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def job(here, service):
    rows = "".join(f"question {n % 120}\n" for n in range(QUESTIONS))
    (here / "q.csv").write_text("question\n" + rows)
    return dset.split(here / "q.csv", SHARDS, job=here / "job", concurrency=WIDTH, **service.asks)


def is_a_worker(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().startswith(b"ray::")
    except OSError:
        return False


def workers(here):
    """The processes that have shards now, as their locks say: {shard: process}."""
    found = {}
    for shard in range(SHARDS):
        try:
            pid = json.loads((here / "job" / f"shard-{shard:05}" / "dset.running").read_text())["pid"]
        except (OSError, ValueError):
            continue
        if is_a_worker(pid):
            found[shard] = pid
    return found


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def check(here, manifests):
    """All rows are there, each once; returns them."""
    assert [manifest.shard for manifest in manifests] == list(range(SHARDS))
    assert sum(manifest.report.answered for manifest in manifests) == QUESTIONS
    merge = [sys.executable, "-m", "dset", "job", "merge", str(here / "job")]
    merged = subprocess.run(merge, capture_output=True)
    assert merged.returncode == 0, merged.stderr
    rows = list(dset.open(here / "job" / "merged").rows())
    assert [row["question"] for row in rows] == [f"question {n % 120}" for n in range(QUESTIONS)]
    assert len({row["id"] for row in rows}) == QUESTIONS
    return rows


def told(proof, service, kills):
    paid_twice = service.stats()["answered"] - QUESTIONS
    print(f"\n{proof}: kills {kills}, rows {QUESTIONS}, missing 0, doubled 0, paid twice {paid_twice}, in flight {WIDTH * kills}")
    return paid_twice


def meanwhile(work):
    """Do something else while a driver waits; what that raises counts."""
    failed = []

    def guarded():
        try:
            work()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=guarded)
    thread.start()
    return thread, failed


def test_a_worker_that_is_killed_loses_no_row_and_buys_at_most_what_was_in_flight(here, slow, cluster):
    split = job(here, slow)
    kills = []

    def kill_three():
        seed = random.Random(7)
        for count in (10, 50, 100):
            until(lambda: slow.stats()["answered"] >= count and workers(here))
            pid = seed.choice(list(workers(here).values()))
            os.kill(pid, signal.SIGKILL)
            kills.append(pid)

    thread, failed = meanwhile(kill_three)
    manifests = dset.ray.run(split, num_workers=2)
    thread.join()
    assert failed == [] and len(kills) == 3
    check(here, manifests)
    assert 0 <= told("1 a worker killed", slow, 3) <= WIDTH * 3


@pytest.mark.long
def test_the_worker_that_takes_over_may_be_killed_too(here, slow, cluster):
    split = job(here, slow)
    kills = []

    def kill_both():
        until(lambda: 0 in workers(here) and slow.stats()["answered"] >= 5)
        first = workers(here)[0]
        os.kill(first, signal.SIGKILL)
        until(lambda: workers(here).get(0, first) != first)
        os.kill(workers(here)[0], signal.SIGKILL)
        kills.extend([first, None])

    thread, failed = meanwhile(kill_both)
    manifests = dset.ray.run(split, num_workers=1)
    thread.join()
    assert failed == [] and len(kills) == 2
    check(here, manifests)
    assert 0 <= told("3 who takes over killed", slow, 2) <= WIDTH * 2


def test_a_worker_that_stands_still_keeps_its_shard_and_nothing_is_doubled(here, slow, cluster):
    split = job(here, slow)
    refused = []

    def stop_and_go_on():
        until(lambda: 0 in workers(here) and slow.stats()["answered"] >= 5)
        pid = workers(here)[0]
        os.kill(pid, signal.SIGSTOP)
        try:
            split.run(0)
        except dset.LockedError as error:
            refused.append(error)
        finally:
            os.kill(pid, signal.SIGCONT)

    thread, failed = meanwhile(stop_and_go_on)
    manifests = dset.ray.run(split, num_workers=1)
    thread.join()
    assert failed == [] and len(refused) == 1
    check(here, manifests)
    assert told("4 SIGSTOP, another tries, SIGCONT", slow, 0) == 0


@pytest.mark.long
def test_a_shard_whose_disk_goes_with_its_worker_is_paid_again_and_no_other(here, slow, cluster):
    split = job(here, slow)
    lost = []

    def kill_with_the_disk():
        until(lambda: 1 in workers(here) and slow.stats()["answered"] >= QUESTIONS // SHARDS + 8)
        os.kill(workers(here)[1], signal.SIGKILL)
        folder = here / "job" / "shard-00001"
        # Away at once, as a disk goes.
        os.rename(folder, here / "lost")
        lost.append(dset.open(here / "lost"))

    thread, failed = meanwhile(kill_with_the_disk)
    manifests = dset.ray.run(split, num_workers=1)
    thread.join()
    assert failed == [] and len(lost) == 1
    check(here, manifests)
    assert 0 < told("6 a worker and its disk", slow, 1) <= QUESTIONS // SHARDS


def test_shards_in_any_order_have_the_same_names_and_ids(here, service, cluster):
    split = job(here, service)
    parts = dset.ray.run(split, num_workers=2, shards=[3, 1, 0, 2], to=here / "parts")
    again = dset.ray.run(split, num_workers=4, to=here / "again")
    assert [part.file.name for part in parts] == [f"part-{n:05}.parquet" for n in range(SHARDS)]
    assert [part.hash for part in parts] == [part.hash for part in again]
    assert sum(part.rows for part in parts) == QUESTIONS
    check(here, parts)
    assert told("7 any order, twice", service, 0) == 0


DRIVER = """
import ray, dset.ray, sys
ray.init(log_to_driver=False)
print(len(dset.ray.run(sys.argv[1], num_workers=2, to=sys.argv[2])), flush=True)
"""


def end_of(driver):
    """Kill a driver, and wait for the end of what it began."""
    driver.kill()
    driver.wait()


def test_a_driver_that_is_killed_goes_on_with_the_same_command(here, slow, cluster):
    split = job(here, slow)
    first = begun(cluster, DRIVER, split.folder, here / "parts")
    until(lambda: slow.stats()["answered"] >= 50)
    end_of(first)
    until(lambda: not workers(here))
    assert done(cluster, DRIVER, split.folder, here / "parts") == str(SHARDS)
    check(here, [dset.ray.Manifest(n, split.run(n)) for n in range(SHARDS)])
    import pyarrow.parquet

    assert pyarrow.parquet.read_table(here / "parts").num_rows == QUESTIONS
    assert 0 <= told("2 the driver killed", slow, 2) <= WIDTH * 2


#: The same with Ray Data alone: `{stage}` asks, Ray writes.
PIPELINE = """
import json, sys, time, urllib.request
import ray, ray.data, dset.ray
url, out, kept, checkpoint = sys.argv[1:5]
ray.init(log_to_driver=False)
context = ray.data.DataContext.get_current()
context.enable_progress_bars = False
# A task for each file, whatever its size.
context.use_datasource_v2 = False
if checkpoint != "none":
    from ray.data.checkpoint import CheckpointConfig
    context.checkpoint_config = CheckpointConfig(id_column="own", checkpoint_path=checkpoint, delete_checkpoint_on_success=False)

def bare(row):
    body = {"model": "any", "messages": [{"role": "user", "content": row["question"]}]}
    asked = urllib.request.Request(url + "/chat/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(asked) as reply:
        row["answer"] = json.load(reply)["choices"][0]["message"]["content"]
    return row

ds = ray.data.read_parquet(kept + "/in", override_num_blocks=8)
if sys.argv[5] == "bare":
    ds = ds.map(bare, num_cpus=0.5)
else:
    ds = dset.ray.answer(ds, output=kept, batch_size=10, num_workers=2, base_url=url, key="none", share_pace=False, concurrency=4)
ds.write_parquet(out)
"""


@pytest.mark.long
@pytest.mark.parametrize("arm, checkpoint", [("bare", False), ("dset", False), ("dset", True)])
def test_ray_data_doubles_rows_without_a_checkpoint_and_buys_again_without_dset(here, slow, cluster, arm, checkpoint):
    import pyarrow
    import pyarrow.parquet

    rows = 80
    (here / "kept" / "in").mkdir(parents=True)
    for part in range(8):
        own = range(part * 10, part * 10 + 10)
        table = pyarrow.table({"question": [f"question {n}" for n in own], "own": list(own)})
        pyarrow.parquet.write_table(table, here / "kept" / "in" / f"{part}.parquet")
    out = here / "out"
    place = str(here / "checkpoint") if checkpoint else "none"
    pipeline = [PIPELINE, f"{slow.root}/v1", out, here / "kept", place, arm]
    first = begun(cluster, *pipeline)
    until(lambda: len(list(out.rglob("*.parquet"))) >= 2)
    end_of(first)
    before = slow.stats()["answered"]
    done(cluster, *pipeline)
    owns = pyarrow.parquet.read_table(out)["own"].to_pylist()
    doubled = len(owns) - len(set(owns))
    paid_twice = slow.stats()["answered"] - rows
    print(f"\n{arm}, checkpoint {checkpoint}: rows {len(owns)}, doubled {doubled}, paid twice {paid_twice} of {before}")
    assert set(owns) == set(range(rows))
    if arm == "bare":
        # The control must fail: rows twice in the files, and paid for twice.
        assert doubled > 0 and paid_twice > 8
    else:
        assert paid_twice <= 2 * WIDTH
        assert (doubled == 0) == checkpoint


def test_a_stage_of_ray_data_asks_each_batch_once(here, service, cluster):
    import ray.data

    rows = [{"question": f"question {n}", "own": n} for n in range(30)]
    answered = []
    for _ in range(2):
        ds = dset.ray.answer(ray.data.from_items(rows), output=here / "kept", batch_size=10, **service.asks)
        answered.append(sorted(ds.take_all(), key=lambda row: row["own"]))
    assert [row["own"] for row in answered[0]] == list(range(30))
    assert [row["answer"] for row in answered[0]] == [row["answer"] for row in answered[1]]
    assert service.stats()["asked"] == 30


def test_a_stage_refuses_a_limit_that_each_batch_would_spend_whole(here, service, cluster):
    import ray.data

    ds = ray.data.from_items([{"question": f"question {n}"} for n in range(4)])
    with pytest.raises(dset.UsageError, match="cannot be kept by batches"):
        dset.ray.answer(ds, output=here / "kept", max_cost=1, **service.asks)
    assert service.stats()["asked"] == 0


def test_a_stage_says_how_many_rows_of_a_batch_have_no_answer(here, cluster, caplog):
    import pyarrow

    service = Service("--on", "bad=400")
    try:
        batch = pyarrow.table({"question": ["a good one", "a bad one", "another", ""]})
        options = {**service.asks}
        answered = dset.ray._batch(batch, str(here / "kept"), 1, options)
        nothing = dset.ray._batch(pyarrow.table({"question": ["", " "]}), str(here / "kept"), 1, options)
    finally:
        service.end()
    assert nothing.num_rows == 0
    assert "of 2 rows left out: 2 without a question" in caplog.text
    assert sorted(answered["question"].to_pylist()) == ["a good one", "another"]
    assert "of 4 rows left out: 1 without an answer, 1 without a question" in caplog.text


def test_what_a_shard_refuses_is_raised(here, service, cluster):
    split = job(here, service)
    (here / "q.csv").write_text("question\nanother\n")
    with pytest.raises(dset.UsageError, match="not what was split"):
        dset.ray.run(split)
    with pytest.raises(dset.UsageError, match="there is no job"):
        dset.ray.run(here / "nowhere")
    with pytest.raises(dset.UsageError, match="no argument on a cluster"):
        dset.ray.run(split, api_key="sk-secret")
    assert service.stats()["asked"] == 0


def test_ctrl_c_at_the_driver_lets_the_workers_take_home_what_is_on_its_way(here, slow, cluster):
    split = job(here, slow)
    interrupted = begun(cluster, DRIVER, split.folder, here / "parts", stderr=subprocess.PIPE, text=True)
    until(lambda: slow.stats()["answered"] >= 20)
    interrupted.send_signal(signal.SIGINT)
    _, said = interrupted.communicate(timeout=PATIENCE)
    assert "KeyboardInterrupt" in said
    begun_shards = (here / "job").glob("shard-*")
    kept = sum(dset.open(folder).status()["answered"] for folder in begun_shards)
    assert 0 < kept == slow.stats()["answered"] < QUESTIONS


#: Asks of all workers in a minute, and questions of shards that last for a part of one.
A_MINUTE, SHORT = 240, 20

SHARED = """
import ray, dset.ray, sys
ray.init(log_to_driver=False)
job, count = sys.argv[1], int(sys.argv[2])
dset.ray.run(job, num_workers=count, num_cpus=0.1, rpm=int(sys.argv[3]) // count)
"""


def short_shards(place, service, questions_of_all):
    """A job of short shards."""
    place.mkdir()
    rows = questions(place / "q.csv", questions_of_all)
    return dset.split(rows, questions_of_all // SHORT, job=place / "job", **service.asks)


@pytest.mark.long
def test_one_two_and_four_workers_with_short_shards_ask_as_much_in_a_minute(here, cluster):
    services, drivers = {}, []
    try:
        for count in (1, 2, 4):
            services[count] = service = Service("--latency-ms", "400")
            split = short_shards(here / f"of-{count}", service, 3 * A_MINUTE)
            drivers.append(begun(cluster, SHARED, split.folder, count, A_MINUTE))
        # Workers begin one after the other; by then all have asked for a minute.
        until(lambda: all(service.stats()["answered"] >= 1.8 * A_MINUTE for service in services.values()))
        fullest = {count: service.stats()["asks_minute_max"] for count, service in services.items()}
    finally:
        for one in drivers:
            end_of(one)
        for service in services.values():
            service.end()
    print(f"\n8 asks in the fullest minute, of {A_MINUTE}, by workers: {fullest}")
    assert all(0.95 * A_MINUTE <= most <= A_MINUTE for most in fullest.values())


@pytest.mark.long
def test_workers_and_a_driver_that_are_killed_leave_the_limit_as_it_is(here, slow, cluster):
    split = short_shards(here / "short", slow, A_MINUTE)
    first = begun(cluster, SHARED, split.folder, 2, A_MINUTE)

    def working():
        holders = [json.loads(path.read_text())["pid"] for path in (here / "short" / "job").glob("*/dset.running")]
        return [pid for pid in holders if is_a_worker(pid)]

    until(lambda: slow.stats()["answered"] >= 60 and working())
    os.kill(working()[0], signal.SIGKILL)
    until(lambda: slow.stats()["answered"] >= 90)
    end_of(first)
    second = begun(cluster, SHARED, split.folder, 2, A_MINUTE)
    try:
        until(lambda: slow.stats()["answered"] >= 0.9 * A_MINUTE)
    finally:
        end_of(second)
    fullest = slow.stats()["asks_minute_max"]
    print(f"\n8 a worker and the driver killed: {fullest} asks in the fullest minute, of {A_MINUTE}")
    assert fullest <= A_MINUTE


def test_workers_keep_a_limit_by_turns_in_the_folder_that_all_see(here, service, cluster):
    import ray.data

    def turns(folder):
        lanes = sorted((folder / ".lanes").glob("*.json"))
        return len(lanes), [turn["folder"] for lane in lanes for turn in json.loads(lane.read_text())]

    split = job(here, service)
    dset.ray.run(split, num_workers=2, rpm=60_000)
    count, folders = turns(split.folder)
    assert count <= 2 and sorted(folders) == [f"shard-{n:05}" for n in range(SHARDS)]
    rows = ray.data.from_items([{"question": f"question {n}"} for n in range(30)])
    ds = dset.ray.answer(rows, output=here / "kept", batch_size=10, num_workers=1, rpm=60_000, **service.asks)
    assert ds.count() == 30
    count, folders = turns(here / "kept")
    assert count == 1 and len(folders) == 3
