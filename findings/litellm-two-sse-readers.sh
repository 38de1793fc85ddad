#!/bin/sh
# litellm loses an answer or keeps it, from the same event stream, depending on the prefix of the model's name.
# Versions: litellm 1.110.2 with openai 3.57.0.
# Guess (held when the probe was written, not noted apart before the run): openai/m, deepseek/m, openrouter/m speak the same protocol, so the same bytes give the same answer.
# Seen: an event whose JSON is spread over two data: lines (the standard of event streams joins them with a line end, which JSON
#   allows there) is "Hello" under openai/; under deepseek/, openrouter/, groq/, together_ai/ and hosted_vllm/ it is the empty answer with finish_reason
#   "stop": the text is lost, no error. The same chunks with one data: line each are "Hello" under all six.
# Hurts: the prefix is thought to choose a key and an address; it also chooses the parser, and with it whose answers come out empty.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile litellm==1.110.2 openai==3.57.0
cd "$t"
LITELLM_LOCAL_MODEL_COST_MAP=True nice "$t/v/bin/python" - 2>"$t/err" <<'PY'
import http.server, json, threading, litellm
litellm.suppress_debug_info = True
one = json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}]})
cut = one.index('"choices"')
body = {"one data line": f"data: {one}\n\ndata: [DONE]\n\n", "two data lines": f"data: {one[:cut]}\ndata: {one[cut:]}\n\ndata: [DONE]\n\n"}
prefixes = ["openai", "together_ai", "groq", "deepseek", "openrouter", "hosted_vllm"]
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"])); b = list(body.values())[int(self.path.split("/")[1])].encode()
        self.send_response(200); self.send_header("content-type", "text/event-stream"); self.send_header("content-length", str(len(b))); self.end_headers(); self.wfile.write(b)
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H); threading.Thread(target=s.serve_forever, daemon=True).start()
got = {}
for i, k in enumerate(body):
    for p in prefixes:
        text, fin = "", None
        try:
            for c in litellm.completion(model=p + "/m", api_base=f"http://127.0.0.1:{s.server_port}/{i}", api_key="x", max_retries=0, stream=True, messages=[{"role": "user", "content": "hi"}]):
                text += c.choices[0].delta.content or ""; fin = c.choices[0].finish_reason or fin
            got[k, p] = (text, fin)
        except Exception as e:
            got[k, p] = type(e).__name__
        print(k, p, got[k, p])
ok, lost = ("Hello", "stop"), ("", "stop")
assert all(got["one data line", p] == ok for p in prefixes), got
assert {p: got["two data lines", p] for p in prefixes} == {"openai": ok, "together_ai": lost, "groq": lost, "deepseek": lost, "openrouter": lost, "hosted_vllm": lost}, got
print("seen: an event on two data: lines is 'Hello' under openai/, and '' with finish_reason 'stop' under deepseek/, openrouter/, groq/, together_ai/, hosted_vllm/")
PY
