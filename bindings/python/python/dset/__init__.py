"""Ask a model many questions and keep every answer.

An answer that was paid for is never lost and never bought twice, whatever happens to the process, the
machine or the service: the same call again asks only what has no answer yet.

>>> import dset
>>> report = dset.run("q.csv", model="deepseek-flash")            # doctest: +SKIP
>>> for row in dset.answer(["Why is the sky blue?"], output="sky"):  # doctest: +SKIP
...     print(row["answer"])
>>> dset.open("dset_generator").to_pandas()                       # doctest: +SKIP

Every option of ``dset run`` is a keyword with ``_`` for ``-``; keys of services come from the environment,
``.env`` or the user's file of keys, as on the command line, or from ``api_key``. Nothing is printed but by the
bar of ``progress``; what a terminal would be warned of is a ``UserWarning``.
"""

from ._answer import Answers, answer
from ._api import (
    Folder,
    Job,
    Plan,
    Report,
    export,
    open,
    plan,
    run,
    split,
)
from ._dset import __version__
from ._errors import (
    DsetError,
    KeyRefusedError,
    LockedError,
    OutOfMoneyError,
    UnreachableError,
    UsageError,
)

__all__ = [
    "Answers",
    "DsetError",
    "Folder",
    "Job",
    "KeyRefusedError",
    "LockedError",
    "OutOfMoneyError",
    "Plan",
    "Report",
    "UnreachableError",
    "UsageError",
    "__version__",
    "answer",
    "export",
    "open",
    "plan",
    "run",
    "split",
]
