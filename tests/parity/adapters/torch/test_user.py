"""A user's LightningModule and loaders: what is found in them, what is fed, and what is refused in one sentence."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import sample_pairs
import torch
from sample_records import make_facts
from torch import nn

from mlp_spec.experiment import TrainingSpec
from mlp_spec.support.errors import UserError
from parity.adapters.torch import answer, user
from parity.adapters.torch.candidate import load_as_they_are
from parity.adapters.torch.record import BatchRecorder
from parity.adapters.torch.tensors import Binding
from parity.adapters.torch.user import UserCandidate, package_of
from parity.pair import Pair, Settings
from parity.protocol import targets
from parity.protocol.answer import open_pair
from parity.protocol.inputs import LAYERS_CASE, Case, Plan
from parity.protocol.records import Answer, Cases
from parity.protocol.task import Task, write_record
from parity.protocol.tensors import dense_table
from parity.protocol.user_data import joined

DRAW = np.random.default_rng(0)
X, Y = DRAW.random((50, 4, 4, 2)).astype(np.float32), DRAW.integers(0, 3, 50)
START = "keras_model = keras_data = lambda: None\nimport numpy as np\n"
MODULE = """
def lightning_module():
    import lightning
    from torch import nn

    class Port(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Flatten(), nn.Dropout(0.4), nn.Linear(32, 3))

        def forward(self, x):
            return self.net(x)

    return Port()
"""
LOADERS = """
def lightning_data():
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    x, y = (torch.from_numpy(np.load(f"{FOLDER}/{name}.npy")) for name in ("x_train", "y_train"))
    rows = TensorDataset(x.movedim(-1, 1), y)
    return DataLoader(rows, batch_size=8, shuffle=True, drop_last=True), DataLoader(rows, batch_size=8)
"""


@pytest.fixture
def candidate(tmp_path):
    """Opens a pair file; returns the candidate."""

    def opened(text, level="full", **changes):
        for name, array in {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}.items():
            np.save(tmp_path / f"{name}.npy", array)
        path = tmp_path / "own_pair.py"
        path.write_text(f"{START}FOLDER = {str(tmp_path)!r}\n{text}")
        settings = Settings("own_pair", "0" * 64, TrainingSpec(batch_size=8, epochs=2))
        facts = make_facts(experiment=settings, plan=Plan(2, 50), **changes)
        write_record(tmp_path, "facts", facts)
        task = Task((), str(tmp_path), Pair(settings, file=str(path)), level=level, reference_dir=str(tmp_path))
        targets.load_source.cache_clear()
        return open_pair(task, UserCandidate)

    threads = torch.get_num_threads()
    yield opened
    torch.set_flush_denormal(False)
    torch.set_num_threads(threads)


def changed(before: str, after: str) -> str:
    """Returns a pair file whose loaders are changed in one place."""
    assert before in LOADERS
    return MODULE + LOADERS.replace(before, after)


def test_lazy_layers_have_their_shapes_before_they_are_bound(candidate):
    side = candidate(MODULE.replace("nn.Linear(32, 3)", "nn.LazyLinear(3)") + LOADERS)
    module = side.build()
    assert tuple(module.net[2].weight.shape) == (3, 32) and module.training


def test_the_optimizers_replay_feeds_what_a_batch_norm_takes(candidate):
    side = candidate(MODULE + LOADERS)
    (batch,) = side.replayed(1)["loader"]
    assert len(batch[0]) == 2


def test_a_forward_that_returns_no_tensor_is_refused_with_what_to_do(candidate):
    side = candidate(MODULE.replace("return self.net(x)", "return {'logits': self.net(x)}") + LOADERS)
    module = side.build()
    with pytest.raises(UserError, match=r"forward\(\) returned a dict; lightning_output\(module, batch\)"):
        side.predict(SimpleNamespace(module=module, load=lambda weights: None), {}, [side.input_of(X[:2])])


REFUSED = {
    "number": ("lightning_module = lambda: 3" + LOADERS, r"lightning_module\(\) returned int; it must return a Lightn"),
    "a loss alone": (
        "from torch import nn\nlightning_module = lambda: (nn.Linear(32, 3), nn.MSELoss())" + LOADERS,
        r"lightning_module\(\) returned a tuple \(Linear, MSELoss\); it must return a LightningModule; or a plain",
    ),
    "raises": ("def lightning_module(): return nothing" + LOADERS, r"NameError: name 'nothing' is not defined \(own_p"),
    "no loaders": (MODULE + "lightning_data = lambda: 3\n", r"lightning_data\(\) returned int; it must return a Light"),
    "lists": (MODULE + "lightning_data = lambda: [[1], [2]]\n", "a int is no loader of batches"),
    "no tensors": (MODULE + "lightning_data = lambda: [[[1], [2]], [[1]]]\n", "a batch is a list without tensors"),
    "empty": (changed("DataLoader(rows, batch_size=8)", "DataLoader([])"), "a data set is empty"),
    "inputs alone": (
        changed("x.movedim(-1, 1), y", "x"),
        r"y_train has rows of \(\) in Keras's data, a batch here has",
    ),
    "shapes": (
        changed("x.movedim(-1, 1)", "x[:, :3]"),
        r"x_train has rows of \(4, 4, 2\) in Keras's data, a batch here has rows of \(3, 4, 2\) and \(\)",
    ),
    "trainer": (MODULE + LOADERS + "lightning_trainer = lambda: {'profiler': 'simple'}\n", "profiler, which cannot be"),
    "precision": (
        MODULE + LOADERS + "lightning_trainer = lambda: {'precision': 'bf16-true'}\n",
        "precision='bf16-true', which cannot be compared; allowed: bf16-mixed, 16-mixed, 32-true, 64-true",
    ),
}


@pytest.mark.parametrize(("text", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compared_is_refused_with_one_sentence(text, words, candidate):
    with pytest.raises(UserError, match=words):
        candidate(text)


@pytest.mark.parametrize(("given", "precision"), [("bf16-mixed", "bf16-mixed"), ("32", "32-true"), ("64", "32-true")])
def test_the_trainer_mixes_as_the_users_own(given, precision, candidate):
    user = candidate(MODULE + LOADERS + f"lightning_trainer = lambda: {{'precision': {given!r}}}\n")
    assert user.trainer(package_of(user.build()), []).precision == precision


NUMBERED = changed("TensorDataset(x.movedim(-1, 1), y)", "TensorDataset(x.movedim(-1, 1), y, torch.arange(50.0))")
STEP = """
        def training_step(self, batch, batch_idx):
            return self(batch[0]).square().mean(){used}

        def configure_optimizers(self):
            from torch import optim
            return optim.SGD(self.parameters())

    return Port()
"""


def test_what_keras_is_not_given_may_stand_in_a_batch_where_no_step_depends_on_it(candidate):
    end = "\n    return Port()\n"
    drawn = "SEEN = []\n" + NUMBERED.replace(
        "    class Port", "    import torch\n    SEEN or SEEN.append(torch.rand(1))\n\n    class Port"
    )
    side = candidate(drawn.replace(end, STEP.format(used="")))  # the first call draws what the others do not
    assert list(side.rows.unused) == [2]
    with pytest.raises(UserError, match=r"a tensor with rows of \(\) that are nowhere in Keras's data, and the tr"):
        candidate(NUMBERED.replace(end, STEP.format(used=" + batch[2][0]")))


# ---- the output


LOGITS = torch.from_numpy(DRAW.standard_normal((32, 3)).astype(np.float32))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (lambda logits: logits, "logits"),
        (lambda logits: logits.log_softmax(dim=1), "log-probabilities"),
        (lambda logits: logits.softmax(dim=1), "what Keras predicts"),
    ],
)
def test_the_form_of_the_output_is_found(given, name, candidate, monkeypatch):
    one = candidate(MODULE + LOADERS)

    def output(module, batch):
        inputs, targets = batch
        assert inputs.shape == (32, 2, 4, 4) and targets.shape == (32,)
        return given(LOGITS)

    monkeypatch.setattr(one.file.module, "lightning_output", output, raising=False)
    table = dense_table([(32, 3)])
    weights = {tensor.path: np.zeros(tensor.shape, np.float32) for tensor in table}
    answer = Answer(LOGITS.softmax(dim=1).numpy(), np.zeros(1), {})
    reference = Cases(answers={"the start": answer}, cases={"the start": Case(weights, X[:32], Y[:32])})
    binding = Binding(one.build(), table)
    one.find_output(binding, reference)
    assert one.output == name
    predicted = one.predict(binding, weights, [one.input_of(X[:32])])
    assert np.allclose(predicted, answer.probabilities, atol=1e-6)


def test_several_outputs_are_found_and_predicted_each_in_its_form(candidate, monkeypatch):
    one = candidate(MODULE + LOADERS, outputs=["kind", "size"])
    size = LOGITS[:, :1]
    monkeypatch.setattr(one.file.module, "lightning_output", lambda module, batch: (size, LOGITS), raising=False)
    table = dense_table([(32, 3)])
    weights = {tensor.path: np.zeros(tensor.shape, np.float32) for tensor in table}
    ours = joined({"kind": LOGITS.softmax(dim=1).numpy(), "size": size.numpy()})
    answer = Answer(ours, np.zeros(1), {})
    reference = Cases(answers={LAYERS_CASE: answer}, cases={LAYERS_CASE: Case(weights, X[:32], Y[:32])})
    binding = Binding(one.build(), table)
    one.find_output(binding, reference)
    assert {name: place.key for name, place in one.places.items()} == {"kind": 2, "size": 1} and one.output == ""
    predicted = one.predict(binding, weights, [one.input_of(X[:32])])
    assert all(np.allclose(predicted[name], ours[name], atol=1e-6) for name in ("kind", "size"))
    monkeypatch.setattr(one.file.module, "lightning_output", lambda module, batch: LOGITS, raising=False)
    one.places = {}
    with pytest.raises(UserError, match=r"the module returns 1 \(32, 3\); Keras's outputs are kind"):
        one.find_output(binding, reference)


def test_parts_that_are_built_in_evaluation_mode_are_trained_in_it(candidate):
    one = candidate(MODULE.replace("nn.Dropout(0.4)", "nn.Dropout(0.4).eval()") + LOADERS)
    binding = Binding(one.build(), dense_table([(32, 3)]))
    assert not binding.module.net[1].training
    one.predict(binding, {t.path: np.zeros(t.shape, np.float32) for t in binding.table}, [one.input_of(X[:8])])
    assert binding.module.training and binding.module.net[2].training and not binding.module.net[1].training


def test_an_output_of_another_shape_is_refused(candidate):
    one = candidate(MODULE + LOADERS)
    table = dense_table([(32, 3)])
    weights = {tensor.path: np.zeros(tensor.shape, np.float32) for tensor in table}
    reference = SimpleNamespace(
        cases={"the start": Case(weights, X[:32], Y[:32])},
        answers={"the start": Answer(np.zeros((32, 4), np.float32), np.zeros(1), {})},
    )
    with pytest.raises(UserError, match=r"the module's output has the shape \(32, 3\), Keras's has \(32, 4\)"):
        one.find_output(Binding(one.build(), table), reference)


# ---- parts


def test_a_module_tells_the_package_that_it_derives_from():
    import lightning

    class Port(lightning.LightningModule):
        pass

    old = type("LightningModule", (), {"__module__": "pytorch_lightning.core.module"})
    assert package_of(Port()) is lightning.pytorch and package_of(nn.Linear(1, 1)) is None
    assert package_of(type("Port", (old,), {})()).__name__ == "pytorch_lightning"


def test_the_same_module_again_is_copied_as_it_was(candidate):
    one = candidate(MODULE + "port = lightning_module()\nlightning_module = lambda: port" + LOADERS)
    first, second = one.build(), one.build()
    assert first is not second and torch.equal(first.net[2].weight, second.net[2].weight)


TRAINED = MODULE.replace(
    "        def forward",
    """        def training_step(self, batch, batch_idx):
            return self(batch[0]).sum()

        def configure_optimizers(self):
            import torch

            return torch.optim.SGD(self.parameters(), 0.1)

        def forward""",
)


def test_the_rates_of_what_drops_are_those_of_the_calls_of_a_step(candidate):
    assert candidate(TRAINED + LOADERS).rates == [0.4]
    functional = TRAINED.replace("self.net(x)", "nn.functional.dropout(self.net(x), 0.25, self.training)")
    assert candidate(functional + LOADERS).rates == [0.4, 0.25]
    assert candidate(MODULE + LOADERS).rates == [0.4]  # it cannot be trained: those of its layers


def test_gradients_are_clipped_by_a_norm_that_is_rounded_once(candidate):
    one = candidate(TRAINED + LOADERS)
    module, norms = one.build(), []
    module.on_before_optimizer_step = lambda optimizer: norms.append(float(torch.full((700, 900), 0.1).norm()))
    batches = load_as_they_are([one.batch_of(X[:8], Y[:8])])
    one.fit(SimpleNamespace(module=module), [], loader=batches, log_every_n_steps=1)
    assert norms == [float(torch.full((700, 900), 0.1).double().norm().float())]


# ---- a plain module


WRAPPED = """
def lightning_module():
    import torch
    from torch import nn

    net = nn.Sequential(nn.Flatten(), nn.Dropout(0.4), nn.Linear(32, 3))
    return net, nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), 0.1)
"""
PLAIN = WRAPPED.replace(", nn.CrossEntropyLoss(), torch.optim.SGD(net.parameters(), 0.1)", "")
WHY = "lightning_module() returned a Sequential, a plain nn.Module: it has no training_step"


def test_a_plain_module_is_trained_as_a_loop_of_ones_own_does(candidate):
    one = candidate(WRAPPED + LOADERS)
    assert not one.untrained and one.rates == [0.4]
    binding, recorder = Binding(one.build(), dense_table([(32, 3)])), BatchRecorder()
    net = copy.deepcopy(binding.module).eval()  # nothing drops in the candidate's steps
    optimizer, losses = torch.optim.SGD(net.parameters(), 0.1), []
    batches = list(one.rows.batches("train", np.arange(50), 8))
    for images, labels in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    one.fit(binding, [recorder], loader=load_as_they_are(batches), log_every_n_steps=1)
    assert np.allclose(recorder.all_losses(), losses, rtol=1e-6)
    assert torch.allclose(binding.module[2].weight, net[2].weight)


def test_the_same_plain_module_again_is_copied_with_its_optimizer(candidate):
    one = candidate(WRAPPED + "port = lightning_module()\nlightning_module = lambda: port" + LOADERS)
    first, second = (one.trained_form(one.build()) for _ in range(2))
    assert first.module is not second.module and torch.equal(first.module[2].weight, second.module[2].weight)
    assert first.configure_optimizers().param_groups[0]["params"][0] is first.module[2].weight


@pytest.mark.parametrize(
    ("text", "reference", "why"),
    [
        (PLAIN, "", WHY),
        (PLAIN, "keras_model() is not compiled", f"keras_model() is not compiled; {WHY}"),
        (MODULE, "keras_model() is not compiled", "keras_model() is not compiled"),
    ],
)
def test_without_a_training_only_the_output_is_answered(text, reference, why, candidate, tmp_path):
    one = candidate(text + LOADERS, untrained=reference)
    assert one.untrained == why and one.rates == [0.4]
    table = dense_table([(32, 3)])
    weights = {tensor.path: DRAW.random(tensor.shape, np.float32) for tensor in table}
    one.facts = make_facts(experiment=one.experiment, tensors=table, start=weights, untrained=reference)
    case = Case(weights, X[:32], Y[:32])
    probabilities = (X[:32].transpose(0, 3, 1, 2).reshape(32, -1) @ weights["dense/kernel"]) + weights["dense/bias"]
    cases = Cases(answers={"the start": Answer(probabilities, np.empty(0), {})}, cases={"the start": case})
    write_record(tmp_path, "cases", cases)
    answers = answer.answer_cases(one).answers["the start"]
    assert np.allclose(answers.probabilities, probabilities, atol=1e-5)
    assert answers.loss.size == 0 and answers.gradients == {}


def test_another_module_at_a_later_call_is_told(candidate):
    text = MODULE.replace("nn.Linear(32, 3)", "nn.Linear(32, 3 + len(calls))")
    text = "calls = []\n" + text.replace("return Port()", "calls.append(Port())\n    return calls[-1]")
    with pytest.raises(UserError, match=r"another one at a later call \(net.2.weight \(3, 32\) at first, then net"):
        candidate(text + LOADERS).build()


def test_the_sample_pairs_are_files_that_can_be_read():
    for text in sample_pairs.PAIRS.values():
        compile(text, "pair", "exec")
    assert set(user.OUTPUTS) == {"what Keras predicts", "logits", "a logit", "log-probabilities"}


def test_a_replayed_batch_can_be_normalised(candidate):
    batches = list(candidate(MODULE + LOADERS).replayed(3)["loader"])
    assert len(batches) == 3
    assert nn.BatchNorm1d(32)(batches[0][0].flatten(1)).shape == (2, 32)  # of one row, torch has no variance


def test_layers_that_are_made_when_the_trainer_begins_are_bound_once(candidate):
    late = MODULE.replace("def __init__(self):\n            super().__init__()\n", "def configure_model(self):\n")
    module = candidate(late + LOADERS).build()
    weight = module.net[2].weight
    module.configure_model()
    assert module.net[2].weight is weight
