"""Memory that goes back to the system: large blocks at once, the rest when it is asked for; mapped pages likewise."""

import gc
import json
import sys
import weakref

import numpy as np
import pytest
from conftest import ROOT, run_python

from parity.protocol import memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process stands in /proc")
SCRIPT = """
import json, os, sys
import numpy as np
from parity.protocol import memory


def size():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20


def held(count, megabytes):
    # how much stays when blocks are freed, and a small one above them is not
    before = size()
    blocks = [np.ones(megabytes * 2**20, np.uint8) for _ in range(count)]
    above.append(np.ones(100_000, np.uint8))
    blocks.clear()
    return size() - before


above, found = [], {}
if sys.argv[2] == "keep little":
    memory.keep_little()
held(1, 20)  # from here on, malloc keeps blocks of this size, unless it is told not to
found["held"] = held(4, 20)
before = size()
memory.release()
found["released"] = before - size()
rows = np.load(sys.argv[1], mmap_mode="c")
before, total = size(), int(rows.sum())
found["read"] = size() - before
memory.forget_pages(rows)
found |= {"forgotten": size() - before, "same": int(rows.sum()) == total}
found["variable"] = os.environ.get(memory.SYSTEM_ALLOCATOR)
print(json.dumps(found))
"""


@linux
@pytest.mark.parametrize("keeps_little", [True, False])
def test_memory_goes_back_to_the_system(tmp_path, keeps_little):
    (tmp_path / "script.py").write_text(SCRIPT)
    np.save(tmp_path / "rows.npy", np.arange(8 * 2**20))
    word = "keep little" if keeps_little else "as it is"
    ended = run_python(tmp_path / "script.py", tmp_path / "rows.npy", word, env={"PYTHONPATH": str(ROOT)})
    found = json.loads(ended.out)
    assert found["held"] < 5 if keeps_little else found["held"] > 50, found
    assert keeps_little or found["released"] > 50, found
    assert found["variable"] == ("1" if keeps_little else None)
    assert found["read"] > 50 and found["forgotten"] < 5 and found["same"], found


def test_what_only_refers_to_itself_is_freed():
    class Model:
        """Refers to itself."""

    gc.disable()
    try:
        model = Model()
        model.itself, seen = model, weakref.ref(model)
        del model
        assert seen() is not None
        memory.release()
        assert seen() is None
    finally:
        gc.enable()


def test_what_is_imported_is_looked_at_no_more():
    try:
        memory.leave_out_imports()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()


def test_an_array_that_is_not_mapped_stays_as_it_is():
    rows = np.arange(5)
    memory.forget_pages(rows)
    assert rows.tolist() == [0, 1, 2, 3, 4]


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    monkeypatch.setenv(memory.SYSTEM_ALLOCATOR, "0")  # what a user says stands
    assert memory.glibc() is None
    memory.keep_little()
    memory.release()
    assert memory.os.environ[memory.SYSTEM_ALLOCATOR] == "0"


def test_a_process_starts_with_large_pages_unless_something_else_is_said(monkeypatch):
    monkeypatch.delenv(memory.TUNABLES, raising=False)
    assert memory.surroundings() == {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
    monkeypatch.setenv(memory.TUNABLES, "glibc.malloc.arena_max=1")
    assert memory.surroundings() == {}
