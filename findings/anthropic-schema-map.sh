#!/bin/sh
# Anthropic's Python client rewrites a dict[str, int] field so that only {} can be answered.
# Versions: anthropic 2.14.0, pydantic 2.14.4, jsonschema 4.26.0.
# Guess (held when the probe was written, not noted apart before the run): messages.parse and transform_schema loosen what the service cannot hold to (lengths, ranges go into the description) and check the answer afterwards; never
#   a tighter schema than the model's.
# Seen: counts: dict[str, int], in pydantic's schema additionalProperties {"type": "integer"}, is sent as properties {} with additionalProperties false: a filled map is
#   no valid answer any more, {} is, and the check afterwards takes it. The kind of the values isn't told in the description either.
#   pair: tuple[int, str] loses the order of its kinds: an array of anything with the words prefixItems in the description. A field with a default may be left out.
# Hurts: "count per label", "score per criterion" columns come back empty in every row, valid, paid. Ask for a list of {key, value} objects.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile anthropic==2.14.0 pydantic==2.14.4 jsonschema==4.26.0
cd "$t"
nice "$t/v/bin/python" - <<'PY'
import http.server, json, threading, anthropic, jsonschema
from pydantic import BaseModel, Field
class Row(BaseModel):
    counts: dict[str, int]
    pair: tuple[int, str]
    score: int = Field(ge=1, le=5)
    note: str = "none"
sent = []
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        sent.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        b = json.dumps({"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
                        "content": [{"type": "text", "text": '{"counts":{},"pair":[1,"a"],"score":3}'}]}).encode()
        self.send_response(200); self.send_header("content-type", "application/json"); self.send_header("content-length", str(len(b))); self.end_headers(); self.wfile.write(b)
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H); threading.Thread(target=s.serve_forever, daemon=True).start()
c = anthropic.Anthropic(base_url=f"http://127.0.0.1:{s.server_port}", api_key="x", max_retries=0)
row = c.messages.parse(model="m", max_tokens=99, messages=[{"role": "user", "content": "hi"}], output_format=Row).parsed_output
schema = sent[0]["output_config"]["format"]["schema"]
print(json.dumps(schema, indent=1)); print(row)
own = Row.model_json_schema()
def fits(s, counts): return jsonschema.Draft202012Validator(s).is_valid({"counts": counts, "pair": [1, "a"], "score": 3})
assert own["properties"]["counts"]["additionalProperties"] == {"type": "integer"}
p = schema["properties"]
assert p["counts"] == {"type": "object", "title": "Counts", "properties": {}, "additionalProperties": False}, p["counts"]
assert (fits(own, {"yes": 2}), fits(schema, {"yes": 2}), fits(schema, {})) == (True, False, True)
assert "prefixItems" not in p["pair"] and "prefixItems" in p["pair"]["description"] and "note" not in schema["required"]
assert p["score"] == {"type": "integer", "title": "Score", "description": "{maximum: 5, minimum: 1}"}
assert row == Row(counts={}, pair=(1, "a"), score=3)
print('seen: dict[str, int] is sent as {"type": "object", "properties": {}, "additionalProperties": false}: {"yes": 2} is valid for the model and not for what is sent, {} is, and is taken')
PY
