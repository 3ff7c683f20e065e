"""Records what draws by chance in a LightningModule: what it is given and draws, and what it does to the output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from parity.adapters.torch.chance import Chance
from parity.adapters.torch.modes import set_mode
from parity.adapters.torch.user import UserCandidate
from parity.protocol import law
from parity.protocol.inputs import LAYERS_CASE
from parity.protocol.law import RandomCall
from parity.protocol.layer_forms import to_keras_by_shape
from parity.protocol.records import RandomOutputs
from parity.protocol.user_data import difference


@dataclass(frozen=True)
class Site:
    """Where a module draws by chance."""

    name: str  # of the part of the module
    rate: float | None  # None where it draws by functions of another kind
    given: torch.Tensor | None  # its input
    draw: Callable[[torch.Tensor], torch.Tensor] | None  # draws from it alone; None where that cannot be done
    why_not: str = ""


class Watch(Chance):
    """A `Chance` that keeps where its calls come from.

    Args:
        whole: the whole module.

    Attributes:
        sites: in the order of the calls.
        parts: those that are running, the innermost last: name, module, positional arguments.
    """

    def __init__(self, whole: nn.Module):
        super().__init__()
        self.whole, self.last = whole, None
        self.sites: list[Site] = []
        self.parts: list[tuple[str, nn.Module, tuple]] = []

    def pass_on(self, func, values, rate):
        """Keeps a call that would drop."""
        name = self.parts[-1][0] if self.parts else ""
        site = Site(name or "forward", rate, values.detach().clone(), lambda given: func(given, rate, True))
        self.sites.append(site)
        self.last = None  # what draws after it draws elsewhere, if in the same part
        return super().pass_on(func, values, rate)

    def draw(self, func, name, args, kwargs):
        """Keeps the part of the module that draws, if it does nothing else; once for what it draws in a row.

        What the whole module draws in its own forward() are layers of Keras's, each written as one call.
        """
        before, drawn = len(self.draws), super().draw(func, name, args, kwargs)
        part = self.parts[-1] if self.parts else ("", self.whole, ())
        if len(self.draws) > before and (part is not self.last or part[1] is self.whole):
            self.sites.append(site_of(*part, name, part[1] is self.whole))
            self.last = part
        return drawn


def site_of(name: str, module: nn.Module, args: tuple, function: str, is_whole: bool) -> Site:
    """Returns where a part of a module draws.

    Args:
        name, module, args: the part, and what it was called with.
        function: that drew.
        is_whole: whether it is the whole module.
    """  # fmt: skip
    is_alone = not is_whole and not [*module.children(), *module.parameters()]
    if is_alone and len(args) == 1 and torch.is_tensor(args[0]):
        return Site(name, None, args[0].detach().clone(), module)
    where = "forward()" if is_whole else name
    return Site(name or "forward", None, None, None, f"{where} draws by {function} beside other things that it does")


@contextmanager
def watched(module: nn.Module) -> Iterator[Watch]:
    """Gives what draws in a module, as it is called while the context lasts; nothing is drawn meanwhile."""
    mode, handles = Watch(module), []
    for name, part in module.named_modules():
        enter = part.register_forward_pre_hook(lambda part, args, name=name: mode.parts.append((name, part, args)))
        leave = part.register_forward_hook(lambda part, args, output: mode.parts.pop() and None, always_call=True)
        handles += [enter, leave]
    try:
        with mode:
            yield mode
    finally:
        for handle in handles:
            handle.remove()


def answer_random_layers(candidate: UserCandidate) -> RandomOutputs:
    """Puts the reference's batch through the module in training mode: while nothing is drawn, and while it is."""
    reference, cases = candidate.task.reference("random_layers"), candidate.task.reference("cases")
    case = cases.cases[LAYERS_CASE]
    binding = candidate.bind(case.weights)
    candidate.find_output(binding, cases)
    module, images = binding.module, case.images[: reference.rows]

    def training_output(images: np.ndarray) -> np.ndarray:
        """Returns units of the output in training mode; what was tracked before is taken back."""
        binding.load(case.weights)
        set_mode(module, True)
        with torch.no_grad():
            output = candidate.called(module, candidate.input_of(images))
        return law.shown_units(candidate.turned([output]))

    with watched(module) as watch:
        silent = training_output(images)
    with watched(module) as second:
        again = training_output(images)
    repeated = law.repeated(images, reference.times)
    return RandomOutputs(
        calls=describe_sites(watch.sites, second.sites, reference.calls),
        silent=silent,
        draws=law.draw_outputs(lambda: training_output(repeated)),
        unsilenced=law.is_random(silent, again),
    )


def describe_sites(sites: list[Site], again: list[Site], expected: list[RandomCall]) -> list[RandomCall]:
    """Describes every place where the module draws, in Keras's layout of the random layer that is called as late.

    Args:
        sites, again: of two passes.
        expected: the reference's calls.
    """  # fmt: skip
    missing = len(sites) - len(expected)
    pairs = zip(sites, [*again, *[None] * len(sites)], [*expected, *[RandomCall("")] * missing], strict=False)
    return [describe_site(*pair) for pair in pairs]


def describe_site(site: Site, again: Site | None, ours: RandomCall) -> RandomCall:
    """Describes one place, and many draws from it.

    Args:
        site, again: of two passes; where they are given other values, what draws before them cannot be silenced.
        ours: the reference's call.
    """
    call = RandomCall(site.name, site.rate, why_not=site.why_not or ours.why_not or "Keras has none here")
    if site.given is None or ours.input is None:
        return call
    given = site.given.cpu().numpy()
    turns = to_keras_by_shape(given.shape, ours.input.shape, ours.flattened)
    if not turns:
        why_not = f"it is given {given.shape[1:]}, in Keras {ours.input.shape[1:]}"
        return replace(call, input=given, why_not=why_not)
    turn = min(turns, key=lambda turn: difference(ours.input, turn(given)))
    if given.ndim > 2 and given.shape == ours.input.shape and len(turns) > 1:
        call = replace(call, channels_first=turn is turns[1])
    if again is None or again.given is None or law.is_random(given, again.given.cpu().numpy()):
        call = replace(call, why_not="what it is given is random, also while all that can be silenced does nothing")
    else:
        call = replace(call, input=turn(given), why_not="")
    probe = law.probe(given.shape[1:], str(given.dtype))
    if len(given) != len(ours.input):  # rows and heads in one axis: levels alternate by Keras's rows
        probe = law.probe(ours.input.shape[1:], str(given.dtype)).reshape(-1, *given.shape[1:])
    probe = torch.from_numpy(probe).to(site.given.device)
    try:
        with torch.no_grad():
            numbers = law.describe_draws(lambda: turn(site.draw(probe).cpu().numpy()))
            return replace(call, law=numbers, does_more=does_more(site.draw, probe))
    except Exception as error:  # a user's own module may need more than its input
        why_not = f"it cannot be called alone ({type(error).__name__}: {error})"[:200]
        return replace(call, why_not=call.why_not or why_not)


def does_more(draw: Callable, probe: torch.Tensor) -> bool:
    """Says whether what draws does more than that: a module that changes its input in evaluation mode, too."""
    if not isinstance(draw, nn.Module):
        return False
    draw.eval()
    try:
        return not torch.equal(draw(probe), probe)
    finally:
        draw.train()
