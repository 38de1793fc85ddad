"""Keywords as the words of the command line."""

from __future__ import annotations

import json
import os
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


def _text(name: str, value: Any) -> str:
    if isinstance(value, os.PathLike):
        return path_text(value)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    kind = "None" if value is None else type(value).__name__
    raise TypeError(f"{name} is a text, a number, a path, or a list of them, and not {kind}")
