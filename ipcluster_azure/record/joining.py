"""What the record says of engines that their start did not wait for."""

from dataclasses import dataclass, field


@dataclass
class Joining:
    """What a start leaves to the link that has returned before all engines were registered.

    `machines` are the names of those of the set whose engines are not all registered so far; they
    must answer `until` that time, in seconds since 1970. At least `min_engines` of the set's are
    wanted, 0: all. `problem` is what became of those that did not come.
    """

    machines: list[str] = field(default_factory=list)
    until: float = 0.0
    min_engines: int = 0
    problem: str = ""
