"""Which token sequences are worth computing together after a shared prefix."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

# A group costs a forward pass of one row and a batch that is not full: its prefix must save more tokens than this.
WORTH = 512


@dataclass(frozen=True)
class Group:
    """Indices of sequences whose first `length` tokens are equal; each sequence is longer than that."""

    length: int
    members: list[int]


@dataclass
class _Node:
    """An interval of the sorted sequences that share `length` tokens, and the best grouping of its members."""

    length: int
    start: int
    saved: int = 0
    groups: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, child: "_Node") -> None:
        self.saved += child.saved
        self.groups += child.groups

    def close(self, end: int, worth: int) -> None:
        """Make the interval one group if that saves at least as many tokens as its parts do."""
        together = (end - self.start - 1) * self.length - worth
        if together > 0 and together >= self.saved:
            self.saved, self.groups = together, [(self.length, self.start, end)]


def group_by_prefix(sequences: Sequence[tuple[int, ...]], worth: int = WORTH) -> list[Group]:
    """Assign every sequence to exactly one group; sequences without a worthwhile prefix form a group of length 0.

    In sorted order sequences with a common prefix are neighbours, and the intervals of equal prefix form a tree. One
    pass over the common lengths of neighbours closes its nodes from the leaves up. The questions of an MMLU subject
    become a group that shares the five worked examples; two questions that share more become a group only if that
    saves more.

    Args:
        sequences: distinct and not empty.
        worth: the tokens that a group must save.
    """
    order = sorted(range(len(sequences)), key=lambda index: sequences[index])
    # The last token of a sequence is never in the prefix: its hidden state is needed.
    common = [_common(sequences[a][:-1], sequences[b][:-1]) for a, b in pairwise(order)]
    open_nodes: list[_Node] = []
    for index, length in enumerate([*common, -1]):
        child = _Node(length=len(sequences[order[index]]), start=index)
        while open_nodes and open_nodes[-1].length > length:
            node = open_nodes.pop()
            node.add(child)
            node.close(index + 1, worth)
            child = node
        if open_nodes and open_nodes[-1].length == length:
            open_nodes[-1].add(child)
        else:
            open_nodes.append(_Node(length, child.start, child.saved, child.groups))
    groups = [Group(length, order[start:end]) for length, start, end in open_nodes[0].groups]
    grouped = {index for group in groups for index in group.members}
    rest = [index for index in order if index not in grouped]
    return [*groups, Group(0, rest)] if rest else groups


def _common(first: Sequence[int], second: Sequence[int]) -> int:
    """The number of tokens that two sequences share at the beginning."""
    pairs = zip(first, second, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
