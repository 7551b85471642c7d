"""Packs our programs as small as can be, in a process of its own: see carried_programs.py.

`python -IS archive_process.py` reads lists of files from standard input, as JSON, and prints an
archive of each. Of this package it imports nothing, so that it is there at once.
"""

import ast
import base64
import json
import lzma
import sys
from collections.abc import Mapping


def archive(files: Mapping[str, str]) -> str:
    """Pack files as small as can be: what unpacks them is UNPACK of plan/custom_data.py."""
    packed = lzma.compress(json.dumps(files).encode(), preset=9 | lzma.PRESET_EXTREME)
    return base64.b85encode(packed).decode()


def stripped(name: str, source: str) -> str:
    """Return one of our own programs without comments, docstrings and the types of arguments and
    variables; other files as they are."""
    if name.startswith("profile/") or not name.endswith(".py"):
        return source
    tree = _Untyped().visit(ast.parse(source))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            _strip(node)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    tree.body = [one for one in tree.body if not _is_of_types(one, used)]
    return ast.unparse(tree)


def _is_of_types(node: ast.stmt, used: set[str]) -> bool:
    """Whether it imports only names that types were made of; such names go."""
    if not isinstance(node, ast.ImportFrom) or node.module not in ("typing", "collections.abc"):
        return False
    node.names = [one for one in node.names if one.name in used]
    return not node.names


class _Untyped(ast.NodeTransformer):
    """Takes away the types of variables, but for those of classes: NamedTuples are made of them."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.body = [
            one if isinstance(one, ast.AnnAssign) else self.visit(one) for one in node.body
        ]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.Assign | None:
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)


def _strip(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if ast.get_docstring(node, clean=False) is None:
        return
    if isinstance(node, ast.Module):  # some say it, as their help
        said = node.body[0].value.value.splitlines()[0]  # type: ignore[attr-defined]
        node.body[0] = ast.Expr(ast.Constant(said))
    else:
        node.body = node.body[1:] or [ast.Pass()]


if __name__ == "__main__":
    archives = [
        archive({name: stripped(name, source) for name, source in files.items()})
        for files in json.load(sys.stdin)
    ]
    json.dump(archives, sys.stdout)
