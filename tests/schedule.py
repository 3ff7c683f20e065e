"""In which order tests run, and which of them on one worker of `pytest -n`.

The long ones come first, so that no worker is left alone with one at the end. pytest-xdist's own groups (3.8) are
marks that it reads from the tests' ids, in a way that pytest 9.2 no longer has; so `conftest.py` hands ours over.
"""

import pytest

# What takes long, by the beginning of the test's id; the first that fits. Processor seconds of all its commands on a
# busy machine, estimated for the full MNIST: only the order matters.
SECONDS: dict[str, float] = {
    "tests/test_full_mnist.py::test_both_end_in_the_labs_range[bigger]": 600,
    "tests/test_full_mnist.py::test_both_end_in_the_labs_range[small]": 250,
    "tests/test_full_mnist.py::test_a_training_of_its_own_ends_in_the_labs_range[keras_reference.train-bigger": 110,
    "tests/test_full_mnist.py::test_a_training_of_its_own_ends_in_the_labs_range[lightning_mlp.train-bigger": 130,
    "tests/test_full_mnist.py::test_a_training": 80,
    "tests/parity/selftest/test_drift.py::test_the_full_mnist": 80,
    "tests/test_make.py::test_make_run_without_a_network": 150,
    "tests/parity/test_main.py::test_small_has_parity": 120,
    "tests/parity/test_main.py::test_keras_on_another_backend": 110,
    "tests/parity/test_main.py::test_float64": 90,
    "tests/parity/test_main.py::test_pytorchs_adam": 80,
    "tests/parity/test_main.py::test_a_users_own_keras_model": 80,
    "tests/parity/seeds/test_command.py::test_a_study_trains_both": 70,
    "tests/parity/seeds/test_cluster.py": 70,
    "tests/notebooks/test_notebooks.py::test_every_cell_runs": 60,
    "tests/parity/selftest/test_sweeps.py::test_ctrl_c": 60,
    "tests/parity/selftest/test_sweeps.py::test_a_planted_fault": 60,
    "tests/parity/selftest/test_sweeps.py::test_the_sound_pair": 50,
    "tests/test_readme.py::test_a_command_of_the_readme_runs[python -m parity --level quick --reference": 50,
    "tests/test_readme.py::test_a_command_of_the_readme_runs[python -m parity --preset bigger --level quick": 50,
    # behind the tests whose recordings they share
    "tests/test_readme.py::test_a_command_of_the_readme_runs[python -m parity --level quick": 19,
    "tests/test_readme.py::test_a_command_of_the_readme_runs[python -m parity honest": 19,
    "tests/test_readme.py::test_a_command_of_the_readme_runs[python -m parity ": 50,
    "tests/parity/test_main.py::test_a_candidate_is_judged_or_its_own_message_told[Hangs": 50,
    "tests/test_train.py::test_an_interrupted_run": 50,
    "tests/test_train.py::test_the_offline_sample": 40,
    "tests/benchmarks/test_bench.py::test_the_benchmark_times": 90,
    "tests/benchmarks/test_bench.py": 40,
    "tests/lightning_mlp/test_processes.py::test_two_processes": 40,
    "tests/test_readme.py::test_a_command_of_the_readme_runs": 30,
    "tests/parity/test_main.py::test_a_reference": 20,
    "tests/parity/test_main.py::test_a_candidate": 20,
    "tests/parity/selftest/test_drift.py": 20,
    "tests/parity/test_stateful_pairs.py": 60,
    "tests/parity/test_layer_pairs.py": 45,
    "tests/parity/test_recurrent_pairs.py": 45,
    "tests/parity/selftest/honest/test_command.py::test_a_drawn_pair": 40,
    # the first of those that ask the same of Keras; those behind share its recording
    "tests/examples/test_ports.py::test_a_right_port": 35,
    "tests/parity/test_check.py::test_an_honest_port_has_parity[honest-flags0]": 34,
    "tests/parity/test_check.py::test_an_honest_port_has_parity[two": 33,
    "tests/parity/test_check.py::test_an_honest_port_has_parity[parts": 33,
    "tests/parity/test_check.py::test_an_honest_port_has_parity[noise": 33,
    "tests/parity/test_check.py::test_an_honest_port_has_parity[honest": 33,
    "tests/examples/test_ports.py::test_a_first_port": 18,
    "tests/parity/test_check.py": 17,
    "tests/test_readme.py::test_the_template": 20,
    "tests/parity/conversion/test_command.py": 15,
}


def schedule(items: list[pytest.Item]) -> dict[str, str]:
    """Sorts tests by the seconds of their group, the longest first; returns the groups by the tests' ids.

    Args:
        items: the collected tests, in place.
    """
    groups = {item: group_of(item) for item in items}
    seconds: dict[str, float] = {}
    for item, group in groups.items():
        seconds[group] = max(seconds.get(group, 0.0), seconds_of(item.nodeid))
    items.sort(key=lambda item: -seconds[groups[item]])
    return {item.nodeid: group for item, group in groups.items()}


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
