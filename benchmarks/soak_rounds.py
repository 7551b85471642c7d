"""What happens in a round of the soak, drawn from a seed."""

from __future__ import annotations

import random
import signal
from dataclasses import dataclass
from typing import Any

from azure_emulator.testing import fault

TEAM = "team"
ELSEWHERE = "`ipcluster stop` from elsewhere"
ERASE = "SIGKILL, and all files erased"
SIGNALS = {
    "Ctrl-C": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
    "SIGHUP": signal.SIGHUP,
    "SIGKILL": signal.SIGKILL,
    ERASE: signal.SIGKILL,
}
GENTLE = {ELSEWHERE, "Ctrl-C", "SIGTERM"}
ENDS = (ELSEWHERE, *SIGNALS)
LONGEST_S, LONGEST_REAL_S = 2.0, 6.0
COMPUTE = "Microsoft.Compute/*"
FAULTS: tuple[dict[str, Any], ...] = (
    fault("refuse", status=429, retry_after_s=0, share=0.1, times=3),
    fault("refuse", status=503, share=0.1, times=3),
    fault("refuse", method="PUT", status=409, code="Conflict", share=0.1),
    fault("drop", share=0.05, times=2),
    fault("lose_reply", share=0.05, times=2),
    fault("cut_reply", share=0.05, times=2),
    fault("delay", delay_s=0.3, share=0.2, times=4),
    fault("not_found", type="Microsoft.Network/*", reads=2),
    fault("fail", type=COMPUTE, method="PUT", code="AllocationFailed"),
    fault("fail", method="DELETE", code="InternalServerError"),
)


@dataclass(frozen=True)
class Round:
    """`moment_s` after its start the client dies, or with `begun` after it has begun to create; 0:
    once it is up. `pair`: another cluster of the same profile lives beside it; `real`: with
    processes."""

    number: int
    end: str
    moment_s: float
    begun: bool
    pair: bool
    shared: bool
    real: bool
    faults: tuple[dict[str, Any], ...]


def drawn(seed: int, number: int) -> Round:
    chance = random.Random(f"{seed} {number}")  # noqa: S311 - no secret
    end = chance.choice(ENDS)
    real = chance.random() < 0.03
    longest_s = LONGEST_REAL_S if real else LONGEST_S
    moment_s = 0.0 if chance.random() < 0.15 else chance.uniform(0.01, longest_s)
    count = chance.choice((0, 0, 1, 2))
    return Round(
        number=number,
        end=end,
        moment_s=moment_s,
        begun=chance.random() < 0.7,
        pair=end != ERASE and chance.random() < 0.15,
        shared=chance.random() < 0.25,
        real=real,
        faults=tuple(chance.sample(FAULTS, count)),
    )
