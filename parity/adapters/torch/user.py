"""The candidate of a pair file: a user's own LightningModule, put through what the reference went through."""

import copy
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module

import numpy as np
import torch
from torch import nn

from mlp_spec.support.errors import UserError
from parity.adapters.torch.callbacks import CALLBACKS, reference_decisions
from parity.adapters.torch.candidate import Candidate, load_as_they_are
from parity.adapters.torch.chance import Chance, Replay, find_randomness
from parity.adapters.torch.compiled import CompiledSteps, Compiler
from parity.adapters.torch.epochs import Epochs, Validation
from parity.adapters.torch.logged import LoggedMetrics
from parity.adapters.torch.means import RightAnswers
from parity.adapters.torch.modes import keep_modes, set_mode
from parity.adapters.torch.norms import ExactNorms
from parity.adapters.torch.outputs import describe_places, find_places, joined_outputs
from parity.adapters.torch.plain import ValidatedModule, WrappedModule, take_apart
from parity.adapters.torch.rows import UserRows
from parity.adapters.torch.schedules import HeldSchedulers
from parity.adapters.torch.states import changed_in_a_step, keep_states
from parity.adapters.torch.surroundings import (
    DataModule,
    WithoutValidation,
    mixed_precision,
    quiet_trainer,
    without_own_callbacks,
)
from parity.adapters.torch.tables import CHANNELS_FIRST, choose_table
from parity.adapters.torch.tensors import Binding, as_array
from parity.adapters.torch.unused import check_unused
from parity.adapters.torch.updates import accumulation_of
from parity.adapters.torch.ways import OUTPUT_ADVICE, OUTPUTS, further_ways, in_rows_of, unlikely_forms, ways_to_call
from parity.protocol import memory
from parity.protocol.answer import Session
from parity.protocol.inputs import LAYERS_CASE
from parity.protocol.pair_file import PairFile, check_again
from parity.protocol.task import Task, read_record, recording_path, send
from parity.protocol.tensors import Arrays
from parity.protocol.user_data import SPLITS, difference

# What `lightning_trainer()` may give: what changes the steps, and what is ours to say.
CLIPPING = ("gradient_clip_val", "gradient_clip_algorithm")
TRAINER = (*CLIPPING, *CALLBACKS, "precision", "max_epochs", "accelerator", "devices", "enable_progress_bar")
EVAL_BATCH = 1000


class UserCandidate(Candidate):
    """The candidate's side of the ladder, of a pair file; see `Candidate`."""

    def __init__(self, task: Task):
        from lightning_mlp import device as devices
        from lightning_mlp import train

        Session.__init__(self, task)
        self.device = devices.choose(task.accelerator)
        devices.exact_products()
        train.quieten()
        torch.set_flush_denormal(True)
        if self.device == "cpu":  # Keras measures its noise floor meanwhile: OpenMP's threads would wait for its
            torch.set_num_threads(max(1, torch.get_num_threads() // 2))
        self.file = self.open_file()
        self.trainer_options = options = self.file.options("lightning_trainer", TRAINER)
        self.options = {name: options[name] for name in CLIPPING if name in options}
        mixed = mixed_precision(options, self.file.where("lightning_trainer")) if options else {}
        if self.experiment.training.precision == "float32":
            self.options |= mixed
        elif mixed:
            send("note", text=f"precision={mixed['precision']!r} of the Trainer is left out in float64")
        self.accumulation = accumulation_of(options)
        self.built = weakref.WeakKeyDictionary()  # how a plain module is trained, by the modules
        self.shapes, self.untrained = [], self.facts.untrained
        self.rates: list[float] = []
        self.compiler, self.compiled_steps = Compiler(False), None
        self.arrays = {name: self.read(name) for names in SPLITS.values() for name in names}
        what = self.file.where("lightning_data")
        given, classes = self.file.call("lightning_data"), self.facts.classes
        self.rows = UserRows(given, self.arrays, self.experiment.training.precision, what, classes)
        self.output, self.flattening, self.way, self.has_table = "", "", None, False
        self.shape = None  # of a row of Keras's output
        self.places = {}  # of Keras's outputs in the module's, where there are several
        check_unused(self)
        randomness = find_randomness(self.build, self.train_one_step)
        self.rates, self.draws, self.unsilenced = randomness.rates, randomness.draws, randomness.unsilenced
        self.kept = changed_in_a_step(self)
        self.try_to_compile()
        send("start", device=self.device, dataset=self.experiment.data.dataset, epochs=self.facts.plan.epochs)

    def open_file(self) -> PairFile:
        """Runs the pair file."""
        return PairFile(self.pair.file)

    def read(self, name: str) -> np.ndarray:
        """Returns one of Keras's arrays, which stays in its file."""
        return np.load(f"{self.task.reference_dir}/{name}.npy", mmap_mode="r")

    def release(self) -> None:
        """Gives memory back that was needed for a part alone."""
        memory.release()
        for array in self.arrays.values():
            memory.forget_pages(array)

    # ---- the module

    def build(self, seed: int | None = None):
        """Has the file build its module.

        Raises:
            UserError: it returned no module, another one than before, or the same one again, which cannot be copied.
        """
        import_module("lightning").seed_everything(self.seed if seed is None else seed, verbose=False)
        given = self.file.call("lightning_module")
        what = f"{self.file.where('lightning_module')} returned"
        module, training = take_apart(given, what)
        if module in self.built:  # its weights are those of the first time: the rung of initial weights says so
            if self.pristine is None:
                raise UserError(f"{what} the same module again, and it cannot be copied; it must build a new one")
            module, training = take_apart(copy.deepcopy(self.pristine), what)
        elif not self.built:
            self.pristine = copied(given)
        self.built[module] = training
        if training is None and package_of(module) is None:
            title = self.file.title("lightning_module")
            own = f"{title} returned a {type(module).__name__}, a plain nn.Module: it has no training_step"
            self.untrained = "; ".join(filter(None, (self.facts.untrained, own)))
        if not list(module.parameters()) and package_of(module):  # its layers are made when the Trainer begins
            module.configure_model()
            module.configure_model = lambda: None  # once: the weights that were put in place stay
        keep_modes(module)
        if any(isinstance(value, nn.parameter.UninitializedParameter) for value in module.parameters()):
            with torch.no_grad():  # lazy layers have no shapes before the first batch
                self.called(module.eval(), self.input_of(self.arrays[SPLITS["train"][0]][: self.facts.rows_or(2)]))
            set_mode(module, True)
        shapes = [(name, tuple(value.shape)) for name, value in module.named_parameters()]
        self.shapes = self.shapes or shapes
        check_again(what, self.shapes, shapes)
        module = module.double() if self.experiment.training.precision == "float64" else module
        keep_states(module, self.facts.stateful)
        return self.compiler.compile(module, package_of(module)) if package_of(module) else module

    def trained_form(self, module: nn.Module) -> nn.Module:
        """Returns what the Trainer is given: a module itself, or what trains a plain one."""
        if not (training := self.built[module]):
            return module
        wrapped = (ValidatedModule if self.facts.stateful else WrappedModule)(module, training, self.apart)
        return self.compiler.compile(wrapped, package_of(wrapped))

    def apart(self, module: nn.Module, batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns a module's output for a batch, and the batch's target."""
        inputs, target = self.rows.split_batch(batch)
        return self.called(module, inputs), target

    def try_to_compile(self) -> None:
        """Has all further modules compiled, if that is asked for and a step on one batch can be."""
        if self.pair.compiled and not self.untrained:
            self.compiler = Compiler(True)
            with Chance():
                self.compiler.probe(lambda: self.train_one_step(self.build(), [], validates=True))
            why_not = self.compiler.why_not
            said = f"steps are not compiled, but run as they are: {why_not}" if why_not else "steps are compiled"
            send("note", text=said)

    def train_one_step(self, module: nn.Module, callbacks: list, validates: bool = False) -> None:
        """Trains a module for one step, and may validate it; one that cannot be trained is called."""
        batch = self.batch_of(*(self.arrays[name][: self.batch_size] for name in SPLITS["train"]))
        trained = self.trained_form(module)
        package = package_of(trained)
        if package is None:
            for callback in callbacks:
                callback.on_train_batch_start(None, module, batch, 0)
            output = self.called(set_mode(module, True), self.rows.split_batch(batch)[0]).detach().mean()
            for callback in callbacks:
                callback.on_train_batch_end(None, module, output, batch, 0)
            return
        validates = validates and type(trained).validation_step is not package.LightningModule.validation_step
        loaders = [load_as_they_are([batch]), load_as_they_are([batch]) if validates else None]
        trainer = self.trainer(package, callbacks, log_every_n_steps=1, limit_val_batches=int(validates))
        with without_own_callbacks(trained):
            trainer.fit(trained, *loaders)

    def fit(
        self, binding, callbacks: list, data=None, loader=None, validation=None, epochs: int = 1, **options
    ) -> None:
        """Trains by the Trainer of the package that the module derives from; validates where it can and is asked to."""
        module = self.trained_form(binding.module)
        package = package_of(module)
        if type(module).validation_step is package.LightningModule.validation_step:
            validation = None
        if isinstance(loader, Epochs):
            loader.module = module
        options = {"limit_val_batches": 0 if validation is None else 1.0, "max_epochs": epochs, **options}
        trainer = self.trainer(package, callbacks, **options)
        mode = next((callback.mode for callback in callbacks if isinstance(callback, Replay)), Chance())
        with ExactNorms(), mode, without_own_callbacks(module):
            trainer.fit(module, train_dataloaders=loader, val_dataloaders=validation)
        binding.module.to("cpu")

    def trainer(self, package, callbacks: list, **options):
        """Returns the Trainer of a package, with what the user's own changes of the steps; it validates if asked to."""
        callbacks = [DataModule(self.rows.datamodule), *callbacks]
        if not options.get("limit_val_batches"):
            callbacks.append(WithoutValidation())
        exact = "64-true" if self.experiment.training.precision == "float64" else "32-true"
        return quiet_trainer(
            package,
            callbacks,
            self.device,
            use_distributed_sampler=False,
            **{"precision": exact, "max_epochs": 1, "limit_val_batches": 0, **self.options, **options},
        )

    def predict(self, binding, weights: Arrays, images: list) -> np.ndarray:
        """Predicts batches in evaluation mode, in the form in which Keras predicts.

        Args:
            binding: the module's parameters.
            weights: by path; they are loaded.
            images: batches of inputs, each as `input_of` makes it.
        """
        binding.load(weights)
        module = binding.module.eval()
        with torch.no_grad():
            outputs = [self.called(module, part) for part in images]
        set_mode(module, True)
        if self.places:
            return self.turned(outputs)
        if not torch.is_tensor(outputs[0]):
            returned = "lightning_output()" if hasattr(self.file.module, "lightning_output") else "forward()"
            advice = "lightning_output(module, batch) in a pair file must return one tensor, Keras's output"
            raise UserError(
                f"{self.file.where('lightning_module')}: {returned} returned a {type(outputs[0]).__name__}; {advice}"
            )
        return self.turned(outputs)

    def turned(self, outputs: list) -> np.ndarray:
        """Returns what the module returned for some batches as an array, in the form in which Keras predicts."""
        if self.places:
            return joined_outputs(outputs, self.places, self.file.where("lightning_module"))
        return as_array(self.turn(torch.cat([output.detach().cpu() for output in outputs])))

    def turn(self, output: torch.Tensor) -> torch.Tensor:
        """Turns the module's output into what Keras predicts, once it is known what it is."""
        return OUTPUTS[self.output](in_rows_of(self.shape, output)) if self.output else output

    def called(self, module: nn.Module, inputs: list[torch.Tensor]) -> torch.Tensor:
        """Calls the module with inputs: by `lightning_output()`, else in the first way that its `forward` takes.

        Raises:
            UserError: it takes them in no way.
        """
        if function := getattr(self.file.module, "lightning_output", None):
            return function(module, self.rows.around(inputs))
        ways = [*ways_to_call(inputs, self.rows), *further_ways(module, inputs)]
        if self.way is not None:
            return ways[self.way](module)
        errors = []
        for self.way, way in enumerate(ways):
            try:
                return way(module)
            except Exception as error:  # a user's `forward` may refuse in any way
                errors.append(f"{type(error).__name__}: {str(error)[:200]}")
        self.way = None
        what = self.file.where("lightning_module")
        raise UserError(f"{what}: forward() cannot be called with the inputs ({errors[0]}); {OUTPUT_ADVICE}")

    def bind(self, arrays: Arrays, seed: int | None = None) -> Binding:
        """Builds a module that holds the given weights; finds, once, which table of tensors is its own."""
        if not self.has_table:
            self.flattening, table = choose_table(self)
            self.facts, self.has_table = replace(self.facts, tensors=table), True
        return super().bind(arrays, seed)

    def find_output(self, binding, reference) -> None:
        """Finds, once, what the module's output is: logits, log-probabilities, or what Keras predicts.

        Raises:
            UserError: it has another shape than Keras's.
        """
        if self.facts.outputs and not self.places:
            self.output_gaps(binding, reference)
            send("note", text=describe_places(self.places))
        if not self.output and not self.places:
            gaps = self.output_gaps(binding, reference)
            self.output = min(gaps, key=gaps.get)
            send("note", text=f"the module's output is {self.output}")

    def output_gaps(self, binding, reference, name: str | None = None) -> dict[str, float]:
        """Returns how far the module's output is from Keras's, whatever it may be, under the weights of one case.

        Args:
            binding: the module's parameters.
            reference: the cases, and Keras's answers.
            name: of the case; None takes the start, with several outputs one in which no two heads are alike.

        Raises:
            UserError: it has another shape than Keras's.
        """
        name = name or (LAYERS_CASE if self.facts.outputs else "the start")
        case, ours = reference.cases[name], reference.answers[name].probabilities
        if self.facts.outputs:
            binding.load(case.weights)
            with torch.no_grad():
                returned = self.called(binding.module.eval(), self.input_of(case.images))
            set_mode(binding.module, True)
            self.places = find_places([returned], ours, self.file.where("lightning_module"))
            return {"several outputs": max(place.gap for place in self.places.values())}
        output, self.shape = self.predict(binding, case.weights, [self.input_of(case.images)]), ours.shape[1:]
        output = in_rows_of(self.shape, torch.from_numpy(output))
        if output.shape != ours.shape:
            shapes = f"the module's output has the shape {tuple(output.shape)}, Keras's has {ours.shape}"
            raise UserError(f"{self.file.where('lightning_module')}: {shapes}; {OUTPUT_ADVICE}")
        unlikely = unlikely_forms(output)
        return {name: difference(ours, turn(output).numpy()) for name, turn in OUTPUTS.items() if name not in unlikely}

    # ---- the data

    def describe_data(self) -> dict[str, dict]:
        """Compares the user's own rows with Keras's; returns what was found, by split."""
        described = {split: self.rows.describe(split, self.task.level) for split in SPLITS}
        self.rows.let_go()
        return described

    def input_of(self, images: np.ndarray) -> list[torch.Tensor]:
        """Turns Keras's rows into inputs as the module takes them."""
        return self.rows.inputs_of(images)

    def batch_of(self, images: np.ndarray, labels: np.ndarray):
        """Makes a batch of Keras's rows, of the kind that the user's loader serves."""
        return self.rows.batch_of(images, labels)

    def replayed(self, steps: int) -> dict:
        """Returns what `fit` trains on where only the number of steps counts."""
        rows = [0] * self.facts.rows_or(2)  # of one alone, batch norm has no variance
        rows = [self.arrays[name][rows] for name in SPLITS["train"]]
        return {"loader": load_as_they_are([self.batch_of(*rows)] * steps), **self.accumulation}

    def epochs(self, orders: Callable[[int], np.ndarray], epochs: int) -> dict:
        """Returns what `fit` trains on: an epoch's rows in their order."""
        given = {"loader": Epochs(self.rows, orders, self.batch_size), "epochs": epochs, **self.accumulation}
        return {**given, "validation": Validation(self.rows, self.facts.stateful)}

    def rate_of(self, trainer) -> float:
        """Returns the learning rate of the module's own optimizer."""
        return trainer.optimizers[0].param_groups[0]["lr"]

    def reporters(self) -> tuple:
        """Returns what keeps the curves and seconds of every epoch, as the callback that does it."""
        facts, labels = self.facts, tuple(self.arrays[y] for _, y in SPLITS.values())
        right = RightAnswers(labels, lambda epoch: facts.plan.order(self.seed, epoch, self.samples), self.turn)
        logged, self.compiled_steps = LoggedMetrics(right.curves), CompiledSteps(self.compiler)
        reporters = [logged, right, self.compiled_steps, HeldSchedulers(reference_decisions(self))]
        if facts.random_layers and len(self.rates) == len(facts.random_layers):
            turned = self.flattening == CHANNELS_FIRST
            reporters.append(Replay(facts.random_layers, self.task.reference_dir, turned, self.channels_first()))
        return logged, reporters

    def channels_first(self) -> dict[int, bool]:
        """Returns how values lie in what draws by chance, by its number, as far as only values tell it."""
        if not recording_path(self.task.output_dir, "random_layers").exists():
            return {}
        calls = read_record(self.task.output_dir, "random_layers").calls
        return {number: call.channels_first for number, call in enumerate(calls) if call.channels_first is not None}

    def path(self, module) -> dict:
        """Returns whether the last training was compiled."""
        return self.compiled_steps.path()

    def describe_layers(self, model) -> list:
        """Describes nothing: its tensors say what a model of any kind is made of."""
        return []

    def validation_inputs(self) -> Iterator[list[torch.Tensor]]:
        """Yields the validation rows as inputs."""
        rows, size = self.arrays["x_test"], self.facts.rows_or(EVAL_BATCH)
        yield from (self.input_of(rows[start : start + size]) for start in range(0, len(rows), size))


def copied(given: nn.Module | tuple) -> nn.Module | tuple | None:
    """Returns a copy of what was given, as it is before it is trained; None where it cannot be copied."""
    try:
        return copy.deepcopy(given)
    except Exception:  # a user's own parts may refuse in any way
        return None


def package_of(module: object):
    """Returns the package whose LightningModule an object derives from: `lightning.pytorch` or `pytorch_lightning`."""
    for cls in type(module).__mro__:
        if cls.__name__ == "LightningModule" and cls.__module__.split(".")[0] in ("lightning", "pytorch_lightning"):
            old = cls.__module__.startswith("pytorch_lightning")
            return import_module("pytorch_lightning" if old else "lightning.pytorch")
    return None
