"""The parameters of an experiment: what each key means to the code, and what it refuses.

params.yaml (the science) and profiles/<name>.yaml (the scale) are read into frozen dataclasses. Each part of the
pipeline has its own module, so that a key of one part makes no other stage stale. An unknown key, a wrong type or a
value out of range stops a stage before any work, with one sentence that names the file, the key and what to do. The
manual of the keys is params.yaml itself.

A stage gets only what dvc.yaml declares for it, so that DVC's cache is right by construction.
"""
