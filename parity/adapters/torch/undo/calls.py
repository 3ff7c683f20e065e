"""The functions that a module calls in its `forward`: noted, and replaced by others, wherever they are written.

`nn.ReLU()`, `F.relu(x)`, `torch.relu(x)` and `x.relu()` end in one place here: a `TorchFunctionMode` around `forward`.
Calls of a family are counted as they come; a replacement stands for the call of one number. What `keras_like` calls
inside of its own modules is Keras's already, and not counted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as tree

# Functions after which a tensor holds the same values, in another form.
FORMS = (
    "transpose", "permute", "movedim", "moveaxis", "swapaxes", "swapdims", "squeeze", "unsqueeze", "contiguous", "mT",
    "T", "t", "view", "reshape", "flatten", "unflatten", "dropout", "dropout1d", "dropout2d", "dropout3d", "to",
    "alpha_dropout", "feature_dropout", "clone", "float",
)  # fmt: skip
POOLINGS = {f"{kind}_pool{axes}d": axes for kind in ("max", "avg") for axes in (1, 2, 3)}
FAMILIES = {
    **dict.fromkeys(
        ("relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardsigmoid", "hardswish",
         "hardtanh", "softplus", "softsign", "tanh", "sigmoid", "softmax", "log_softmax", "logsigmoid", "log_sigmoid",
         "tanhshrink", "threshold", "exp"),
        "activation",
    ),
    **dict.fromkeys(POOLINGS, "pooling"),
    **{f"adaptive_{name}": "global pooling" for name in POOLINGS},
    **dict.fromkeys(("mean", "amax"), "global pooling"),
    **dict.fromkeys(("interpolate", "upsample"), "resizing"),
    **dict.fromkeys(("pad",), "padding"),
    **dict.fromkeys(("cat", "concat", "concatenate", "hstack"), "concatenation"),
    **dict.fromkeys(("view", "reshape", "flatten", "unflatten"), "shape"),
    **dict.fromkeys(("batch_norm",), "batch norm"),
    **dict.fromkeys(("layer_norm",), "layer norm"),
    **dict.fromkeys(("group_norm",), "group norm"),
    **dict.fromkeys(("scaled_dot_product_attention",), "attention"),
    **dict.fromkeys(("flip", "fliplr"), "flip"),
    **dict.fromkeys(("detach", "data"), "detach"),
    **dict.fromkeys(("_set_grad_enabled",), "grad mode"),
}  # fmt: skip
HALVES = (torch.bfloat16, torch.float16)
CONVERSIONS = ("bfloat16", "half", "to", "type")


@dataclass(frozen=True)
class Call:
    """One call of a function."""

    name: str  # of the function, without the underscore of what works in place
    number: int  # among those of its family
    function: Callable
    arguments: tuple
    options: dict
    output: object
    place: str  # the name of the innermost part of the module that calls; empty for the module itself
    # direct: the part with weights whose output this is given, at most in another form; owners: of each tensor that it
    # is given, the parts with weights whose outputs went into it last
    direct: str
    owners: tuple[frozenset[str], ...]
    is_last: bool = False  # whether what it gives is what the module gives

    @property
    def input(self) -> torch.Tensor:
        """The first tensor that it is given."""
        return next(leaf for leaf in tree.tree_leaves((self.arguments, self.options)) if torch.is_tensor(leaf))


@dataclass
class Trace:
    """What a module did in one pass."""

    calls: dict[str, list[Call]] = field(default_factory=dict)  # by family
    # by name, of parts with weights, what they were given, (arguments, options), and gave
    parts: dict[str, list[tuple[tuple, dict, object]]] = field(default_factory=dict)
    made_by: dict[str, frozenset[str]] = field(default_factory=dict)  # functions that gave a part its first input
    # by the kind of 16 bits that functions work or give their results in, the first of them and the part that calls it
    halves: dict[torch.dtype, tuple[str, str]] = field(default_factory=dict)

    def of(self, family: str) -> list[Call]:
        """Returns the calls of a family."""
        return self.calls.get(family, [])

    def shape_into(self, name: str) -> tuple[int, ...]:
        """Returns the shape of the first tensor that a part was first given; nothing where it was given none."""
        for arguments, options, _ in self.parts.get(name, [])[:1]:
            return next((tuple(x.shape) for x in tree.tree_leaves((arguments, options)) if torch.is_tensor(x)), ())
        return ()


class Mode(TorchFunctionMode):
    """Counts the calls of functions, replaces some, and notes all if it is asked to.

    Args:
        parts: with weights, by name.
    """

    def __init__(self, parts: dict[str, nn.Module]):
        super().__init__()
        self.parts, self.replaced, self.counts = parts, {}, {}
        self.stack: list[tuple[str, nn.Module]] = []
        self.trace: Trace | None = None
        self.is_precise = False  # whether nothing is computed in 16 bits
        # by tensor, all of which are kept alive: parts that it comes from, whether it is theirs, what made it
        self.tags: dict[int, tuple] = {}
        self.formed_of: dict[int, int] = {}  # by tensor, the one that it is another form of

    def __torch_function__(self, func, types, args=(), kwargs=None):
        """Calls a function, or what stands in its place."""
        kwargs = kwargs or {}
        if not self.is_precise:
            return self.called(func, args, kwargs)
        if name_of(func) in CONVERSIONS and args[0].is_floating_point() and halves_in(func, args, kwargs):
            return args[0]
        with torch.autocast(device_of(args), enabled=False):
            return self.called(func, args, kwargs)

    def called(self, func: Callable, args: tuple, kwargs: dict) -> object:
        """Calls a function, or what stands in its place."""
        name = name_of(func)
        family = FAMILIES.get(name)
        if self.is_inside_of_keras_like() or (family is None and self.trace is None):
            return func(*args, **kwargs)
        number = -1
        if family is not None:
            number = self.counts[family] = self.counts.get(family, -1) + 1
        stands = self.replaced.get((family, number))
        output = stands(*args, **kwargs) if stands else func(*args, **kwargs)
        if self.trace is not None:
            self.note(family, name, number, func, args, kwargs, output)
        return output

    def is_inside_of_keras_like(self) -> bool:
        """Says whether one of keras_like's modules calls."""
        return any(is_keras_like(part) for _, part in self.stack)

    def note(self, family, name, number, func, args, kwargs, output) -> None:
        """Notes a call, and where its tensors come from."""
        given = [leaf for leaf in tree.tree_leaves((args, kwargs)) if torch.is_tensor(leaf)]
        if family == "grad mode":
            self.trace.calls.setdefault(family, []).append(Call(name, number, func, args, kwargs, None, "", "", ()))
        if not given:
            return
        self.note_halves(name, given, output)
        tags = [self.tags.get(id(one), (frozenset(), "", "", None)) for one in given]
        if family is not None:
            place = self.stack[-1][0] if self.stack else ""
            owners = tuple(tag[0] for tag in tags)
            call = Call(name, number, func, args, kwargs, output, place, tags[0][1], owners)
            self.trace.calls.setdefault(family, []).append(call)
        keeps = name in FORMS
        if keeps and torch.is_tensor(output):
            self.formed_of[id(output)] = self.formed_of.get(id(given[0]), id(given[0]))
        self.tag(output, frozenset().union(*(tag[0] for tag in tags)), tags[0][1] if keeps else "", name)

    def note_halves(self, name: str, given: list[torch.Tensor], output: object) -> None:
        """Notes whether a function works in 16 bits."""
        kinds = {leaf.dtype for leaf in tree.tree_leaves(output) if torch.is_tensor(leaf)} & {*HALVES}
        device = given[0].device.type
        if torch.is_autocast_enabled(device):
            kinds.add(torch.get_autocast_dtype(device))
        for kind in kinds - {*self.trace.halves}:
            self.trace.halves[kind] = name, self.stack[-1][0] if self.stack else ""

    def tag(self, output: object, owners: frozenset[str], direct: str, made_by: str) -> None:
        """Keeps where tensors come from."""
        for leaf in tree.tree_leaves(output):
            if torch.is_tensor(leaf):
                self.tags[id(leaf)] = owners, direct, made_by, leaf

    def enter(self, name: str, part: nn.Module, arguments: tuple, options: dict) -> None:
        """Begins a part."""
        self.stack.append((name, part))
        if self.trace is not None and name in self.parts:
            given = [leaf for leaf in tree.tree_leaves((arguments, options)) if torch.is_tensor(leaf)]
            tags = [self.tags[id(one)] for one in given if id(one) in self.tags]
            self.trace.made_by.setdefault(name, frozenset(tag[2] for tag in tags))

    def leave(self, name: str, part: nn.Module, arguments: tuple, options: dict, output: object) -> None:
        """Ends a part."""
        self.stack.pop()
        if self.trace is not None and name in self.parts and not self.is_inside_of_keras_like():
            self.trace.parts.setdefault(name, []).append((arguments, options, output))
            self.tag(output, frozenset([name]), name, "")


class Calls:
    """Has a module's `forward` run under a `Mode`, from now on.

    Args:
        module: is changed.
        parts: with weights, by name.
    """

    def __init__(self, module: nn.Module, parts: dict[str, nn.Module]):
        self.mode = mode = Mode(parts)
        forward = module.forward

        @wraps(forward)
        def watched(*arguments, **options):
            """Runs `forward`; where it calls itself, once."""
            if mode.stack:
                return forward(*arguments, **options)
            mode.counts.clear()
            mode.stack.append(("", nn.Identity()))
            try:
                with mode:
                    return forward(*arguments, **options)
            finally:
                mode.stack.clear()

        module.forward = watched
        for name, part in module.named_modules():
            if part is not module:
                watch(mode, name, part)

    def trace(self, run: Callable[[], object]) -> Trace:
        """Returns what a pass does.

        Args:
            run: puts rows through the module, and returns its output.
        """
        self.mode.trace = trace = Trace()
        try:
            output = run()
        finally:
            self.mode.trace = None
        last = {id(leaf) for leaf in tree.tree_leaves(output) if torch.is_tensor(leaf)}
        last |= {self.mode.formed_of[one] for one in last if one in self.mode.formed_of}
        for family, calls in trace.calls.items():
            trace.calls[family] = [
                Call(**{**vars(call), "is_last": any(id(x) in last for x in tree.tree_leaves(call.output))})
                for call in calls
            ]
        self.mode.tags, self.mode.formed_of = {}, {}
        return trace

    def replace(self, call: Call, function: Callable) -> None:
        """Puts a function in the place of a call, from now on."""
        family = FAMILIES[call.name]
        self.mode.replaced[family, call.number] = function


def halves_in(function: Callable, arguments: tuple, options: dict) -> bool:
    """Says whether a conversion is one to 16 bits."""
    names = ("bfloat16", "half")
    return name_of(function) in names or any(one in HALVES for one in (*arguments[1:], *options.values()))


def device_of(arguments: tuple) -> str:
    """Returns the kind of device of the first tensor that a function is given."""
    return next((leaf.device.type for leaf in tree.tree_leaves(arguments) if torch.is_tensor(leaf)), "cpu")


def watch(mode: Mode, name: str, part: nn.Module) -> None:
    """Has a part tell when it runs, while the module's `forward` does."""

    def enter(part, arguments, options):
        if mode.stack:
            mode.enter(name, part, arguments, options)

    def leave(part, arguments, options, output):
        if mode.stack and mode.stack[-1][1] is part:
            mode.leave(name, part, arguments, options, output)

    part.register_forward_pre_hook(enter, with_kwargs=True)
    part.register_forward_hook(leave, with_kwargs=True)


def name_of(function: Callable) -> str:
    """Returns a function's name as the tables here have it."""
    owner = getattr(function, "__self__", None)
    name = getattr(function, "__name__", "")
    if name == "__get__":  # of a property, such as `x.mT`
        return getattr(owner, "__name__", "")
    name = name.lstrip("_") if name.startswith("_adaptive") or name.startswith("_max") else name
    if name == "fn":  # functions that may return indices, too
        name = DISPATCHED.get(function, name)
    return name if name.startswith("__") else name.rstrip("_")


def is_keras_like(part: nn.Module) -> bool:
    """Says whether a module is one of keras_like's, or made from one."""
    return any(cls.__module__.partition(".")[0] == "keras_like" for cls in type(part).__mro__)


DISPATCHED = {
    getattr(nn.functional, f"{adaptive}max_pool{axes}d"): f"{adaptive}max_pool{axes}d"
    for adaptive in ("", "adaptive_")
    for axes in (1, 2, 3)
}
