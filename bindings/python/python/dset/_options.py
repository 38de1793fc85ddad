"""Keywords as the words of the command line."""

from __future__ import annotations

import json
import keyword
import os
import re
import shlex
from typing import Any, Dict, List, Union

PathLike = Union[str, "os.PathLike[str]"]

#: Settings that are on or off in words.
_SWITCHES = {"reasoning": ("on", "off"), "stream": ("on", "off"), "share_pace": ("on", "off")}
#: Settings that are true or false.
_BOOLS = ("csv_bom", "csv_id", "off_peak", "stop_loops")
#: Settings that are names with commas between them.
_NAMES = ("formats",)


def path_text(path: PathLike) -> str:
    """Return a path as a text."""
    return os.fsdecode(os.fspath(path))


def words(options: Dict[str, Any]) -> List[str]:
    """Write keywords as flags; ``None`` is not said.

    Raises:
        TypeError: A value is none that a flag can have.
    """
    found: List[str] = []
    for name, value in options.items():
        flag = "--" + name.rstrip("_").replace("_", "-")
        if value is None:
            continue
        if isinstance(value, bool):
            if name in _SWITCHES:
                found.append(f"{flag}={_SWITCHES[name][0 if value else 1]}")
            elif name in _BOOLS:
                found.append(f"{flag}={str(value).lower()}")
            elif value:
                found.append(flag)
        elif isinstance(value, dict):
            found.extend(f"{flag}={field}={json.dumps(one)}" for field, one in value.items())
        elif isinstance(value, (list, tuple)) and name in _NAMES:
            found.append(f"{flag}={','.join(_text(name, one) for one in value)}")
        elif isinstance(value, (list, tuple)):
            found.extend(f"{flag}={_text(name, one)}" for one in value)
        else:
            found.append(f"{flag}={_text(name, value)}")
    return found


#: Flags of one letter that hints have.
_SHORT = {"-c": "concurrency", "-m": "model", "-n": "limit", "-o": "output", "-t": "template"}


def as_keywords(hint: str) -> str:
    """Write the flags of ``dset run`` and ``dset job split`` in a hint as keywords."""
    return re.sub("`([^`]+)`", lambda found: f"`{_keywords(found.group(1))}`", hint)


def _keywords(command: str) -> str:
    try:
        rest = shlex.split(re.sub("^dset (run|job split) ", "", command))
    except ValueError:
        return command
    if rest[:1] == ["dset"]:
        return command
    found: List[str] = []
    while rest:
        flag, is_tied, value = rest.pop(0).partition("=")
        name = _SHORT.get(flag, flag[2:].replace("-", "_") if flag.startswith("--") else "")
        if not name.isidentifier():
            # The questions are given by their place.
            continue
        if not is_tied and rest and not rest[0].startswith("-"):
            is_tied, value = "=", rest.pop(0)
        name += "_" if keyword.iskeyword(name) else ""
        found.append(f"{name}={_literal(name, value) if is_tied else True}")
    return ", ".join(found) or command


def _literal(name: str, value: str) -> str:
    if value in _SWITCHES.get(name, ()):
        return str(value == _SWITCHES[name][0])
    # A number, or a word that stands for one's own.
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?|[A-Z]+", value) and name != "key":
        return value
    return json.dumps(value, ensure_ascii=False)


def _text(name: str, value: Any) -> str:
    if isinstance(value, os.PathLike):
        return path_text(value)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    kind = "None" if value is None else type(value).__name__
    raise TypeError(f"{name} is a text, a number, a path, or a list of them, and not {kind}")
