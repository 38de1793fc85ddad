"""The official Anthropic client against `dset mock`: shapes it must read, errors it must raise."""

import contextlib
import subprocess
import sys

import anthropic

DSET = sys.argv[1]
checks = 0


@contextlib.contextmanager
def mock(*arguments, key="any"):
    command = [DSET, "mock", "--dialect", "anthropic", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        try:
            yield anthropic.Anthropic(base_url=url, api_key=key, max_retries=0)
        finally:
            process.terminate()


def request(**rest):
    messages = [{"role": "user", "content": "Why is the sky blue?"}]
    return {"model": "claude-sonnet-5-5", "max_tokens": 1000, "messages": messages, **rest}


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"FAILED: {what}")


with mock() as client:
    check([model.id for model in client.models.list()] == ["claude-sonnet-5-5"], "models")

THINKING = {"thinking": {"type": "adaptive"}}
with mock() as client:
    plain = client.messages.create(**request())
    check([block.type for block in plain.content] == ["text"], "no thinking unless asked for")
    check(plain.stop_reason == "end_turn" and plain.usage.output_tokens > 0, "an answer")
    whole = client.messages.create(**request(system="Be brief.", **THINKING))
    check([block.type for block in whole.content] == ["thinking", "text"], "thinking")
    with client.messages.stream(**request(system="Be brief.", **THINKING)) as stream:
        streamed = stream.get_final_message()
    check(streamed.content[0].thinking == whole.content[0].thinking, "the same thinking streamed")
    check(streamed.content[0].signature == whole.content[0].signature, "its signature")
    check(streamed.content[1].text == whole.content[1].text, "the same text streamed")
    check(streamed.stop_reason == "end_turn", "the stop reason of a stream")
    check(streamed.usage.output_tokens == whole.usage.output_tokens, "the usage of a stream")
    check(streamed.usage.input_tokens == whole.usage.input_tokens, "its input")
    events = [event.type for event in client.messages.create(**request(stream=True))]
    check(events[0] == "message_start" and events[-1] == "message_stop", "events")

for fault, error in [
    ("400", anthropic.BadRequestError),
    ("401", anthropic.AuthenticationError),
    ("403", anthropic.PermissionDeniedError),
    ("404", anthropic.NotFoundError),
    ("429", anthropic.RateLimitError),
    ("500", anthropic.InternalServerError),
    ("529", anthropic.InternalServerError),
    ("html", anthropic.InternalServerError),
    ("reset", anthropic.APIConnectionError),
    ("quota", anthropic.RateLimitError),
]:
    for stream in (False, True):
        with mock("--chance", f"{fault}=1") as client:
            try:
                client.messages.create(**request(stream=stream))
            except error as raised:
                check(True, fault)
                if fault == "529":
                    check(raised.body["error"]["type"] == "overloaded_error", "its type")
                    check(raised.request_id, "its request id")
            else:
                sys.exit(f"FAILED: {fault} raised nothing")

for fault, reason in [("length", "max_tokens"), ("filter", "refusal"), ("risk", "refusal")]:
    with mock("--chance", f"{fault}=1") as client:
        check(client.messages.create(**request()).stop_reason == reason, reason)
        with client.messages.stream(**request()) as stream:
            check(stream.get_final_message().stop_reason == reason, f"{reason} streamed")

with mock("--chance", "stream-error=1") as client:
    try:
        for _ in client.messages.create(**request(stream=True)):
            pass
    except anthropic.APIStatusError as raised:
        check("Overloaded" in str(raised), "the error of a stream")
    else:
        sys.exit("FAILED: an error in a stream raised nothing")

with mock("--rpm", "1", "--rate-headers", "--retry-after", "auto") as client:
    reply = client.messages.with_raw_response.create(**request())
    check(reply.headers["anthropic-ratelimit-requests-remaining"] == "0", "what is left")
    check(reply.headers["anthropic-ratelimit-requests-reset"].endswith("Z"), "when it is there again")
    try:
        client.messages.create(**request())
    except anthropic.RateLimitError as raised:
        check(int(raised.response.headers["retry-after"]) in range(1, 61), "the wait")
    else:
        sys.exit("FAILED: a limit raised nothing")

with mock("--expect-key", "right", key="right") as client:
    check(client.messages.create(**request()).content, "the right key")
with mock("--expect-key", "right", key="wrong") as client:
    try:
        client.messages.create(**request())
    except anthropic.AuthenticationError:
        check(True, "the wrong key")
    else:
        sys.exit("FAILED: a wrong key is taken")

print(f"anthropic {anthropic.__version__}: {checks} checks passed")
