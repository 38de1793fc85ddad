#!/usr/bin/env python3
"""What must hold of a job in PostgreSQL. Each check is a function; its line says what was counted."""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from world import OPEN, PASSWORD, Job, Proxy, Server, Service, pause

DSET = sys.argv[1]


def whole_job(server):
    """Shards in any order, by any workers: the files of one process."""
    service = Service(DSET, "--latency-ms", "5")
    job = Job(DSET, server, "whole", service, 300, 10)
    assert job.split.returncode == 0, job.split.stderr
    workers = [job.work() for _ in range(3)]
    for worker in workers:
        job.wait(worker)
    job.check_whole()
    asked = service.stats()["asked"]
    assert asked == 300, f"{asked} asked"
    # Again, and elsewhere: nothing is left.
    job.wait(job.work())
    assert service.stats()["asked"] == 300
    through_server = job.merged()
    # What was brought is a run of the whole file: it asks nothing.
    again = job.run("run", "q.csv", "-o", "there/merged", "--base-url", service.url, "--key", "none", "-m", "m", "--quiet")
    assert again.returncode == 0 and service.stats()["asked"] == 300, again.stderr
    assert through_server == job.alone(), "the dataset is not that of one process"
    status = job.run("job", "status", "--store", job.address)
    assert "10 of 10 shards done" in status.stdout, status.stdout
    return "300 rows, 3 workers, 10 shards: 300 asked, the dataset of one process byte by byte"


def kills(server):
    """kill -9 at random: every row once, and no more paid twice than was on its way."""
    service = Service(DSET, "--latency-ms", "150")
    job = Job(DSET, server, "kills", service, 600, 12, "-c", "4")
    rounds, on_their_way = 0, 0
    workers = [job.work(lease=1) for _ in range(3)]
    while rounds < 8 and job.answers() < 500:
        pause(0.3, 1.2)
        victim = random.choice(workers)
        if victim.poll() is None:
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            rounds, on_their_way = rounds + 1, on_their_way + 4
            workers[workers.index(victim)] = job.work(lease=1)
    for worker in workers:
        job.wait(worker)
    job.check_whole()
    twice = job.paid_twice()
    assert rounds >= 3 and 0 <= twice <= on_their_way, f"{rounds} kills, {twice} paid twice, {on_their_way} on their way"
    return f"{rounds} kills: 600 of 600 rows once, paid twice {twice} of at most {on_their_way} on their way"


def stopped_past_its_lease(server):
    """SIGSTOP, another takes over, SIGCONT: no answer that came is missing, and nothing more is asked."""
    service = Service(DSET, "--latency-ms", "400")
    job = Job(DSET, server, "stopped", service, 60, 1, "-c", "4")
    first = job.work(lease=1)
    job.until(lambda: job.answers() >= 8)
    first.send_signal(signal.SIGSTOP)
    held = job.answers()
    second = job.work(lease=1)
    job.until(lambda: job.answers() >= held + 8)
    asked = service.stats()["asked"]
    first.send_signal(signal.SIGCONT)
    job.wait(second)
    # It sees that the shard is another's, and ends with the job.
    job.wait(first)
    stats = service.stats()
    kept = job.answers() + job.number("SELECT count(*) FROM paid_twice")
    assert kept == stats["answered"], f"{kept} kept of {stats['answered']} answered"
    assert stats["answered"] <= 60 + 4, f"{stats['answered']} answered"
    job.check_whole()
    tokens = job.number("SELECT token FROM shard")
    assert tokens == 2, f"{tokens} leases"
    return f"{stats['answered']} answered, {kept} kept, of them {stats['answered'] - 60} paid twice (4 on their way); {asked} asked at SIGCONT"


def server_restarts(_):
    """The server is killed and comes back: the workers wait, and nothing is asked again."""
    server = Server()
    service = Service(DSET, "--latency-ms", "100")
    job = Job(DSET, server, "restarts", service, 400, 8, "-c", "4")
    workers = [job.work(lease=3) for _ in range(2)]
    for target in (60, 200):
        job.until(lambda: job.answers() >= target)
        server.stop("immediate")
        time.sleep(2)
        before = service.stats()["asked"]
        time.sleep(2)
        # No more than may be on its way or wait for the server.
        during = service.stats()["asked"] - before
        assert during <= 8, f"{during} asked while the server was away"
        server.start()
    for worker in workers:
        job.wait(worker)
    job.check_whole()
    twice = job.paid_twice()
    assert twice == 0, f"{twice} paid twice"
    warned = [open(worker.log).read().count("waiting for it, nothing is lost") for worker in workers]
    assert all(warned), job.logs()
    return "killed twice with 2 workers: 400 of 400 rows, 0 paid twice"


def stopped_while_the_server_is_away(_):
    """Ctrl-C while the server is away: the worker ends, keeps what it has, and brings it there the next time."""
    server = Server()
    service = Service(DSET, "--latency-ms", "200")
    job = Job(DSET, server, "away", service, 80, 2, "-c", "4")
    worker = job.work(lease=2)
    job.until(lambda: job.answers() >= 10)
    server.stop("immediate")
    time.sleep(1)
    began = time.time()
    worker.send_signal(signal.SIGINT)
    job.wait(worker, 130, 20)
    took = time.time() - began
    answered = service.stats()["answered"]
    server.start()
    job.wait(job.work(lease=2, folder=worker.name))
    assert job.paid_twice() == 0, f"{job.paid_twice()} paid twice"
    job.check_whole()
    return f"exit 130 after {took:.1f} s with {answered} answers, all of them on the server later, 0 paid twice"


def connection_hangs(server):
    """A connection that says nothing more: given up, made anew, nothing lost."""
    proxy = Proxy(server)
    # Slow enough that much is left when the connection falls silent, also on a machine that is busy.
    service = Service(DSET, "--latency-ms", "400")
    job = Job(DSET, server, "hangs", service, 150, 3, "-c", "4", address=server.address("hangs", port=proxy.port))
    worker = job.work(lease=4)
    job.until(lambda: job.answers() >= 40)
    proxy.is_silent = True
    began = time.time()
    job.until(lambda: "no answer within" in open(worker.log).read(), 60)
    noticed = time.time() - began
    proxy.is_silent = False
    job.wait(worker)
    job.check_whole()
    assert job.paid_twice() == 0
    return f"noticed after {noticed:.0f} s; 150 of 150 rows, 0 paid twice"


def full_disk(_):
    """The server's disk is full for a while: the workers wait, and nothing is asked again."""
    folder = tempfile.mkdtemp(prefix="dset-pg-full-")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", folder], capture_output=True)
    if mounted.returncode != 0:
        os.rmdir(folder)
        return "not tried: no file system of its own can be mounted here"
    server = Server(folder)
    try:
        service = Service(DSET, "--latency-ms", "40", "--answer-bytes", "4000")
        job = Job(DSET, server, "full", service, 500, 4, "-c", "4")
        worker = job.work(lease=3)
        job.until(lambda: job.answers() >= 50)
        ballast = os.path.join(folder, "ballast")
        # Without a buffer: what is left in one would fail once more when the file is closed.
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"0" * 65536)
            except OSError:
                pass
        job.until(lambda: "cannot be used" in open(worker.log).read())
        before = service.stats()["asked"]
        time.sleep(2)
        during = service.stats()["asked"] - before
        assert during <= 8, f"{during} asked while the disk was full"
        os.remove(ballast)
        if not server.is_running():
            server.start()
        job.wait(worker)
        job.check_whole()
        assert job.paid_twice() == 0, f"{job.paid_twice()} paid twice"
    finally:
        for thing in (service, job, server):
            thing.close()
        subprocess.run(["umount", "-l", folder], capture_output=True)
        os.rmdir(folder)
    return "500 of 500 rows, 0 paid twice"


def one_rate_for_all(server):
    """Four workers under one --rpm: no minute above it, and within 5 % of it."""
    service = Service(DSET, "--latency-ms", "200")
    job = Job(DSET, server, "rate", service, 2000, 16, "--rpm", "600", "-c", "32")
    workers = [job.work(lease=3) for _ in range(4)]
    job.until(lambda: service.stats()["asked"] >= 20)
    before, began = service.stats()["asked"], time.time()
    time.sleep(66)
    asked, took = service.stats()["asked"] - before, time.time() - began
    most = service.stats()["asks_minute_max"]
    for worker in workers:
        worker.send_signal(signal.SIGKILL)
    rate = asked / took * 60
    assert most <= 600, f"{most} in a minute"
    assert rate >= 570, f"{rate:.0f} a minute"
    return f"4 workers, --rpm 600: {rate:.0f} a minute, at most {most} in any"


def few_connections(server):
    """Where the server lets few in, workers give each other way; all that is paid for is asked once."""
    service = Service(DSET, "--latency-ms", "100")
    server.sql(f"CREATE ROLE narrow LOGIN PASSWORD '{PASSWORD}' CONNECTION LIMIT 3")
    job = Job(DSET, server, "few", service, 60, 4, "-c", "4")
    assert job.split.returncode == 0, job.split.stderr
    server.sql("GRANT USAGE ON SCHEMA dset TO narrow; GRANT ALL ON ALL TABLES IN SCHEMA dset TO narrow", "few")
    job.address = server.address("few", user="narrow")
    workers = [job.work(lease=6) for _ in range(3)]
    for worker in workers:
        job.wait(worker)
    job.check_whole()
    assert service.stats()["asked"] == 60, service.stats()
    return "three connections for three workers: 60 rows, 60 asked"


def one_limit_of_cost_for_all(server):
    """Four workers under one --max-cost, some of them killed: never above it."""
    service = Service(DSET, "--latency-ms", "60", "--price", "1/1/10")
    job = Job(DSET, server, "cost", service, 4000, 16, "--max-cost", "0.5", "--max-output-bound", "200", "-c", "4")
    assert job.split.returncode == 0, job.split.stderr
    job.price(1, 10)
    workers = [job.work(lease=1) for _ in range(4)]
    job.until(lambda: service.stats()["answered"] >= 60)
    killed = 0
    for victim in workers[:2]:
        if victim.poll() is None:
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            killed += 1
    workers = workers[2:] + [job.work(lease=1) for _ in range(2)]
    for worker in workers:
        job.wait(worker, 5)
    cost = service.cost()
    assert cost <= 0.5, f"${cost}"
    booked = job.number("SELECT sum(coalesce(billed, granted)) FROM life") / 1e12
    assert booked <= 0.5 and cost >= 0.25, f"${cost} billed, ${booked} booked"
    # Raised, it goes on.
    raised = job.run("job", "limits", "--store", job.address, "--max-cost", "0.6")
    assert raised.returncode == 0 and "$0.6" in raised.stdout, raised.stdout + raised.stderr
    job.wait(job.work(lease=1), 5)
    more = service.cost()
    assert cost < more <= 0.6, f"${more}"
    return f"4 workers, 2 killed, --max-cost 0.5: ${cost:.4f} billed, ${booked:.4f} booked; raised to 0.6: ${more:.4f}"


def own_limit_of_a_worker(server):
    """What one worker may spend holds over all its shards and runs, and one that begins with nothing left ends with 5."""
    service = Service(DSET, "--latency-ms", "5", "--price", "1/1/10")
    job = Job(DSET, server, "own", service, 400, 40, "--max-cost", "0.3", "--max-output-bound", "200", "-c", "4")
    assert job.split.returncode == 0, job.split.stderr
    job.price(1, 10)
    billed = service.cost

    def works(folder, *limit):
        before = billed()
        ended = job.run("work", "--store", job.address, "-o", folder, "--key", "none", "-q", *limit)
        assert ended.returncode == 5, ended.stderr
        return billed() - before, ended.stderr

    first, said = works("own", "--max-cost", "0.05")
    assert 0.02 < first <= 0.05 and "the limit of $0.05 is reached" in said, f"${first}: {said}"
    more, _ = works("own", "--max-cost", "0.05")
    assert first + more <= 0.05, f"${first} + ${more}"
    # Another's answers are not its own.
    other, _ = works("other", "--max-cost-run", "0.05")
    assert 0.02 < other <= 0.05, f"${other}"
    works("other")
    none, said = works("third")
    assert none == 0 and "for the whole job is reached" in said and "dset job limits" in said, said
    assert billed() <= 0.3
    return f"${first:.4f} under 0.05, ${other:.4f} under 0.05 for one run, ${billed():.4f} under 0.3 for the job"


def limit_in_the_merged_folder(server):
    """What a killed worker may have been billed counts where the job goes on in `job/merged`."""
    service = Service(DSET, "--latency-ms", "700", "--price", "1/1/10")
    job = Job(DSET, server, "merged", service, 300, 3, "--max-cost", "0.1", "--max-output-bound", "200", "-c", "16")
    assert job.split.returncode == 0, job.split.stderr
    job.price(1, 10)
    worker = job.work(lease=1)
    job.until(lambda: service.stats()["answered"] >= 16)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    merged = job.run("job", "merge", job.name, "--store", job.address, "--partial")
    assert merged.returncode == 0, merged.stderr
    status = job.run("status", "-o", job.name + "/merged")
    assert "perhaps billed" in status.stdout, status.stdout + status.stderr
    assert "--max-cost 0.1 --max-output-bound 200" in status.stdout, status.stdout
    on = ("run", "-o", job.name + "/merged", "--base-url", service.url, "--key", "none", "-m", "m", "-q")
    went = job.run(*on, "--max-cost", "0.1", "--max-output-bound", "200")
    assert went.returncode == 5, went.stderr
    cost = service.cost()
    assert 0.02 < cost <= 0.1, f"${cost}"
    return f"one worker killed, --max-cost 0.1: ${cost:.4f} billed"


def failed_asked_again(server):
    """What failed is asked again when somebody says so, once, by whoever works: refused, or out of tries."""
    service = Service(DSET, "--latency-ms", "5", "--on", "What is 5?=risk*2", "--on", "What is 34?=length*4")
    job = Job(DSET, server, "again", service, 60, 6, "--check", "whole", "--on-fail", "retry", "--tries", "2")
    assert job.split.returncode == 0, job.split.stderr
    job.wait(job.work(), 3)
    asked = service.stats()["asked"]
    # 5 once, 34 twice.
    assert asked == 61, f"{asked} asked"
    job.wait(job.work(), 3)
    assert service.stats()["asked"] == asked, "asked again unasked"
    told = job.run("job", "status", "--store", job.address).stdout
    assert "done, with failures" in told and "--again-failed` asks them again" in told, told
    # Refused once more, and cut twice more: both workers together ask each of them once.
    pair = [job.work("--again-failed") for _ in range(2)]
    for worker in pair:
        job.wait(worker, (0, 3))
    second = service.stats()["asked"] - asked
    assert second in (3, 4), f"{second} asked in the second round"
    if job.number("SELECT count(*) FROM shard WHERE (ledger::jsonb->>'answered')::int < 10"):
        # Killed in the middle of it, another goes on with it, and needs no word.
        job.wait(job.work("--again-failed"))
    status = job.run("job", "status", "--store", job.address)
    assert "with failures" not in status.stdout and "6 of 6 shards done" in status.stdout, status.stdout
    assert job.number("SELECT count(*) FROM shard WHERE is_again OR NOT is_done") == 0
    before = service.stats()["asked"]
    job.wait(job.work("--again-failed"))
    assert service.stats()["asked"] == before
    rows = job.merged().splitlines()
    assert len(rows) == 60, f"{len(rows)} rows"
    # One that is killed in the middle of it: who takes the shard over goes on, without a word.
    slow = Service(DSET, "--latency-ms", "300", "--on", "What=risk*1")
    late = Job(DSET, server, "late", slow, 24, 1, "-c", "2")
    late.wait(late.work(), 3)
    # Of two that are alike only the first is refused.
    assert (slow.stats()["asked"], late.answers()) == (24, 2), slow.stats()
    victim = late.work("--again-failed", lease=1)
    late.until(lambda: late.answers() >= 6)
    victim.kill()
    victim.wait()
    late.wait(late.work(lease=1))
    assert late.answers() == 24 and slow.stats()["answered"] <= 24 + 2, slow.stats()
    # Neither it nor another asks once more what failed again in this round already.
    long = Service(DSET, "--latency-ms", "200")
    fails = Job(DSET, server, "fails", long, 12, 1, "-c", "1", "--check", "length=..5", "--on-fail", "mark")
    fails.wait(fails.work(), 3)
    assert long.stats()["asked"] == 12, long.stats()
    rounds = [("SIGTERM", "first"), ("SIGKILL", "first"), ("SIGKILL", "other")]
    for number, (how, folder) in enumerate(rounds, start=1):
        begun = long.stats()["asked"]
        victim = fails.work("--again-failed", lease=1, folder="first")
        fails.until(lambda: fails.answers() >= 12 * number + 5)
        victim.send_signal(getattr(signal, how))
        victim.wait()
        fails.wait(fails.work(lease=1, folder=folder), 3)
        in_round, on_their_way = long.stats()["asked"] - begun, int(how == "SIGKILL")
        assert 12 <= in_round <= 12 + on_their_way, f"{in_round} asked in a round of 12, {how}, {folder}"
    told = fails.run("status", "-o", "first/shard-00000").stdout
    assert "`dset work --store ADDRESS -o first --again-failed`" in told, told
    return f"2 of 60 failed, one of them out of tries: asked again when told, {before - asked} asks, 60 of 60 answered; killed in the middle of it, another goes on, and asks nothing twice in one round"


def what_died_is_forgiven(_):
    """A killed worker's money stays booked until somebody forgives it; one that ended is booked to the cent."""
    server = Server()
    service = Service(DSET, "--latency-ms", "300", "--price", "1/1/10")
    job = Job(DSET, server, "forgiven", service, 4000, 2, "--max-cost", "0.5", "--max-output-bound", "200", "-c", "8")
    assert job.split.returncode == 0, job.split.stderr
    limits = ("job", "limits", "--store", job.address)

    def books():
        done = job.run(*limits, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    job.price(1, 10)
    victim = job.work("--max-cost-run", "0.2", lease=1)
    job.until(lambda: job.answers() >= 30)
    assert job.run(*limits, "--forgive-lost").returncode == 0
    assert books()["lost_runs"] == 0, "one that lives is not lost"
    victim.kill()
    victim.wait()
    job.until(lambda: books()["lost_runs"] == 1)
    before = books()
    told = job.run(*limits).stdout
    assert "granted to 1 run that did not end" in told and "--forgive-lost" in told, told
    # Without the price nothing can be worked out, and nothing is.
    settings, aside = (os.path.join(job.folder, name) for name in ("dset.toml", "aside.toml"))
    os.rename(settings, aside)
    stranger = job.run(*limits, "--forgive-lost")
    os.rename(aside, settings)
    assert stranger.returncode == 2 and "no price" in stranger.stderr and books() == before, stranger.stderr
    forgiven = job.run(*limits, "--forgive-lost")
    assert forgiven.returncode == 0, forgiven.stderr
    after = books()
    recorded = job.number("SELECT count(*) FROM answer")
    assert after["lost_runs"] == 0 and 0 < float(after["booked"]) < float(before["booked"]), f"{before} {after}"
    # One that cannot say goodbye says so the next time it is here.
    worker = job.work(lease=1)
    job.until(lambda: job.answers() >= recorded + 20)
    server.stop("immediate")
    worker.send_signal(signal.SIGINT)
    job.wait(worker, 130, 20)
    server.start()
    life = job.number("SELECT max(id) FROM life")
    unknown = job.number(f"SELECT count(*) FROM life WHERE id = {life} AND billed IS NULL")
    job.wait(job.work(lease=1, folder=worker.name), 5)
    exact = job.number(f"SELECT count(*) FROM life WHERE id = {life} AND billed < granted")
    assert (unknown, exact) == (1, 1), f"unknown {unknown}, exact {exact}"
    end, cost = books(), service.cost()
    # What was on its way at the kill was billed here all the same, and the user has said that it was not.
    on_its_way = 8 * 0.0035
    assert end["lost_runs"] == 0 and 0.4 <= cost <= 0.5 + on_its_way, f"${cost} billed, {end}"
    return f"${before['booked']} booked of which ${before['lost']} for what was killed, forgiven ${after['booked']}; at the end ${cost:.4f} billed"


def folder_to_server_and_back(server):
    """What was asked without the server is brought there; what is there is asked nowhere again."""
    service = Service(DSET, "--latency-ms", "5")
    job = Job(DSET, server, "back", service, 90, 3)
    for number in ("1", "0"):
        done = job.run("run", "--job", "job", "--shard", number, "--quiet")
        assert done.returncode == 0, done.stderr
    assert service.stats()["asked"] == 60
    job.wait(job.work(folder="job"))
    assert service.stats()["asked"] == 90, service.stats()["asked"]
    job.check_whole()
    done = job.run("run", "q.csv", "-o", "there/merged", "--base-url", service.url, "--key", "none", "-m", "m", "--quiet")
    assert done.returncode == 0 and service.stats()["asked"] == 90, done.stderr
    # What a shard's folder is asked later, without the server, is brought there too, though the shard is done.
    job.server.sql("SET search_path TO dset; DELETE FROM answer WHERE shard = 1", job.name)
    job.wait(job.work(folder="job"))
    assert job.answers() == 60
    done = job.run("redo", "1", "--job", "job", "--shard", "1", "--quiet")
    assert done.returncode == 0, done.stderr
    job.wait(job.work(folder="job"))
    assert job.answers() == 91 and service.stats()["asked"] == 91, f"{job.answers()} answers, {service.stats()['asked']} asked"
    done = job.run("job", "merge", "here", "--store", job.address, "--to", "redone.jsonl")
    assert done.returncode == 0, done.stderr
    with open(os.path.join(job.folder, "redone.jsonl")) as file:
        times = [json.loads(line)["time"] for line in file]
    assert len(times) == 90 and times.index(max(times)) == 30, times
    return "2 of 3 shards asked without it: 90 rows, 90 asked, 0 again; one more redone there is brought too"


def verdicts_of_a_program(server):
    """What a program says of an answer is said once, whoever asks for it: nobody lets it judge that again."""
    service = Service(DSET, "--latency-ms", "20")
    # It fails a row in ten.
    judge = "#!/bin/sh\nwhile read -r line; do echo one >>judged; case \"$line\" in *'\"row\":'[0-9]*'1'[,}]*) echo '{\"ok\": false, \"why\": \"no\"}';; *) echo '{\"ok\": true}';; esac; done\n"
    program = os.path.join(tempfile.gettempdir(), f"judge-{os.getpid()}.sh")
    with open(program, "w") as file:
        file.write(judge)
    os.chmod(program, 0o755)
    checked = ("--check", f"command={program}", "--on-fail", "mark", "-c", "2")
    job = Job(DSET, server, "judged", service, 60, 3, *checked)
    assert job.split.returncode == 0, job.split.stderr

    def judged():
        path = os.path.join(job.folder, "judged")
        return len(open(path).readlines()) if os.path.exists(path) else 0

    victim = job.work(lease=1)
    job.until(lambda: job.answers() >= 25)
    victim.kill()
    victim.wait()
    job.wait(job.work(lease=1), 3)
    asked, said = service.stats()["asked"], judged()
    assert job.answers() == 60 and asked <= 62, f"{asked} asked"
    # What was with the program at the kill, and what its verdict was on its way to the server.
    assert 60 <= said <= 60 + 4, f"{said} judged for 60 answers"
    rows = job.merged().splitlines()
    again = job.run("run", "q.csv", "-o", "there/merged", "--base-url", service.url, "--key", "none", "-m", "m", "--quiet", *checked)
    assert again.returncode == 3, again.stderr
    assert (service.stats()["asked"], judged()) == (asked, said), f"{judged()} judged, {said} before"
    assert len(rows) == 54, f"{len(rows)} rows of 54 that passed"
    os.remove(program)
    return f"60 answers, one worker killed: {said} judged, then none by a run of all"


def refusals(server):
    """What cannot be used is said before the first ask, with a cause and a hint, and no password."""
    service = Service(DSET)
    job = Job(DSET, server, "refused", service, 20, 2)
    said = []

    def refused(code, words, *command, **more):
        done = job.run(*command, **more)
        text = done.stdout + done.stderr
        said.append(text)
        assert done.returncode == code, f"exit {done.returncode}, not {code}: {text}"
        assert words in text and "cause:" in text and "hint:" in text, f"`{words}` is not in: {text}"

    address = job.address
    server.sql("CREATE ROLE other LOGIN PASSWORD '" + PASSWORD + "'")
    server.sql('GRANT USAGE ON SCHEMA dset TO other', "refused")
    server.sql('GRANT SELECT ON dset.job TO other', "refused")
    refused(2, "is not granted", "work", "--store", server.address("refused", "other"))
    server.sql('CREATE DATABASE "narrow"')
    split = ("job", "split", "q.csv", "-o", "narrow", "--shards", "2", "--base-url", service.url, "--key", "none")
    refused(2, "permission denied", *split, "--store", server.address("narrow", "other"))
    refused(2, "no job on the server", "work", "--store", server.address("narrow"))
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    refused(2, "encoding LATIN1", *split, "--store", server.address("latin"))
    refused(2, "password authentication failed", "work", "--store", address, PGPASSWORD="canary-word-wrong")
    refused(2, "does not exist", "work", "--store", server.address("nowhere"))
    refused(6, "cannot be reached", "work", "--store", "postgres://me@127.0.0.1:1/db?sslmode=disable")
    loud = address.replace("me@", f"me:{PASSWORD}@")
    refused(2, "password in the address", "work", "--store", loud)
    refused(2, "another job", "job", "split", "q.csv", "--shards", "3", "-o", "other", "--base-url", service.url, "--key",
            "none", "--store", address)
    assert not os.path.exists(os.path.join(job.folder, "other", "job.json")), "a refused job is in the way of the next"
    refused(2, "no server is named", "work")
    refused(2, "Say `--store` without an address", "work", DSET_STORE=address)
    refused(2, "not what the job was split with", "work", "--store", address, "--template", "x")
    refused(2, "20 questions left in shard 0, 1", "job", "merge", "there", "--store", address)
    server.sql("UPDATE dset.job SET version = 99, made_by = 'dset 9.9'", "refused")
    refused(2, "dset 9.9", "work", "--store", address)
    # One of before is brought to the present form by whoever may.
    server.sql("UPDATE dset.job SET version = 1; ALTER TABLE dset.shard DROP COLUMN is_again, DROP COLUMN again_after; ALTER TABLE dset.ended DROP COLUMN life; DROP TABLE dset.aside; DROP TABLE dset.verdict", "refused")
    server.sql('CREATE DATABASE "foreign"')
    server.sql("CREATE SCHEMA dset; CREATE TABLE dset.theirs ()", "foreign")
    refused(2, "not of dset", "work", "--store", server.address("foreign"))
    assert service.stats()["asked"] == 0
    # The address from the environment, with the password in it.
    done = job.run("work", "--store", DSET_STORE=loud, PGPASSWORD="")
    assert done.returncode == 0, done.stderr
    assert not any("canary-word" in text for text in [*said, done.stdout, done.stderr]), "a password was shown"
    for root, _, files in os.walk(job.folder):
        for name in files:
            with open(os.path.join(root, name), "rb") as file:
                assert b"canary-word" not in file.read(), f"{name} holds the password"
    count = len(said)
    return f"{count} refusals, 0 asked, no password anywhere"


def tls(_):
    """A server that takes TLS alone: by what the machine trusts, and not otherwise."""
    server = Server(tls=True)
    service = Service(DSET)
    address = f"postgres://me@localhost:{server.port}/tls"
    job = Job(DSET, server, "tls", service, 20, 2, address=address)
    assert job.split.returncode == 6 and "hint:" in job.split.stderr, f"a stranger is trusted: {job.split.stderr}"
    trusted = {"SSL_CERT_FILE": os.path.join(server.folder, "ca.pem")}
    split = ("job", "split", "q.csv", "--shards", "2", "--base-url", service.url, "--key", "none", "-m", "m", "--store")
    done = job.run(*split, address + "?sslmode=require", **trusted)
    assert done.returncode == 0, done.stderr
    done = job.run(*split, address + "?sslmode=disable", **trusted)
    assert done.returncode == 2, f"without TLS: {done.stderr}"
    done = job.run("work", "--store", address, "--quiet", **trusted)
    assert done.returncode == 0 and job.answers() == 20, done.stderr
    return "20 rows over TLS; a certificate that nobody vouches for, and no TLS, are refused"


def journals_agree(server):
    """The sentences about a journal, over both stores."""
    server.sql('CREATE DATABASE "journals"')
    address = server.address("journals").replace("me@", f"me:{PASSWORD}@")
    done = subprocess.run(["cargo", "test", "-q", "--workspace", "--lib", "--", "store::postgres::tests::"],
                          env={**os.environ, "DSET_TEST_SERVER": address}, capture_output=True, text=True)
    held = done.stdout.count("9 passed")
    assert done.returncode == 0 and held == 1, done.stdout + done.stderr
    return "9 tests, eight of them over the server"


CHECKS = [one_rate_for_all, few_connections, own_limit_of_a_worker, limit_in_the_merged_folder, connection_hangs, what_died_is_forgiven, failed_asked_again, full_disk, server_restarts, kills, one_limit_of_cost_for_all,
          stopped_past_its_lease, stopped_while_the_server_is_away, journals_agree, verdicts_of_a_program, tls, whole_job, folder_to_server_and_back, refusals]


def main():
    wanted = [check for check in CHECKS if not sys.argv[2:] or check.__name__ in sys.argv[2:]]
    failed = []
    OPEN.things = []
    server = Server()

    def one(check):
        began, OPEN.things = time.time(), []
        try:
            counted = check(server)
            print(f"ok    {check.__name__}: {counted} ({time.time() - began:.0f} s)", flush=True)
        except BaseException:
            failed.append(check.__name__)
            print(f"FAILED {check.__name__}\n{traceback.format_exc()}", flush=True)
        finally:
            while OPEN.things:
                OPEN.things.pop().close()

    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(one, wanted))
    finally:
        server.close()
    print(f"{len(wanted) - len(failed)} of {len(wanted)} hold" + (f"; not: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
