"""A simulated service for the tests: the command's own, in a process of its own."""

import json
import re
import subprocess
import sys
import urllib.request

import pytest

#: The service wants no key, and another run of this machine tells nothing of it.
ASKS = {"key": "none", "share_pace": False}


class Service:
    """`dset mock` with these options."""

    def __init__(self, *options):
        command = [sys.executable, "-m", "dset", "mock", "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            if found:
                self.root = found.group(0)
                self.asks = {"base_url": f"{self.root}/v1", **ASKS}
                return
        raise RuntimeError("the service did not start")

    def stats(self):
        with urllib.request.urlopen(f"{self.root}/stats", timeout=10) as reply:
            return json.load(reply)

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def service():
    """A service that answers at once."""
    service = Service()
    yield service
    service.end()


@pytest.fixture
def slow():
    """A service that takes 400 ms for each answer."""
    service = Service("--latency-ms", "400")
    yield service
    service.end()


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))
    for name in ("DEEPSEEK_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def questions(path, count):
    path.write_text("question\n" + "".join(f"question {n}\n" for n in range(count)))
    return path
