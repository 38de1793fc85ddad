#!/bin/sh
# inspect_ai's exact() and f1() mark the answer "A" wrong where "A" is the target, and with match() they mark -5 right where 5 is; dspy's EM takes "A" for "the".
# Versions: inspect_ai 0.3.285, dspy 3.4.1.
# Guess (before the first run, for signs: "-5" is not 5 in any scorer; of letters nothing was guessed, they were in the same probe as a check that had to pass): an answer that is the target
#   letter for letter is right, whichever letter it is.
# Seen: four questions with the targets A, B, C, D, each answered with its target: accuracy 0.75 by exact(), mean 0.75 by f1(), without a word; match() gives 1.0. With target 5
#   exact() takes -5, with 0.5 it takes -0.5, with C it takes C++, with 23 it takes 2^3; so do match() and match(location="exact") but for 23; with numeric=True they refuse -5. dspy: F1("A", ["A"]) is 0 and EM says
#   that A, An, the and "" are one answer, that 1.5 is 15 and a < b is a > b.
# Cause: both tidy texts as the SQuAD and DROP benchmarks do: articles and signs go, the minus sign among them; of the letter A nothing is left, and for inspect_ai nothing equals nothing not.
# Known: HELM pull request 4315 (open) has it of HELM's own f1; inspect_ai issues 4618 and 4620 are of other faults of exact().
# Hurts: a model that answers A more often scores lower for being right; comparisons of two prompts that shuffle the options are off by the share of A. A sign that is lost
#   is a reward for a wrong sum. Take match() for letters, with numeric=True for numbers.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile inspect_ai==0.3.285 dspy==3.4.1
cd "$t"
DSPY_CACHEDIR="$t/kept" LITELLM_LOCAL_MODEL_COST_MAP=True HOME="$t" nice "$t/v/bin/python" - >"$t/out" 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
from dspy.evaluate.metrics import EM, F1
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import exact, f1, match
from inspect_ai.solver import solver

@solver
def answers():
    async def solve(state, generate):
        state.output = ModelOutput.from_content("mockllm/model", state.metadata["answer"])
        return state
    return solve

def score(scorer, *pairs):
    samples = [Sample(input="q", target=target, metadata={"answer": answer}) for answer, target in pairs]
    log, = eval(Task(dataset=samples, solver=answers(), scorer=scorer), model="mockllm/model", display="none", log_dir="logs")
    assert log.status == "success", log.error
    metrics = log.results.scores[0].metrics
    return next(metrics[name].value for name in ("accuracy", "mean") if name in metrics)

letters = [(letter, letter) for letter in "ABCD"]
right = {"exact": score(exact(), *letters), "f1": score(f1(), *letters), "match": score(match(), *letters)}
print("A, B, C, D, all right:", right)
assert right == {"exact": 0.75, "f1": 0.75, "match": 1.0}
wrong = {pair: score(exact(), pair) for pair in (("-5", "5"), ("-0.5", "0.5"), ("C++", "C"), ("2^3", "23"), ("6", "5"))}
print("exact() of wrong answers:", wrong)
assert list(wrong.values()) == [1.0, 1.0, 1.0, 1.0, 0.0]
loose = [score(s, ("-5", "5")) for s in (f1(), match(), match(location="exact"), match(numeric=True))]
print("-5 for 5 by f1(), match(), match(location=\"exact\"), match(numeric=True):", loose)
assert loose == [1.0, 1.0, 1.0, 0.0]
assert [score(match(location="exact"), pair) for pair in (("-0.5", "0.5"), ("C++", "C"), ("2^3", "23"))] == [1.0, 1.0, 0.0]
same = {(a, b): EM(a, [b]) for a, b in (("A", "the"), ("A", "An"), ("A", ""), ("-5", "5"), ("1.5", "15"), ("a < b", "a > b"), ("B", "A"))}
print("dspy's EM:", same, "F1 of A and A:", F1("A", ["A"]), "of B and B:", F1("B", ["B"]))
assert list(same.values()) == [True] * 6 + [False] and F1("A", ["A"]) == 0 and F1("B", ["B"]) == 1
print("seen: of the answers A, B, C, D, all right, exact() and f1() of inspect_ai give", right["exact"], "- A is wrong; -5 for 5 is right, by match() too")
PY
grep -E '^(A,|exact|-5|dspy|seen:)' "$t/out"
