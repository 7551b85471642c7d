"""Which files of the profile the machines are sent: configuration, and what prepares engines."""

import ast
from pathlib import Path

CONTROLLER_CONFIG, ENGINE_CONFIG = "ipcontroller_config", "ipengine_config"
# read by ipcluster here, by ipcontroller alone, or by neither
NOT_FOR_ENGINES = frozenset(
    f"{name}_config.py" for name in ("ipcluster", "ipcontroller", "ipython_kernel")
)
ENGINE_JSON = (f"{ENGINE_CONFIG}.json", "ipython_config.json")
CONTROLLER_FILES = (f"{CONTROLLER_CONFIG}.py", f"{CONTROLLER_CONFIG}.json")


def engine_files(profile_dir: Path) -> dict[str, bytes]:
    """Return all that engines read of a profile, by path in it: configuration, modules beside it
    that it may load, and startup files. Files that say nothing are left out."""
    paths = [path for path in profile_dir.glob("*.py") if path.name not in NOT_FOR_ENGINES]
    paths += [path for name in ENGINE_JSON if (path := profile_dir / name).exists()]
    startup = profile_dir / "startup"
    paths += [path for path in startup.glob("*") if path.suffix in (".py", ".ipy")]
    found = {path.relative_to(profile_dir).as_posix(): path.read_bytes() for path in sorted(paths)}
    return {
        name: text
        for name, text in found.items()
        if not is_configuration(name) or says_something(text)
    }


def controller_files(profile_dir: Path) -> dict[str, bytes]:
    """Return what ipcontroller alone reads of a profile, by path in it."""
    paths = [profile_dir / name for name in CONTROLLER_FILES]
    return {path.name: path.read_bytes() for path in paths if path.exists()}


def is_configuration(name: str) -> bool:
    """Return whether a file of this path in the profile is read as configuration."""
    return name.endswith(("_config.py", "_config.json")) and "/" not in name


def says_something(text: bytes) -> bool:
    """Return whether a configuration file has more than comments and `c = get_config()`."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return True
    return any(
        not (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
        and ast.unparse(item) not in ("c = get_config()", "get_config()")
        for item in body
    )
