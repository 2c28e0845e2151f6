"""Mutations of a Python source: what mutmut's operators change in code, not in texts, types or imports.

A mutation changes one expression or assignment: a comparison, a number, an argument that is left out. A test
suite that still passes does not see what that code does (DeMillo, Lipton and Sayward, 1978).
"""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

_NO_CODE = (cst.Annotation, cst.Decorator, cst.Import, cst.ImportFrom, cst.TypeAlias)
"""Nodes with nothing to mutate in them. Of a function with decorators only these are left out, unlike in
mutmut, which leaves out the function."""

_NAMED = (cst.ClassDef, cst.FunctionDef)

_UNCHANGED_CALLS = {"len", "isinstance", "cast", "TypeVar", "super"}
"""Functions whose arguments stay, as in mutmut: without them the program fails at once."""

_CODE_LENGTH = 100
"""Longest piece of code that is shown, in characters."""


@dataclass(frozen=True)
class Mutation:
    """One change of one file."""

    path: str
    line: int
    before: str
    """The code that is replaced, as one line."""
    after: str
    number: int
    """Counts the mutations of this file that look the same."""
    inside: tuple[str, ...]
    """Names of the classes and functions around it."""
    module: cst.Module
    node: cst.CSTNode
    changed: cst.CSTNode

    def __str__(self) -> str:
        """Return the place and the change as a line."""
        return f"{self.path}:{self.line}: {_short(self.before)} -> {_short(self.after)}"

    @property
    def name(self) -> str:
        """What identifies the mutation, also when other lines of the file change."""
        return f"{self.path} {self.number} {self.before} -> {self.after}"

    @property
    def words(self) -> set[str]:
        """The words of the mutated code and the names around it, which its tests may mention too."""
        names = (name.lstrip("_") for name in self.inside)
        return set(re.findall(r"\w{3,}", " ".join((self.before, *names))))

    def source(self) -> str | None:
        """Return the mutated file; None if it is no Python, or differs only in its looks."""
        changed = self.module.deep_replace(self.node, self.changed).code
        return changed if _tree(changed) not in (None, _tree(self.module.code)) else None


def mutations(path: str, source: str) -> Iterator[Mutation]:
    """Yield every mutation of a file."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = _Visitor()
    wrapper.visit(visitor)
    same: Counter[tuple[str, str]] = Counter()
    for line, inside, node, changed in visitor.found:
        before, after = _code(wrapper.module, node), _code(wrapper.module, changed)
        yield Mutation(path, line, before, after, same[before, after], inside, wrapper.module, node, changed)
        same[before, after] += 1


class _Visitor(cst.CSTVisitor):
    """Collects line, names around it, node and its replacement for every mutation of code."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[int, tuple[str, ...], cst.CSTNode, cst.CSTNode]] = []
        self._inside: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_no_code(node):
            return False
        if isinstance(node, _NAMED):
            self._inside.append(node.name.value)
        for kind, operator in mutation_operators:
            for changed in operator(node) if isinstance(node, kind) else ():
                if _texts(node) == _texts(changed):
                    line = self.get_metadata(PositionProvider, node).start.line
                    self.found.append((line, tuple(self._inside), node, changed))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, _NAMED):
            self._inside.pop()


def _texts(node: cst.CSTNode) -> Counter[str]:
    """Return the texts for people in a node: strings with a space. Nothing depends on their wording."""
    strings = [part for part in _walk(node) if isinstance(part, cst.SimpleString | cst.FormattedStringText)]
    return Counter(string.value for string in strings if " " in string.value)


def _is_no_code(node: cst.CSTNode) -> bool:
    match node:
        case cst.Expr(value=cst.SimpleString() | cst.ConcatenatedString()):  # documentation
            return True
        case cst.Call(func=cst.Name(value=name)):
            return name in _UNCHANGED_CALLS
        case cst.If(test=cst.Name(value="TYPE_CHECKING")):
            return True
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name(value=name))], value=value):
            return name == "__all__" or (name.lstrip("_")[:1].isupper() and _is_type(name, value))
        case _:
            return isinstance(node, _NO_CODE)


def _is_type(name: str, value: cst.BaseExpression) -> bool:
    """Return whether an assignment gives a type a name: `Sizes = dict[str, int]`."""
    return not name.isupper() and isinstance(value, cst.Subscript | cst.BinaryOperation)


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _code(module: cst.Module, node: cst.CSTNode) -> str:
    return " ".join(module.code_for_node(node).split())


def _short(code: str) -> str:
    return code if len(code) <= _CODE_LENGTH else code[: _CODE_LENGTH - 3] + "..."


def _tree(source: str) -> str | None:
    """The syntax tree as text; None if there is none."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return None
