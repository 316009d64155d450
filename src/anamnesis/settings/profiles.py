"""The section `params` of a profile: values of params.yaml that suit its model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anamnesis.settings.sections import SettingsError, read_yaml, unknown_key

# The section's name in a profile.
PARAMS = "params"


def profile_file(root: Path, profile: object, said_by: str = "PROFILE") -> str:
    """The profile's file, from the root on.

    Args:
        root: the project's folder.
        profile: the profile's name, or whatever the user gave instead.
        said_by: where the user gave it, for the message.

    Raises:
        SettingsError: there is no such profile.
    """
    file = f"profiles/{profile}.yaml"
    if not (root / file).is_file():
        known = sorted(path.stem for path in (root / "profiles").glob("*.yaml"))
        raise SettingsError(f"{said_by} is {profile!r}, but there is no {file}; choose one of {known}.")
    return file


def profile_params(root: Path, profile: str) -> dict[str, Any]:
    """What the profile sets in params.yaml, by dotted key.

    Raises:
        SettingsError: there is no such profile, or it names a key that params.yaml does not have.
    """
    file = profile_file(root, profile)
    values = read_yaml(root / file).get(PARAMS, {})
    check_params(values, read_yaml(root / "params.yaml"), file)
    return dict(values)


def check_params(values: Any, science: Mapping[str, Any], file: str) -> None:
    """Raises SettingsError unless `values` has keys of params.yaml, dotted, that hold no section."""
    if not isinstance(values, Mapping) or "profile" in values:
        raise SettingsError(
            f"{file}: `{PARAMS}` must be a mapping of keys of params.yaml, other than profile, to values."
        )
    for key in values:
        place: Any = science
        for part in str(key).split("."):
            if not isinstance(place, Mapping) or part not in place:
                known = [str(one) for one in place] if isinstance(place, Mapping) else []
                raise SettingsError(unknown_key(file, f"{PARAMS}.{key}", known))
            place = place[part]
        if isinstance(place, Mapping):
            raise SettingsError(f"{file}: `{PARAMS}.{key}` is a whole section of params.yaml: name a key in it.")
