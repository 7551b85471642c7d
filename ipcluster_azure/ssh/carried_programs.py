"""Our programs as job files carry them: in customData, which has little room.

So they are without comments and docstrings, which are half of them, and packed as small as can be.
"""

import ast
import base64
import json
import lzma
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..record.environment import Environment
from .bundle import ENTRIES, ENTRY, ON_VM, TAKE_SCRIPT, bundle_files, controller_config
from .machine_lock import LOCK, machine_lock
from .packages import Packages
from .profile_files import CONTROLLER_CONFIG

BOOT = "vm_boot.py"
AGENT = "ipcluster_azure_vm"
# of the agent, what a machine needs to take the rest from the controller
FOR_JOINING = (
    *("__init__", "boot", "boot_controller", "boot_engines", "heartbeat", "instance_metadata"),
    *("processes", "work_dir"),
)
# its files are found by their hash alone, which is also in the lock
PYPI = "files.pythonhosted.org"


def controller_programs(
    profile_dir: Path,
    run: Sequence[tuple[str, str]],
    n_engines: int,
    packages: Packages | None,
    environment: Environment,
) -> str:
    """Return all that the controller's machine is given, as an archive in text.

    `run` as for bundle_of. Raises ConfigurationError for packages that no template can carry.
    """
    files = {name: stripped(name, data) for name, data in bundle_files(profile_dir, run).items()}
    take = (ON_VM / "scripts" / "take.py").read_bytes()
    files[TAKE_SCRIPT] = stripped(TAKE_SCRIPT, take)
    files[f"profile/{CONTROLLER_CONFIG}.py"] = controller_config(profile_dir, n_engines)
    if packages is not None:
        files[LOCK] = pins(machine_lock(packages.lock, environment.python))
    return archive(files)


def engine_programs() -> str:
    """Return what an engines' machine needs to join, as an archive in text."""
    paths = {name: ON_VM / "agent" / f"{name}.py" for name in FOR_JOINING}
    files = {f"{AGENT}/{path.name}": path.read_bytes() for path in paths.values()}
    files[BOOT] = ENTRY.format(module=ENTRIES[BOOT]).encode()
    files[TAKE_SCRIPT] = (ON_VM / "scripts" / "take.py").read_bytes()
    return archive({name: stripped(name, data) for name, data in files.items()})


def pins(lock: bytes) -> bytes:
    """Return a machine's lock with only those addresses that it can't find (install/addresses.py).

    Raises ConfigurationError for packages that have none, and for addresses with a password.
    """
    content = json.loads(lock)
    built = [one["name"] for one in content["packages"] if not one["url"]]
    if built:
        raise ConfigurationError(
            f"The job files can't carry packages that were built on this computer: "
            f"{', '.join(sorted(built))}. Leave them out with sync_exclude, or put their wheels "
            "where the machines reach them, and give those addresses in requirements: "
            "'NAME @ https://...'."
        )
    secret = [one["name"] for one in content["packages"] if _has_secret(one["url"])]
    if secret:
        raise ConfigurationError(
            f"The addresses of {', '.join(sorted(secret))} have a password or a signature in them, "
            "which a job file would show to all who may read it. Leave these packages out with "
            "sync_exclude, or use an image that has them."
        )
    for one in content["packages"]:
        if urlsplit(one["url"]).hostname == PYPI:
            for name in ("url", "file", "size"):
                del one[name]
    return json.dumps(content, separators=(",", ":")).encode()


def _has_secret(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.username or parts.password or parts.query)


def archive(files: Mapping[str, bytes]) -> str:
    """Pack files as small as can be: what unpacks them is UNPACK of plan/self_start.py."""
    content = json.dumps(
        {name: data.decode(errors="surrogateescape") for name, data in files.items()}
    )
    packed = lzma.compress(content.encode(), preset=9 | lzma.PRESET_EXTREME)
    return base64.b85encode(packed).decode()


def stripped(name: str, source: bytes) -> bytes:
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
    return ast.unparse(tree).encode()


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
