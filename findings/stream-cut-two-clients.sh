#!/bin/sh
# A stream that ends early: one vendor's Python client hands out the half answer, its JavaScript client raises.
# Versions: openai 3.57.0, anthropic 2.14.0 (PyPI); openai 6.49.0, @anthropic-ai/sdk 1.14.0 (npm, Node.js 20).
# Guess: the clients raise, or hand out finish_reason None; one vendor's two languages do the same, the helpers that return the whole
#   message (get_final_completion / finalChatCompletion, get_final_message / finalMessage) included.
# Seen: chunks with "Hel", then a clean end of the response: no finish_reason, no [DONE], no message_stop. Python returns a completion with "Hel" and
#   finish_reason None, and a message with "Hel" and stop_reason None. JavaScript raises "missing finish_reason for choice 0" and "stream ended
#   without producing a Message with role=assistant". The plain loops over chunks raise in neither language.
# Hurts: a proxy that closes at its time limit leaves half answers in the dataset, paid and unmarked, unless finish_reason None is taken as a failure.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile openai==3.57.0 anthropic==2.14.0
cd "$t"
npm init -y >"$t/log"; nice npm install --silent --no-audit --no-fund openai@6.49.0 @anthropic-ai/sdk@1.14.0 >>"$t/log"
cat > c.mjs <<'JS'
import OpenAI from 'openai'
import Anthropic from '@anthropic-ai/sdk'
const baseURL = process.argv[2], kw = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const say = f => f.then(r => JSON.stringify(r), e => e.message)
const o = new OpenAI({ baseURL, apiKey: 'x', maxRetries: 0 }), a = new Anthropic({ baseURL, apiKey: 'x', maxRetries: 0 })
let n = 0
for await (const c of await o.chat.completions.create({ ...kw, stream: true })) n++
console.log(JSON.stringify([n, await say(o.chat.completions.stream(kw).finalChatCompletion()), await say(a.messages.stream({ ...kw, max_tokens: 9 }).finalMessage())]))
JS
nice "$t/v/bin/python" - <<'PY'
import http.server, json, subprocess, threading
import anthropic, openai
def ev(kind, **k): return f"event: {kind}\ndata: {json.dumps(dict(type=kind, **k))}\n\n"
chat = "data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}, "finish_reason": None}]}) + "\n\n"
msg = (ev("message_start", message={"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 1}})
       + ev("content_block_start", index=0, content_block={"type": "text", "text": ""}) + ev("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"}))
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"])); b = (msg if "messages" in self.path else chat).encode()
        self.send_response(200); self.send_header("content-type", "text/event-stream"); self.send_header("content-length", str(len(b)))
        self.end_headers(); self.wfile.write(b)
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H); threading.Thread(target=s.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{s.server_port}"
ask = dict(model="m", messages=[{"role": "user", "content": "hi"}])
o, a = openai.OpenAI(base_url=url, api_key="x", max_retries=0), anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
loop = len(list(o.chat.completions.create(stream=True, **ask)))
with o.chat.completions.stream(**ask) as h: c = h.get_final_completion().choices[0]
with a.messages.stream(max_tokens=9, **ask) as h: m = h.get_final_message()
py = [loop, (c.message.content, c.finish_reason), (m.content[0].text, m.stop_reason)]
js = json.loads(subprocess.run(["node", "c.mjs", url], capture_output=True, text=True, check=True).stdout)
print("Python", py); print("JavaScript", js)
assert py == [1, ("Hel", None), ("Hel", None)]
assert js == [1, "missing finish_reason for choice 0", "stream ended without producing a Message with role=assistant"]
print("seen: cut stream: Python helpers of openai and anthropic return 'Hel' with finish None, the JavaScript helpers of both raise; bare loops end in silence everywhere")
PY
