"""Which words an index of answers has: tokenizers.py output.json [ROWS] builds FTS5 indexes of the same texts in three ways
and says how large each is, how long it takes to build and to ask, and what it finds."""
import itertools, json, os, re, sqlite3, sys, tempfile, time, unicodedata

rows = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
with open(sys.argv[1], encoding="utf-8") as lines:
    step = max(1, sum(1 for _ in lines) // rows)
    lines.seek(0)
    kept = [json.loads(line) for line in itertools.islice(lines, 0, None, step)]
texts = [
    (at, one["metadata"]["question"], one["response"]["reasoning"], one["response"]["answer"]) for at, one in enumerate(kept, 1)
]
spaceless = re.compile("([\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff])")


def words(text):
    text = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", spaceless.sub(r" \1 ", text)))


WAYS = {
    "unicode61": ("unicode61", str, lambda term: f'"{term}"'),
    "trigram": ("trigram", str, lambda term: f'"{term}"'),
    "words, a Chinese character each": ("ascii", words, lambda term: f'"{words(term)}"'),
}
TERMS = ["together", "it", "黑洞", "引力", "黑洞和引力", "洞"]
plain = {term: sum(term in " ".join(row[1:]).lower() for row in texts) for term in TERMS}
print(f"{len(texts):,} answers, {sum(len(text.encode()) for row in texts for text in row[1:]) / 1e6:.0f} MB of text")
print("texts that contain:", ", ".join(f"{term} {count:,}" for term, count in plain.items()))
for name, (tokenizer, prepare, query) in WAYS.items():
    with tempfile.TemporaryDirectory() as folder:
        ready = [(row[0], *map(prepare, row[1:])) for row in texts]
        index = sqlite3.connect(folder + "/i.db")
        index.executescript(f"PRAGMA page_size = 8192; PRAGMA synchronous = off; CREATE VIRTUAL TABLE t USING fts5(q, r, a, content = '', tokenize = '{tokenizer}')")
        began = time.process_time()
        index.executemany("INSERT INTO t(rowid, q, r, a) VALUES (?, ?, ?, ?)", ready)
        index.commit()
        built = time.process_time() - began
        size, found = os.path.getsize(folder + "/i.db") / 1e6, []
        for term in TERMS:
            began = time.process_time()
            count = len(index.execute("SELECT rowid FROM t WHERE t MATCH ?", (query(term),)).fetchall())
            found.append(f"{term} {count:,} in {(time.process_time() - began) * 1000:.1f} ms")
        print(f"{name}: {size:.0f} MB, built in {built:.1f} s; {'; '.join(found)}", flush=True)
