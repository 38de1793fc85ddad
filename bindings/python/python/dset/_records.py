"""Records of Python as objects of JSON."""

from __future__ import annotations

import datetime
import decimal
import math
import os
import uuid
from collections.abc import Mapping
from typing import Any, Dict, Iterable, Iterator


def rows_of(records: Any) -> Iterator[Any]:
    """Go through records of any usual kind, as dicts or texts."""
    if isinstance(records, (str, bytes, Mapping)) or records is None:
        kind = type(records).__name__
        raise TypeError(f"records are a list of texts or dicts, or a table; this is one {kind}: put it into a list")
    kind = type(records).__module__.split(".")[0]
    if kind == "pandas" and hasattr(records, "to_dict") and hasattr(records, "columns"):
        return iter(records.to_dict("records"))
    if kind == "polars" and hasattr(records, "iter_rows"):
        return iter(records.iter_rows(named=True))
    if kind == "pyarrow" and hasattr(records, "to_pylist"):
        return iter(records.to_pylist())
    if not isinstance(records, Iterable):
        raise TypeError(f"records are a list of texts or dicts, or a table, and not {type(records).__name__}")
    return iter(records)


def objects_of(records: Any) -> Iterator[Dict[str, Any]]:
    """Make each record an object of JSON; a text is the question of its row.

    Raises:
        TypeError: A record, or a value in one, is nothing that JSON has; the message names it.
        ValueError: A number is infinite, or a text holds half a character.
    """
    for number, row in enumerate(rows_of(records)):
        yield _object(row, number)


def _object(row: Any, number: int) -> Dict[str, Any]:
    if isinstance(row, str):
        row = {"question": row}
    elif not isinstance(row, Mapping):
        raise TypeError(f"record {number} is a text or a dict, and not {_name(row)}")
    found = {}
    for column, value in row.items():
        if not isinstance(column, str):
            raise TypeError(f"record {number} has a column whose name is no text but {_name(column)}")
        found[column] = _value(value, f"column {column!r} of record {number}")
    return found


def _name(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _member(name: Any) -> str:
    return str.__str__(name) if isinstance(name, str) else str(name)


def _value(value: Any, place: str) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{place} holds half a character at {error.start}, which is no Unicode") from None
        # Of an enumeration of texts that, and not its name.
        return str.__str__(value)
    if isinstance(value, float):
        if math.isinf(value):
            raise ValueError(f"{place} is infinite, which JSON has no number for")
        # Of pandas, the word for what is not there.
        return None if math.isnan(value) else float(value)
    if isinstance(value, Mapping):
        named = {_member(name): _value(one, place) for name, one in value.items()}
        if len(named) < len(value):
            raise ValueError(f"{place} holds two names that are one in JSON")
        return named
    if isinstance(value, (list, tuple)):
        return [_value(one, place) for one in value]
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    # Scalars and arrays of numpy.
    if hasattr(value, "tolist") and type(value).__module__.split(".")[0] == "numpy":
        return _value(value.tolist(), place)
    raise TypeError(f"{place} holds {_name(value)}, which is nothing that JSON has")
