"""The examples run as they stand."""

import json
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_script_asks_once(here, service, monkeypatch):
    monkeypatch.setenv("DSET_BASE_URL", service.asks["base_url"])
    monkeypatch.setenv("DSET_KEY", "none")
    for there in (0, 2):
        ran = subprocess.run([sys.executable, EXAMPLES / "answer.py"], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        assert f"{there} of 2 answers were there before" in ran.stdout
    assert service.stats()["asked"] == 2


def test_the_notebook_runs_from_its_first_cell_to_its_last(here, service, monkeypatch):
    monkeypatch.setenv("DSET_BASE_URL", service.asks["base_url"])
    monkeypatch.setenv("DSET_KEY", "none")
    notebook = json.loads((EXAMPLES / "answer.ipynb").read_text())
    names = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert names["answers"].report.answered == 2
    assert (here / "answers.chat.jsonl").exists()
