"""A user's loaders: what stands in their batches is found, Keras's rows are served in them, and theirs are compared."""

import weakref

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from mlp_spec.support.errors import UserError
from parity.adapters.torch.rows import UserRows
from parity.protocol.user_data import joined

DRAW = np.random.default_rng(0)
X, Y = DRAW.random((50, 4, 4, 2)).astype(np.float32), DRAW.integers(0, 3, 50)
CODES, W = DRAW.integers(0, 9, (50, 3)), DRAW.random(50)
IMAGES, LABELS = torch.from_numpy(X).movedim(-1, 1), torch.from_numpy(Y)


def rows_of(*tensors, x=X, y=Y, val=None, **options) -> UserRows:
    """Returns the rows of a loader of some tensors, beside Keras's."""
    train = DataLoader(TensorDataset(*tensors), **{"batch_size": 8, "shuffle": True, **options})
    return opened((train, val or train), x, y)


def opened(given, x=X, y=Y) -> UserRows:
    """Returns the rows of any loaders."""
    arrays = {"x_train": x, "y_train": y, "x_test": x, "y_test": y}
    return UserRows(given, arrays, "float32", "own.py: lightning_data()")


def places(rows: UserRows) -> list[str]:
    """Returns what was found, in words."""
    return [str(place) for place in rows.places.values()]


def test_the_form_of_batches_is_found_and_keras_rows_are_served_in_it():
    rows = rows_of(IMAGES, LABELS)
    assert places(rows) == ["input channels first", "target as in Keras"]
    x, y = rows.batch_of(X[:5], Y[:5])
    assert torch.equal(x, IMAGES[:5]) and y.tolist() == Y[:5].tolist()
    batches = list(rows.batches("train", np.arange(49, -1, -1), 8))
    assert [len(batch[1]) for batch in batches] == [8] * 6 + [2] and batches[0][1][0] == Y[49]


def test_a_batch_may_be_nested_and_hold_what_is_no_tensor():
    items = [{"image": (a.flatten(), str(i)), "label": b} for i, (a, b) in enumerate(zip(IMAGES, LABELS, strict=True))]
    rows = opened((DataLoader(items, batch_size=8), DataLoader(items)))
    assert places(rows) == ["input channels first, flattened", "target as in Keras"]
    batch = rows.batch_of(X[:3], Y[:3])
    assert batch["image"][0].shape == (3, 32) and batch["image"][1][0] == "0" and batch["label"].tolist() == [*Y[:3]]


def test_several_targets_are_told_by_their_values():
    y = joined({"target kind": Y, "target size": W[:, None].astype(np.float32), "target other": -W.astype(np.float32)})
    w = torch.from_numpy(W).float()
    rows = rows_of(-w, IMAGES, w, LABELS, y=y)
    assert places(rows) == [
        "target other as in Keras", "input channels first", "target size without the last axis",
        "target kind as in Keras",
    ]  # fmt: skip
    other, images, size, labels = rows.batch_of(X[:4], y[:4])
    assert torch.equal(other, -w[:4]) and torch.equal(size, w[:4]) and torch.equal(labels, LABELS[:4])
    with pytest.raises(
        UserError, match=r"a batch holds several targets, which the loss of \(module, loss, optimizer\)"
    ):
        rows.split_batch((other, images, size, labels))
    with pytest.raises(UserError, match=r"y_train \(target other\) has rows of \(\) in Keras's data"):
        rows_of(IMAGES, LABELS, w, y=y)


def test_several_inputs_and_weights_are_told_by_their_values():
    x, y = joined({"image": X, "codes": CODES}), joined({"target": Y, "weight": W})
    rows = rows_of(torch.from_numpy(CODES), LABELS, torch.from_numpy(W).float(), IMAGES, x=x, y=y)
    assert places(rows) == [
        "input codes as in Keras", "target as in Keras", "weight as in Keras", "input image channels first",
    ]  # fmt: skip
    codes, labels, weights, images = rows.batch_of(x[:4], y[:4])
    assert torch.equal(images, IMAGES[:4]) and np.array_equal(codes, CODES[:4]) and np.array_equal(labels, Y[:4])
    assert np.allclose(weights, W[:4]) and weights.dtype == torch.float32
    assert [len(part) for part in rows.around(rows.inputs_of(x[:2]))] == [2] * 4
    with pytest.raises(UserError, match="a batch holds weights of rows, which the loss of"):
        rows.split_batch(rows.batch_of(x[:4], y[:4]))
    assert places(rows_of(IMAGES, LABELS, y=y)) == ["input channels first", "target as in Keras"]  # in the loss, then


def test_weights_of_each_target_are_told_by_their_values():
    y = joined({"target kind": Y, "target size": W, "weight kind": 1 - W, "weight size": W**2 + 1})
    batch = [torch.from_numpy(array).float() for array in (W**2 + 1, W, 1 - W)]
    rows = rows_of(IMAGES, *batch, LABELS, y=y)
    names = ["weight size", "target size", "weight kind", "target kind"]
    assert places(rows) == ["input channels first", *(f"{name} as in Keras" for name in names)]
    parts = rows.batch_of(X[:4], y[:4])
    assert all(np.allclose(part, one[:4]) for part, one in zip(parts[1:], [*batch, LABELS], strict=True))
    with pytest.raises(UserError, match="a batch holds weights of rows, which the loss of"):
        rows.split_batch(parts)
    rows = rows_of(IMAGES, batch[1], LABELS, y=y)  # in the loss, then
    assert places(rows)[1:] == ["target size as in Keras", "target kind as in Keras"]


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_what_is_not_a_number_in_the_loader_is_told(value):
    images = IMAGES.clone()
    images[7, 1, 2, 3] = value
    val = DataLoader(TensorDataset(images, LABELS), batch_size=8)
    rows = rows_of(IMAGES, LABELS, val=val)
    assert rows.describe("train", "full")["different"] == 0
    with pytest.raises(UserError, match=r"the validation loader serves what is not a number \(NaN or infinite\)"):
        rows.describe("test", "full")
    with pytest.raises(UserError, match="the training loader serves what is not a number"):
        rows_of(images, LABELS).describe("train", "full")


@pytest.mark.parametrize(("change", "low", "high"), [(1, 1, 3), (-1, -1, 1)])
def test_labels_that_are_no_classes_are_told(change, low, high):
    arrays = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}
    loader = DataLoader(TensorDataset(IMAGES, LABELS + change), batch_size=8)
    with pytest.raises(UserError, match=f"serves labels from {low} to {high}; the model has the classes 0 to 2"):
        UserRows((loader, loader), arrays, "float32", "own.py: lightning_data()", 3).describe("train", "full")
    assert UserRows((loader, loader), arrays, "float32", "", 0).describe("train", "full")["different"] == 50


def test_a_batch_is_split_into_its_inputs_and_its_target():
    rows = rows_of(torch.from_numpy(CODES), LABELS, IMAGES, x=joined({"image": X, "codes": CODES}))
    (codes, images), labels = rows.split_batch([torch.zeros(1), torch.ones(2), torch.zeros(3)])
    assert [len(part) for part in (codes, labels, images)] == [1, 2, 3]


def test_the_users_rows_are_compared_with_keras_rows():
    found = rows_of(IMAGES, LABELS, drop_last=True).describe("train", "full")
    assert (found["compared"], found["different"], found["batch_size"], found["drop_last"]) == (50, 0, 8, True)
    assert not found["random"] and found["order"] == "the same"
    scaled = rows_of(IMAGES * 2, LABELS).describe("train", "full")
    assert scaled["different"] == 50 and 0.5 < scaled["largest"] < 1
    shifted = rows_of(IMAGES, LABELS.roll(1)).describe("test", "full")
    assert 10 < shifted["different"] < 50 and shifted["order"] == "the same"


def test_the_same_rows_in_another_order_are_no_difference():
    order = torch.from_numpy(DRAW.permutation(50))
    found = rows_of(IMAGES[order], LABELS[order]).describe("train", "full")
    assert (found["different"], found["order"], found["samples"]) == (0, "another", 50)
    wrong = rows_of(IMAGES[order], LABELS[order].roll(1)).describe("train", "full")
    assert wrong["different"] > 10


class Stream(IterableDataset):
    """Rows that have no numbers, from the last to the first; with no end if asked."""

    def __init__(self, images=IMAGES, endless=False):
        self.images, self.endless = images, endless

    def __iter__(self):
        while True:
            yield from reversed(list(zip(self.images, LABELS.repeat(len(self.images) // 50), strict=True)))
            if not self.endless:
                return


@pytest.mark.parametrize("level", ["quick", "full"])
def test_rows_without_numbers_are_compared_by_value(level):
    rows = opened((DataLoader(Stream(), batch_size=8), DataLoader(Stream(), batch_size=8)))
    assert places(rows) == ["input channels first", "target as in Keras"]
    found = rows.describe("train", level)
    assert (found["samples"], found["different"], found["order"]) == (50, 0, "as they come")
    other = IMAGES.clone()
    other[7] += 1
    assert opened((DataLoader(Stream(other), batch_size=8),) * 2).describe("train", level)["different"] == 1
    longer = opened((DataLoader(Stream(torch.cat([IMAGES, IMAGES])), batch_size=8),) * 2).describe("test", level)
    assert longer["samples"] > 50
    endless = opened((DataLoader(Stream(endless=True), batch_size=8),) * 2)
    with pytest.raises(UserError, match=r"the training loader has served 152 rows and goes on; Keras has 50\."):
        endless.describe("train", level)


def test_rounding_is_no_difference_of_rows_without_numbers():
    rounded = IMAGES / 3 * 3
    assert not torch.equal(rounded, IMAGES)
    rows = opened((DataLoader(Stream(rounded), batch_size=8),) * 2)
    assert [rows.describe(split, "full")["different"] for split in ("train", "test")] == [0, 0]


def test_far_too_many_rows_have_an_end_where_the_data_set_has_one():
    many = DataLoader([(IMAGES[:10], LABELS[:10])] * 20, batch_size=None)
    assert opened((DataLoader(Stream(), batch_size=8), many)).describe("test", "full")["samples"] > 150


def test_a_third_loader_is_a_test_sets_and_left_out():
    loader = DataLoader(TensorDataset(IMAGES, LABELS), batch_size=8)
    assert opened((loader, loader, None)).loaders == {"train": loader, "test": loader}


def test_a_random_transform_is_seen():
    def noisy(items):
        images, labels = default_collate(items)
        return images + torch.rand(1) / 9, labels

    assert rows_of(IMAGES, LABELS, collate_fn=noisy).describe("train", "full")["random"]


def test_a_tensor_that_keras_is_not_given_is_filled_with_rows_that_are_known():
    others = torch.rand(50, 5)
    rows = rows_of(IMAGES, LABELS, others, batch_size=4)
    assert list(rows.unused) == [2] and torch.equal(rows.batch_of(X[:40], Y[:40])[2], others[torch.arange(40) % 32])


def test_a_target_that_is_an_input_need_not_stand_in_a_batch():
    rows = rows_of(IMAGES, LABELS, y=X)
    assert places(rows) == ["input channels first"] and list(rows.unused) == [1]
    flat = X.reshape(50, -1)  # whose largest value is no label, though it has a shape like one
    assert places(rows_of(IMAGES, LABELS, x=flat, y=flat)) == ["input as images (4, 4, 2), channels first"]
    with pytest.raises(UserError, match=r"y_train has rows of \(4, 4, 2\) in Keras's data"):
        rows_of(IMAGES, LABELS, y=X + 1)


def test_flat_rows_may_be_images_in_a_batch():
    images = torch.from_numpy(X.reshape(50, 2, 4, 4))
    rows = rows_of(images, images, x=X.reshape(50, -1), y=X.reshape(50, -1))
    assert places(rows) == ["input as images (2, 4, 4)", "target as images (2, 4, 4)"]
    assert places(rows_of(IMAGES, LABELS, x=X.reshape(50, -1))) == [
        "input as images (4, 4, 2), channels first", "target as in Keras",
    ]  # fmt: skip


def test_loaders_are_let_go_and_keras_rows_served_on():
    class Own(Dataset):
        """A data set that nobody else holds."""

        def __len__(self):
            return 50

        def __getitem__(self, number):
            return IMAGES[number], LABELS[number]

    own = Own()
    seen = weakref.ref(own)
    rows = opened((DataLoader(own, batch_size=8), DataLoader(own, batch_sampler=[range(5)] * 10)))
    before = [rows.batch_size(split) for split in ("train", "test")]
    served = list(rows.batches("train", np.arange(9), 4))
    del own
    assert seen() is not None
    rows.let_go()
    assert seen() is None
    assert [rows.batch_size(split) for split in ("train", "test")] == before
    again = list(rows.batches("train", np.arange(9), 4))
    assert len(again) == 3
    for old, new in zip(served, again, strict=True):
        assert all(map(torch.equal, old, new))


def test_rows_in_files_are_served_as_they_are(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = rows_of(IMAGES, LABELS, x=np.load(tmp_path / "x.npy", mmap_mode="r"))
    order = np.arange(50)[::-1]
    passes = [one.batches("train", order, 7) for one in (mapped, rows_of(IMAGES, LABELS))]
    for served, expected in zip(*passes, strict=True):
        assert torch.equal(served[0], expected[0])
    assert mapped.describe("train", "full")["different"] == 0
