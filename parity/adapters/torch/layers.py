"""Records what each layer of a LightningModule gives: in its place, and alone, given what Keras's layer was given."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as tree

from parity.adapters.torch.attention import attention_modules
from parity.adapters.torch.chance import Chance
from parity.adapters.torch.compiled import uncompile
from parity.adapters.torch.modes import set_mode
from parity.adapters.torch.recurrent import outputs_of
from parity.adapters.torch.states import reset_states
from parity.adapters.torch.tensors import Binding, as_array
from parity.adapters.torch.user import UserCandidate, package_of
from parity.protocol import inputs
from parity.protocol.inputs import Case
from parity.protocol.layer_forms import OUTPUT, forms_in_keras, forms_in_torch, nearest
from parity.protocol.records import LayerCall, LayerOutputs, LayerPasses
from parity.protocol.tensors import Arrays, Tensor, layers_of, parts_in_torch


@dataclass(frozen=True)
class ModuleCall:
    """One call of a module that holds a layer's tensors."""

    module: nn.Module
    input: torch.Tensor | None  # None where it was given anything else than one tensor
    outputs: list[torch.Tensor]  # any of which may be the layer's; none where it gave anything else
    training: bool  # the mode it was in
    is_last: bool = False  # whether it holds but the last of the layer's tensors: its output is the layer's
    options: dict = field(default_factory=dict)  # what it was given beside its input: no tensors


def answer_layers(candidate: UserCandidate) -> LayerOutputs:
    """Puts the reference's batch through the module, in every mode, and Keras's inputs through each layer alone."""
    reference, cases = candidate.task.reference("layers"), candidate.task.reference("cases")
    case = cases.cases[inputs.LAYERS_CASE]
    binding = candidate.bind(case.weights)
    candidate.find_output(binding, cases)
    uncompile(binding.module, package_of(binding.module))
    tracked = inputs.tracked_batches(len(case.images), reference.tracked_rows)
    in_place, alone = {}, {}
    everything = np.arange(len(case.images))
    for mode, before in (("evaluation", []), ("training", []), ("tracked", tracked)):
        expected, training = getattr(reference.in_place, mode), mode == "training"
        rows = everything[: reference.training_rows] if training else everything
        if not expected:
            continue
        binding.load(case.weights)
        whys = [run(candidate, binding.module, case, batch, True)[1] for batch in before]
        weights = binding.weights()
        with recorded_calls(binding) as calls:
            output, why_not = run(candidate, binding.module, case, rows, training)
        paired = pair_calls(expected, calls)
        if why_not := next(filter(None, [*whys, why_not]), ""):
            in_place[mode] = [LayerCall(call.layer, None, why_not=why_not) for call in expected]
        else:
            in_place[mode] = [in_its_place(*pair) for pair in paired[:-1]] + [LayerCall(OUTPUT, output)]
        alone[mode] = [alone_of(binding, weights, *pair) for pair in paired[:-1]]
    binding.load(case.weights)
    return LayerOutputs(in_place=LayerPasses(**in_place), alone=LayerPasses(**alone))


def run(
    candidate: UserCandidate, module: nn.Module, case: Case, rows: np.ndarray, training: bool
) -> tuple[np.ndarray, str]:
    """Puts some of a case's rows through the module.

    Returns:
        the output as Keras predicts it; and why it says nothing of the mode that was asked for, empty if it does.
    """
    set_mode(module, training)
    reset_states(module)
    with torch.no_grad(), Chance():
        output = candidate.called(module, candidate.input_of(case.images[rows]))
    why_not = "" if module.training == training else "lightning_output() sets a mode of its own"
    set_mode(module, True)
    return candidate.turned([output]), why_not


@contextmanager
def recorded_calls(binding: Binding) -> Iterator[dict[str, list[ModuleCall]]]:
    """Gives the calls of each layer's module, by the layer's path, as they come in while the context lasts."""
    calls: dict[str, list[ModuleCall]] = {}
    attentions, handles = attention_modules(binding.module, binding.table), []

    def attended(module, output) -> list:
        """Returns what an attention gives, without its weights."""
        return [output[0] if isinstance(output, tuple) else output]

    def keep_calls(modules: list[nn.Module], path: str, outputs: Callable, is_last: bool = False) -> None:
        """Keeps what modules are given and give from now on."""
        if not modules:
            return
        kept = calls.setdefault(path, [])

        def keep(module, arguments, options, output) -> None:
            """Keeps one call."""
            others = any(torch.is_tensor(leaf) for leaf in tree.tree_leaves(options))
            is_one = not is_last and len(arguments) == 1 and not others and torch.is_tensor(arguments[0])
            # copies: what works in place may stand behind
            given = arguments[0].detach().clone() if is_one else None
            gave = [one.detach().clone() for one in outputs(module, output) if torch.is_tensor(one)]
            kept.append(ModuleCall(module, given, gave, module.training, is_last, options))

        handles.extend(module.register_forward_hook(keep, with_kwargs=True) for module in modules)

    for tensors in layers_of(binding.table):
        path, first = tensors[0].path.rpartition("/")[0], binding.parameters[tensors[0].path]
        whole = holders(binding, tensors)
        keep_calls(whole, path, lambda module, output, first=first: outputs_of(module, first, output))
        if not whole and len(parts_in_torch(tensors)) > 1:
            keep_calls(holders(binding, parts_in_torch(tensors)[-1]), path, lambda module, output: [output], True)
    for path, module in attentions.items():
        keep_calls([module] if module else [], path, attended)
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def holders(binding: Binding, tensors: list[Tensor]) -> list[nn.Module]:
    """Returns the modules that hold all of a layer's tensors themselves: several, where they share them.

    The whole module is none of them: it does more than a layer. A layer that is several in torch, or one of one's own,
    may be the module that holds these and nothing else.
    """
    binding.follow()
    wanted = {id(binding.parameters[tensor.path]) for tensor in tensors}
    modules = [module for module in binding.module.modules() if module is not binding.module]
    own = [
        module
        for module in modules
        if wanted <= {id(value) for value in (*module._parameters.values(), *module._buffers.values())}
    ]
    if own or (len(parts_in_torch(tensors)) == 1 and tensors[0].is_known):
        return own
    return [module for module in modules if wanted == {id(value) for value in module.parameters()}][-1:]


def pair_calls(
    expected: list[LayerCall], calls: dict[str, list[ModuleCall]]
) -> list[tuple[LayerCall, ModuleCall | None, str]]:
    """Returns each of Keras's calls with the candidate's; or why it has none."""
    pairs, seen = [], dict.fromkeys(calls, 0)
    count = {layer: sum(call.layer == layer for call in expected) for layer in calls}
    for call in expected:
        own = calls.get(call.layer, [])
        if call.layer == OUTPUT:
            pairs.append((call, None, ""))
        elif call.layer not in calls:
            pairs.append((call, None, "the port has no module that holds its tensors and no others"))
        elif len(own) != count.get(call.layer, 0):
            times = f"{len(own)} times" if len(own) != 1 else "once"
            why_not = f"its module is called {times}, Keras's layer {count.get(call.layer, 0)} times"
            pairs.append((call, None, why_not.replace(" 1 times", " once")))
        else:
            pairs.append((call, own[seen[call.layer]], ""))
            seen[call.layer] += 1
    return pairs


def in_its_place(expected: LayerCall, call: ModuleCall | None, why_not: str) -> LayerCall:
    """Returns what a layer gave in its place, in Keras's layout."""
    if call is None:
        return LayerCall(expected.layer, None, why_not=why_not)
    return in_keras_layout(expected, call.outputs)


def in_keras_layout(expected: LayerCall, outputs: list[torch.Tensor]) -> LayerCall:
    """Returns the output of several that is nearest to Keras's, in Keras's layout; or why there is none."""
    if expected.output is None:
        return LayerCall(expected.layer, None, why_not="Keras computes this layer inside compiled code")
    arrays = [as_array(output) for output in outputs]
    forms = [form for array in arrays for form in forms_in_keras(array, expected.output.shape)]
    output = nearest(forms, expected.output, expected.activated)
    if output is None:
        shapes = " or ".join(str(array.shape) for array in arrays) or "no tensor"
        why_not = f"its module gives {shapes}, Keras's layer {expected.output.shape}"
        return LayerCall(expected.layer, None, why_not=why_not)
    return LayerCall(expected.layer, output)


def alone_of(
    binding: Binding, weights: Arrays, expected: LayerCall, call: ModuleCall | None, why_not: str
) -> LayerCall:
    """Returns what a layer's module gives alone for Keras's input of the layer, in Keras's layout."""
    if call is None:
        return LayerCall(expected.layer, None, why_not=why_not)
    if call.is_last:
        return LayerCall(expected.layer, None, why_not="the port has its parts in several modules")
    if expected.input is None or call.input is None:
        return LayerCall(expected.layer, None, why_not="the layer is given more than one tensor")
    kernel = next(tensor for tensor in binding.table if tensor.path.rpartition("/")[0] == expected.layer)
    given = expected.input
    if kernel.flattened and given.ndim == 2:  # rows of its kernel lie in another order, and so do its features
        given = kernel.layout.to_torch(np.ascontiguousarray(given.T))
    forms = forms_in_torch(given, tuple(call.input.shape))
    if not forms:
        why_not = f"the port pads or reshapes before it: it is given {tuple(call.input.shape)}, in Keras {given.shape}"
        return LayerCall(expected.layer, None, why_not=why_not)
    mode, outputs = call.module.training, []
    call.module.train(call.training)
    try:
        for form in forms:
            binding.load(weights)
            with torch.no_grad(), Chance():
                output = call.module(torch.from_numpy(np.ascontiguousarray(form)).to(call.input), **call.options)
            outputs += outputs_of(call.module, binding.parameters[kernel.path], output)
    except Exception as error:  # a user's own module may need more than its input
        why_not = f"its module cannot be called alone ({type(error).__name__}: {error})"[:200]
        return LayerCall(expected.layer, None, why_not=why_not)
    finally:
        call.module.train(mode)
        binding.load(weights)
    return in_keras_layout(expected, outputs)
