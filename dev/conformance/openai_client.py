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



def put_together(chunks):
    """The reasoning, the content, the finish reason and the usage of a stream."""
    reasoning, content, reason, usage = "", "", None, None
    for chunk in chunks:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            delta = choice.delta
            reasoning += getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None) or ""
            if isinstance(delta.content, str):
                content += delta.content
            reason = choice.finish_reason or reason
    return reasoning, content, reason, usage


DIALECTS = (
    "deepseek openai azure openrouter anthropic gemini groq together fireworks xai moonshot qwen zai "
    "cerebras nvidia vllm sglang llamacpp ollama lmstudio litellm"
).split()
for dialect in DIALECTS:
    with mock("--dialect", dialect) as client:
        whole = ask(client)
        with_usage = {"stream": True, "stream_options": {"include_usage": True}}
        reasoning, content, reason, usage = put_together(ask(client, **with_usage))
        message = whole.choices[0].message
        check(content == message.content, f"{dialect}: the same content streamed")
        expected = getattr(message, "reasoning_content", None) or getattr(message, "reasoning", None) or ""
        check(reasoning == expected, f"{dialect}: the same reasoning streamed")
        check(reason == whole.choices[0].finish_reason, f"{dialect}: finish reason")
        if dialect == "groq":
            # It tells a usage twice; the one without choices is OpenAI's.
            check(usage is not None, "groq: usage")
        else:
            check(usage.completion_tokens == whole.usage.completion_tokens, f"{dialect}: usage")
    with mock("--dialect", dialect, "--chance", "429=1", "--retry-after", "3") as client:
        for stream in (False, True):
            try:
                ask(client, stream=stream)
            except openai.RateLimitError:
                check(True, f"{dialect}: 429")
            else:
                sys.exit(f"FAILED: {dialect}: a 429 raised nothing")

# The client knows text only; what Mistral's own would read it passes on as it came.
with mock("--dialect", "mistral") as client:
    kinds = [chunk["type"] for chunk in ask(client).choices[0].message.content]
    check(kinds == ["thinking", "text"], "mistral: chunks")

for fault in ["cut", "stream-error"]:
    with mock("--chance", f"{fault}=1") as client:
        try:
            put_together(ask(client, stream=True))
        except Exception as raised:  # the client passes on what its HTTP library raises
            if fault == "stream-error":
                check(isinstance(raised, openai.APIError), "the error of a stream")
            check(True, fault)
        else:
            sys.exit(f"FAILED: {fault} in a stream raised nothing")

# What the client does not notice, and a careful one must.
for fault, ends in [("half", None), ("no-done", "stop"), ("length", "length")]:
    with mock("--chance", f"{fault}=1") as client:
        check(put_together(ask(client, stream=True))[2] == ends, f"{fault} in a stream")

with mock("--dialect", "openai") as client:
    try:
        ask(client, max_tokens=100)
    except openai.BadRequestError as raised:
        check(raised.code == "unsupported_parameter", "the code for max_tokens")
    else:
        sys.exit("FAILED: max_tokens is taken")
    check(ask(client, max_completion_tokens=100).choices, "max_completion_tokens")

with mock("--dialect", "azure", "--expect-key", "right") as client:
    azure = openai.AzureOpenAI(
        azure_endpoint=str(client.base_url).removesuffix("/v1/"),
        api_key="right",
        api_version="2026-01-01",
        azure_deployment="mine",
        max_retries=0,
    )
    check(ask(azure).model == "mine", "the deployment of azure")

print(f"openai {openai.__version__}: {checks} checks passed")
