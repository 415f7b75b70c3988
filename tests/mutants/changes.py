"""Which changes are made: Cosmic Ray's operators, those that change a decision, wherever they change what is run.

Cosmic Ray (cosmic-ray.readthedocs.io: concepts) finds the places and writes the changed source. Of its some 200
operators we take those that turn a decision round or move a limit by one; `a + b` into `a ^ b` and the like break at
once and would only flatter the result. One is our own: a call whose result nobody uses is left out. Left alone is what
decides nothing: annotations, lines of the log, docstrings, what is for type checkers. Left alone, too, are numbers with
a name (constants and defaults, each with its reason beside it): a test that repeats the number would only say it twice,
and tests use the name. A number inside a decision counts. The same holds for the layout of pictures, by pixels.

Texts are not changed, so a view counts with what it decides (which sentence, how many, what is left out), and a module
of words alone counts for nothing.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import parso
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator

ROOT: Final = Path(__file__).parent.parent.parent
OPERATORS: Final = (
    "AddNot",
    "NumberReplacer",
    "ReplaceAndWithOr",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceFalseWithTrue",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceUnaryOperator_Delete_Not",
    "ReplaceUnaryOperator_Delete_USub",
    "ReplaceBinaryOperator_Add_Sub",
    "ReplaceBinaryOperator_Sub_Add",
    "ReplaceBinaryOperator_Mul_FloorDiv",
    "ReplaceBinaryOperator_Div_Mul",
    "ReplaceBinaryOperator_FloorDiv_Mul",
    "ReplaceBinaryOperator_Mod_FloorDiv",
    "ReplaceBinaryOperator_BitOr_BitAnd",
    "ReplaceBinaryOperator_BitAnd_BitOr",
    "ReplaceComparisonOperator_Eq_NotEq",
    "ReplaceComparisonOperator_NotEq_Eq",
    "ReplaceComparisonOperator_Is_IsNot",
    "ReplaceComparisonOperator_IsNot_Is",
    "ReplaceComparisonOperator_Lt_LtE",
    "ReplaceComparisonOperator_Lt_GtE",
    "ReplaceComparisonOperator_LtE_Lt",
    "ReplaceComparisonOperator_LtE_Gt",
    "ReplaceComparisonOperator_Gt_GtE",
    "ReplaceComparisonOperator_Gt_LtE",
    "ReplaceComparisonOperator_GtE_Gt",
    "ReplaceComparisonOperator_GtE_Lt",
    "ZeroIterationForLoop",
)
LEFT_OUT: Final = "LeaveOutCall"
NUMBERS: Final = "NumberReplacer"
#: How what lies on a sheet becomes pixels, by pixels: tests measure that nothing overlaps or is cut off. What lies where
#: is tested part by part (`tests/handlers/charts/drawn.txt`).
LAYOUT: Final = frozenset({"handlers/charts/canvas.py"})


class LeaveOutCall(Operator):  # type: ignore[misc] # the library is not typed
    """A statement that only calls something is not done."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        is_chain = node.type in ("atom_expr", "await_expr") and node.children[-1].type == "trailer"
        if is_chain and _is_statement(node) and node.children[-1].children[0].value == "(":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return parso.python.tree.Keyword("None", node.start_pos, prefix=node.get_first_leaf().prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


def _is_statement(node: Any) -> bool:
    return node.parent is not None and (
        node.parent.type == "file_input" or (node.parent.type == "simple_stmt" and node.parent.children[0] is node)
    )


@dataclass(frozen=True)
class Mutant:
    """One change of one place: `line` and `column` of what is changed, the operator, and which of its places it is."""

    path: str
    line: int
    column: int
    operator: str
    occurrence: int
    text: str = ""

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def source(self) -> str:
        """The module with this change."""
        made = mutate_code((ROOT / self.path).read_text(), _operator(self.operator), self.occurrence)
        assert isinstance(made, str), self
        return made

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.operator} {self.occurrence}: {self.text}"


@cache
def _operator(name: str) -> Any:
    return LeaveOutCall() if name == LEFT_OUT else get_operator(f"core/{name}")()


def mutants_of(path: str) -> list[Mutant]:
    """Every change of this file, in the order of its lines."""
    source = (ROOT / path).read_text()
    tree, lines, idle, named = get_ast(source), source.splitlines(), _idle(source), _named(source)
    nodes = list(ast_nodes(tree))
    found = []
    for name in (*OPERATORS, LEFT_OUT):
        operator = _operator(name)
        places = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        if path in LAYOUT and (name == NUMBERS or "BinaryOperator" in name):
            continue
        still = [*idle, *named] if name == NUMBERS else idle
        found += [
            Mutant(path, line, column, name, number, lines[line - 1].strip())
            for number, (line, column) in enumerate(places)
            if not any(first <= (line, column) < last for first, last in still)
        ]
    return sorted(found, key=lambda one: (one.line, one.column, one.operator, one.occurrence))


Span = tuple[tuple[int, int], tuple[int, int]]


def _idle(source: str) -> list[Span]:
    """Where a change decides nothing."""
    spans = []
    for node in ast.walk(ast.parse(source)):
        idle: list[ast.AST | None] = []
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                idle = [node.returns, *node.decorator_list]
            case ast.ClassDef():
                idle = [*node.decorator_list]
            case ast.arg():
                idle = [node.annotation]
            case ast.AnnAssign():
                idle = [node.annotation]
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="log")))):
                idle = [node]
            case ast.Expr(value=ast.Constant()) | ast.Assert():
                idle = [node]
            case ast.Call(func=ast.Name(id="cast")):
                idle = [node.args[0]]
        spans += [_span(one) for one in idle if one is not None]
    return spans


def _named(source: str) -> list[Span]:
    """Constants and defaults: what is given a name outside any function."""
    tree = ast.parse(source)
    bodies = [tree.body, *(one.body for one in ast.walk(tree) if isinstance(one, ast.ClassDef))]
    return [_span(one) for body in bodies for one in body if isinstance(one, (ast.Assign, ast.AnnAssign))]


def _span(node: Any) -> Span:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
