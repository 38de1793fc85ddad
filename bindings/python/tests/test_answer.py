"""Records of every kind, well and badly made, against the simulated service."""

import datetime
import decimal
import enum
import json
import os
import subprocess
import sys
import tempfile

import dset
import pytest
from conftest import Service
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def lasting():
    service = Service()
    yield service
    service.end()


def kinds():
    import datasets
    import pandas
    import polars
    import pyarrow

    records = [{"question": f"q {n}", "level": n} for n in range(5)]
    return {
        "list": records,
        "generator": (row for row in records),
        "pandas": pandas.DataFrame(records),
        "polars": polars.DataFrame(records),
        "pyarrow": pyarrow.Table.from_pylist(records),
        "datasets": datasets.Dataset.from_list(records),
    }


@pytest.mark.parametrize("kind", ["list", "generator", "pandas", "polars", "pyarrow", "datasets"])
def test_records_of_any_kind_are_answered_in_their_order(here, service, kind):
    answers = dset.answer(kinds()[kind], progress=False, **service.asks)
    assert answers.report.answered == 5
    rows = list(answers)
    assert [row["question"] for row in rows] == [f"q {n}" for n in range(5)]
    assert [row["level"] for row in rows] == list(range(5))
    assert all(row["answer"] for row in rows)


class Color(str, enum.Enum):
    RED = "What is red?"


def test_a_member_of_an_enumeration_of_texts_is_that_text(here, service):
    rows = list(dset.answer([Color.RED, {"question": "q", "color": Color.RED}], progress=False, **service.asks))
    assert [row["question"] for row in rows] == ["What is red?", "q"]
    assert rows[1]["color"] == "What is red?"


@pytest.mark.parametrize("kind", ["list", "pandas", "polars", "pyarrow"])
def test_columns_of_texts_are_questions(here, service, kind):
    import pandas
    import polars
    import pyarrow

    texts = ["one", "two"]
    of = {"list": list, "pandas": pandas.Series, "polars": polars.Series, "pyarrow": lambda t: pyarrow.array(t).to_pylist()}
    rows = list(dset.answer(of[kind](texts), progress=False, **service.asks))
    assert [row["question"] for row in rows] == texts


def test_an_answer_is_bought_once_over_two_calls_and_two_processes(here, service):
    ask = dict(output="kept", progress=False, **service.asks)
    first = list(dset.answer(["a", "b"], **ask))
    assert list(dset.answer(["a", "b"], **ask)) == first
    code = f"import dset; print(len(list(dset.answer(['a', 'b'], **{ask!r}))))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("2\n", "")
    assert service.stats()["asked"] == 2
    # One more record is one more ask, and the rows are those of the records that were given.
    rows = list(dset.answer(["b", "c"], **ask))
    assert [row["question"] for row in rows] == ["b", "c"]
    assert service.stats()["asked"] == 3


def test_nothing_is_left_of_answers_that_are_not_to_be_kept(here, service, monkeypatch):
    place = here / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    answers = dset.answer(["a"], progress=False, **service.asks)
    assert len(list(answers)) == 1
    half_read = dset.answer(["a", "b"], progress=False, **service.asks)
    next(half_read)
    del half_read
    dset.answer([], progress=False, **service.asks)
    assert os.listdir(place) == []


def test_what_was_bought_by_a_call_that_fails_is_kept_and_named(here, slow):
    def enough(answered, failed, wanted):
        if answered:
            raise ValueError("enough")

    with pytest.warns(UserWarning, match="is kept in") as caught, pytest.raises(ValueError):
        dset.answer([f"q {n}" for n in range(40)], progress=enough, concurrency=4, **slow.asks)
    folder = str(caught[0].message).split("kept in ")[1].split(":")[0]
    assert dset.open(folder).status()["answered"] == slow.stats()["answered"] > 0


def test_no_records_are_no_rows_and_no_error(here, service):
    import pandas

    for nothing in ([], iter(()), pandas.DataFrame({"question": []})):
        answers = dset.answer(nothing, output="none", progress=False, **service.asks)
        assert list(answers) == [] and answers.report.questions == 0
    assert service.stats()["asked"] == 0


@pytest.mark.parametrize(
    "records, says",
    [
        ("a text", "put it into a list"),
        ({"question": "a dict"}, "put it into a list"),
        (None, "put it into a list"),
        (7, "not int"),
        (["a", None], "record 1 is a text or a dict, and not None"),
        ([["a list"]], "record 0"),
        ([{"question": "a", 1: "b"}], "record 0 has a column whose name"),
        ([{"question": "a", "own": object()}], "column 'own' of record 0 holds object"),
        ([{"question": "a", "own": b"bytes"}], "holds bytes"),
    ],
)
def test_records_that_are_none_are_named_and_nothing_is_asked(here, service, records, says):
    with pytest.raises(TypeError, match=says):
        dset.answer(records, output="out", progress=False, **service.asks)
    assert not os.path.isdir("out") or os.listdir("out") == []
    assert service.stats()["asked"] == 0


def test_half_a_character_and_infinity_are_named(here, service):
    for value in ("a\ud800", float("inf")):
        with pytest.raises(ValueError, match="column 'question' of record 1"):
            dset.answer(["fine", {"question": value}], progress=False, **service.asks)
    with pytest.raises(ValueError, match="column 'own' of record 0 holds two names"):
        dset.answer([{"question": "a", "own": {1: "x", "1": "y"}}], progress=False, **service.asks)
    assert service.stats()["asked"] == 0


def test_rows_without_a_question_are_skipped_and_counted(here, service):
    records = [{"question": "a"}, {"question": None}, {"question": "  "}, {"question": "b"}]
    with pytest.warns(UserWarning, match="empty, and were skipped: 2"):
        answers = dset.answer(records, progress=False, **service.asks)
    assert [row["question"] for row in answers] == ["a", "b"]
    assert (answers.report.questions, answers.report.empty, answers.report.answered) == (2, 2, 2)


def test_values_of_other_kinds_are_written_as_json_has_them(here, service):
    import numpy
    import pandas

    frame = pandas.DataFrame(
        {
            "question": ["a"],
            "day": [pandas.Timestamp("2026-11-29")],
            "missing": [float("nan")],
            "number": numpy.array([7], dtype="int8"),
            "list": [numpy.array([1, 2])],
            "money": [decimal.Decimal("1.10")],
            "date": [datetime.date(2026, 11, 29)],
        }
    )
    (row,) = dset.answer(frame, progress=False, **service.asks)
    assert row["day"] == "2026-11-29T00:00:00"
    assert (row["missing"], row["number"], row["list"]) == (None, 7, [1, 2])
    assert (row["money"], row["date"]) == ("1.10", "2026-11-29")


def test_records_keep_the_names_and_kinds_of_what_they_have(here, service):
    records = [
        {"question": "", "x": 1},
        {"question": "a", "answer": "mine", "row": 77, "nested": {"a": [1, None]}, "flag": True, "none": None},
        {"question": "b", "x": "text"},
    ]
    with pytest.warns(UserWarning, match="empty"):
        first, second = dset.answer(records, progress=False, **service.asks)
    assert {name: first[name] for name in records[1]} == records[1]
    assert first["dset_answer"] and first["dset_row"] == 2
    assert (second["x"], second["nested"], second["flag"]) == ("text", None, None)


def test_a_row_of_two_mebibytes_comes_back_as_it_was(here, service):
    text = "ä𝄞\n" * 300_000
    (row,) = dset.answer([{"question": "a", "own": text}], progress=False, **service.asks)
    assert row["own"] == text


def test_a_schema_may_be_a_dict(here, service):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    answers = dset.answer(["a"], schema=schema, progress=False, **service.asks)
    assert answers.report.questions == 1
    with pytest.raises(dset.UsageError, match="schema"):
        dset.answer(["a"], schema={"type": 7}, progress=False, **service.asks)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip()),
        min_size=1,
        max_size=6,
    )
)
def test_any_text_comes_back_as_it_was(lasting, texts):
    records = [{"question": "the same", "own": text} for text in texts]
    rows = list(dset.answer(records, progress=False, **lasting.asks))
    assert [row["own"] for row in rows] == texts


@pytest.mark.parametrize("place", ["file", "variable", "settings"])
def test_questions_of_the_working_folder_are_none_of_the_records(here, service, monkeypatch, place):
    name = "q.csv" if place == "file" else "other.csv"
    (here / name).write_text("question\none\n")
    if place == "variable":
        monkeypatch.setenv("DSET_INPUT", name)
    if place == "settings":
        (here / "dset.toml").write_text(f'input = "{name}"\n')
    records = [{"question": "two", "who": "record 1"}, {"question": "one", "who": "record 2"}]
    for output in [None, "o"]:
        rows = list(dset.answer(records, output=output, progress=False, **service.asks))
        assert [(row["question"], row["who"]) for row in rows] == [("two", "record 1"), ("one", "record 2")]
    assert len(dset.open("o").to_pandas()) == 2
    assert dset.open("o").status() == {"questions": 2, "answered": 2, "failed": 0, "left": 0, "presumed": 0}
    assert len(list(dset.open("o", questions=name).rows())) == 1


def test_calls_that_take_turns_in_one_folder_have_their_own_rows(here, service):
    ask = dict(output="kept", progress=False, **service.asks)
    first = dset.answer([{"question": "a"}], **ask)
    second = dset.answer([{"question": "b"}], **ask)
    assert [row["question"] for row in first.report.open().rows()] == ["a"]
    assert [row["question"] for row in second.report.open().rows()] == ["b"]


@pytest.mark.parametrize("other, count", [({"model": "another"}, 4), ({"limit": 2}, 2)])
def test_a_call_has_its_own_rows_where_another_asks_otherwise_before_they_are_read(
    here, service, monkeypatch, other, count
):
    ask = dict(output="kept", progress=False, **service.asks)
    records = [{"question": f"q {n}", "own": f"own {n}"} for n in range(4)]
    alone = list(dset.answer(records, system="First.", model="one", **{**ask, "output": "alone"}))
    real = dset._answer.run

    def run_and_then_another(*arguments, **options):
        report = real(*arguments, **options)
        real(here / "all.jsonl", **{**ask, "system": "Second.", "model": "one", "again": True, **other})
        return report

    (here / "all.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    monkeypatch.setattr(dset._answer, "run", run_and_then_another)
    answers = dset.answer(records, system="First.", model="one", **ask)
    told = ("question", "answer", "model", "own")
    assert [[row[name] for name in told] for row in answers] == [[row[name] for name in told] for row in alone]
    # Whoever opens the folder has those of the other call.
    assert len(list(dset.open("kept").rows())) == count


def test_a_report_opens_its_own_rows_whatever_was_asked_in_the_folder_since(here, service):
    (here / "q.jsonl").write_text("".join(json.dumps({"question": f"q {n}", "level": n}) + "\n" for n in range(6)))
    ask = dict(output="kept", **service.asks)
    easy = dset.run("q.jsonl", where="level|int < 4", limit=3, **ask)
    own = [row["question"] for row in easy.open().rows()]
    dset.run("q.jsonl", system="Be brief.", continue_=True, **ask)
    # What the other call has bought for rows that this one left is not its own.
    assert [row["question"] for row in easy.open().rows()] == own and len(own) == 3
    assert len(list(dset.open("kept", "q.jsonl").rows())) == 6
    assert easy.left_out == 2


def test_rows_are_joined_to_their_records_whatever_columns_these_have(here, service):
    for extra in [{"dset_row": 5}, {"row": "R", "dset_row": 7}, {"row": "R", "dset_row": 0, "dset_dset_row": 1}]:
        records = [{"question": f"q {n}", "level": n, **extra} for n in (3, 1, 2)]
        rows = list(dset.answer(records, progress=False, **service.asks))
        assert [(row["question"], row["level"]) for row in rows] == [(f"q {n}", n) for n in (3, 1, 2)]
        assert all(row[name] == value for row in rows for name, value in extra.items())
    first = list(dset.answer([{"row": f"R{n}", "question": f"first {n}"} for n in range(5)], progress=False, **service.asks))
    again = [{**row, "question": f"about {row['row']}"} for row in reversed(first)]
    rows = list(dset.answer(again, progress=False, **service.asks))
    assert [row["question"] for row in rows] == [f"about R{n}" for n in (4, 3, 2, 1, 0)]
    assert [row["row"] for row in rows] == [f"R{n}" for n in (4, 3, 2, 1, 0)]
