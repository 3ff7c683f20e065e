"""The tensors of a LightningModule: which parameter holds which tensor of the reference; read and filled by path."""

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from mlp_spec.support.errors import UserError
from parity.adapters.torch.matching import choices_of, parts_by_name, parts_of
from parity.adapters.torch.misfit import advise
from parity.adapters.torch.names import by_names, by_roles, with_ones
from parity.adapters.torch.pieces import Projection, find_named, key_of, name_in, put_state, whole_of
from parity.adapters.torch.recurrent import FIRST_BIAS, second_biases, shares, whole
from parity.adapters.torch.states import reset_states
from parity.protocol.moments import KERAS_KINDS, KINDS, TORCH_KINDS
from parity.protocol.tensors import BESIDE, LAYERS, Arrays, Layout, Table, Tensor, layers_of, parts_in_torch

KNOWN_MOMENTS = tuple(dict.fromkeys(slot for kind in KINDS.values() for slot in kind.slots))
STEPPED = {"KerasAdam", "KerasNadam", "KerasAdamax"}  # optimizers of keras_like that count their steps
# the kind whose moments go on in an optimizer of torch's; RAdam keeps what Adam does
RESTARTED = {**TORCH_KINDS, "RAdam": "Adam"}


class Binding:
    """Which parameters of a module hold which tensor.

    Args:
        module: a LightningModule. Its layers are bound by their names where they are Keras's, else kind by kind in the
            order of registration, else by shapes that no other layer has; if it has a method
            `load_canonical`, that fills it (with arrays named `dense_0/kernel`, `dense_0/bias` ... from the input to
            the output, in Keras's layout), and its parameters are found by their values.
        table: the reference's tensors.
        arrays: by path; they are loaded. None leaves the weights as they are, for a module without `load_canonical`.

    Attributes:
        table: the tensors, with torch's names.
        parameters: by path; the statistics of a normalisation, which are no parameters, among them.
        second: by path, the second biases of recurrent layers, see `recurrent`.

    Raises:
        UserError: the module has other weights; names both tables.
    """

    def __init__(self, module: nn.Module, table: Table, arrays: Arrays | None = None):
        table = with_ones(tensors_in(module), table)
        self.module, self.table, self.second, self.moving = module, table, {}, {}
        trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
        if not hasattr(module, "load_canonical"):
            named = named_parameters(module, table)
            taken = {key_of(value) for value in (*named.values(), *second_biases(module, named).values())}
            self.parameters = named | find_parameters(module, table, taken)
            self.second = second_biases(module, self.parameters)
            if self.parameters.keys() != {t.path for t in table} or not covers(self.all_parameters(), trained):
                raise UserError(describe_misfit(module, table, self.parameters))
        if arrays is not None:
            self.load(arrays)
        if hasattr(module, "load_canonical"):
            self.parameters = {}
            for tensor in table:
                holders = [value for value in trained.values() if is_held(value, tensor.layout, arrays[tensor.path])]
                if len(holders) != 1:
                    misfit = describe_misfit(module, table, self.parameters)
                    raise UserError(f"after load_canonical, {len(holders)} parameters hold {tensor.path}; {misfit}")
                self.parameters[tensor.path] = holders[0]
            if not covers(self.all_parameters(), trained):
                raise UserError(describe_misfit(module, table, self.parameters))
        names = {id(value): name for name, value in tensors_in(module).items()}
        self.table = [replace(tensor, torch_name=self.name_of(tensor, names)) for tensor in table]
        buffers = {id(value): name for name, value in module.named_buffers()}
        self.moving = {path: buffers[id(one)] for path, one in self.parameters.items() if id(one) in buffers}

    def follow(self) -> None:
        """Looks buffers up again: unlike parameters, they are other tensors once the module is on another device."""
        for path, name in self.moving.items():
            self.parameters[path] = self.module.get_buffer(name)

    def name_of(self, tensor: Tensor, names: dict[int, str]) -> str:
        """Returns what holds a tensor, such as `lstm.bias_ih_l0 + bias_hh_l0`; the second if it is trained.

        Args:
            tensor: of the table.
            names: of the module's tensors, by their ids.
        """
        first, *second = self.holders(tensor)
        both = [value for value in second if value.requires_grad and first.requires_grad]
        trained = [names[id(value)].rpartition(".")[2] for value in both]
        return BESIDE.join([name_in(names, first), *trained])

    def holders(self, tensor: Tensor) -> list[torch.Tensor]:
        """Returns the parameters that hold a tensor: one, or the two biases of a recurrent layer."""
        second = self.second.get(tensor.path)
        return [self.parameters[tensor.path], *([] if second is None else [second])]

    def all_parameters(self) -> list[torch.Tensor]:
        """Returns all that hold a tensor."""
        return [*self.parameters.values(), *self.second.values()]

    def load(self, arrays: Arrays) -> None:
        """Fills the module's weights; what it keeps from batch to batch begins anew (`states`).

        Raises:
            UserError: the module wrote into the arrays it was given.
        """
        reset_states(self.module)
        if hasattr(self.module, "load_canonical"):
            names = {
                tensor.path: f"dense_{index}/{tensor.role}"
                for index, layer in enumerate(layers_of(self.table))
                for tensor in layer
            }
            copies = {names[path]: array.copy() for path, array in arrays.items()}
            with torch.no_grad():
                self.module.load_canonical(copies)
            if any(not np.array_equal(copies[names[path]], array) for path, array in arrays.items()):
                raise UserError("load_canonical wrote into the arrays it was given")
            return
        self.follow()
        with torch.no_grad():
            for tensor in self.table:
                holders, value = self.holders(tensor), to_torch(arrays[tensor.path], tensor.layout)
                for holder, share in zip(holders, shares(tensor, value, len(holders), True), strict=True):
                    holder.copy_(share)

    def weights(self) -> Arrays:
        """Copies the weights by path."""
        self.follow()
        return {t.path: to_numpy(whole(t, self.holders(t), True), t.layout) for t in self.table}

    def gradients(self) -> Arrays:
        """Copies the gradients by path; one that is missing is left out."""
        trained = {tensor: [one.grad for one in self.holders(tensor)] for tensor in self.table if tensor.trained}
        known = {t: [one for one in grads if one is not None] for t, grads in trained.items()}
        known = {t: grads for t, grads in known.items() if len(grads) > t.is_split}
        return {t.path: to_numpy(whole(t, grads, False), t.layout) for t, grads in known.items()}

    def set_gradients(self, gradients: Arrays) -> None:
        """Puts gradients in place, by path; of a sum of two, both have the same."""
        for tensor in (tensor for tensor in self.table if tensor.path in gradients):
            holders, value = self.holders(tensor), to_torch(gradients[tensor.path], tensor.layout)
            for holder, share in zip(holders, shares(tensor, value, len(holders), False), strict=True):
                holder.grad = share.to(holder, copy=True) if holder.requires_grad else None

    def load_moments(self, optimizers: list, moments: dict[str, Arrays], step: int, learning_rate: float) -> None:
        """Fills the optimizers' states with Keras's moments, by slot and path, after `step` updates.

        Raises:
            UserError: an optimizer, or Keras's, keeps a state that is unknown here.
        """
        unknown = moments.keys() - set(KNOWN_MOMENTS) if step else ()
        for optimizer in optimizers:
            if unknown:
                raise UserError(
                    f"Keras's {', '.join(unknown)} keeps other moments than {', '.join(KNOWN_MOMENTS)}, which "
                    f"cannot be put into {type(optimizer).__name__}, so that epochs cannot be restarted; "
                    f"Keras's {', '.join(KERAS_KINDS)} can be compared to the end"
                )
            optimizer.state.clear()
            for tensor in (tensor for tensor in self.table if step and tensor.trained):
                holders = self.holders(tensor)
                shared = {
                    slot: shares(tensor, to_torch(arrays[tensor.path], tensor.layout), len(holders), False)
                    for slot, arrays in moments.items()
                    if tensor.path in arrays
                }
                for number, parameter in enumerate(holders):
                    slots = {slot: values[number].to(parameter, copy=True) for slot, values in shared.items()}
                    state = translate_moments(optimizer, slots, step, learning_rate)
                    if state and parameter.requires_grad:
                        put_state(optimizer.state, parameter, state)


def tensors_in(module: nn.Module) -> dict[str, torch.Tensor]:
    """Returns a module's parameters and buffers by name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def covers(parameters: list[torch.Tensor], trained: dict[str, torch.Tensor]) -> bool:
    """Says whether all that a module trains was found, and nothing twice."""
    found, wholes = [key_of(value) for value in parameters], {id(whole_of(value)) for value in parameters}
    return len(set(found)) == len(found) and {id(value) for value in trained.values()} <= wholes


def find_parameters(
    module: nn.Module, table: Table, taken: set[tuple[int, int]] = frozenset()
) -> dict[str, torch.Tensor]:
    """Finds the parameters and buffers of a table's tensors, by path; those of a layer without a partner are left out.

    For each kind of layer the first of `matching.choices_of` is taken whose shapes fit.

    Args:
        module: the candidate.
        table: the reference's tensors; those that have torch's name are left out.
        taken: what the user has named, see `key_of`: a layer that holds nothing else is no other.
    """
    found = {}
    for kinds, layers in layers_by_kind(table).items():
        parts = modules_of_kind(module, kinds)
        parts = {name: part for name, part in parts.items() if not is_taken(part, taken)}
        choices = choices_of(layers, parts, named_parts, tensors_of)
        fitting = [choice for choice in choices if len(set(map(id, choice))) == len(layers)]
        fitting = [choice for choice in fitting if all(map(tensors_of, layers, choice))]
        chosen = fitting[0] if fitting else parts.values()  # else, what fits in its place is shown
        for layer, part in zip(layers, chosen, strict=False):
            found |= tensors_of(layer, part)
    return found


def named_parts(layers: list[list[Tensor]], parts: dict[str, nn.Module]) -> tuple[list, ...]:
    """Returns which parts some layers may be by their names, from what is trusted most to what is trusted least.

    Args:
        layers: of one kind in torch.
        parts: of that kind, by name.
    """
    return (
        parts_by_name(layers, parts),
        by_names({layer[0].path.rpartition("/")[0]: layer[0].kind for layer in layers}, parts),
        by_roles([layer[0].path.split("/")[-2] for layer in layers], parts),
    )


def is_taken(part: object, taken: set[tuple[int, int]]) -> bool:
    """Says whether the user has named all that a layer holds itself; some rows of a parameter stand for all of it."""
    if isinstance(part, Projection):
        own = {key_of(value) for value in (part.weight, part.bias) if value is not None}
        return own <= taken
    own = set(map(id, part.parameters(recurse=False)))
    return bool(own) and own <= {number for number, _ in taken}


def layers_by_kind(table: Table) -> dict[tuple[str, ...], list[list[Tensor]]]:
    """Returns the layers whose tensors the user has not named, as they are in torch, by their kinds there."""
    of_kind: dict[tuple[str, ...], list[list[Tensor]]] = {}
    layers = layers_of([tensor for tensor in table if tensor.torch_name is None])
    for layer in sorted(layers, key=lambda layer: layer[0].written):
        of_kind.setdefault(LAYERS[layer[0].kind][0], []).extend(parts_in_torch(layer))
    return of_kind


def named_parameters(module: nn.Module, table: Table) -> dict[str, torch.Tensor]:
    """Returns the parameters and buffers that the user named, by path.

    Raises:
        UserError: the module has no such name, or it is of another shape.
    """
    tensors = tensors_in(module)
    found = {tensor.path: (tensor, find_named(tensors, tensor.torch_name)) for tensor in table if tensor.torch_name}
    for path, (tensor, value) in found.items():
        where = f"WEIGHTS says that {path} is {tensor.torch_name}"
        if value is None:
            raise UserError(f"{where}; the module has: {', '.join(tensors)}")
        if not fits(value, tensor):
            raise UserError(
                f"{where}, of the shape {tuple(value.shape)}; Keras's has {tensor.shape}, in torch's layout "
                f"{tensor.shape_in_torch}. A pair of the name and the order of axes says how it lies"
            )
        if tensor.is_split and FIRST_BIAS not in tensor.torch_name:
            raise UserError(f"{where}; its rows are two parameters: name the first one, such as gru.{FIRST_BIAS}_l0")
    return {path: value for path, (_, value) in found.items()}


def modules_of_kind(module: nn.Module, kinds: tuple[str, ...]) -> dict[str, nn.Module]:
    """Returns a module's parts of some kinds, or made from them, by name, in the order of registration."""
    names = set(kinds)
    parts = {name: part for name, part in module.named_modules() if names & {c.__name__ for c in type(part).__mro__}}
    return {inside: one for name, part in parts.items() for inside, one in parts_of(name, part).items()}


def tensors_of(layer: list[Tensor], part: nn.Module | None) -> dict[str, torch.Tensor]:
    """Returns a part's tensors by the paths of a layer's; empty where it has others, or others in shape."""
    found = {t.path: getattr(part, LAYERS[t.kind][1][t.role][0], None) for t in layer}
    return found if all(found[t.path] is not None and fits(found[t.path], t) for t in layer) else {}


def fits(value: torch.Tensor, tensor: Tensor) -> bool:
    """Says whether a parameter has the shape of a tensor, or of one of its rows that are parameters each."""
    return tuple(value.shape) == tensor.shape_in_torch[1 if tensor.is_split else 0 :]


def translate_moments(optimizer, slots: dict[str, torch.Tensor], step: int, learning_rate: float) -> dict:
    """Translates Keras's moments of one parameter into a state of the optimizer's own kind."""
    names = [cls.__name__ for cls in type(optimizer).__mro__]
    kind = next((KINDS[RESTARTED[name]] for name in names if name in RESTARTED), None)
    if kind is None and slots and "KerasOptimizer" not in names:
        raise UserError(
            f"Keras's moments cannot be put into {type(optimizer).__name__}, so that epochs cannot be restarted; "
            f"known are torch's {', '.join(name for name in RESTARTED if not name.startswith('Keras'))}, "
            "keras_like's, and classes made from them"
        )
    if missing := kind.needed - slots.keys() if kind else ():
        raise UserError(
            f"Keras's optimizer keeps {', '.join(slots) or 'no moments'}; {type(optimizer).__name__} needs "
            f"{' and '.join(sorted(missing))}, too, so that epochs cannot be restarted: the optimizers are of two kinds"
        )
    if "KerasOptimizer" in names:
        return {**slots, **({"step": step} if STEPPED.intersection(names) else {})}
    if kind is None:
        return {}
    state = {name: slots[slot] for slot, name in kind.slots.items() if slot in slots}
    if kind.rate and "momentum" in slots:  # v = -lr b, or m = lr b
        state[kind.slots["momentum"]] = slots["momentum"] / (kind.rate * learning_rate)
    if optimizer.defaults.get("amsgrad"):
        state["max_exp_avg_sq"] = state["exp_avg_sq"].clone()
    if "NAdam" in names:
        state["mu_product"] = product_of_momenta(optimizer.defaults, step)
    return state if "SGD" in names else {"step": torch.tensor(float(step)), **state}


def product_of_momenta(numbers: dict, step: int) -> torch.Tensor:
    """Returns the product of the momenta of torch's NAdam in so many steps, as a tensor ()."""
    t = torch.arange(1, step + 1, dtype=torch.float64)
    # mu_t = beta_1 (1 - .96^(t momentum_decay) / 2)
    return (numbers["betas"][0] * (1 - 0.5 * 0.96 ** (t * numbers["momentum_decay"]))).prod().float()


def to_torch(array: np.ndarray, layout: Layout) -> torch.Tensor:
    """Turns an array in Keras's layout into a tensor in torch's."""
    return torch.from_numpy(layout.to_torch(array))


def to_numpy(tensor: torch.Tensor, layout: Layout) -> np.ndarray:
    """Copies a tensor in torch's layout into an array in Keras's."""
    return layout.to_keras(as_array(tensor))


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """Returns a tensor as an array; bfloat16, which numpy lacks, as float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def is_held(parameter: torch.Tensor, layout: Layout, array: np.ndarray) -> bool:
    """Says whether a parameter holds an array."""
    fits = tuple(parameter.shape) == layout.shape_in_torch(array.shape) if array.ndim == parameter.ndim else False
    return fits and np.array_equal(to_numpy(parameter, layout), array)


def describe_misfit(module: nn.Module, table: Table, found: dict[str, torch.Tensor]) -> str:
    """Returns both sides' tensors in one table, the unmatched ones marked.

    Args:
        module: the candidate.
        table: the reference's tensors.
        found: what holds them, by path, as far as it was found.
    """
    names = {id(value): name for name, value in tensors_in(module).items()}
    rows = [("Keras", "in torch's layout", "candidate", "", "")]
    for tensor in table:
        name = name_in(names, found[tensor.path]) if tensor.path in found else ""
        rows.append((tensor.path, str(tensor.shape_in_torch), name, "", "" if name else "<- unmatched"))
    matched = {id(whole_of(value)) for value in [*found.values(), *second_biases(module, found).values()]}
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    extra = {name: value for name, value in trained.items() if id(value) not in matched}
    rows += [("", "", name, str(tuple(value.shape)), "<- unmatched") for name, value in extra.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(map(str.ljust, row, (*widths, 0))).rstrip() for row in rows]
    whole = ["the candidate's tensors do not fit the reference's:", *(f"  {line}" for line in lines)]
    missing = [tensor for tensor in table if tensor.path not in found]
    asked = ask_which(module, table, found)
    return "\n".join([*whole, *advise(module, table, [] if asked else missing, extra), *asked])


def ask_which(module: nn.Module, table: Table, found: dict[str, torch.Tensor]) -> list[str]:
    """Returns the question which of several layers is meant, where more than one fits; empty where none is unmatched.

    Args:
        module, table, found: as for `describe_misfit`.
    """  # fmt: skip
    places, example, every = [], {}, {id(value): name for name, value in tensors_in(module).items()}
    for kinds, layers in layers_by_kind(table).items():
        if all(tensor.path in found for layer in layers for tensor in layer):
            continue
        parts = modules_of_kind(module, kinds)
        for layer in layers:
            fitting = [name for name, part in parts.items() if tensors_of(layer, part)]
            if len(fitting) > 1:
                places.append(f"{layer[0].path.rpartition('/')[0]} may be {' or '.join(fitting)}")
                held = tensors_of(layer, parts[fitting[0]])
                names = {path: name_in(every, value) for path, value in held.items()}
                example = example or names
    if not places:
        return []
    return [f"{', '.join(places)}; WEIGHTS in a pair file says which, such as WEIGHTS = {example}"]
