"""In which order tests run, and which of them on one worker of `pytest -n`.

The long ones come first, so that no worker is left alone with one at the end.
`--dist loadgroup` keeps a group on one worker, and takes the groups in the order of the tests.
"""

import pytest

# Measured seconds of what takes long, by the beginning of the test's id; the first that fits.
SECONDS: dict[str, float] = {}


def schedule(items: list[pytest.Item]) -> None:
    """Sorts tests by the seconds of their group, the longest first, and marks the groups.

    Args:
        items: the collected tests, in place.
    """
    groups = {item: group_of(item) for item in items}
    seconds: dict[str, float] = {}
    for item, group in groups.items():
        seconds[group] = max(seconds.get(group, 0.0), seconds_of(item.nodeid))
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: -seconds[groups[item]])


def seconds_of(name: str) -> float:
    """Returns the measured seconds of a test, or of those that share what takes long; 0 where nobody has measured."""
    return next((seconds for beginning, seconds in SECONDS.items() if name.startswith(beginning)), 0.0)


def group_of(item: pytest.Item) -> str:
    """Names the group of a test: its own id, or its file and the fixtures that it shares with others of the file."""
    definitions = item._fixtureinfo.name2fixturedefs
    shared = sorted(name for name, (*_, last) in definitions.items() if last.scope in ("module", "class", "package"))
    if not shared:
        return item.nodeid
    values = getattr(item, "callspec", None)
    chosen = [f"{name}={values.indices[name]}" for name in shared if values is not None and name in values.indices]
    return f"{item.path.name} {' '.join(shared)} {' '.join(chosen)}".strip()
