"""The official client against `dset mock`: shapes it must read, errors it must raise."""

import contextlib
import subprocess
import sys

import openai

DSET = sys.argv[1]
checks = 0


@contextlib.contextmanager
def mock(*arguments, key="any"):
    with subprocess.Popen([DSET, "mock", *arguments], stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().split()[-1]
        try:
            yield openai.OpenAI(base_url=url + "/v1", api_key=key, max_retries=0)
        finally:
            process.terminate()


def ask(client, question="Why is the sky blue?", **rest):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": question}]
    return client.chat.completions.create(model="deepseek-flash", messages=messages, **rest)


def check(condition, what):
    global checks
    checks += 1
    if not condition:
        sys.exit(f"FAILED: {what}")


with mock() as client:
    check([model.id for model in client.models.list()] == ["deepseek-flash", "deepseek-v4-pro"], "models")
    reply = ask(client)
    choice = reply.choices[0]
    check(choice.finish_reason == "stop" and choice.message.content, "an answer")
    check(choice.message.reasoning_content, "its reasoning")
    usage = reply.usage
    check(usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, "usage adds up")
    check(0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens, "reasoning tokens")
    check(ask(client).choices[0].message.content == choice.message.content, "the same again")
    plain = ask(client, extra_body={"thinking": {"type": "disabled"}})
    check(getattr(plain.choices[0].message, "reasoning_content", None) is None, "no reasoning when disabled")

for fault, error in [
    ("400", openai.BadRequestError),
    ("401", openai.AuthenticationError),
    ("403", openai.PermissionDeniedError),
    ("404", openai.NotFoundError),
    ("422", openai.UnprocessableEntityError),
    ("429", openai.RateLimitError),
    ("402", openai.APIStatusError),
    ("500", openai.InternalServerError),
    ("503", openai.InternalServerError),
    ("html", openai.InternalServerError),
    ("reset", openai.APIConnectionError),
    ("quota", openai.RateLimitError),
    ("risk", openai.BadRequestError),
]:
    with mock("--chance", f"{fault}=1") as client:
        try:
            ask(client)
        except error as raised:
            check(True, fault)
            if fault == "quota":
                check(raised.code == "insufficient_quota", "the code of a quota")
        else:
            sys.exit(f"FAILED: {fault} raised nothing")

for fault, reason in [("length", "length"), ("filter", "content_filter")]:
    with mock("--chance", f"{fault}=1") as client:
        check(ask(client).choices[0].finish_reason == reason, reason)

with mock("--chance", "keepalive=1") as client:
    check(ask(client).choices[0].message.content, "an answer after blank lines")

with mock("--expect-key", "right", key="right") as client:
    check(ask(client).choices, "the right key")
with mock("--expect-key", "right", key="wrong") as client:
    try:
        ask(client)
    except openai.AuthenticationError:
        check(True, "the wrong key")
    else:
        sys.exit("FAILED: a wrong key is taken")

print(f"openai {openai.__version__}: {checks} checks passed")
