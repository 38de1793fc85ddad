#!/bin/sh
# dspy.majority gives the answer that lost: -3 of -3, 3, 3; 1.5 of 1.5, 15, 15; C++ of C++, C, C.
# Version: dspy 3.4.1.
# Guess: the answers are tidied (case, blanks, a full stop at the end) to be compared,
#   what is different stays different, and what comes back is what most samples said, letter for letter.
# Seen: all of !"#$%&'()*+,-./ and so on is removed before votes are counted, so -3 and 3, 1.5 and 15, 1/2 and 12, C++ and C, a < b and a > b are one candidate, and
#   the FIRST sample of the winning candidate is returned, however few said it. With normalize=lambda text: text the votes are as guessed.
# Hurts: labels voted from several samples, the usual way to get pseudo-labels for mathematics and code: a sign or a point chosen by the order of the samples. Give
#   normalize= a function of your own.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile dspy==3.4.1
cd "$t"
DSPY_CACHEDIR="$t/cache" HOME="$t" nice "$t/v/bin/python" - 2>"$t/err" <<'PY' || { tail -5 "$t/err"; exit 1; }
import dspy

def voted(answers, **options):
    return dspy.majority([{"answer": answer} for answer in answers], **options).completions[0]["answer"]

samples = [["-3", "3", "3"], ["1.5", "15", "15"], ["1/2", "12", "12"], ["C++", "C", "C"], ["a < b", "a > b", "a > b"], ["1.5", "15", "2", "2", "2"]]
got = {tuple(answers): voted(answers) for answers in samples}
own = {tuple(answers): voted(answers, normalize=lambda text: text) for answers in samples}
for answers, answer in got.items(): print(f"{', '.join(answers):20} -> {answer:6} with normalize of one's own: {own[answers]}")
assert list(got.values()) == ["-3", "1.5", "1/2", "C++", "a < b", "2"], got
assert list(own.values()) == ["3", "15", "12", "C", "a > b", "2"], own
print("seen: the majority of -3, 3, 3 is", got["-3", "3", "3"], "and that of 1.5, 15, 15 is", got["1.5", "15", "15"])
PY
