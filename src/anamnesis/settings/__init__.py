"""The parameters of an experiment: what each key means to the code, and what it refuses.

params.yaml (the science) and profiles/<name>.yaml (the scale) are read into frozen dataclasses, a module for each part
of the pipeline, so that a key of one part makes no other stale. An unknown key, a wrong type or a value out of range
stops a stage before any work, with one sentence that names the file, the key and the mend. The prose manual of the
keys is params.yaml itself.

A stage is given only what dvc.yaml declares for it, so that DVC's cache is right by construction.
"""
