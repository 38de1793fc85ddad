#!/bin/sh
# datatrove's C4 filter and its PII step change the rows that they keep: x[0] becomes x, sentences that name JavaScript go, and version 4.18.0.25 becomes somebody's IP address.
# Versions: datatrove 0.10.1 with spacy 3.8.18.
# Guess (written before the first run): a quality filter keeps a row or drops it, and a list[0] or a version number in a kept row is as it was.
# Seen: C4QualityFilter with filter_no_terminal_punct=False, as FineWeb's own script has it, keeps a text about arrays and makes "The sum is x[0] + x[12]." into
#   "The sum is x + x."; x[i] stays. "The browser runs JavaScript." and a line with "privacy policy" are cut out of the middle. PIIFormatter as it comes
#   makes "Section 12.4.1.3" and "version 4.18.0.25" into public IP addresses that are not in the text, and "git clone git@github.com:a/b" into a clone from example.com or .org.
# Cause: the filter takes a number in brackets for a footnote of Wikipedia (remove_citations) and each line with the word for a notice to turn it on; four
#   numbers with points between them are an address, if a program could reach it.
# Hurts: lessons on arrays in which every element is the array, texts on JavaScript without it, laws and release notes with made-up numbers; the counts say "kept".
#   Say remove_citations=False, filter_javascript=False, filter_policy=False, and remove_ips=False where texts have versions.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile datatrove==0.10.1 spacy==3.8.18 xxhash==3.8.2 orjson==3.13.0 regex==2026.11.19 tokenizers==0.23.3
cd "$t"
nice "$t/v/bin/python" - >"$t/out" 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
import inspect, re
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter
from datatrove.pipeline.formatters import PIIFormatter
text = """We keep two numbers in a list.
The first one is x[0] and the last one is x[12].
The sum is x[0] + x[12].
The browser runs JavaScript.
In a loop we write x[i] for each of them.
A site has to show its privacy policy before it asks.
That is all there is to say about lists."""
def run(step, text): return [d.text for d in step.run([Document(text=text, id="1")], 0, 1)]
kept, = run(C4QualityFilter(filter_no_terminal_punct=False), text)
print(kept)
assert kept.split("\n") == ["We keep two numbers in a list.", "The first one is x and the last one is x.", "The sum is x + x.", "In a loop we write x[i] for each of them.", "That is all there is to say about lists."]
assert run(C4QualityFilter(filter_no_terminal_punct=False, remove_citations=False, filter_javascript=False, filter_policy=False), text) == [text]
for line in ("Section 12.4.1.3 of the law says so.", "Upgrade to version 4.18.0.25 today.", "git clone git@github.com:a/b"):
    changed, = run(PIIFormatter(), line)
    print(repr(line), "->", repr(changed))
    was, now = (re.search(r"\d+\.\d+\.\d+\.\d+|\S+@[^:]+", x).group() for x in (line, changed))
    assert was != now and line.replace(was, now) == changed, changed
    assert now.startswith("git") is False and ("@example." in now or re.fullmatch(r"(\d+\.){3}\d+", now)), now
    if "@" not in line: assert run(PIIFormatter(remove_ips=False), line) == [line]
print("seen: 'The sum is x[0] + x[12].' is kept as", repr(kept.split("\n")[2]), "- the sentence on JavaScript is cut out, section and version are IP addresses")
PY
cat "$t/out"
