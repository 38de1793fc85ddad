#!/bin/sh
# math-verify, which reward functions and benchmarks use, takes 1e5 for 1 times Euler's number times 5, and for 1 in plain text.
# Versions: math-verify 0.9.0 with latex2sympy2_extended 1.11.0, sympy 1.14.0.
# Guess (held when the probe was written, not noted apart before the run): numbers in the spelling that every program prints (1e5, 1.5 x 10^3, 1 1/2) are read as those numbers.
# Seen: "$1e5$" is parsed to 1*E*5 (13.59...), "1e5" in plain text to 1; so 1e5 is judged wrong where 100000 is the answer, both ways.
#   "1.5 x 10^3" is read as 10^3 and judged wrong for 1500; "$1 1/2$" is read as 1 and judged wrong for 1.5 ("$1\frac12$" is right).
#   The LaTeX spelling 1.5\times10^3 is right. On the other side 20% is right for 20 and for 0.2.
# Hurts: filtering distilled answers by it throws away right ones from physics and chemistry, more of them from models that write plain text; judge those again before dropping.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile math-verify==0.9.0 latex2sympy2_extended==1.11.0 sympy==1.14.0
cd "$t"
nice "$t/v/bin/python" - 2>"$t/err" <<'PY'
from math_verify import parse, verify
def judged(gold, answer):
    g, a = parse(gold), parse(answer); ok = verify(g, a)
    print(f"{gold:26} {answer:26} read as {str(a[0]):10} judged {ok}"); return ok
assert str(parse("$1e5$")[0]) == "1*E*5" and str(parse("1e5")[0]) == "1"
right = [("$100000$", "$100000$"), ("1500", "$1.5\\times10^3$"), ("1.5", "$1\\frac12$"), ("$20$", "20%"), ("$0.2$", "20%")]
wrong = [("$100000$", "1e5"), ("$1e5$", "$100000$"), ("1500", "1.5 x 10^3"), ("1.5", "$1 1/2$")]
assert all([judged(*p) for p in right]) and not any([judged(*p) for p in wrong])
print("seen: $1e5$ is parsed to 1*E*5, plain 1e5 to 1, 1.5 x 10^3 to 10**3, 1 1/2 to 1: four right answers judged wrong; 20% is right for 20 and for 0.2")
PY
