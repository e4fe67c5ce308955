"""Puts a fault into a module that is imported already, so that a fork is all that trying it costs."""

from __future__ import annotations

import ast
import gc
import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType

from tests.architecture.sources import PROJECT

Key = tuple[str, int]


def put_in(file: str, faulty: ast.Module) -> bool:
    """Give the module's functions the faulty code; False where the fault is in no function, which needs an import."""
    path = str(PROJECT / file)
    before = dict(_codes(compile(ast.parse((PROJECT / file).read_text(encoding="utf-8")), path, "exec")))
    after = dict(_codes(compile(faulty, path, "exec")))
    changed = {key for key in before if before[key] != after.get(key)}
    # A function's code is part of the code around it.
    itself = {key for key in changed if _alone(before[key]) != _alone(after.get(key))}
    if before.keys() != after.keys() or not all(_is_function(before[key]) for key in itself):
        return False
    patched = {
        _patch(function, after) for function in functions_by_file().get(path, ()) if _key(function.__code__) in changed
    }
    return bool(patched) and all(any(_is_around(key, inner) for key in patched) for inner in itself)


def _codes(code: CodeType) -> Iterator[tuple[Key, CodeType]]:
    yield _key(code), code
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield from _codes(part)


def _key(code: CodeType) -> Key:
    return code.co_qualname, code.co_firstlineno


def _alone(code: CodeType | None) -> CodeType | None:
    if code is None:
        return None
    return code.replace(co_consts=tuple(None if isinstance(part, CodeType) else part for part in code.co_consts))


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_OPTIMIZED)


@cache
def functions_by_file() -> Mapping[str, list[FunctionType]]:
    """Every function by the file it stands in. Called before the first copy: to look at an object is to write to it."""
    found = defaultdict(list)
    gc.unfreeze()  # what was frozen once the tests were collected is not listed
    for one in gc.get_objects():
        if type(one) is FunctionType:  # isinstance would evaluate lazy objects
            found[one.__code__.co_filename].append(one)
    return found


def _patch(function: FunctionType, codes: dict[Key, CodeType]) -> Key:
    key = _key(function.__code__)
    function.__code__ = codes[key]
    return key


def _is_around(outer: Key, inner: Key) -> bool:
    """Whether the one is the other, or holds it; lambdas and comprehensions have no function of their own yet."""
    return inner == outer or inner[0].startswith(f"{outer[0]}.<locals>.")
