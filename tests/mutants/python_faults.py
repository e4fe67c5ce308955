"""Small faults in Python: a comparison that is off by one, an operand or a guard that is missing."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_SUMS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}
# What no fault is looked for in: types, how a class is made (`frozen=True`, as in a decorator), and what is only told.
_LEFT_OUT = {"annotation", "returns", "decorator_list"}
_TELLING = ("log.", "super().")
# A condition of these kinds gets faults of its own.
_FAULTY_BY_ITSELF = (ast.Compare, ast.BoolOp, ast.UnaryOp)


def faults(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Puts one fault after the other into the tree: its line and what changed. Each is taken out before the next."""
    for holder, field, place, node in list(_slots(tree)):
        for wrong in _wrong_forms(node):
            line = getattr(node, "lineno", 0)
            change = f"{_short(node)} -> {_short(wrong)}"
            _put(holder, field, place, ast.copy_location(wrong, node))
            yield line, change
            _put(holder, field, place, node)


def with_fault(source: str, number: int) -> ast.Module:
    """The tree of the source with its fault of this number inside."""
    tree = ast.parse(source)
    for count, _ in enumerate(faults(tree)):
        if count == number:
            return ast.fix_missing_locations(tree)
    raise ValueError(f"There is no fault {number}.")


def _slots(node: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Every node below, with the place that holds it."""
    for field, value in ast.iter_fields(node):
        if field in _LEFT_OUT or isinstance(node, ast.JoinedStr):
            continue
        if isinstance(node, ast.ClassDef) and field == "keywords":
            continue
        children: list[tuple[int | None, object]] = [(None, value)]
        if isinstance(value, list):
            children = list(enumerate(value))
        for place, child in children:
            if isinstance(child, ast.AST):
                yield node, field, place, child
                yield from _slots(child)


def _put(holder: ast.AST, field: str, place: int | None, node: ast.AST) -> None:
    if place is None:
        setattr(holder, field, node)
    else:
        getattr(holder, field)[place] = node


def _wrong_forms(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.stmt):
        yield from _wrong_statements(node)
    elif isinstance(node, ast.Constant):
        yield from _wrong_constants(node)
    elif isinstance(node, ast.expr):
        yield from _wrong_expressions(node)


def _wrong_statements(node: ast.stmt) -> Iterator[ast.AST]:
    match node:
        case ast.If(body=[*_, ast.Return()], orelse=[]) | ast.Raise():
            yield ast.Pass()
        case ast.Expr(value=ast.Call()) if not ast.unparse(node).startswith(_TELLING):
            yield ast.Pass()
    if isinstance(node, ast.If) and not isinstance(node.test, _FAULTY_BY_ITSELF):
        yield ast.If(test=_not(node.test), body=node.body, orelse=node.orelse)


def _wrong_constants(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(value=not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(value=node.value + 1)


def _wrong_expressions(node: ast.expr) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(ops=ops):
            for place, operator in enumerate(ops):
                wrong = copy.deepcopy(node)
                wrong.ops[place] = _COMPARISONS[type(operator)]()
                yield wrong
        case ast.BoolOp(values=values):
            for place in range(len(values)):
                rest = [value for number, value in enumerate(values) if number != place]
                yield ast.BoolOp(op=node.op, values=rest) if len(rest) > 1 else rest[0]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield operand
        case ast.BinOp(op=operator) if type(operator) in _SUMS and not _is_text(node):
            yield ast.BinOp(left=node.left, op=_SUMS[type(operator)](), right=node.right)
        case ast.IfExp(test=test) if not isinstance(test, _FAULTY_BY_ITSELF):
            yield ast.IfExp(test=_not(test), body=node.body, orelse=node.orelse)


def _not(test: ast.expr) -> ast.expr:
    return ast.copy_location(ast.UnaryOp(op=ast.Not(), operand=test), test)


def _is_text(node: ast.BinOp) -> bool:
    return any(isinstance(part, ast.JoinedStr) or isinstance(getattr(part, "value", 0), str) for part in ast.walk(node))


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:87]}..."
