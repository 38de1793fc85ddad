#!/bin/sh
# Asked to stream, a server answers with one ordinary JSON reply: clients report an answer of nothing.
# Versions: openai 3.57.0, anthropic 2.14.0, litellm 1.110.2 (PyPI); openai 6.49.0, ai 6.0.326, @ai-sdk/openai-compatible 2.0.92 (npm, Node.js 20).
# Guess: every client looks at the content type and raises, or hands on the one reply.
# Seen: status 200, application/json, a whole answer "Hello" with 7 tokens of usage. openai for Python and for JavaScript and
#   anthropic for Python: the loop runs zero times and ends well. Their Python .stream() helper: AssertionError without a text. litellm is worst: it
#   gives one chunk with finish_reason "stop" and no content, a good end that no one sent. Only the AI SDK says that the stream had no finish reason.
# Hurts: gateways and small servers that ignore "stream": true are common; the answer is paid, and the row is "" with "stop", which looks like a model that said nothing.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
pip() { nice python3 -m pip --python "$1/bin/python" -q --disable-pip-version-check install --no-compile $2; }
python3 -m venv --without-pip "$t/v"; pip "$t/v" "litellm==1.110.2 openai==3.57.0 anthropic==2.14.0"
cd "$t"
npm init -y >"$t/log"; nice npm install --silent --no-audit --no-fund openai@6.49.0 ai@6.0.326 @ai-sdk/openai-compatible@2.0.92 >>"$t/log"
cat > c.mjs <<'JS'
import OpenAI from 'openai'
import { streamText } from 'ai'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
const baseURL = process.argv[2], out = {}
let n = 0
for await (const c of await new OpenAI({ baseURL, apiKey: 'x', maxRetries: 0 }).chat.completions.create({ model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }] })) n++
out.openai = n
const said = []
const r = streamText({ model: createOpenAICompatible({ name: 'x', baseURL, apiKey: 'x' })('m'), prompt: 'hi', maxRetries: 0, onError: e => said.push(e.error.message) })
let text = ''
for await (const d of r.textStream) text += d
out.ai = [text, await r.finishReason, said]
console.log(JSON.stringify(out))
JS
LITELLM_LOCAL_MODEL_COST_MAP=True nice "$t/v/bin/python" - 2>"$t/err" <<'PY'
import http.server, json, subprocess, threading
import anthropic, litellm, openai
use = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
chat = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "usage": use,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]}
msg = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "Hello"}],
       "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 5, "output_tokens": 2}}
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        assert json.loads(self.rfile.read(int(self.headers["content-length"])))["stream"] is True
        b = json.dumps(msg if "messages" in self.path else chat).encode()
        self.send_response(200); self.send_header("content-type", "application/json"); self.send_header("content-length", str(len(b)))
        self.end_headers(); self.wfile.write(b)
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H); threading.Thread(target=s.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{s.server_port}"
ask = dict(model="m", messages=[{"role": "user", "content": "hi"}])
o = openai.OpenAI(base_url=url, api_key="x", max_retries=0)
a = anthropic.Anthropic(base_url=url, api_key="x", max_retries=0)
def helper(c, last, **k):
    try:
        with c.stream(**ask, **k) as h: return str(getattr(h, last)())
    except Exception as e: return f"{type(e).__name__}({e})"
py = {"openai": len(list(o.chat.completions.create(stream=True, **ask))), "openai .stream": helper(o.chat.completions, "get_final_completion"),
      "anthropic": len(list(a.messages.create(stream=True, max_tokens=9, **ask))), "anthropic .stream": helper(a.messages, "get_final_message", max_tokens=9),
      "litellm": [(c.choices[0].delta.content, c.choices[0].finish_reason) for c in litellm.completion(**{**ask, "model": "openai/m"}, api_base=url, api_key="x", max_retries=0, stream=True)]}
js = json.loads(subprocess.run(["node", "c.mjs", url], capture_output=True, text=True, check=True).stdout)
print(py, js, sep="\n")
assert py == {"openai": 0, "openai .stream": "AssertionError()", "anthropic": 0, "anthropic .stream": "AssertionError()", "litellm": [(None, "stop")]}, py
assert js == {"openai": 0, "ai": ["", "error", ["Response stream ended without a finish reason."]]}, js
print("seen: zero chunks and no error in openai (Python, JavaScript) and anthropic (Python); litellm gives one chunk, content None, finish_reason 'stop'; only the AI SDK objects")
PY
