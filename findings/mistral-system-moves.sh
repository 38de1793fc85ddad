#!/bin/sh
# The same chat through Mistral's own tokenizers: the system prompt stands first, or in front of the LAST question, or in tokens of its own.
# Versions: mistral-common 1.13.1 with sentencepiece 0.2.3; the tokenizer files come inside the package.
# Guess: the system prompt goes first in all of them, as in the list, only the markers differ; two user messages in a row are refused.
# Seen: v1 puts it into the first user turn, v3 into the last user turn (after the first answer), v7 between [SYSTEM_PROMPT] markers at the start.
#   Two user messages in a row are joined to one turn with a blank line in all three, no error; an assistant message of "" is refused.
# Hurts: multi-turn rows rendered with v3 teach that the instructions come at the end, and the first answers are trained without them;
#   splitting such a chat into one row a turn moves the system prompt in every row.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile mistral-common==1.13.1 sentencepiece==0.2.3
cd "$t"
nice "$t/v/bin/python" - 2>"$t/err" <<'PY'
from mistral_common.protocol.instruct.messages import AssistantMessage as A, SystemMessage as S, UserMessage as U
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer as T
def text(v, *m):
    return getattr(T, v)().encode_chat_completion(ChatCompletionRequest(messages=list(m))).text.replace("<0x0A>", "\n").replace("▁", " ")
got = {v: text(v, S(content="SYS"), U(content="q1"), A(content="a1"), U(content="q2")) for v in ("v1", "v3", "v7")}
two = {v: text(v, U(content="q1"), U(content="q2")) for v in got}
for v in got: print(v, repr(got[v]), repr(two[v]))
assert got == {"v1": "<s> [INST] SYS\n\nq1 [/INST] a1</s> [INST] q2 [/INST]", "v3": "<s>[INST] q1[/INST] a1</s>[INST] SYS\n\nq2[/INST]",
               "v7": "<s>[SYSTEM_PROMPT] SYS[/SYSTEM_PROMPT][INST] q1[/INST] a1</s>[INST] q2[/INST]"}, got
assert all("q1\n\nq2" in t for t in two.values())
try:
    text("v3", U(content="q1"), A(content=""), U(content="q2")); raise SystemExit("an empty answer is taken now")
except Exception as e:
    print(type(e).__name__, e); assert type(e).__name__ == "InvalidAssistantMessageException"
print("seen: SYS stands before q1 in v1, before q2 (the last question) in v3, in [SYSTEM_PROMPT] in v7; user, user becomes one turn 'q1\\n\\nq2'")
PY
