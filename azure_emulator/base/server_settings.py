"""How one emulator runs: what the command line of its server process says."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

MACHINE_KINDS = ("process", "none")
CLOCK_KINDS = ("real", "virtual")
TOKEN_FILE = "token"  # noqa: S105 - a file name
INFO_FILE = "emulator.json"
LOG_FILE = "emulator.log"
LOCK_FILE = "start.lock"


@dataclass(frozen=True)
class ServerSettings:
    """time_scale 0 completes operations just after their response, 1 takes as long as Azure."""

    state_dir: Path
    machines: str = "process"
    clock: str = "real"
    time_scale: float = 0.0
    seed: int | None = None
    throttle: bool = False
    idle_timeout_s: float = 600.0
    port: int = 0
    quota_cores: int = 10_000
    detach: bool = False

    @property
    def machines_dir(self) -> Path:
        return self.state_dir / "machines"


def parse(arguments: list[str] | None = None) -> ServerSettings:
    parser = argparse.ArgumentParser(prog="python -m azure_emulator.front.serve")
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--machines", choices=MACHINE_KINDS, default="process")
    parser.add_argument("--clock", choices=CLOCK_KINDS, default="real")
    parser.add_argument("--time-scale", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--throttle", action="store_true")
    parser.add_argument("--idle-timeout-s", type=float, default=600.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--quota-cores", type=int, default=10_000)
    parser.add_argument("--detach", action="store_true", help="return when the server is up")
    values = parser.parse_args(arguments)
    return ServerSettings(**vars(values))
