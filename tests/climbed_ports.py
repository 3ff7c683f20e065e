"""Several ports of one Keras model, put through the ladder by one process: Keras answers once."""

import json
import sys
from pathlib import Path

from conftest import ROOT, run_python

CODE = """
import json, sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from parity.check import CheckFlags
from parity.ladder.climb import climb_with
from parity.selftest import sweeps

sys.executable, tests, module, folder, *names = sys.argv[1:]
sys.path.insert(0, tests)
PAIRS, folder, found = import_module(module).PAIRS, Path(folder), {}


def pair_of(name):
    path = folder / f"{name.replace(' ', '_')}.py"
    path.write_text(PAIRS[name])
    return CheckFlags(str(path)).pair()


reference, task = sweeps.record_pair(pair_of(names[0]), sweeps.JobFlags(), folder)
for name in names:
    own = folder / f"of {name}"
    own.mkdir()
    other = replace(task, pair=replace(task.pair, file=pair_of(name).file), output_dir=str(own / "lightning"))
    checks = climb_with(reference, other, own, 600.0, stop_early=name != names[0]).checks
    found[name] = [[check.id, check.status, check.detail, check.more] for check in checks]
print("\\n" + json.dumps(found))
"""


def climb_ports(folder: Path, module: str, *names: str) -> dict[str, dict[str, list]]:
    """Puts ports through the ladder, the first one to its end; the others up to the first rung that fails.

    Args:
        folder: of the pair files.
        module: whose PAIRS have them.
        names: of the ports; the first one's Keras model is the reference.

    Returns:
        by port and id of its checks: status, detail, and what else is said.
    """
    # the python of the tests, which starts the frameworks' processes warm where their environment is the session's
    ended = run_python("-c", CODE, sys.executable, ROOT / "tests", module, folder, *names, timeout=600)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.splitlines()[-1])
    return {name: {check[0]: check[1:] for check in of_port} for name, of_port in found.items()}


def failed(of_port: dict[str, list]) -> list[str]:
    """Returns the ids of the checks that failed."""
    return [name for name, (status, *_) in of_port.items() if status in ("fail", "error")]
