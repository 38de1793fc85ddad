"""Puts answers to the schemas that `dset schema try` says it would send, by two engines."""

import importlib.machinery
import json
import os
import subprocess
import sys
import tempfile
import types

import tvm_ffi  # noqa: F401  before the stand-in for torch, which it would take for the real one
from llguidance import LLMatcher, LLTokenizer

DSET = os.environ["DSET"]

# A schema, answers that fit it, and answers that do not.
CASES = {
    "flat": (
        {
            "type": "object",
            "properties": {"label": {"enum": ["yes", "no"]}, "score": {"type": "integer", "minimum": 1}},
            "required": ["label"],
        },
        [{"label": "yes"}, {"label": "no", "score": 3}],
        [{"label": "maybe"}, {"score": 3}, {"label": "yes", "score": "3"}, {"label": "yes", "score": 0}],
    ),
    "free text with a limit": (
        {
            "type": "object",
            "properties": {"note": {"type": "string", "minLength": 3, "maxLength": 40}},
            "required": ["note"],
        },
        [{"note": 'He said "so", and\nwent.'}, {"note": "École 黑洞"}],
        [{"note": 3}, {"note": "no"}],
    ),
    "union with something beside it": (
        {
            "type": "object",
            "properties": {
                "who": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "id": {"type": "integer"}},
                    "anyOf": [{"required": ["name"]}, {"required": ["id"]}],
                }
            },
            "required": ["who"],
        },
        [{"who": {"name": "A"}}, {"who": {"id": 7}}, {"who": {"name": "A", "id": 7}}],
        [{"who": {}}, {"who": {"name": 1}}],
    ),
    "both must hold": (
        {
            "allOf": [
                {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
                {"type": "object", "properties": {"b": {"type": "boolean"}}, "required": ["b"]},
            ]
        },
        [{"a": 1, "b": True}],
        [42, {}, {"a": 1}, {"a": "x", "b": True}],
    ),
    "one of two": (
        {
            "type": "object",
            "properties": {"x": {"oneOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}},
            "required": ["x"],
        },
        [{"x": 1}, {"x": "a"}, {"x": None}],
        [{"x": True}, {"x": [1]}],
    ),
    "a list": (
        {"type": "array", "items": {"type": "number"}, "minItems": 1, "maxItems": 3, "uniqueItems": True},
        [[1], [0.5, 2, 3]],
        [[], ["a"], [1, 1], [1, 2, 3, 4]],
    ),
    "itself in itself": (
        {
            "$ref": "#/$defs/tree",
            "$defs": {
                "tree": {
                    "type": "object",
                    "properties": {"n": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                    "required": ["n"],
                }
            },
        },
        [{"n": 1}, {"n": 1, "kids": [{"n": 2, "kids": [{"n": 3}]}]}],
        [{"kids": []}, {"n": 1, "kids": [{}]}],
    ),
    "what engines ignore": (
        {
            "type": "object",
            "properties": {
                "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
                "half": {"type": "number", "multipleOf": 0.5},
                "day": {"type": "string", "format": "date"},
            },
            "required": ["code", "half", "day"],
            "not": {"properties": {"code": {"const": "XXX"}}},
        },
        [{"code": "ABC", "half": 1.5, "day": "2026-11-29"}],
        [{"code": "abc", "half": 1.5, "day": "2026-11-29"}, {"code": "ABC", "half": 0.3, "day": "x"}],
    ),
}


class StandIn(types.ModuleType):
    """A module of which everything exists and nothing is done."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        value = type(name, (), {"__init__": lambda self, *a, **k: None})
        setattr(self, name, value)
        return value


def import_xgrammar():
    for name in ["torch", "transformers", "triton", "triton.language"]:
        module = StandIn(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        module.__path__ = []
        sys.modules[name] = module
    import xgrammar

    return xgrammar


def sent(schema):
    """Returns what a server that takes schemas is sent, and whether the answer is inside an object."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(schema, file)
        file.flush()
        command = [DSET, "schema", "try", file.name, "-m", "vllm/m", "--json"]
        said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return said["fields"]["response_format"]["json_schema"]["schema"], said["wrapped"]


def engines():
    xg = import_xgrammar()
    end = 256
    vocabulary = [bytes([byte]) for byte in range(256)] + [b"</s>"]
    info = xg.TokenizerInfo(vocabulary, xg.VocabType.RAW, vocab_size=257, stop_token_ids=[end])
    compiler = xg.GrammarCompiler(info)
    tokenizer = LLTokenizer("byte")

    def by_xgrammar(schema):
        grammar = compiler.compile_json_schema(json.dumps(schema))

        def takes(text):
            matcher = xg.GrammarMatcher(grammar)
            return matcher.accept_string(text) and matcher.accept_token(end)

        return takes

    def by_llguidance(schema):
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema))

        def takes(text):
            matcher = LLMatcher(tokenizer, grammar)
            if matcher.is_error():
                raise ValueError(matcher.get_error())
            tokens = tokenizer.tokenize_bytes(text.encode())
            return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()

        takes("")
        return takes

    return {"xgrammar": by_xgrammar, "llguidance": by_llguidance}


def main():
    wrong = 0
    for name, compile_by in engines().items():
        good, caught, through = 0, 0, []
        for case, (schema, fitting, unfit) in CASES.items():
            reduced, wrapped = sent(schema)
            text = lambda value: json.dumps({"value": value} if wrapped else value, ensure_ascii=False)
            try:
                takes = compile_by(reduced)
            except Exception as error:  # whatever an engine raises, it refuses what is sent
                print(f"{name}: refuses “{case}”: {str(error).splitlines()[0]}")
                wrong += 1
                continue
            for value in fitting:
                if takes(text(value)):
                    good += 1
                else:
                    print(f"{name}: “{case}” rules out {text(value)}, which fits")
                    wrong += 1
            for value in unfit:
                if takes(text(value)):
                    through.append(f"{case}: {text(value)}")
                else:
                    caught += 1
        print(f"{name}: {good} answers that fit can be written; of those that do not, {caught} cannot")
        for one in through:
            print(f"  checked here alone: {one}")
    sys.exit(1 if wrong else 0)


main()
