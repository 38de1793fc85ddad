#!/bin/sh
# The same query that nests chats with SQLite's JSON functions gives lists in 3.54.0 and texts with escaped quotes in 3.54.1.
# Versions: apsw 3.54.0.0 and 3.54.1.0 (SQLite of those versions inside).
# Guess (written when 3.40.1 was seen to nest): json_object('messages', (select json_group_array(...) from ... where ...)), the usual way to nest, gives an array in every version
#   that has the functions; a last figure in a version mends faults and changes no result.
# Seen: up to 3.54.0 (3.40.1, 3.45.3, 3.51.1, 3.53.4 tried as well) "messages" is an array of objects; in 3.54.1 it is one text: "[{\"role\":...}]". No error, both are
#   valid JSON, and a chat without messages is "[]" in place of []. The same expression without the subquery (GROUP BY) is an array in both, from a
#   subquery in FROM or a CTE it is a text in both. json(...) around the subquery gives the array everywhere.
# Cause: that a value is JSON is a mark on it, which a subquery no longer hands on. Known for subqueries in FROM since 3.39; nothing was found for these.
# Hurts: exports of chats from a database. Python brings the SQLite of the system, rusqlite 0.43 has 3.54.1 inside: the same view in the same file gives trainers
#   lists by the one and texts by the other, and what saw `messages` as a text once is a column of texts. Write json(...) around each nested part.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
cat > "$t/nest.py" <<'PY'
import json, sys, apsw
db = apsw.Connection(sys.argv[1])
db.execute("""CREATE TABLE IF NOT EXISTS chat (id); CREATE TABLE IF NOT EXISTS message (chat, role, content); DELETE FROM chat; DELETE FROM message;
              INSERT INTO chat VALUES (1), (2); INSERT INTO message VALUES (1, 'user', 'q'), (1, 'assistant', 'a')""")
LIST = "json_group_array(json_object('role', role, 'content', content))"
queries = {
    "subquery": f"SELECT json_object('messages', (SELECT {LIST} FROM message WHERE chat = chat.id)) FROM chat ORDER BY id",
    "json()": f"SELECT json_object('messages', json((SELECT {LIST} FROM message WHERE chat = chat.id))) FROM chat ORDER BY id",
    "group by": f"SELECT json_object('messages', {LIST}) FROM message GROUP BY chat",
    "from": f"SELECT json_object('messages', m) FROM (SELECT chat, {LIST} AS m FROM message GROUP BY chat)"}
found = {name: [json.loads(row[0])["messages"] for row in db.execute(query)] for name, query in queries.items()}
print(json.dumps({"version": apsw.sqlite_lib_version(), **found}))
PY
for version in 3.54.0 3.54.1; do
    python3 -m venv --without-pip "$t/$version"
    nice python3 -m pip --python "$t/$version/bin/python" -q --disable-pip-version-check install --no-compile apsw==$version.0
    nice "$t/$version/bin/python" "$t/nest.py" "$t/chats.db" >> "$t/found.jsonl"
done
cat "$t/found.jsonl"
nice python3 - "$t/found.jsonl" <<'PY'
import json, sys
old, new = map(json.loads, open(sys.argv[1]))
chat = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
text = json.dumps(chat, separators=(",", ":"))
assert old == {"version": "3.54.0", "subquery": [chat, []], "json()": [chat, []], "group by": [chat], "from": [text]}
assert new == {"version": "3.54.1", "subquery": [text, "[]"], "json()": [chat, []], "group by": [chat], "from": [text]}
print("seen: messages from a nested subquery are", type(old["subquery"][0]).__name__, "in", old["version"], "and", type(new["subquery"][0]).__name__, "in", new["version"])
PY
