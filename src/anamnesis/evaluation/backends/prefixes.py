"""Which token sequences are worth computing together, after a prefix that they share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

# A group costs a forward pass of one row and a batch that is not full: its prefix must save at least so many tokens.
WORTH = 512


@dataclass(frozen=True)
class Group:
    """Sequences by their indices, whose first `length` tokens are the same; each has at least one token more."""

    length: int
    members: list[int]


@dataclass
class _Node:
    """An interval of the sorted sequences that share `length` tokens, and the best way to group what is in it."""

    length: int
    start: int
    saved: int = 0
    groups: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, child: "_Node") -> None:
        self.saved += child.saved
        self.groups += child.groups

    def close(self, end: int, worth: int) -> None:
        """Take the interval as one group if that saves more tokens than its parts do."""
        together = (end - self.start - 1) * self.length - worth
        if together > 0 and together >= self.saved:
            self.saved, self.groups = together, [(self.length, self.start, end)]


def group_by_prefix(sequences: Sequence[tuple[int, ...]], worth: int = WORTH) -> list[Group]:
    """Every sequence in exactly one group; those that no prefix is worth it for are a group with length 0.

    Sorted, sequences with a common prefix are neighbours, and the intervals of equal prefix form a tree; one pass over
    the neighbours' common lengths closes its nodes from the leaves up. The five worked examples of an MMLU subject
    become a group, and so does what two questions of it share only if that saves more.

    Args:
        sequences: distinct, none empty.
        worth: tokens that a group must save.
    """
    order = sorted(range(len(sequences)), key=lambda index: sequences[index])
    # The last token of a sequence is never in the prefix: its hidden state is what is asked for.
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
    """How many tokens two sequences share at their beginning."""
    pairs = zip(first, second, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
