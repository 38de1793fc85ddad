#!/bin/sh
# json_repair takes a citation in the prose around an object for data: the caller gets a list instead of the object.
# Versions: json_repair 0.64.6.
# Guess: of prose with one object in it the object comes back, whatever else stands in the prose; a value that is no JSON comes back as
#   a string with all its characters.
# Seen: 'Score: {"score": 2}' gives {'score': 2}, 'See [1]. {"score": 2}' gives [[1], {'score': 2}], and with the citation behind it
#   [{'score': 2}, [1]]; braces in the prose ("the set {1,2} gives ...") change nothing. {"answer": 1,234} and {"answer": 3/4} keep all
#   characters as strings, but {"answer": 50%} gives the number 50 and {"price": $5} the number 5.
# Hurts: a judge that cites its source, as models with search do, ends as "no field score", or as a row of another shape in a list of
#   answers; a percentage becomes a number a hundred times as large. Only the text as it came can tell afterwards.
set -eu
t=$(mktemp -d); trap 'rm -rf "$t"' EXIT
python3 -m venv --without-pip "$t/v"
nice python3 -m pip --python "$t/v/bin/python" -q --disable-pip-version-check install --no-compile json_repair==0.64.6
cat > "$t/cited.py" <<'PY'
from json_repair import loads
seen = {
    'Score: {"score": 2}': {"score": 2},
    'The set {1,2} gives {"score": 2}': {"score": 2},
    'See [1]. {"score": 2}': [[1], {"score": 2}],
    '{"score": 2} (see [1])': [{"score": 2}, [1]],
    '{"answer": 1,234}': {"answer": "1,234"},
    '{"answer": 3/4}': {"answer": "3/4"},
    '{"answer": 50%}': {"answer": 50},
    '{"price": $5}': {"price": 5},
}
for text, value in seen.items():
    got = loads(text)
    print(text, "->", got)
    assert got == value and type(got) is type(value), got
PY
nice "$t/v/bin/python" "$t/cited.py"
echo "seen: a citation beside the object makes a list of both; 50% and \$5 become the numbers 50 and 5, while 1,234 and 3/4 stay texts"
