"""Sequences of similar length read in one forward pass."""

from collections.abc import Iterator, Sequence

# Padding tokens that a batch may contain: about the cost of another forward pass.
PADDING = 512


def batches(members: Sequence[int], lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Batches of at most `size` members of similar length, the longest first."""
    batch: list[int] = []
    longest = padding = 0
    for length, member in sorted(zip(lengths, members, strict=True), reverse=True):
        padding += longest - length
        if batch and (len(batch) == size or padding > PADDING):
            yield batch
            batch = []
        if not batch:
            longest, padding = length, 0
        batch.append(member)
    if batch:
        yield batch
