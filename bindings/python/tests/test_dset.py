"""Runs, shards, errors, signals and processes, against the simulated service."""

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dset
import pytest
from conftest import questions


def test_a_file_is_asked_once_and_read_back_in_every_form(here, service):
    path = questions(here / "q.csv", 20)
    assert dset.plan(path, output="out", **service.asks) == dset.Plan(20, 20, 0, 20, 0)
    report = dset.run(path, output="out", **service.asks)
    assert (report.exit_code, report.answered, report.left) == (0, 20, 0)
    assert dset.run(path, output="out", **service.asks).answered_before == 20
    assert service.stats()["asked"] == 20
    folder = dset.open("out")
    assert folder.status()["answered"] == 20
    rows = list(report.open().rows())
    assert [row["question"] for row in rows] == [f"question {n}" for n in range(20)]
    answers = [row["answer"] for row in rows]
    assert list(folder.to_pandas()["answer"]) == answers
    assert folder.to_polars()["answer"].to_list() == answers
    assert folder.to_datasets()["answer"][:] == answers
    assert folder.to_arrow().num_rows == 20
    files = dset.export("out", here / "chat.jsonl", layout="chat")
    assert files[0].name == "chat.jsonl" and files[0].exists()


def test_a_dataset_that_settings_name_is_written_at_the_end(here, service):
    path = questions(here / "q.csv", 2)
    dset.run(path, output="out", to=here / "rows.parquet", **service.asks)
    assert (here / "rows.parquet").exists()


def test_nothing_is_printed(here, service):
    questions(here / "q.csv", 3)
    code = f"import dset; dset.run('q.csv', **{service.asks!r}); list(dset.open().rows()); dset.split('q.csv', 2)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")


def test_errors_have_three_parts_and_a_kind(here, service):
    with pytest.raises(dset.UsageError) as caught:
        dset.run("nowhere.csv", **service.asks)
    assert "nowhere.csv" in caught.value.message
    assert caught.value.exit_code == 2 and caught.value.hints
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    path = questions(here / "q.csv", 1)
    with pytest.raises(dset.UsageError, match="no-such-option"):
        dset.run(path, no_such_option=1)
    with pytest.raises(dset.UsageError):
        dset.run(path, concurrency="many", **service.asks)
    with pytest.raises(dset.KeyRefusedError) as caught:
        dset.run(path, model="deepseek-flash")
    assert caught.value.hints
    with pytest.raises(dset.UsageError, match="nothing was asked"):
        next(dset.open("empty").rows())
    assert service.stats()["asked"] == 0


def test_a_report_says_what_the_events_of_the_command_say(here, service):
    folder = here / "in"
    folder.mkdir()
    rows = [("a", 1), ("", 2), ("b", 9)]
    (folder / "a.jsonl").write_text("".join(json.dumps({"question": q, "level": n}) + "\n" for q, n in rows))
    (folder / "b.xlsx").write_text("none that is read")
    options = {"samples": 2, "where": "level < 5", "max_output_bound": 4_000, "max_cost": 1}
    asks = {**options, "base_url": service.asks["base_url"], "key": "none", "model": "m"}
    (here / "dset.toml").write_text("[prices.m]\ninput = 0.3\noutput = 1.2\n")
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in {**asks, "share_pace": "off"}.items()]
    command = [sys.executable, "-m", "dset", "run", "in", "-o", "events", "--json", *flags]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    said = {**events[0], **next(event for event in events if event["event"] == "end")}
    told = json.loads(dset._dset.run(["-o", "report", *flags, "--", "in"], None, None, print))
    of_event = {"v", "time", "event"}
    of_report = {"reason", "detail", "answered_before", "as_asked", "put_right"}
    assert set(said) - of_event == set(told) - of_report
    differs = {name for name in set(said) - of_event if said[name] != told[name]}
    assert differs <= {"output", "seconds", "spent", "budget"}
    with pytest.warns(UserWarning):
        report = dset.run("in", output="once", progress=False, share_pace=False, **asks)
    assert (report.empty, report.left_out, len(report.unread_files)) == (1, 1, 1)
    assert report.seconds > 0 and report.budget["max_cost"] == "1" and report.spent
    assert report == pickle.loads(pickle.dumps(report)) and hash(report)


def test_changed_settings_are_a_decision(here, service):
    path = questions(here / "q.csv", 2)
    dset.run(path, **service.asks)
    with pytest.raises(dset.UsageError) as caught:
        dset.run(path, system="Be brief.", **service.asks)
    assert any("`continue_=True`" in hint for hint in caught.value.hints)
    assert not any("--" in hint for hint in caught.value.hints)
    assert dset.run(path, system="Be brief.", continue_=True, **service.asks).answered == 2
    assert service.stats()["asked"] == 2


def test_hints_name_keywords_where_they_are_of_a_run():
    from dset._options import as_keywords

    for hint, said in [
        ("Keep them: `dset run --continue`", "Keep them: `continue_=True`"),
        ("Or `dset run q.csv --max-tokens 500 -o DIR`", "Or `max_tokens=500, output=DIR`"),
        ("Say `--key none`, `--stream off` or `-t '{{ a }} b'`", 'Say `key="none"`, `stream=False` or `template="{{ a }} b"`'),
        ("`dset status -o out` shows it; `it's`; `dset run`", "`dset status -o out` shows it; `it's`; `dset run`"),
    ]:
        assert as_keywords(hint) == said


def test_a_limit_that_is_reached_is_to_be_raised(here, service):
    path = questions(here / "q.csv", 20)
    (here / "dset.toml").write_text('[prices.m]\ninput = 1.0\noutput = 1.0\n')
    ask = dict(model="m", max_tokens=100, max_output_bound=100, concurrency=1, **service.asks)
    with pytest.raises(dset.OutOfMoneyError) as caught:
        dset.run(path, max_cost=0.0005, **ask)
    assert any("`max_cost`" in hint for hint in caught.value.hints)
    assert dset.run(path, max_cost=1, **ask).answered == 20


def test_a_plan_takes_the_arguments_of_its_run(here, service):
    path = questions(here / "q.csv", 2)
    assert dset.plan(path, api_key="sk", progress=True, check=False, **service.asks).pending == 2


@pytest.mark.parametrize(
    "said",
    [{"check": "length=..1"}, {"check": ["length=..1", "no-refusal"]}, {"check": False, "check_": "length=..1"}],
)
def test_a_check_that_is_a_text_is_one_of_answers(here, service, said):
    path = questions(here / "q.csv", 2)
    report = dset.run(path, tries=1, **said, **service.asks)
    assert (report.exit_code, report.answered) == (3, 0)
    for call in (dset.run, dset.plan):
        with pytest.raises(dset.UsageError, match="no-such-check"):
            call(path, check="no-such-check", **service.asks)


@pytest.mark.parametrize(
    "arguments",
    [
        {"questions": ["a list"]},
        {"questions": 7},
        {"questions": "q.csv", "max_tokens": object()},
        {"questions": "q.csv", "model": [None]},
        {"questions": "q.csv", "progress": 3},
    ],
)
def test_arguments_of_a_wrong_type_are_refused_before_anything_is_asked(here, service, arguments):
    questions(here / "q.csv", 2)
    with pytest.raises(TypeError):
        dset.run(**arguments, **service.asks)
    assert service.stats()["asked"] == 0


def test_a_key_is_in_no_file_and_no_error(here, service):
    path = questions(here / "q.csv", 2)
    asks = {**service.asks, "key": "MY_OWN_KEY"}
    with pytest.raises(dset.DsetError) as caught:
        dset.run(path, api_key="sk-secret-of-the-test\n", **asks)
    assert "sk-secret" not in str(caught.value)
    dset.run(path, api_key="sk-secret-of-the-test", **asks)
    for file in here.rglob("*"):
        assert not file.is_file() or b"sk-secret" not in file.read_bytes(), file


def test_a_key_that_is_given_goes_to_no_host_that_only_the_folder_names(here):
    path = questions(here / "q.csv", 1)
    with pytest.raises(dset.UsageError, match="several services"):
        dset.run(path, model=["deepseek/a", "openai/b"], api_key="sk-secret")
    with pytest.raises(dset.DsetError, match="empty"):
        dset.run(path, model="deepseek/a", api_key=" ")
    (here / "dset.toml").write_text('base-url = "http://elsewhere.invalid/v1"\nmodel = "m"\n')
    with pytest.raises(dset.UsageError, match=r"would be sent to elsewhere\.invalid, which only dset\.toml names"):
        dset.run(path, api_key="sk-secret")


def test_what_was_put_right_before_a_run_is_a_warning(here, service):
    path = questions(here / "q.csv", 3)
    dset.run(path, output="out", **service.asks)
    with open(here / "out" / "output.json", "a") as output:
        output.write('{"metadata": {"question"')
    with pytest.warns(UserWarning, match=r"output\.json"):
        assert dset.run(path, output="out", **service.asks).answered == 3
    assert service.stats()["asked"] == 3


def test_a_bar_that_cannot_be_drawn_stops_no_run(here, service, monkeypatch):
    path = questions(here / "q.csv", 3)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        monkeypatch.setattr("sys.stderr", nobody)
        assert dset.run(path, progress=True, **service.asks).answered == 3
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            nobody.close()


def test_progress_is_told_and_may_stop_a_run(here, slow):
    path = questions(here / "q.csv", 6)
    told = []
    options = dict(concurrency=2, **slow.asks)
    dset.run(path, output="a", progress=lambda *numbers: told.append(numbers), **options)
    assert told and told[-1][2] == 6

    def enough(answered, failed, wanted):
        raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        dset.run(path, output="b", progress=enough, **options)
    assert dset.run(path, output="b", **options).answered == 6
    assert slow.stats()["questions_answered_again"] == 6


def test_ctrl_c_lets_what_is_on_its_way_come_home(here, slow):
    questions(here / "q.csv", 200)
    code = (
        "import dset, sys\n"
        "told = lambda answered, failed, wanted: answered and print('under way', flush=True)\n"
        "try:\n"
        f"    dset.run('q.csv', output='out', concurrency=4, progress=told, **{slow.asks!r})\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "under way\n"
    child.send_signal(signal.SIGINT)
    rest, _ = child.communicate(timeout=60)
    assert rest.endswith("interrupted\n") and child.returncode == 0
    stats = slow.stats()
    kept = dset.open("out").status()
    assert 0 < kept["answered"] < 200
    # Whatever was paid for is kept, and is in the rows.
    assert kept["answered"] == stats["answered"] == len(list(dset.open("out").rows()))


def test_other_threads_go_on_while_a_run_waits(here, slow):
    path = questions(here / "q.csv", 2)
    ticks = 0
    done = threading.Event()

    def count():
        nonlocal ticks
        while not done.wait(0.01):
            ticks += 1

    thread = threading.Thread(target=count)
    thread.start()
    dset.run(path, output="out", concurrency=1, **slow.asks)
    done.set()
    thread.join()
    assert ticks > 10


def test_two_runs_at_once_in_one_process(here, slow):
    results = {}
    together = threading.Barrier(2)

    def ask(name):
        path = questions(here / f"{name}.csv", 4)
        together.wait()
        results[name] = dset.run(path, output=name, **slow.asks).answered

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("a", "b")]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert results == {"a": 4, "b": 4}
    for name in ("a", "b"):
        assert len(list(dset.open(name).rows())) == 4


def test_two_runs_of_one_folder_are_an_error_of_the_second(here, slow):
    path = questions(here / "c.csv", 8)
    second = []

    def told(answered, failed, wanted):
        if not second:
            with pytest.raises(dset.LockedError) as caught:
                dset.run(path, output="c", **slow.asks)
            second.append(caught.value)

    assert dset.run(path, output="c", concurrency=1, progress=told, **slow.asks).answered == 8
    assert second[0].exit_code == 11
    assert slow.stats()["asked"] == 8


def in_child(path, output, asks, queue):
    queue.put(dset.run(path, output=output, **asks).answered)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_runs_on_its_own_by_fork_and_spawn(here, service, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip("not on this system")
    path = questions(here / "q.csv", 3)
    dset.run(path, output="parent", **service.asks)
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    child = context.Process(target=in_child, args=(str(path), "child", service.asks, queue))
    child.start()
    assert queue.get(timeout=60) == 3
    child.join(60)
    assert child.exitcode == 0


def test_a_process_that_is_killed_goes_on_by_the_same_call(here, slow):
    path = questions(here / "q.csv", 24)
    code = f"import dset; dset.run('q.csv', output='out', concurrency=4, **{slow.asks!r})"
    child = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 60
    while slow.stats()["answered"] < 6 and time.monotonic() < until:
        time.sleep(0.05)
    child.kill()
    child.wait()
    assert dset.run(path, output="out", **slow.asks).answered == 24
    assert len(list(dset.open("out").rows())) == 24
    assert slow.stats()["asked"] <= 24 + 4


def test_shards_are_run_and_merged(here, service):
    path = questions(here / "q.csv", 10)
    job = dset.split(path, 3, job="job", **service.asks)
    assert job.shards == 3
    assert sum(job.run(number).answered for number in (2, 0, 1)) == 10
    merge = [sys.executable, "-m", "dset", "job", "merge", "job"]
    merged = subprocess.run(merge, capture_output=True, text=True)
    assert merged.returncode == 0, merged.stderr
    assert len(list(dset.open("job/merged").rows())) == 10
    with pytest.raises(dset.UsageError, match="shard 3"):
        job.run(3)


def test_what_a_terminal_would_be_warned_of_is_a_warning(here, service):
    path = questions(here / "q.csv", 1)
    with pytest.warns(UserWarning, match="DSET_MODLE"):
        os.environ["DSET_MODLE"] = "x"
        try:
            dset.run(path, **service.asks)
        finally:
            del os.environ["DSET_MODLE"]


def test_the_wheel_carries_the_command(here):
    command = [sys.executable, "-m", "dset"]
    ran = subprocess.run([*command, "version"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, f"dset {dset.__version__}\n")
    wrong = subprocess.run([*command, "run", "--nothing"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "--nothing" in wrong.stderr
    script = os.path.join(os.path.dirname(sys.executable), "dset")
    assert subprocess.run([script, "version"], capture_output=True).returncode == 0


def test_the_wheel_carries_its_types():
    package = Path(dset.__file__).parent
    assert (package / "py.typed").exists() and (package / "_dset.pyi").exists()


def test_the_command_ends_by_ctrl_c_as_it_does_without_python(here, slow):
    questions(here / "q.csv", 200)
    words = ["run", "q.csv", "--concurrency", "4", "--key", "none", "--base-url", slow.asks["base_url"]]
    child = subprocess.Popen([sys.executable, "-m", "dset", *words], stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 60
    while slow.stats()["answered"] < 2 and time.monotonic() < until:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert "Traceback" not in said
