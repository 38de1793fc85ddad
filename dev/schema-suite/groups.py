"""Writes the required tests of the suite as lines of JSON, each one schema and what is tried on it."""

import json
import pathlib
import sys

# What a schema without `$schema` is of.
DRAFTS = {
    "draft7": "http://json-schema.org/draft-07/schema#",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
}

for draft, name in DRAFTS.items():
    for file in sorted((pathlib.Path(sys.argv[1]) / draft).glob("*.json")):
        if file.stem in ("format", "refRemote"):
            continue
        for group in json.loads(file.read_text(encoding="utf-8")):
            schema = group["schema"]
            # Files that the suite expects a server for.
            if "localhost:1234/" in json.dumps(schema):
                continue
            if isinstance(schema, dict) and "$schema" not in schema:
                schema = {"$schema": name, **schema}
            tests, said = group["tests"], group["description"]
            line = {"draft": draft, "file": file.stem, "description": said, "schema": schema, "tests": tests}
            print(json.dumps(line))
