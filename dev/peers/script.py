"""What people write themselves: openai-python, a semaphore, and a list that is written at the end."""

import asyncio
import csv
import json
import sys

from openai import AsyncOpenAI

path, output, base_url, width = sys.argv[1:5]
client = AsyncOpenAI(base_url=base_url, api_key="none", max_retries=5)
semaphore = asyncio.Semaphore(int(width))


async def ask(row):
    async with semaphore:
        reply = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": row["question"]}]
        )
        return {**row, "answer": reply.choices[0].message.content}


async def main():
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    answers = await asyncio.gather(*(ask(row) for row in rows))
    with open(output, "w") as file:
        for answer in answers:
            file.write(json.dumps(answer) + "\n")


asyncio.run(main())
