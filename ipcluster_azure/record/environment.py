"""What a cluster's record says of the Python that its machines run."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Environment:
    """Which Python the machines run; one for the whole cluster.

    `lock` is the pylock.toml on this computer of one that is built, and `wheels` are files of it
    that the machines are sent. `asked` is what it is made anew from: the members of Selection,
    those of Target, and "interpreter", the Python that started the cluster. `made_of` is the digest
    of the lock whose wheels the controller's machine offers (ssh/machine_lock.py).
    """

    kind: str
    image_python: str
    python: str
    ipyparallel: str
    lock: str = ""
    wheels: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)  # versions that clients should have too
    requirements: list[str] = field(default_factory=list)  # of clusters of versions before this
    asked: dict[str, Any] = field(default_factory=dict)
    made_of: str = ""

    @property
    def is_built(self) -> bool:
        """Whether the controller's machine makes it for all, and it is not the image's."""
        return self.kind != "image"

    @property
    def foreign_client(self) -> str:
        """What happens to a client of this process; empty if it has the engines' minor version."""
        return self.foreign(f"{sys.version_info.major}.{sys.version_info.minor}")

    def foreign(self, python: str) -> str:
        """What happens to a client of this minor version; empty if it is the engines'.

        Neither ipyparallel's client nor its messages tell their Python to anybody.
        """
        if python == self.python:
            return ""
        return (
            f"The engines run Python {self.python}, and this is Python {python}: the functions "
            f"that it sends would end them, as bytecode differs. Use Python {self.python} for "
            "clients, or start a cluster from this one."
        )

    def difference(self, packages: Mapping[str, str]) -> str:
        """Return in words which packages a client has in other versions than the engines; empty if
        none. What one side alone has is no difference: the other may never need it."""
        differ = [
            f"{name} {version} here, {self.packages[name]} there"
            for name, version in packages.items()
            if self.packages.get(name, version) != version
        ]
        if not differ:
            return ""
        return (
            f"This client's packages differ from the engines': {', '.join(differ)}. Objects of "
            "theirs may not survive the way. Use the environment that started the cluster, or "
            "start one from this."
        )
