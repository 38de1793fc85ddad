"""The compiled part; texts of JSON go in and out. Use the package ``dset``."""

from typing import Callable, List, Optional, Tuple

__version__: str

class Error(Exception):
    args: Tuple[str, Optional[str], List[str], int]

def run(
    words: List[str],
    key: Optional[str],
    progress: Optional[Callable[[int, int, int], object]],
    warn: Callable[[str], object],
    turns: Optional[Tuple[str, int]] = None,
) -> str: ...
def plan(words: List[str]) -> Tuple[int, int, int, int, int]: ...
def export(words: List[str], of_run: Optional[str] = None) -> str: ...
def status(folder: str, questions: Optional[str] = None) -> str: ...
def split(words: List[str]) -> Tuple[int, List[str]]: ...
def main(arguments: List[str]) -> int: ...
