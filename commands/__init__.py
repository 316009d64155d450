"""Commands that people run beside the pipeline.

Before an experiment: use a profile, forecast a run, choose values by a sweep, read a sample of the reports. After it:
look at it, export a model and release it, keep the result, check a second run against it, review a change. Each runs as
`python -m commands.<name>` in the root of the repository; the Makefile has a target for each but `fresh`, which .ci/run
calls, and `profile`, which is part of `make repro`.
"""

from stages import ROOT

__all__ = ["ROOT"]
