"""Answers records of Python, and keeps them: run it twice, and the second time asks nothing.

Asks with your key from the environment, like DEEPSEEK_API_KEY. Without one, `dset mock --port 8080` in another
terminal pretends to be a service: `DSET_BASE_URL=http://127.0.0.1:8080/v1 DSET_KEY=none python answer.py`.
"""

import dset

records = [
    {"question": "Why is the sky blue?", "topic": "physics"},
    {"question": "What is a moa?", "topic": "birds"},
]

answers = dset.answer(records, output="answers")
for row in answers:
    print(f"{row['topic']}: {row['question']}\n  {row['answer'][:70]}")
print(answers.report.answered_before, "of", answers.report.answered, "answers were there before")

files = dset.export("answers", "answers.chat.jsonl", layout="chat", force=True)
print("for training:", *files)
