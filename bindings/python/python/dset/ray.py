"""Shards of a job on a Ray cluster, and a stage of Ray Data: ``pip install 'dset[ray]'``.

Ray hands out shards and nothing else. Answers stay in the folder of the job, which every worker must see; what
travels are counts. A worker that dies is replaced, and its shard goes on where it stopped; the same call again,
after the driver died too, asks only what has no answer. Keys of services come from the environment of the
workers, and never from an argument, which Ray would keep.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Union

from ._answer import answer as _answer_here
from ._answer import row_column
from ._api import Job, Report, exported
from ._api import run as _run_here
from ._errors import DsetError, LockedError, UsageError
from ._options import PathLike, path_text

try:
    import ray
except ImportError as error:  # pragma: no cover - said to people
    raise ImportError("dset.ray needs Ray: pip install 'dset[ray]'") from error

if TYPE_CHECKING:
    import pyarrow
    import ray.data

_LOG = logging.getLogger("dset.ray")
#: How often a shard is begun anew after its worker died.
RETRIES = 10
#: How long a folder is waited for that a worker still has, in seconds: one that was killed is not gone at once.
LOCKED_MAX = 30.0


@dataclass(frozen=True)
class Manifest:
    """What one shard came to.

    Attributes:
        shard: Which, from 0.
        report: How its run ended.
        file: Its part of the dataset, where one is written.
        rows: Rows in that file.
        hash: BLAKE2b of that file, in hexadecimal digits.
    """

    shard: int
    report: Report
    file: Optional[Path] = None
    rows: int = 0
    hash: str = ""


def _refuse_key(options: Dict[str, Any]) -> None:
    if "api_key" in options:
        raise UsageError(
            "a key is no argument on a cluster",
            "Ray keeps arguments of tasks, and shows them",
            ["Set the variable of the key in the environment of the workers, by `runtime_env` or a secret"],
            2,
        )


def _refuse_limit(is_there: bool) -> None:
    if is_there:
        raise UsageError(
            "a limit of money cannot be kept by batches",
            "each batch has a folder of its own, and would spend the whole limit",
            [
                "Make shards of the rows, among which the limit is divided: `dset.split(…, max_cost=20)`, then `dset.ray.run`",
                "Unset `DSET_MAX_COST`, and `max-cost` in dset.toml, where it is said there",
            ],
            2,
        )


def _warn_of_missing(report: Report, rows: int) -> None:
    """Say at the driver, to which Ray brings it, which rows of a batch have no answer."""
    missing = report.questions - report.answered
    if missing or report.empty or report.bad_rows:
        reasons = [
            f"{count} {words}"
            for count, words in (
                (missing, "without an answer"),
                (report.empty, "without a question"),
                (report.bad_rows, "that cannot be asked"),
            )
            if count
        ]
        _LOG.warning("of %d rows left out: %s (why: `dset show --failed -o %s`)", rows, ", ".join(reasons), report.folder)


def _unlocked(ask: Callable[[], Any]) -> Any:
    """Do what needs a folder, when it is free."""
    until = time.monotonic() + LOCKED_MAX
    while True:
        try:
            return ask()
        except LockedError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.5)


def _shard(
    job: str, shard: int, to: Optional[str], layout: Optional[str], workers: int, options: Any
) -> Manifest:
    report = _unlocked(lambda: _run_here(job=job, shard=shard, _turns=(job, workers), **options))
    if to is None:
        return Manifest(shard, report)
    # A fixed name, complete or not there at all: a second worker writes the same bytes.
    target = Path(to) / f"part-{shard:05}.parquet"
    written = exported(
        report.folder, target, questions=report.input, of_run=report.as_asked, layout=layout, force=True
    )
    data = target.read_bytes()
    return Manifest(shard, report, target, written["rows"], hashlib.blake2b(data, digest_size=16).hexdigest())


def run(
    job: Union[Job, PathLike],
    *,
    num_workers: int = 4,
    num_cpus: float = 0.5,
    shards: Optional[Iterable[int]] = None,
    to: Optional[PathLike] = None,
    layout: Optional[str] = None,
    **options: Any,
) -> List[Manifest]:
    """Ask the shards of a job on the cluster that this process is connected to.

    Args:
        job: A job, or its folder, on a file system that all workers see.
        num_workers: Shards that are asked at once, at most.
        num_cpus: What Ray reserves for each; asking is waiting, so a part of a CPU is enough.
        shards: Which shards; all where it is left out.
        to: A folder for a Parquet file of each shard, named by its number.
        layout: What its rows are.
        **options: Those of :func:`dset.run`: ``rpm=60`` is the limit of each worker, whichever shards it has, and
            ``max_cost=5`` that of each shard; one for the job is said to :func:`dset.split`.

    Returns:
        A manifest for each shard, in their order.

    Raises:
        DsetError: A shard could not be asked; the others that had begun were waited for.
        KeyboardInterrupt: Ctrl-C was pressed; what the workers had on its way came home and is kept.
    """
    _refuse_key(options)
    folder = job.folder if isinstance(job, Job) else Path(path_text(job))
    try:
        count = len(json.loads((folder / "job.json").read_text(encoding="utf-8"))["shards"])
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"there is no job in {folder}", str(error), ["Make one with `dset.split`"], 2) from None
    target = None if to is None else str(Path(path_text(to)).absolute())
    if target is not None:
        Path(target).mkdir(parents=True, exist_ok=True)
    task = ray.remote(_shard).options(num_cpus=num_cpus, max_retries=RETRIES)
    waiting = list(range(count) if shards is None else shards)[::-1]
    workers = max(num_workers, 1)
    going: Dict[Any, int] = {}
    done: List[Manifest] = []
    failed: Optional[BaseException] = None
    try:
        while going or (waiting and failed is None):
            while waiting and len(going) < workers and failed is None:
                shard = waiting.pop()
                going[task.remote(str(folder.absolute()), shard, target, layout, workers, options)] = shard
            (ready, *_), _ = ray.wait(list(going), num_returns=1)
            shard = going.pop(ready)
            try:
                done.append(ray.get(ready))
            except ray.exceptions.RayError as error:
                failed = failed or _error(error, shard)
    except KeyboardInterrupt:
        _drain(list(going))
        raise
    if failed is not None:
        raise failed
    return sorted(done, key=lambda manifest: manifest.shard)


def _error(error: BaseException, shard: int) -> BaseException:
    """Return what a shard raised, or say that its worker died once too often."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, DsetError):
        return cause
    text = str(error).strip().splitlines()
    hints = ["Run again: what is answered is kept"]
    return DsetError(f"shard {shard} was not asked to its end", text[-1] if text else None, hints)


def _drain(going: List[Any]) -> None:
    """Let the workers take home what is on its way: in a task, cancelling is Ctrl-C."""
    for one in going:
        ray.cancel(one, force=False)
    ray.wait(going, num_returns=len(going))


def _columns(table: "pyarrow.Table") -> "pyarrow.Table":
    """Give columns that are empty in one batch, and maybe not in others, the type that they have there."""
    import pyarrow

    fields = [
        pyarrow.field(field.name, pyarrow.string()) if pyarrow.types.is_null(field.type) else field
        for field in table.schema
    ]
    return table.cast(pyarrow.schema(fields))


def _joined(answers: "pyarrow.Table", batch: "pyarrow.Table") -> "pyarrow.Table":
    """Give rows the columns that the batch has, in the kinds that they have there."""
    import pyarrow.compute

    place = pyarrow.compute.subtract(answers[row_column(batch.column_names)], 1)
    for name in batch.column_names:
        field, values = batch.schema.field(name), batch[name].take(place)
        if name in answers.column_names:
            answers = answers.set_column(answers.column_names.index(name), field, values)
        else:
            answers = answers.append_column(field, values)
    return answers


def _batch(batch: "pyarrow.Table", output: str, workers: int, options: Dict[str, Any]) -> "pyarrow.Table":
    import pyarrow

    if batch.num_rows == 0:
        return batch
    # The same rows have the same folder, whichever worker has them.
    sink = hashlib.blake2b(digest_size=16)
    for row in batch.to_pylist():
        sink.update(json.dumps(row, sort_keys=True, default=str).encode() + b"\n")
    folder = Path(output) / f"batch-{sink.hexdigest()}"
    no_rows = pyarrow.table({"question": pyarrow.array([], pyarrow.string())})
    try:
        answers = _unlocked(
            lambda: _answer_here(batch, output=folder, progress=False, _turns=(output, workers), **options)
        )
    except UsageError as error:
        # Nothing to ask in one batch is no fault of the others.
        if "has no questions" not in str(error):
            raise
        _LOG.warning("of %d rows left out: %d without a question", batch.num_rows, batch.num_rows)
        return no_rows
    _refuse_limit(answers.report.budget is not None)
    _warn_of_missing(answers.report, batch.num_rows)
    if answers.report.answered == 0:
        return no_rows
    return _columns(_joined(answers.report.open().to_arrow(), batch))


def answer(
    ds: "ray.data.Dataset",
    *,
    output: PathLike,
    batch_size: int = 1_000,
    num_workers: int = 4,
    num_cpus: float = 0.5,
    **options: Any,
) -> "ray.data.Dataset":
    """Ask about the rows of a ``ray.data.Dataset``, as a stage of its pipeline.

    Args:
        ds: The rows; the question is in ``question``, or is made by ``template``.
        output: A folder that all workers see. Each batch keeps its answers there, under a name that its rows
            give: a batch that is done again, by another worker or in another run, is asked once.
        batch_size: Rows that are asked together, and that one folder holds.
        num_workers: Batches that are asked at once, at most.
        num_cpus: What Ray reserves for each.
        **options: Those of :func:`dset.answer` but ``max_cost`` and ``max_cost_run``, which batches cannot keep
            together; ``rpm=60`` is the limit of each worker, whichever batches it has.

    Returns:
        The rows that were answered, with the columns of :func:`dset.answer`; how many of a batch were not is a warning
        of its worker, which Ray shows at the driver. Nothing is asked before it is
        read. Which rows Ray writes how often is Ray's: see ``CheckpointConfig``.

    Raises:
        UsageError: A key or a limit of money is among the options.
    """
    _refuse_key(options)
    _refuse_limit(any(options.get(name) is not None for name in ("max_cost", "max_cost_run")))
    folder = str(Path(path_text(output)).absolute())
    Path(folder).mkdir(parents=True, exist_ok=True)
    workers = max(num_workers, 1)
    return ds.map_batches(
        functools.partial(_batch, output=folder, workers=workers, options=options),
        batch_size=batch_size,
        batch_format="pyarrow",
        num_cpus=num_cpus,
        concurrency=workers,
    )


__all__ = ["Manifest", "answer", "run"]
