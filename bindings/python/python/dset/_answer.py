"""Answers to records of Python."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Container, Dict, Iterator, List, Optional, Tuple, Union

from ._api import Progress, Report, Rows, Schema, exported, remove, run
from ._errors import DsetError
from ._options import PathLike, path_text
from ._records import objects_of


class Answers(Iterator[Dict[str, Any]]):
    """The rows of :func:`answer`: an iterator of dicts.

    Attributes:
        report: How the run ended: how many are answered and have failed.
    """

    def __init__(self, report: Report, rows: Iterator[Dict[str, Any]]) -> None:
        self.report = report
        self._rows = rows

    def __next__(self) -> Dict[str, Any]:
        return next(self._rows)


@dataclass(frozen=True)
class _Written:
    """Records in a file.

    Attributes:
        path: The file, by a name that says what is in it.
        count: How many there are.
        columns: The names of all that one of them has.
    """

    path: Path
    count: int
    columns: Tuple[str, ...]


def _written(records: Any, folder: Path) -> _Written:
    handle, name = tempfile.mkstemp(dir=folder, prefix=".dset-", suffix=".tmp")
    digest, count = hashlib.blake2b(digest_size=8), 0
    columns: Dict[str, None] = {}
    try:
        with os.fdopen(handle, "wb") as file:
            for row in objects_of(records):
                data = json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n"
                digest.update(data)
                file.write(data)
                columns.update(dict.fromkeys(row))
                count += 1
        # Whole under its name: a run that is going on in this folder reads its own.
        path = folder / f"records-{digest.hexdigest()}.jsonl"
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    return _Written(path, count, tuple(columns))


def row_column(columns: Container[str]) -> str:
    """Return dset's own column with the number of the row, beside these of the records."""
    name = "row"
    while name in columns:
        name = "dset_" + name
    return name


def _joined(rows: Iterator[Dict[str, Any]], file: BinaryIO, columns: Tuple[str, ...]) -> Iterator[Dict[str, Any]]:
    """Give rows the values that their records have: in a dataset a column has one kind, and nothing is missing."""
    own = row_column(columns)
    with file:
        at, line = 0, b""
        for row in rows:
            place = row[own]
            while at < place:
                at, line = at + 1, file.readline()
            record = json.loads(line)
            for column in columns:
                row[column] = record.get(column)
            yield row


def answer(
    records: Any,
    *,
    output: Optional[PathLike] = None,
    model: Union[None, str, List[str]] = None,
    schema: Schema = None,
    progress: Progress = True,
    **options: Any,
) -> Answers:
    """Ask a model about records; returns when all are asked.

    Args:
        records: Texts or dicts; a DataFrame of pandas or polars, a table of pyarrow, a ``Dataset``. A dict
            has its question in ``question``, or is made one by ``template``.
        output: The folder in which the answers are kept: the same call again asks nothing, also in another
            process. Without it they are gone with the rows that are returned; where the call fails or
            is interrupted, they stay, and an error or a warning names the folder.
        model: The model, or several.
        schema: A JSON Schema that answers have to fit: a dict, or its file.
        progress: As of :func:`run`.
        **options: Those of :func:`run`.

    Returns:
        Dicts in the order of the records, with their columns, ``question``, ``answer``, ``reasoning``,
        ``model`` and what else is known of the answer. Records without an answer have none; ``.report``
        counts them.

    Raises:
        TypeError: A record is none; nothing was asked.
        DsetError: As of :func:`run`.
    """
    folder = Path(tempfile.mkdtemp(prefix="dset-") if output is None else path_text(output))
    own = output is None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = _written(records, folder)
    except BaseException:
        if own:
            remove(folder)
        raise
    if written.count == 0:
        os.unlink(written.path)
        if own:
            remove(folder)
        return Answers(Report(0, "there was nothing to ask", folder, 0, 0, 0, 0, 0), iter(()))
    try:
        report = run(written.path, output=folder, model=model, schema=schema, progress=progress, **options)
        # Read from here, so that nothing is left to fail when the rows are gone through.
        rows: Iterator[Dict[str, Any]] = iter(())
        if report.answered:
            rows = _joined(_rows(report), written.path.open("rb"), written.columns)
    except BaseException as error:
        if own:
            _keep_or_remove(folder, error)
        raise
    if own:
        # The store is not needed any more: the rows are a file of their own.
        remove(folder)
    return Answers(report, rows)


def _rows(report: Report) -> Iterator[Dict[str, Any]]:
    """Read all rows that a call has answers to."""
    place = Path(tempfile.mkdtemp(prefix="dset-"))
    try:
        path = place / "rows.jsonl"
        found = exported(report.folder, path, questions=report.input, of_run=report.as_asked)["rows"]
        if found < report.answered:
            raise DsetError(
                f"of {report.answered:,} answers {found:,} were found again",
                f"another call has changed which answers count in {report.folder}",
                ["Call again: nothing is bought twice; calls with different settings need folders of their own"],
            )
        return Rows(path)
    except BaseException:
        remove(place)
        raise


def _keep_or_remove(folder: Path, error: BaseException) -> None:
    """Keep answers that a call which failed has bought, and say where."""
    if not (folder / "dset.db").exists():
        remove(folder)
        return
    kept = f"what was answered is kept in {folder}: give that as `output` to go on"
    if isinstance(error, DsetError):
        error.hints.append(kept[0].upper() + kept[1:])
    else:
        warnings.warn(kept, stacklevel=4)
