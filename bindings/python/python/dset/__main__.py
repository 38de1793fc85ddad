"""``dset`` and ``python -m dset``: the command itself, as the wheel carries it."""

import signal
import sys

from . import _dset


def main() -> int:
    """Run the command with the arguments of this process; returns its exit code."""
    # The command has handlers of its own; Python's would only be waited for.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _dset.main(["dset", *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
