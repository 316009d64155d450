"""How many reports a person has to read to bound the share with an identifier left in them, and the record of it."""

from bisect import bisect_left
from dataclasses import asdict, dataclass
from pathlib import Path

from scipy.stats import beta

from anamnesis.errors import InputError
from anamnesis.files import read_json, write_json

CONFIDENCE = 0.95
# More rows than this are not read by a person.
_MOST_ROWS = 100_000


@dataclass(frozen=True)
class Review:
    """The outcome of reading a random sample: `leaks` of the `read` reports have an identifier left.

    `fingerprint` and `reports` are those of the corpus: a record says nothing about another corpus, or about the same
    one after other rules.
    """

    fingerprint: str
    reports: int
    read: int
    leaks: int

    @property
    def bound(self) -> float:
        """The upper confidence bound of the share of reports with a leak; the share itself if all are read."""
        return self.leaks / self.read if self.read >= self.reports else upper_bound(self.leaks, self.read)


def upper_bound(leaks: int, read: int) -> float:
    """The one-sided exact binomial bound (Clopper and Pearson, Biometrika 1934;26:404-413) at 95 % confidence."""
    return float(beta.ppf(CONFIDENCE, leaks + 1, read - leaks)) if leaks < read else 1.0


def rows_needed(share: float, leaks: int = 0) -> int:
    """The smallest sample in which that many leaks bound the share of reports with a leak by `share`.

    Without a leak, this is the rule of three: about 3 / share.

    Raises:
        InputError: it is more than a person can read.
    """
    needed = bisect_left(range(_MOST_ROWS), True, lo=leaks + 1, key=lambda read: upper_bound(leaks, read) <= share)
    if needed == _MOST_ROWS:
        raise InputError(f"PER_THOUSAND={1000 * share:g} needs more than {_MOST_ROWS} rows: give a larger number.")
    return needed


def read_review(folder: Path, fingerprint: str) -> Review | None:
    """The record of this corpus and these rules, if there is one."""
    path = folder / f"{fingerprint}.json"
    return Review(**read_json(path)) if path.is_file() else None


def write_review(folder: Path, review: Review) -> None:
    write_json(folder / f"{review.fingerprint}.json", asdict(review))


def summary(review: Review | None) -> str:
    """The record in words, for the data card."""
    if review is None:
        return "Nobody has read a sample of these reports (`make sample`)."
    said = f"A person read {review.read} of {review.reports} reports, chosen at random, after de-identification. "
    if review.leaks == 0:
        said += "None has an identifier left. "
    else:
        said += f"{review.leaks} ha{'s' if review.leaks == 1 else 've'} an identifier left. "
    if review.read >= review.reports:
        return f"{said}These are all reports."
    return f"{said}With 95 % confidence, at most {1000 * review.bound:.1f} reports in 1,000 have one."
