"""The device: which one is chosen, how many there must be, and which process is the main one."""

import os

import pytest
import torch

from lightning_mlp.device import RANKS, check_count, choose, is_main_process
from mlp_spec.support.errors import UserError


@pytest.mark.parametrize(
    ("accelerator", "has_gpu", "device"),
    [("cpu", True, "cpu"), ("cpu", False, "cpu"), ("auto", True, "gpu"), ("auto", False, "cpu"), ("gpu", True, "gpu")],
)
def test_a_gpu_is_taken_if_it_is_there_and_wanted(accelerator, has_gpu, device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    assert choose(accelerator) == device


def test_a_gpu_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees no CUDA GPU here; use --accelerator cpu or auto"):
        choose("gpu")


@pytest.mark.parametrize(("device", "kind"), [("gpu", "CUDA GPUs"), ("cpu", "CPU cores")])
def test_there_must_be_as_many_devices_as_processes(device, kind, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert check_count(2, device) is None
    with pytest.raises(UserError, match=f"--devices 3: this machine has 2 {kind}; use at most 2"):
        check_count(3, device)


@pytest.mark.parametrize("name", RANKS)
def test_the_main_process_is_the_one_of_rank_0(name, monkeypatch):
    for rank in RANKS:
        monkeypatch.delenv(rank, raising=False)
    assert is_main_process()
    monkeypatch.setenv(name, "0")
    assert is_main_process()
    monkeypatch.setenv(name, "1")
    assert not is_main_process()
