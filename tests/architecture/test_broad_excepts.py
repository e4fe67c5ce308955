"""Whatever catches every error lets a task's time limit and a database that is away pass (spec 11, P14).

A loop that goes on after each error would otherwise go on after the soft time limit, until the hard one kills it.
"""

from __future__ import annotations

import ast

import pytest

from tests.architecture.sources import Source, sources

PASS = "end_if_interrupted"
# Each ends what it does with an answer or a note, and no task's time limit reaches it.
ENDS = {
    "apps/payments/webhooks.py:dispatch": "a request: the error becomes its answer",
    "apps/credits/api/hot.py:dispatch": "a request: the error becomes its answer",
    "apps/core/health.py:_result": "a probe: the error becomes its answer",
    "billing_site/launcher/servers.py:_broker_problem": "a start: the error becomes its refusal",
    "billing_site/web/lanes.py:_work": "a thread of requests, which must outlive each of them",
    "apps/core/leases.py:_keep_renewing": "a thread of its own: a missed beat is made up by the next",
}
# SoftTimeLimitExceeded is an Exception and nothing more, so that these alone catch it.
BROAD = {"Exception", "BaseException"}


def broad_handlers(source: Source) -> dict[str, list[ast.stmt]]:
    """The handlers that catch every error, by function; `suppress(Exception)` has no statements."""
    found: dict[str, list[ast.stmt]] = {}
    for function in source.nodes:
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
                found[f"{source.path}:{function.name}"] = node.body
            if isinstance(node, ast.Call) and _name(node.func) == "suppress" and any(map(_is_broad, node.args)):
                found[f"{source.path}:{function.name}"] = []
            if isinstance(node, ast.Call) and any(word.arg == "robust" for word in node.keywords):
                found[f"{source.path}:{function.name}"] = []
    return found


def _is_broad(caught: ast.expr | None) -> bool:
    if caught is None:
        return True
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(_name(name) in BROAD for name in names)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def lets_pass(body: list[ast.stmt]) -> bool:
    """Whether the handler raises again: always, or what interrupts before anything that could stop it."""
    if any(isinstance(statement, ast.Raise) and statement.exc is None for statement in body):
        return True
    calls = [
        statement.value.func
        for statement in body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    ]
    return any(_name(call) == PASS for call in calls)


def test_each_broad_handler_lets_interruptions_pass() -> None:
    found = {
        place: lets_pass(body)
        for source in sources("apps", "billing_site")
        for place, body in broad_handlers(source).items()
    }
    assert {place for place, passes in found.items() if not passes} == set(ENDS)
    assert len(found) > len(ENDS)


CASES = {
    "except Exception:\n        pass": False,
    "except BaseException:\n        pass": False,
    "except:\n        pass": False,
    "except (ValueError, Exception):\n        pass": False,
    "except builtins.Exception as error:\n        log(error)": False,
    "except Exception as error:\n        end_if_interrupted(error)\n        log(error)": True,
    "except Exception:\n        undo()\n        raise": True,
    "except Exception as error:\n        if odd:\n            end_if_interrupted(error)": False,
}


@pytest.mark.parametrize("handler", CASES, ids=str)
def test_the_check_judges_a_handler(handler: str) -> None:
    text = f"def f():\n    try:\n        work()\n    {handler}\n"
    [body] = broad_handlers(Source("made_up.py", text, ast.parse(text))).values()
    assert lets_pass(body) is CASES[handler]


@pytest.mark.parametrize("call", ["contextlib.suppress(Exception)", "suppress(ValueError, Exception)"])
def test_the_check_finds_a_suppression(call: str) -> None:
    text = f"def f():\n    with {call}:\n        work()\n"
    assert broad_handlers(Source("made_up.py", text, ast.parse(text))) == {"made_up.py:f": []}
