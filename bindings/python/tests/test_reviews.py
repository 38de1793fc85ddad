"""Ratings of the viewer in datasets, also of a folder in which nothing can be written."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request

import dset
import pytest
from conftest import questions

#: Root may write everywhere, unless it gives that up.
PLAIN = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all"] if os.geteuid() == 0 else []

RATED = """
import dset, json, sys
files = dset.export("out", sys.argv[1], reviews=True)
rows = [json.loads(line) for line in files[0].open()]
print(json.dumps([[row["question"], row["rating"], row["note"]] for row in rows]))
"""


def rated(to):
    """What another process exports, which may write no more than anybody."""
    ran = subprocess.run([*PLAIN, sys.executable, "-c", RATED, str(to)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def rate_the_first(rating, note):
    """What a page of the viewer does."""
    viewer = subprocess.Popen([*PLAIN, sys.executable, "-m", "dset", "view", "--json", "-o", "out"], stdout=subprocess.PIPE, text=True)
    try:
        said = json.loads(viewer.stdout.readline())
        api, token = said["api"].rstrip("/"), said["token"]
        with urllib.request.urlopen(f"{api}/questions/1?token={token}", timeout=30) as reply:
            answer = json.load(reply)["question"]["answers"][0]["id"]
        origin = "/".join(api.split("/")[:3])
        review = json.dumps({"rating": rating, "note": note}).encode()
        request = urllib.request.Request(f"{api}/answers/{answer}/review?token={token}", review, {"Origin": origin})
        assert urllib.request.urlopen(request, timeout=30).status == 200
    finally:
        viewer.kill()
        viewer.wait()


@pytest.mark.skipif(PLAIN != [] and shutil.which("setpriv") is None, reason="root may write everywhere here")
def test_ratings_of_a_folder_that_cannot_be_written_are_found_where_the_viewer_has_put_them(here, service, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(here / ".cache"))
    dset.run(questions(here / "q.csv", 2), output="out", **service.asks)
    folder = here / "out"
    before = sorted(os.listdir(folder))
    folder.chmod(0o555)
    try:
        rate_the_first(4, "clear")
        assert sorted(set(os.listdir(folder)) - {"dset.db-shm"}) == sorted(set(before) - {"dset.db-shm"})
        assert list((here / ".cache").rglob("review.db")), "it is elsewhere"
        assert rated(here / "elsewhere.jsonl") == [["question 0", 4, "clear"], ["question 1", None, ""]]
    finally:
        folder.chmod(0o755)
    # Where the folder can be written, its own count.
    rate_the_first(2, "dull")
    assert (folder / "review.db").exists()
    assert rated(here / "beside.jsonl")[0] == ["question 0", 2, "dull"]


def test_without_a_word_of_reviews_a_dataset_has_none(here, service):
    dset.run(questions(here / "q.csv", 1), output="out", **service.asks)
    rate_the_first(5, "")
    files = dset.export("out", here / "rows.jsonl", reviews=False)
    assert "rating" not in json.loads(files[0].read_text())
