"""Optimizers get Keras's numbers, arithmetic or kind, one difference at a time; schedules and clipping go."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sample_built import make_built

from keras_like.optimizers import KerasAdam, KerasRMSprop, KerasSGD
from parity.adapters.torch.undo import optimizers
from parity.adapters.torch.undo.difference import ACCUMULATION, HOOKS, NORM, OTHERWISE, RATE, VALUE, Built
from parity.adapters.torch.undo.hooks import Change

UNDOS = {undo.id: undo for undo in optimizers.UNDOS}
ADAM = {"class_name": "Adam", "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
SGD = {"class_name": "SGD", "learning_rate": 0.01, "momentum": 0.9, "nesterov": True}
BETAS = {"beta_1": 0.5, "beta_2": 0.6, "epsilon": 1e-7}
OPTIM = torch.optim
AMSGRAD = "Adam(amsgrad=True): write False"


def undone(id: str, make, asked: dict, **changes):
    """Undoes a difference of an optimizer; returns what was built, and the lines."""
    built = make_built(optimizer=asked)
    built.optimizers = [make(built.module.parameters())]
    for name, value in changes.items():
        setattr(built, name, value(built) if callable(value) else value)
    return built, UNDOS[id].change(built)


@pytest.mark.parametrize(
    ("id", "make", "asked", "line", "name", "value"),
    [
        ("learning-rate", lambda p: OPTIM.Adam(p, 0.002), ADAM, "Adam(lr=0.002): write 0.001", "lr", 0.001),
        ("adam-epsilon", OPTIM.Adam, ADAM, "Adam(eps=1e-08): write 1e-07", "eps", 1e-7),
        ("adam-beta-1", OPTIM.Adam, {**ADAM, "beta_1": 0.8}, "Adam(beta_1=0.9): write 0.8", "betas", (0.8, 0.999)),
        ("adam-beta-2", OPTIM.Adam, {**ADAM, "beta_2": 0.9}, "Adam(beta_2=0.999): write 0.9", "betas", (0.9, 0.9)),
        ("momentum", OPTIM.SGD, SGD, "SGD(momentum=0): write 0.9", "momentum", 0.9),
        ("nesterov", OPTIM.SGD, SGD, "SGD(nesterov=False): write True", "nesterov", True),
        (
            "dampening", lambda p: OPTIM.SGD(p, momentum=0.9, dampening=0.1), SGD,
            "SGD(dampening=0.1): write 0", "dampening", 0.0,
        ),
        ("weight-decay-decoupled", OPTIM.AdamW, ADAM, "AdamW(weight_decay=0.01): write 0", "weight_decay", 0.0),
        (
            "weight-decay-decoupled", lambda p: KerasAdam(p, weight_decay=0.1), ADAM,
            "KerasAdam(weight_decay=0.1): write 0", "weight_decay", 0.0,
        ),
        (
            "weight-decay-coupled", lambda p: OPTIM.Adam(p, weight_decay=0.1), ADAM,
            "Adam(weight_decay=0.1): write 0", "weight_decay", 0.0,
        ),
        ("amsgrad", lambda p: OPTIM.Adam(p, amsgrad=True), {"amsgrad": False}, AMSGRAD, "amsgrad", False),
        ("rmsprop-rho", OPTIM.RMSprop, {"rho": 0.9}, "RMSprop(alpha=0.99): write 0.9", "alpha", 0.9),
        ("rmsprop-rho", KerasRMSprop, {"rho": 0.8}, "KerasRMSprop(rho=0.9): write 0.8", "rho", 0.8),
    ],
)  # fmt: skip
def test_a_number_becomes_kerass(id, make, asked, line, name, value):
    built, lines = undone(id, make, asked)
    assert lines == [line] and built.optimizers[0].param_groups[0][name] == value
    assert UNDOS[id].change(built) == []


def test_a_number_that_keras_does_not_have_or_schedules_is_left():
    assert undone("adam-epsilon", OPTIM.Adam, SGD)[1] == []
    assert (
        undone("learning-rate", lambda p: OPTIM.Adam(p, 1.0), {**ADAM, "learning_rate": {"class_name": "X"}})[1] == []
    )


def test_the_two_kinds_of_decay_are_told_apart():
    assert undone("weight-decay-coupled", OPTIM.AdamW, ADAM)[1] == []
    assert undone("weight-decay-decoupled", lambda p: OPTIM.Adam(p, weight_decay=0.1), ADAM)[1] == []


def test_another_arithmetic_keeps_the_ports_numbers():
    built, (line,) = undone("adam-epsilon-place", lambda p: OPTIM.Adam(p, 0.5, betas=(0.5, 0.6), eps=1e-3), ADAM)
    (optimizer,), group = built.optimizers, built.optimizers[0].param_groups[0]
    assert line == "torch.optim.Adam: write keras_like.optimizers.KerasAdam" and type(optimizer) is KerasAdam
    assert (group["lr"], group["betas"], group["eps"]) == (0.5, (0.5, 0.6), 1e-3)
    assert group["params"] == [*built.module.parameters()]
    keras = {"class_name": "RMSprop", "epsilon": 1e-6}
    built, _ = undone("rmsprop-epsilon-place", lambda p: OPTIM.RMSprop(p, alpha=0.8), keras)
    assert built.optimizers[0].param_groups[0]["eps"] == 1e-6  # PyTorch's 1e-8 is behind the root
    assert type(built.optimizers[0]) is KerasRMSprop and built.optimizers[0].param_groups[0]["rho"] == 0.8


def test_another_kind_is_replaced_by_kerass_with_its_numbers():
    built, lines = undone("adam-for-sgd", OPTIM.Adam, SGD)
    assert lines == ["Adam: write keras_like.optimizers.KerasSGD, Keras's SGD"]
    (optimizer,), group = built.optimizers, built.optimizers[0].param_groups[0]
    assert type(optimizer) is KerasSGD and (group["lr"], group["momentum"], group["nesterov"]) == (0.01, 0.9, True)
    assert undone("adam-for-sgd", OPTIM.AdamW, ADAM)[1] == undone("adam-for-sgd", OPTIM.SGD, SGD)[1] == []


def test_a_persons_own_class_is_of_the_kind_that_it_derives_from():
    class Own(OPTIM.Adam):
        pass

    built, (line,) = undone("adam-epsilon-place", Own, ADAM)
    assert line.startswith("Own: write") and type(built.optimizers[0]) is KerasAdam
    assert undone("adam-for-sgd", Own, ADAM)[1] == [] != undone("adam-for-sgd", Own, SGD)[1]


def schedules(built) -> list[dict]:
    """A schedule of every form, that has halved the rate already."""
    scheduler = OPTIM.lr_scheduler.StepLR(built.optimizers[0], 1, 0.5)
    built.optimizers[0].step()
    scheduler.step()
    return [{"scheduler": scheduler}]


def test_a_schedule_goes_and_the_rate_is_the_one_it_began_with():
    built, lines = undone("schedule-epoch", lambda p: OPTIM.SGD(p, 0.4), SGD, schedules=schedules)
    assert lines == ["StepLR, after every epoch: leave it out"] and built.schedules == []
    assert built.optimizers[0].param_groups[0]["lr"] == 0.4
    assert undone("schedule-step", lambda p: OPTIM.SGD(p, 0.4), SGD, schedules=schedules)[1] == []
    kept = {**SGD, "learning_rate": {"class_name": "CosineDecay"}}
    assert undone("schedule-epoch", lambda p: OPTIM.SGD(p, 0.4), kept, schedules=schedules)[1] == []


@pytest.mark.parametrize(
    ("options", "asked", "id"),
    [
        ({"gradient_clip_val": 0.5}, SGD, "clip-norm"),
        ({"gradient_clip_val": 0.5, "gradient_clip_algorithm": "value"}, {**SGD, "clipnorm": 1.0}, "clip-value"),
    ],
)
def test_clipping_goes_where_keras_does_not_clip(options, asked, id):
    for one in ("clip-norm", "clip-value"):
        built, lines = undone(one, lambda p: OPTIM.SGD(p, 0.4), asked, options=dict(options))
        assert (lines == ["Trainer(gradient_clip_val=0.5): leave it out"]) == (one == id) == (built.options == {})
    assert undone("clip-norm", OPTIM.SGD, {**SGD, "global_clipnorm": 1.0}, options={"gradient_clip_val": 2.0})[1] == []


def test_an_optimizer_gets_the_tensors_that_it_was_not_given():
    copies = lambda parameters: OPTIM.SGD([one.detach().clone() for one in parameters], 0.1)  # noqa: E731
    built, (line,) = undone("frozen", copies, SGD)
    assert {*built.optimizers[0].param_groups[0]["params"]} == {*built.module.parameters()}
    assert line.startswith("configure_optimizers: the optimizer has no 0.weight, 0.bias, 1.weight")
    built, (line,) = undone("frozen", lambda parameters: OPTIM.SGD([*parameters][:-1], 0.1), SGD)
    assert len(built.optimizers[0].param_groups[0]["params"]) == 6
    assert line == "configure_optimizers: the optimizer has no 5.bias: give it self.parameters()"
    assert undone("frozen", OPTIM.SGD, SGD)[1] == []


@pytest.mark.parametrize(
    ("id", "change", "line"),
    [
        ("frozen", ("optimizer_step", RATE, True), "optimizer_step sets the learning rate to 0: leave it out"),
        ("schedule-step", ("training_step", RATE), "training_step changes the learning rate: leave it out"),
        ("schedule-epoch", ("on_train_epoch_end", RATE), "on_train_epoch_end changes the learning rate: leave it out"),
        ("clip-norm", ("on_after_backward", NORM), "on_after_backward clips gradients: leave it out"),
        ("clip-value", ("on_after_backward", VALUE), "on_after_backward clips gradients: leave it out"),
        ("gradient-hook", ("on_after_backward", OTHERWISE), "on_after_backward changes gradients: leave it out"),
    ],
)
def test_what_a_hook_does_is_put_back_by_one_undoing_alone(id, change, line):
    built, put_back = make_built(optimizer=SGD), []
    hook, kind, *is_zero = change
    change = Change(hook, kind, lambda: put_back.append(1), bool(is_zero))
    said = {one: undo.at(HOOKS)(built, change) for one, undo in UNDOS.items() if undo.at(HOOKS)}
    assert {one: words for one, words in said.items() if words} == {id: line} and put_back == [1]
    asked = {"learning_rate": {"class_name": "X"}, "clipnorm": 1.0, "clipvalue": 1.0}
    assert kind == OTHERWISE or not any(
        undo.at(HOOKS)(make_built(optimizer=asked), change) for undo in UNDOS.values() if undo.at(HOOKS)
    )


def test_another_arithmetic_waits_until_amsgrad_is_undone():
    assert undone("adam-epsilon-place", lambda p: OPTIM.Adam(p, amsgrad=True), ADAM)[1] == []
    assert UNDOS["adam-epsilon-place"].fitted


@pytest.mark.parametrize(
    ("id", "make", "asked", "numbers"),
    [
        ("adamax-epsilon-place", OPTIM.Adamax, {"class_name": "Adamax", **BETAS}, {"eps": 1e-7, "betas": (0.5, 0.6)}),
        ("nadam-momentum", OPTIM.NAdam, {"class_name": "Nadam", **BETAS}, {"eps": 1e-7, "betas": (0.5, 0.6)}),
        (
            "adagrad-accumulator", OPTIM.Adagrad,
            {"class_name": "Adagrad", "initial_accumulator_value": 0.2, "epsilon": 1e-6},
            {"eps": 1e-6, "initial_accumulator_value": 0.2},
        ),
        (
            "adadelta-numbers", OPTIM.Adadelta, {"class_name": "Adadelta", "rho": 0.8, "epsilon": 1e-6},
            {"eps": 1e-6, "rho": 0.8},
        ),
    ],
)  # fmt: skip
def test_an_adaptive_optimizer_gets_keras_numbers_and_keeps_its_rate(id, make, asked, numbers):
    """The rate is a difference of its own."""
    asked = {"learning_rate": 0.5, **asked}
    built, (line,) = undone(id, lambda p: make(p, lr=0.25), asked)
    (optimizer,), group = built.optimizers, built.optimizers[0].param_groups[0]
    assert type(optimizer).__name__ == f"Keras{asked['class_name']}" and line.startswith(f"{make.__name__}: write ")
    assert {name: group[name] for name in numbers} == numbers and group["lr"] == 0.25
    assert UNDOS[id].change(built) == []
    assert undone(id, OPTIM.SGD, asked)[1] == [] and undone(id, make, ADAM)[1] == []


def test_a_rate_follows_keras_schedule_where_it_follows_none():
    rates, asked = [0.1, 0.05, 0.025], {"learning_rate": {"class_name": "ExponentialDecay"}}
    given = {"rates": lambda built: lambda: rates}
    built, (line,) = undone("schedule-missing", lambda p: OPTIM.SGD(p, 0.1), asked, **given)
    (one,), (optimizer,), seen = built.schedules, built.optimizers, []
    for _ in range(4):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        one["scheduler"].step()
    assert seen == [*rates, 0.025] and one["interval"] == "step"
    assert (
        line == """SGD: its rate follows no schedule: write Keras's schedule as a LambdaLR, with "interval": "step\""""
    )
    built.own_rates = lambda: np.array(rates)
    assert UNDOS["schedule-missing"].change(built) == []  # it follows Keras's
    constant = {**SGD, "learning_rate": 0.1}
    assert undone("schedule-missing", OPTIM.SGD, constant, **given)[1] == []
    assert undone("schedule-missing", OPTIM.SGD, asked)[1] == []  # Keras has none that is known


@pytest.mark.parametrize(("own", "is_other"), [([0.1, 0.05, 0.025], False), ([0.1, 0.1, 0.05], True)])
def test_another_schedule_than_kerass_is_replaced(own, is_other):
    rates, asked = np.array([0.1, 0.05, 0.025]), {"learning_rate": {"class_name": "ExponentialDecay"}}
    build = lambda built: [{"scheduler": torch.optim.lr_scheduler.StepLR(built.optimizers[0], 1)}]  # noqa: E731
    given = {"rates": lambda built: lambda: rates, "own_rates": lambda built: lambda: np.array(own), "schedules": build}
    built, lines = undone("schedule-missing", lambda p: OPTIM.SGD(p, 0.1), asked, **given)
    said = """StepLR: its rates are others: write Keras's schedule as a LambdaLR, with "interval": "step\""""
    assert lines == ([said] if is_other else []) and (built.schedules[0].get("interval") == "step") is is_other


def scheduled(built) -> list:
    """Returns a schedule of the one optimizer."""
    return [{"scheduler": torch.optim.lr_scheduler.LambdaLR(built.optimizers[0], lambda step: 0.5**step)}]


@pytest.mark.parametrize(
    ("make", "changes", "is_there"),
    [
        (lambda p: OPTIM.SGD(p, 0.1, momentum=0.9, nesterov=True), {"schedules": scheduled}, True),
        (lambda p: OPTIM.SGD(p, 0.1, momentum=0.9), {}, False),  # a rate that is constant
        (lambda p: OPTIM.SGD(p, 0.1), {"schedules": scheduled}, False),
        (lambda p: OPTIM.SGD(p, 0.1, momentum=0.9, weight_decay=0.1), {"schedules": scheduled}, False),  # comes first
        (lambda p: KerasSGD(p, 0.1, momentum=0.9), {"schedules": scheduled}, False),
    ],
)
def test_under_a_schedule_momentum_carries_the_rate_as_kerass_does(make, changes, is_there):
    built, lines = undone("momentum-and-schedule", make, SGD, **changes)
    assert lines == (["SGD: write keras_like.optimizers.KerasSGD"] if is_there else [])
    if is_there:
        (optimizer,), (group,) = built.optimizers, built.optimizers[0].param_groups
        assert isinstance(optimizer, KerasSGD)
        assert (group["lr"], group["momentum"], group["nesterov"]) == (0.1, 0.9, True)


def test_a_schedule_that_waits_for_a_metric_is_left_alone():
    asked = {"learning_rate": {"class_name": "ExponentialDecay"}}
    build = lambda built: [{"scheduler": torch.optim.lr_scheduler.ReduceLROnPlateau(built.optimizers[0])}]  # noqa: E731
    given = {"rates": lambda built: lambda: np.ones(3), "schedules": build}
    assert undone("schedule-missing", lambda p: OPTIM.SGD(p, 0.1), asked, **given)[1] == []


@pytest.mark.parametrize(
    ("options", "asked", "line", "left"),
    [
        ({"accumulate_grad_batches": 2}, {}, "Trainer(accumulate_grad_batches=2): leave it out", 1),
        ({}, {"gradient_accumulation_steps": 4}, "Trainer(accumulate_grad_batches=1): write 4", 4),
        ({"accumulate_grad_batches": 4}, {"gradient_accumulation_steps": 4}, None, 4),
        ({}, {"gradient_accumulation_steps": None}, None, None),
    ],
)
def test_an_update_takes_as_many_batches_as_kerass(options, asked, line, left):
    built = Built(None, SimpleNamespace(optimizer=asked), 0, None, options=dict(options))
    assert UNDOS["accumulation"].at(ACCUMULATION)(built) == ([line] if line else [])
    assert built.options.get("accumulate_grad_batches") == left


def test_a_callback_that_changes_the_accumulation_is_left_alone():
    from lightning.pytorch.callbacks import GradientAccumulationScheduler

    built = Built(None, SimpleNamespace(optimizer={}), 0, None)
    built.options = {"callbacks": [GradientAccumulationScheduler({0: 2})]}
    assert UNDOS["accumulation"].at(ACCUMULATION)(built) == [] and len(built.options) == 1
