"""What is raised where something was not done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Iterable, Optional

from . import _dset
from ._options import as_keywords

if TYPE_CHECKING:
    from ._api import Report


class DsetError(Exception):
    """Something was not done.

    Attributes:
        message: What happened.
        cause: Why, where that is known.
        hints: What to do; options of a run as keywords, commands as those of the command line.
        exit_code: The exit code that ``dset`` ends with.
        report: Where the run ended, where one was begun.
    """

    def __init__(
        self,
        message: str,
        cause: Optional[str] = None,
        hints: Iterable[str] = (),
        exit_code: int = 1,
        report: Optional["Report"] = None,
    ) -> None:
        self.message = message
        self.cause = cause
        self.hints = list(hints)
        self.exit_code = exit_code
        self.report = report
        super().__init__(message)

    def __str__(self) -> str:
        parts = [self.message]
        if self.cause:
            parts.append(f"cause: {self.cause}")
        parts.extend(f"hint: {hint}" for hint in self.hints)
        return "\n".join(parts)

    def __reduce__(self) -> Any:
        return (type(self), (self.message, self.cause, self.hints, self.exit_code, self.report))


class UsageError(DsetError):
    """Options, settings or questions (exit code 2)."""


class KeyRefusedError(DsetError):
    """The key is missing or refused (exit code 4)."""


class OutOfMoneyError(DsetError):
    """No money is left at the service, or of a limit of one's own (exit code 5)."""


class UnreachableError(DsetError):
    """The service cannot be reached, after every retry (exit code 6)."""


class LockedError(DsetError):
    """Another run has the folder (exit code 11)."""


_ERRORS = {
    2: UsageError,
    4: KeyRefusedError,
    5: OutOfMoneyError,
    6: UnreachableError,
    11: LockedError,
}


def error_of(
    message: str,
    cause: Optional[str],
    hints: Iterable[str],
    exit_code: int,
    report: Optional["Report"] = None,
) -> DsetError:
    hints = [as_keywords(hint) for hint in hints]
    return _ERRORS.get(exit_code, DsetError)(message, cause, hints, exit_code, report)


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except _dset.Error as error:
        raise error_of(*error.args) from None
