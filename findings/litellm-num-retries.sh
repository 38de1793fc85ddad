#!/bin/sh
# litellm's num_retries=2: no retry at all, three requests, or five; and a bad request is sent three times.
# Versions: litellm 1.110.2 with openai 3.57.0; then with tenacity 9.2.1 added.
# Guess: one request and two retries, three in all, for 429 and 500, whatever the provider; one for 400 and 401; Retry-After kept to; the error is RateLimitError.
# Seen, as `pip install litellm` leaves it: a bare Exception "tenacity import failed please run `pip install tenacity`" in place of RateLimitError, without status_code,
#   after 1 request under deepseek/ and 3 under openai/: asking for retries takes the retries and the reason away.
#   With tenacity: deepseek/ 3 requests, openai/ 5 (its own client's three first, max_retries=0 changes nothing), 400 and 401 three times, and under
#   deepseek/ the second request comes at once although the server said Retry-After: 2. Without num_retries: openai/ 3, deepseek/ 1.
# Hurts: five requests where two retries were budgeted, each possibly paid; a wrong key asked three times a row; a 429 that cannot be told from a missing package.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
pip() { nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile "$@"; }
python3 -m venv --without-pip "$t/v"; pip litellm==1.110.2 openai==3.57.0
cd "$t"
cat > ask.py <<'PY'
import http.server, json, sys, threading, time, litellm
litellm.suppress_debug_info = True
hits = []
class H(http.server.BaseHTTPRequestHandler):
    def log_message(self, *a): pass
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"])); hits.append(time.monotonic())
        b = b'{"error":{"message":"no","type":"t","code":"c"}}'; self.send_response(int(self.path.split("/")[1]))
        self.send_header("retry-after", "2" if "wait" in self.path else "0.1"); self.send_header("content-type", "application/json"); self.send_header("content-length", str(len(b))); self.end_headers(); self.wfile.write(b)
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), H); threading.Thread(target=s.serve_forever, daemon=True).start()
def ask(model, path, **k):
    hits.clear()
    try: litellm.completion(model=model, api_base=f"http://127.0.0.1:{s.server_port}/{path}", api_key="x", messages=[{"role": "user", "content": "hi"}], **k)
    except Exception as e: err = e
    first_gap = round(hits[1] - hits[0], 1) if len(hits) > 1 else None
    print(model, path, k, len(hits), "requests,", type(err).__name__, "first gap", first_gap)
    return len(hits), type(err).__name__, str(err), getattr(err, "status_code", None), first_gap
two = dict(num_retries=2)
if sys.argv[1] == "plain":
    for model, n in (("deepseek/m", 1), ("openai/m", 3)):
        assert ask(model, "429")[:2] == (n, "RateLimitError")
        r = ask(model, "429", **two)
        assert r[:2] == (n, "Exception") and r[2].startswith("tenacity import failed") and r[3] is None, r
else:
    got = [ask(m, p, **k)[0] for m, p, k in (("deepseek/m", "429", two), ("openai/m", "429", two), ("openai/m", "429", dict(num_retries=2, max_retries=0)), ("openai/m", "500", two), ("deepseek/m", "400", two), ("openai/m", "401", two))]
    assert got == [3, 5, 5, 5, 3, 3], got
    assert ask("deepseek/m", "429/wait", **two)[4] < 1.5 < ask("openai/m", "429/wait")[4]
    print("seen: num_retries=2 on a 429: bare Exception 'tenacity import failed' after 1 (deepseek/) or 3 (openai/) requests; with tenacity 3 and 5 requests, 3 for a 400 or 401")
PY
export LITELLM_LOCAL_MODEL_COST_MAP=True
nice "$t/v/bin/python" ask.py plain 2>"$t/err"
pip tenacity==9.2.1
nice "$t/v/bin/python" ask.py tenacity 2>"$t/err"
