"""Results of ranges of blocks, joined as soon as neighbours are there, always in the same pairs."""

from collections.abc import Iterable, Iterator

from .block import Moments, merge

Range = tuple[int, int]  # first block, number of blocks


class Tree:
    """Moments of ranges of blocks, each as long as a power of two, beginning at a multiple of it.

    Two halves of a longer such range are merged at once. What is kept depends on which blocks
    have been added alone, not on their order or on how they were grouped.
    """

    def __init__(self) -> None:
        self.nodes: dict[int, Moments] = {}  # by first block

    def add(self, first: int, moments: Moments) -> None:
        while True:
            length = moments.n_blocks
            sibling = first ^ length
            other = self.nodes.get(sibling)
            if other is None or other.n_blocks != length:
                break
            del self.nodes[sibling]
            moments = merge(other, moments) if sibling < first else merge(moments, other)
            first = min(first, sibling)
        self.nodes[first] = moments

    @property
    def n_blocks(self) -> int:
        return sum(moments.n_blocks for moments in self.nodes.values())

    def missing(self, n_blocks: int) -> list[Range]:
        """What lacks of blocks 0 to n_blocks - 1, as (first, how many) of any length."""
        gaps, end = [], 0
        for first in sorted(self.nodes):
            if first > end:
                gaps.append((end, first - end))
            end = first + self.nodes[first].n_blocks
        if end < n_blocks:
            gaps.append((end, n_blocks - end))
        return gaps

    def total(self) -> Moments:
        """All together, from left to right. Nothing may be missing in between."""
        first, *rest = (self.nodes[first] for first in sorted(self.nodes))
        for moments in rest:
            first = merge(first, moments)
        return first


def cut(gaps: Iterable[Range], longest: int) -> Iterator[Range]:
    """The gaps in pieces that a Tree takes, of at most `longest` blocks, a power of two."""
    for first, length in gaps:
        end = first + length
        while first < end:
            piece = longest
            while first % piece or first + piece > end:
                piece //= 2
            yield first, piece
            first += piece
