"""Writes so many questions, of words that occur as words of a language do, one in ten of them Chinese."""
import itertools
import random
import sys

rows, rng = int(sys.argv[1]), random.Random(1)
parts = "ba ce di fo gu ka le mi no pu ra se ti vo zu an el in or un st tr pl gr".split()
words = ["".join(rng.choices(parts, k=rng.randint(2, 4))) for _ in range(20000)]
weights = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
han = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]
han_weights = list(itertools.accumulate(1 / rank for rank in range(1, len(han) + 1)))
print("question")
for row in range(rows):
    if row % 10 == 9:
        text = "".join(rng.choices(han, cum_weights=han_weights, k=30)) + ("黑洞和引力" if row % 1000 == 9 else "")
    else:
        text = " ".join(rng.choices(words, cum_weights=weights, k=14))
    print(f"{text} {row}")
