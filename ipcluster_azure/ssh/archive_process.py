"""Packs our programs as small as can be, in a process of its own: see carried_programs.py.

`python -IS archive_process.py` reads lists of files from standard input, as JSON, and prints an
archive of each. Of this package it imports nothing, so that it is there at once.
"""

import ast
import base64
import bz2
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping

BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # statements within a statement
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
OF_TYPES = re.compile(r"^from (?:typing|collections\.abc) import (.+)\n", re.MULTILINE)


def archive(files: Mapping[str, str]) -> str:
    """Pack files as small as can be: what unpacks them is UNPACK of plan/custom_data.py.

    Of these bzip2 makes less than LZMA does, and in a tenth of the time.
    """
    return base64.b85encode(bz2.compress(json.dumps(files).encode())).decode()


def stripped(name: str, source: str) -> str:
    """Return one of our own programs without comments, docstrings and the types of arguments and
    variables; other files as they are."""
    if name.startswith("profile/") or not name.endswith(".py"):
        return source
    tree = ast.parse(source)
    _strip(tree)
    text = ast.unparse(tree)
    words = Counter(re.findall(r"\w+", text))

    def used(line: re.Match[str]) -> str:
        """Leave out names that only the types had, and the whole line if there are no others."""
        names = [name for name in line[1].split(", ") if words[name.split()[-1]] > 1]
        return line[0].replace(line[1], ", ".join(names)) if names else ""

    return OF_TYPES.sub(used, text)


def _strip(node: ast.AST) -> None:
    """Go through statements alone: expressions are most of a tree, and have nothing to take."""
    if isinstance(node, FUNCTIONS):
        node.returns = None
        every = node.args
        for one in (*every.posonlyargs, *every.args, every.vararg, *every.kwonlyargs, every.kwarg):
            if one is not None:
                one.annotation = None
    if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
        _strip_docstring(node)
    for block in filter(None, (getattr(node, name, None) for name in BLOCKS)):
        if not isinstance(node, ast.ClassDef):  # NamedTuples are made of their types
            block[:] = [one for one in map(_untyped, block) if one is not None]
        for one in block:
            _strip(one)


def _untyped(node: ast.AST) -> ast.AST | None:
    """Return a statement without the type of its variable, None if it had nothing else."""
    if not isinstance(node, ast.AnnAssign):
        return node
    if node.value is None:
        return None
    return ast.copy_location(ast.Assign([node.target], node.value), node)


def _strip_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
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
