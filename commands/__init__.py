"""Commands that people run on finished experiments: keep one, check a second run against it, review a change.

Each runs as `python -m commands.<name>` in the root of the repository; the Makefile has a target for each but `fresh`,
which .ci/run calls. They read what the stages wrote, and are not part of the pipeline.
"""

from stages import ROOT

__all__ = ["ROOT"]
