"""Gives memory back to the system, so that a process is as large as its largest part, and not as all of them together.

What is done here changes no result. It is asked of glibc, and does nothing under another C library.
"""

import contextlib
import ctypes
import gc
import mmap
import os

import numpy as np

# Of malloc, as glibc has them. Blocks of this size go back at once when they are freed; without a word, the limit grows
# to 32 MiB. What a training step of a small model needs is below, and is kept from step to step.
MMAP_THRESHOLD, LARGE = -3, 8 * 2**20
# oneDNN's allocator in TensorFlow keeps all that it ever had, unless this variable is set before TensorFlow starts.
SYSTEM_ALLOCATOR = "TF_ONEDNN_USE_SYSTEM_ALLOCATOR"
# What malloc asks the system for comes in pages of 2 MiB where it has them: blocks that go back at once are then had
# again in a fifth of the time.
TUNABLES, HUGE_PAGES = "GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"


def surroundings() -> dict[str, str]:
    """Returns what the environment of a process that keeps little says beside ours, before the process starts."""
    return {} if TUNABLES in os.environ else {TUNABLES: HUGE_PAGES}


def keep_little() -> None:
    """Has large blocks go back to the system when they are freed; call before a framework is imported."""
    os.environ.setdefault(SYSTEM_ALLOCATOR, "1")
    if libc := glibc():
        libc.mallopt(MMAP_THRESHOLD, LARGE)


def leave_out_imports() -> None:
    """Has `release` look at nothing that is there by now; call after the imports, which would take most of its time."""
    gc.freeze()


def release() -> None:
    """Frees what only refers to itself, as models do, and gives the system what has been freed."""
    gc.collect()
    if libc := glibc():
        libc.malloc_trim(0)


def forget_pages(array: np.ndarray) -> None:
    """Lets go of what has been read of a memory-mapped array; it is read from its file again when it is needed."""
    while isinstance(array, np.ndarray):
        array = array.base
    if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)


def glibc() -> ctypes.CDLL | None:
    """Returns the process's C library; None if it is not glibc."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        return libc if libc.malloc_trim and libc.mallopt else None
    return None
