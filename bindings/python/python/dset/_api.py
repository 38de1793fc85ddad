"""The calls of the package. See its docstring."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
import weakref
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Optional, Tuple, Union

from . import _dset
from ._errors import call, error_of
from ._options import PathLike, path_text, words

if TYPE_CHECKING:
    import datasets
    import pandas
    import polars
    import pyarrow

Progress = Union[bool, Callable[[int, int, int], object]]
Schema = Union[None, PathLike, Dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    """What a run would ask.

    Attributes:
        questions: Rows with a question.
        answers: Answers that are wanted to them.
        answered: Answers that are there.
        pending: Answers that a run asks for.
        empty: Rows without a question, which are skipped.
    """

    questions: int
    answers: int
    answered: int
    pending: int
    empty: int


@dataclass(frozen=True)
class Report:
    """How a run ended, and where its questions stand.

    Attributes:
        exit_code: 0 where everything is answered, 3 where some questions failed.
        reason: How it ended, in words.
        folder: The folder with the store and the outputs.
        questions: Answers that are wanted.
        answered: Answers that are there, from earlier runs too.
        failed: Questions that ended without an answer; the same run again asks them again.
        left: Questions that are still to be asked.
        answered_before: Answers that were there when the run began.
        presumed: Rows before a bookmark, taken as answered.
        empty: Rows without a question, which were skipped.
        bad_rows: Rows that cannot be asked and were skipped, with ``on_bad_row="skip"``.
        input: What was asked.
        left_out: Rows that ``where`` and ``sample`` left out.
        gone: Rows of the outputs whose question is gone from the input.
        outdated: Rows of the outputs that have another answer than the one that counts.
        keep_answer: Failed questions that still have the answer from before they were asked again.
        dropped: Asks that were dropped, and may be billed.
        unsent_reasoning: Chats whose earlier turns have reasoning, which is not sent.
        unread_files: Files in the folder of questions that are not read.
        seconds: How long it took.
        budget: Where it stands with its limit of money, in dollars as texts; ``None`` without one.
        unknown_ends: Answers taken for whole, by the reason to stop that dset does not know.
        spent: What all runs of the folder have spent, in dollars as texts; ``None`` where that is not known.
        as_asked: What :meth:`open` finds its rows by.
    """

    exit_code: int
    reason: str
    folder: Path
    questions: int
    answered: int
    failed: int
    left: int
    answered_before: int
    presumed: int = 0
    empty: int = 0
    bad_rows: int = 0
    input: Optional[Path] = None
    left_out: int = 0
    gone: int = 0
    outdated: int = 0
    keep_answer: int = 0
    dropped: int = 0
    unsent_reasoning: int = 0
    unread_files: Tuple[str, ...] = ()
    seconds: float = 0.0
    budget: Optional[Dict[str, Any]] = field(default=None, hash=False)
    spent: Optional[Dict[str, Any]] = field(default=None, hash=False)
    unknown_ends: Dict[str, int] = field(default_factory=dict, hash=False)
    as_asked: Optional[str] = field(default=None, repr=False)

    def open(self) -> "Folder":
        """Return the folder, to read the rows of what was asked, whatever other calls asked there since."""
        return Folder(self.folder, self.input, self.as_asked)


def _report(ended: Dict[str, Any]) -> Report:
    """Make a report of what is said of a run; the rest of it is known to who began it."""
    places = {"folder": Path(ended["output"]), "input": Path(ended["input"])}
    files = tuple(ended.get("unread_files", ()))
    said = {**ended, **places, "exit_code": ended["exit"], "unread_files": files}
    return Report(**{one.name: said[one.name] for one in fields(Report) if one.name in said})


class _Bar:
    """A bar of tqdm, where that is installed. One that cannot be drawn, because nobody takes it, ends no run."""

    def __init__(self) -> None:
        self.bar = None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return
        with suppress(Exception):
            self.bar = tqdm(unit="answer")

    def __call__(self, answered: int, failed: int, wanted: int) -> None:
        if self.bar is None:
            return
        try:
            self.bar.total = wanted
            self.bar.n = answered + failed
            if failed:
                self.bar.set_postfix(failed=failed, refresh=False)
            self.bar.refresh()
        except Exception:
            self.bar = None

    def close(self) -> None:
        if self.bar is not None:
            with suppress(Exception):
                self.bar.close()


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)


@contextmanager
def _said(options: Dict[str, Any], schema: Schema, questions: Optional[PathLike]) -> Iterator[List[str]]:
    """Give the words of a command; a schema that is a dict has a file as long as that."""
    positional = [] if questions is None else ["--", path_text(questions)]
    if not isinstance(schema, dict):
        yield words({**options, "schema": schema}) + positional
        return
    with tempfile.TemporaryDirectory(prefix="dset-") as place:
        path = Path(place) / "schema.json"
        path.write_text(json.dumps(schema), encoding="utf-8")
        yield words({**options, "schema": path}) + positional


def run(
    questions: Optional[PathLike] = None,
    *,
    output: Optional[PathLike] = None,
    model: Union[None, str, List[str]] = None,
    schema: Schema = None,
    api_key: Optional[str] = None,
    progress: Progress = False,
    check: Union[bool, None, str, List[str]] = True,
    _turns: Optional[Tuple[str, int]] = None,
    **options: Any,
) -> Report:
    """Ask the questions of a file that have no answer yet.

    Args:
        questions: A file, folder or pattern; ``q.csv`` where it is left out.
        output: The folder for store and outputs; ``dset_generator`` where it is left out.
        model: The model, or several.
        schema: A JSON Schema that answers have to fit: a dict, or its file.
        api_key: The key of the service, in place of what the environment has.
        progress: ``True`` for a bar of tqdm, where that is installed; or what is called with how many are
            answered, have failed and are wanted.
        check: Raise where the run does not go to its end. Questions that failed are no error. A text, or a list of
            them, is the ``--check`` of ``dset run``, what answers are held against, and leaves the raising as it is;
            ``check_`` is that option where both are said.
        **options: Any other option of ``dset run``, with ``_`` for ``-``: ``max_tokens=500``,
            ``template="…"``, ``job="job", shard=3``, ``where="level|int > 3"``. ``continue_=True`` is
            ``--continue``.

    Returns:
        How it ended.

    Raises:
        DsetError: It cannot begin, or does not go to its end.
        KeyboardInterrupt: Ctrl-C was pressed; what was on its way came home and is kept. Pressed again,
            that is dropped.
    """
    if not (progress is None or isinstance(progress, bool) or callable(progress)):
        raise TypeError(f"progress is True, False or what can be called, and not {type(progress).__name__}")
    raises = True
    if check is None or isinstance(check, bool):
        raises = bool(check)
    else:
        options["check"] = check
    bar = _Bar() if progress is True else None
    told = bar if bar is not None else (progress or None)
    try:
        with _said({"output": output, "model": model, **options}, schema, questions) as said:
            ended = json.loads(call(_dset.run, said, api_key, told, _warn, _turns))
    finally:
        if bar is not None:
            bar.close()
    report = _report(ended)
    for sentence in ended["put_right"]:
        _warn(sentence)
    for skipped, why in [(report.empty, "empty"), (report.bad_rows, "none that can be asked")]:
        if skipped:
            _warn(f"rows that are {why}, and were skipped: {skipped:,}")
    if raises and report.exit_code not in (0, 3):
        hint = "Run again: what is answered is kept"
        if report.reason == "the limit of cost is reached":
            # The same call would reach it at once.
            hint = "Call again with a higher `max_cost` (or `max_cost_run`): what is answered is kept"
        raise error_of(report.reason, ended["detail"], [hint], report.exit_code, report)
    return report


def plan(
    questions: Optional[PathLike] = None, *, schema: Schema = None, **options: Any
) -> Plan:
    """Work out what ``run`` with the same arguments would ask. Asks and changes nothing."""
    for of_run in ("api_key", "progress"):
        options.pop(of_run, None)
    if isinstance(options.get("check"), bool):
        del options["check"]
    with _said(options, schema, questions) as said:
        return Plan(*call(_dset.plan, said))


def export(
    folder: PathLike, to: PathLike, *, questions: Optional[PathLike] = None, **options: Any
) -> List[Path]:
    """Write a dataset of a folder's answers, as ``dset export`` does.

    Args:
        folder: The folder with the store.
        to: A file (``.jsonl``, ``.json``, ``.csv``, ``.parquet``), or a folder for the Hub.
        questions: Whose answers; those that the folder was asked from last where it is left out.
        **options: Any other option of ``dset export``: ``layout="chat"``, ``where="…"``, ``force=True``.

    Returns:
        The files that were written.
    """
    written = exported(folder, to, questions=questions, **options)
    return [Path(file["path"]) for file in written["files"]]


def exported(
    folder: PathLike,
    to: PathLike,
    *,
    questions: Optional[PathLike] = None,
    of_run: Optional[str] = None,
    **options: Any,
) -> Dict[str, Any]:
    """Do the same, of a run that need not be the last, and return what is known of it."""
    target = path_text(to)
    if os.path.isdir(target):
        target = os.path.join(target, "")
    with _said({"output": folder, "to": target, **options}, None, questions) as said:
        found: Dict[str, Any] = json.loads(call(_dset.export, said, of_run))
    return found


def remove(folder: Path) -> None:
    """Remove a folder, as far as it can be."""
    shutil.rmtree(folder, ignore_errors=True)


class Rows(Iterator[Dict[str, Any]]):
    """The lines of a file that goes when they are read, or with this."""

    def __init__(self, path: Path) -> None:
        self._file = path.open(encoding="utf-8")
        self._gone = weakref.finalize(self, remove, path.parent)

    def __next__(self) -> Dict[str, Any]:
        line = self._file.readline()
        if not line:
            self.close()
            raise StopIteration
        row: Dict[str, Any] = json.loads(line)
        return row

    def close(self) -> None:
        self._file.close()
        self._gone()

    def __del__(self) -> None:
        self._file.close()


class Folder:
    """The folder of a run: its rows, and where it stands. Made by :func:`open`."""

    def __init__(
        self, folder: PathLike, questions: Optional[PathLike] = None, of_run: Optional[str] = None
    ) -> None:
        self.folder = Path(path_text(folder))
        self.questions = None if questions is None else Path(path_text(questions))
        self._of_run = of_run

    def __repr__(self) -> str:
        return f"dset.open({str(self.folder)!r})"

    def status(self) -> Dict[str, int]:
        """Return how many questions there are, are answered, have failed, are left, and are presumed."""
        questions = None if self.questions is None else str(self.questions)
        found: Dict[str, int] = json.loads(call(_dset.status, str(self.folder), questions))
        return found

    def _export(self, ending: str, options: Dict[str, Any]) -> Path:
        place = Path(tempfile.mkdtemp(prefix="dset-"))
        try:
            said = {"questions": self.questions, "of_run": self._of_run, **options}
            return Path(exported(self.folder, place / f"rows.{ending}", **said)["files"][0]["path"])
        except BaseException:
            remove(place)
            raise

    def rows(self, **options: Any) -> Iterator[Dict[str, Any]]:
        """Go through the rows as dicts, in the order of the questions; options are those of :func:`export`."""
        return Rows(self._export("jsonl", options))

    def to_arrow(self, **options: Any) -> "pyarrow.Table":
        """Return the rows as a table of pyarrow, which must be installed."""
        import pyarrow.parquet

        path = self._export("parquet", options)
        try:
            # Read and not mapped: the file goes.
            return pyarrow.parquet.ParquetFile(path).read()
        finally:
            remove(path.parent)

    def to_pandas(self, **options: Any) -> "pandas.DataFrame":
        """Return the rows as a DataFrame; pandas and pyarrow must be installed."""
        return self.to_arrow(**options).to_pandas()

    def to_polars(self, **options: Any) -> "polars.DataFrame":
        """Return the rows as a DataFrame of polars, which must be installed."""
        import polars

        path = self._export("parquet", options)
        try:
            return polars.read_parquet(path, memory_map=False)
        finally:
            remove(path.parent)

    def to_datasets(self, **options: Any) -> "datasets.Dataset":
        """Return the rows as a ``Dataset``; ``datasets`` must be installed."""
        import datasets

        return datasets.Dataset(self.to_arrow(**options))


def open(folder: PathLike = "dset_generator", questions: Optional[PathLike] = None) -> Folder:
    """Open the folder of a run. Nothing is read before it is asked for.

    Args:
        folder: The folder with the store.
        questions: Whose answers are read; those that the folder was asked from last where it is left out.
    """
    return Folder(folder, questions)


@dataclass(frozen=True)
class Job:
    """Questions that are split into shards. Made by :func:`split`.

    Attributes:
        folder: The folder of the job.
        shards: How many there are.
    """

    folder: Path
    shards: int

    def run(self, shard: Union[int, str], **options: Any) -> Report:
        """Ask one shard, from 0, or ``"auto"``; options are those of :func:`run`."""
        return run(job=self.folder, shard=shard, **options)


def split(
    questions: PathLike, shards: int, *, job: PathLike = "job", schema: Schema = None, **options: Any
) -> Job:
    """Split questions into shards, as ``dset job split`` does.

    What is given here of model, prompts and limits holds for all shards. Done again with the same arguments
    it changes nothing. ``dset job merge`` makes one folder of the shards again.
    """
    with _said({"output": job, "shards": shards, **options}, schema, questions) as said:
        count, odd = call(_dset.split, said)
    for text in odd:
        warnings.warn(text, stacklevel=2)
    return Job(Path(path_text(job)), count)
