#!/bin/sh
# datatrove's MinHash deduplication takes "What is 4 + 9 times 12?" for a copy of "What is 17 + 25 times 3?" and drops it; two equal short rows it keeps.
# Versions: datatrove 0.10.1 with spacy 3.8.18, xxhash 3.8.2 (the four steps of its own example, settings as they come).
# Guess (written before the first run): two mathematical problems that differ in their numbers both stay; of two rows that are the same, three words long,
#   one stays.
# Seen: dropped: the problem with other numbers; its twin with - in place of +; the same code with other constants. All of them count as equal in every shingle, not as near. Kept:
#   both rows "Yes, it is.", which have fewer words than a shingle (five); and both of two rows that differ in one word (Monday, Friday).
# Cause: before it makes shingles it writes 0 for each number and takes signs away (TextNormConfig), and a row without a shingle has no signature.
#   With TextNormConfig(norm_numbers=False, remove_punctuation=False) the problems and the code stay, and of the short rows one goes (its comma and full stop are words then).
# Hurts: mathematics, code, tables, and every set that is made from templates with drawn numbers: one row of each template is left, the report says "duplicates" and the
#   rows in the exclusion file look alike at a glance. The short answers that one wants to be rid of are all still there.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile datatrove==0.10.1 spacy==3.8.18 xxhash==3.8.2 orjson==3.13.0 regex==2026.11.19 tokenizers==0.23.3
cd "$t"
nice "$t/v/bin/python" - >"$t/out" 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
import json, os
from datatrove.executor import LocalPipelineExecutor as Run
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.text import TextNormConfig, simplify_text
rows = ["What is 17 + 25 times 3?", "What is 4 + 9 times 12?", "What is 17 - 25 times 3?",
        "x = 1\ny = 2\nprint(x + y)  # the sum of both numbers", "x = 7\ny = 5\nprint(x - y)  # the sum of both numbers",
        "Yes, it is.", "Yes, it is.",
        "We meet on Monday 3 March in the large hall.", "We meet on Friday 3 March in the large hall.",
        "These nine words stand here twice, letter for letter.", "These nine words stand here twice, letter for letter."]
os.mkdir("in")
with open("in/a.jsonl", "w") as f:
    for n, text in enumerate(rows): f.write(json.dumps({"id": str(n), "text": text}) + "\n")
def kept(d, **k):
    c = MinhashConfig(**k); steps = ([JsonlReader("in"), MinhashDedupSignature(d + "/s", config=c)], None, [MinhashDedupCluster(d + "/b", d + "/r", config=c)],
        [JsonlReader("in"), MinhashDedupFilter(d + "/r"), JsonlWriter(d + "/o", compression=None)])
    for n, s in enumerate(steps):
        Run(s or [MinhashDedupBuckets(d + "/s", d + "/b", config=c)], tasks=1 if s else c.num_buckets, workers=1, logging_dir=f"{d}/l{n}").run()
    return sorted(int(json.loads(line)["id"]) for line in open(d + "/o/00000.jsonl"))
plain, exact = kept("one"), kept("two", norm_config=TextNormConfig(norm_numbers=False, remove_punctuation=False))
for n, text in enumerate(rows): print("kept   " if n in plain else "dropped", repr(text))
assert len({simplify_text(t) for t in rows[:3]}) == len({simplify_text(t) for t in rows[3:5]}) == 1
assert plain == [0, 3, 5, 6, 7, 8, 9], plain
assert exact == [0, 1, 2, 3, 4, 5, 7, 8, 9], exact
print("seen: of three sums with other numbers and signs one is kept, of two programs one; two equal short rows are both kept")
PY
grep -E '^(kept |dropped|seen:)' "$t/out"
