"""Stands in for packages that readers of datasets import and do not use: torch and what goes with it.

A name of theirs is an empty class, and so is a name in it. Transformers is imported first, so that it
knows that there is no torch.
"""

import importlib.machinery
import sys
import types

import transformers  # noqa: F401


class Names(type):
    def __getattr__(cls, name):
        return empty(name)


def empty(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Names(name, (), {})


class Absent:
    def __init__(self, packages):
        self.packages = packages

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.packages:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__ = []
        module.__getattr__ = empty
        return module

    def exec_module(self, module):
        pass


def stand_in(*packages):
    sys.meta_path.append(Absent(packages))
