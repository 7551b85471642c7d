"""The id of this home directory: random, made at the first use, and kept in the user's data folder.

By it clusters are told from those of others who share the login to Azure, or are called the same on
a computer that is called the same: containers, the computers of a classroom. It is no secret, as it
is in the clusters' tags. It outlives the IPython directory: `ipcluster-azure reap` works without.
"""

import re
from pathlib import Path

from ..private_files import write_private

LOCK_TIMEOUT_S = 10.0
HOME_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


def home_id_file() -> Path:
    import platformdirs  # 5 ms, for those who start or look

    return platformdirs.user_data_path("ipcluster-azure", appauthor=False) / "home-id"


def home_id() -> str:
    """Return the id; empty if it can be neither read nor kept, as in a home that is read-only."""
    path = home_id_file()
    try:
        return _kept(path) or _made(path)
    except (OSError, NotImplementedError):  # the latter where there are no locks
        return ""


def _kept(path: Path) -> str:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""
    return text if HOME_ID.fullmatch(text) else ""


def _made(path: Path) -> str:
    """Make the id, unless another process just does."""
    import secrets

    from filelock import FileLock

    if not path.is_absolute():  # a user without a home
        return ""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock"), timeout=LOCK_TIMEOUT_S):
        if not (found := _kept(path)):
            found = secrets.token_hex(16)
            write_private(path, found)
    return found
