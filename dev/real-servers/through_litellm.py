"""dset → LiteLLM's proxy → the pretend service, which fails by chance.

What the proxy makes of a failure is its own affair; that every answer arrives whole, that none is
bought but once beyond what the failures themselves cost, and that the proxy's words are understood
(a wait above all) is what is checked.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

from runs import (
    Run,
    check,
    check_wrong_key,
    count,
    fetched,
    free_port,
    fresh_folder,
    mock,
    server,
    wait_until_ready,
    word_problems,
)

DSET, LITELLM, FOLDER = sys.argv[1], sys.argv[2], fresh_folder(Path(sys.argv[3]).resolve())
DSET, LITELLM = Path(DSET).resolve(), Path(LITELLM).resolve()
KEY = "sk-a-master-key-of-nobody"
# A quarter of all calls: nine failures in a row, after which a question is given up, do not happen.
CHANCES = {"429": 0.05, "500": 0.04, "503": 0.04, "reset": 0.04, "cut": 0.04, "empty": 0.04}
# Name, path, stream, and whether the 429s of the service tell a wait: the proxy passes one on to
# clients of chat alone.
WAYS = [
    ("chat", "/v1", "off", True),
    ("chat-streamed", "/v1", "on", True),
    ("messages", "/v1/messages", "off", False),
    ("messages-streamed", "/v1/messages", "on", False),
]
# From this on, each draws all of them: how often depends on nothing but the seed.
SEED = 21
PROBLEMS = word_problems()
REASONING = "We add,\nthen we take away."


def upstream(stack, name, seed, tells_wait):
    arguments = ["--answers", FOLDER / "answers.json", "--seed", str(seed), "--latency-ms", "20"]
    for fault, chance in CHANCES.items():
        arguments += ["--chance", f"{fault}={chance}"]
    if tells_wait:
        arguments += ["--retry-after", "1"]
    return stack.enter_context(mock(DSET, FOLDER / f"{name}.mock.log", *arguments))


def proxy(stack, upstreams):
    """Starts it, told to do nothing of its own: no retry, no cooldown, nothing from the network."""
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": f"{url}/v1", "api_key": "any"},
        }
        for name, url in upstreams.items()
    ]
    settings = {"num_retries": 0, "use_chat_completions_url_for_anthropic_messages": True}
    router = {"num_retries": 0, "disable_cooldowns": True}
    config = {"model_list": models, "litellm_settings": settings, "router_settings": router}
    # JSON is YAML.
    (FOLDER / "config.yaml").write_text(json.dumps(config, indent=1))
    port, log = free_port(), FOLDER / "litellm.log"
    env = {
        **os.environ,
        "LITELLM_MASTER_KEY": KEY,
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "NO_DOCS": "True",
        "DISABLE_ADMIN_UI": "True",
    }
    command = [LITELLM, "--config", FOLDER / "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    process = stack.enter_context(server(command, log, env))
    url = f"http://127.0.0.1:{port}"
    seconds = wait_until_ready(f"{url}/health/liveliness", process, log)
    print(f"litellm is ready after {seconds:.0f} s")
    return url


def stats(url):
    return json.loads(fetched(f"{url}/stats?questions=1"))


def check_way(name, path, stream, url, upstream_url):
    folder = fresh_folder(FOLDER / name)
    run = Run(DSET, folder, PROBLEMS, "--base-url", url + path, "-m", name, "--stream", stream, key=KEY)
    events, answers = run.complete()
    for question, expected in PROBLEMS.items():
        check(answers[question] == (REASONING, expected), f"{name}: {question} has {answers[question]}")
    bill = stats(upstream_url)
    check(bill["faults"].keys() == CHANCES.keys(), f"{name}: only {bill['faults']} happened")
    faults = sum(bill["faults"].values())
    # Every call but those that failed brought an answer, and dset knows of every call.
    check(bill["asked"] == len(PROBLEMS) + faults, f"{name}: {bill['asked']} calls, {faults} faults")
    check(count(events, "ask") == bill["asked"], f"{name}: {count(events, 'ask')} asks, {bill['asked']} calls")
    # What a service charges for and does not deliver.
    lost = bill["faults"].get("cut", 0) + bill["faults"].get("empty", 0)
    check(bill["billed"] <= len(PROBLEMS) + lost, f"{name}: {bill['billed']} billed, {lost} lost")
    check(bill["too_early"] == 0, f"{name}: asked again before the wait was over {bill['too_early']} times")
    check(bill["left"] == 0, f"{name}: {bill['left']} streams were left")
    retries = bill["asked"] - len(PROBLEMS)
    print(
        f"{name}: {len(answers)} of {len(PROBLEMS)} rows, {retries} retries, {bill['billed']} billed, "
        f"{run.seconds:.1f} s, faults {bill['faults']}"
    )


lines = [
    json.dumps({"metadata": {"question": question}, "response": {"reasoning": REASONING, "answer": answer}})
    for question, answer in PROBLEMS.items()
]
(FOLDER / "answers.json").write_text("\n".join(lines) + "\n")
with contextlib.ExitStack() as stack:
    upstreams = {
        name: upstream(stack, name, seed, tells_wait)
        for seed, (name, _, _, tells_wait) in enumerate(WAYS, start=SEED)
    }
    url = proxy(stack, upstreams)
    for name, path, stream, _ in WAYS:
        check_way(name, path, stream, url, upstreams[name])
    for name, path, _, _ in WAYS[::2]:
        folder = fresh_folder(FOLDER / f"{name}-wrong-key")
        check_wrong_key(DSET, folder, PROBLEMS, "--base-url", url + path, "-m", name)
