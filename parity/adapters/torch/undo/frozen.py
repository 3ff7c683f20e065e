"""Undoes what is trained or tracked in one framework alone: frozen layers, frozen statistics, a row that stays zero."""

from torch import nn

from parity.adapters.torch.modes import keep_modes
from parity.adapters.torch.pieces import whole_of
from parity.adapters.torch.undo.difference import Built, Undo
from parity.adapters.torch.undo.numbers import PASSES
from parity.adapters.torch.undo.optimizers import PARTS

TRAINING = 5  # which argument of F.batch_norm says whether the batch's own statistics are taken
TRACKED = ("moving_mean", "moving_variance")


def freeze_statistics(built: Built) -> list[str]:
    """Has batch norms normalise by their moving statistics in training, or not, as Keras's do."""
    lines = []
    for path, (name, module) in built.owners(("BatchNormalization",)).items():
        is_trained = built.settings.get(path, {}).get("trainable", True)
        if module.training == is_trained:
            continue
        module.train(is_trained)
        module.requires_grad_(is_trained)
        if is_trained:
            lines.append(f"{name} is frozen, in Keras it trains: leave {name}.eval() out")
        else:
            lines.append(f"{name} trains, in Keras it is frozen: write self.{name}.eval().requires_grad_(False)")
    if lines:
        keep_modes(built.module)
    return lines


def train_as_keras(built: Built) -> list[str]:
    """Trains the tensors that Keras trains, and no others."""
    lines = {}
    for tensor in built.binding.table:
        if tensor.role in TRACKED:
            continue
        holder = whole_of(built.binding.parameters[tensor.path])
        if not isinstance(holder, nn.Parameter) or holder.requires_grad == tensor.trained:
            continue
        holder.requires_grad_(tensor.trained)
        said = "is not trained in Keras" if not tensor.trained else "is trained in Keras"
        lines[f"{tensor.torch_name.split(' ')[0]} {said}: write requires_grad_({tensor.trained})"] = None
    return list(lines)


def train_every_word(built: Built) -> list[str]:
    """Trains the rows of embeddings that PyTorch leaves at zero, since Keras has no such row."""
    lines = []
    for name, module in built.owners(("Embedding",)).values():
        if getattr(module, "padding_idx", None) is not None:
            lines.append(f"{name}: nn.{type(module).__name__}(padding_idx={module.padding_idx}): leave padding_idx out")
            module.padding_idx = None
    return lines


def normalise_by_mode(built: Built) -> list[str]:
    """Has batch norms, layers and functions, normalise by the batch in training, and by moving statistics else."""
    told = told_to_train(built)
    lines = [f"{name}: normalises by the batch in evaluation mode, too: leave .train() out" for name in told]
    for part in told.values():
        part.register_forward_pre_hook(lambda part, given: part.train(built.module.training) and None)
    for call in built.trace.of("batch norm"):
        if call.place in told:
            continue
        given = call.options.get("training")
        given = call.arguments[TRAINING] if given is None and len(call.arguments) > TRAINING else given
        if not given or call.input.dim() < 2:  # the pass was one in evaluation mode
            continue
        statistics = [*call.arguments[1:3], *(call.options.get(one) for one in ("running_mean", "running_var"))]
        if not any(one is not None for one in statistics):
            continue

        def by_mode(*arguments, function=call.function, **options):
            """Normalises."""
            arguments = list(arguments)
            if "training" in options or len(arguments) <= TRAINING:
                options["training"] = built.module.training
            else:
                arguments[TRAINING] = built.module.training
            return function(*arguments, **options)

        built.calls.replace(call, by_mode)
        lines.append(f"{call.place or 'forward'}: batch norm by the batch in evaluation mode, too: leave .train() out")
    return lines


def told_to_train(built: Built) -> dict[str, nn.Module]:
    """Returns by name the batch norms that are in training mode in a pass that is one in evaluation mode."""
    owners, found = dict(built.owners(("BatchNormalization",)).values()), {}

    def look(part, given):
        """Notes a part's mode."""
        if part.training:
            found.update({name: module for name, module in owners.items() if module is part})

    handles = [module.register_forward_pre_hook(look) for module in owners.values()]
    if built.run and handles:
        built.run()
    for handle in handles:
        handle.remove()
    return found


UNDOS = [
    Undo("batch-norm-frozen", PASSES, freeze_statistics),
    Undo("batch-norm-mode", PASSES, normalise_by_mode),
    Undo("frozen-layer", ("facts", "cases", *PARTS), train_as_keras),
    Undo("embedding-padding", ("initial_weights", *PASSES, "optimizer"), train_every_word),
]
