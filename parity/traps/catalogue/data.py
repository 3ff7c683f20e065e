"""Traps in the data: pixels, labels, batches."""

from functools import partial

from parity.traps.catalogue.trap import Trap

SCALED = "float32(x) / 255"
IMAGES = "`train images and labels` fails: the hashes of the images differ, and"


def scale_pixels_in_torch(line: str) -> str:
    """Returns the port's code that scales three pixels with `line`."""
    return f"x = torch.tensor([0, 51, 255], dtype=torch.uint8)\n{line}"


scaling_trap = partial(
    Trap,
    keras=SCALED,
    inputs="Three pixels as MNIST's files hold them.",
    columns=("x = 0", "x = 51", "x = 255"),
    keras_code="""x = ops.array([0, 51, 255], dtype="uint8")
    ops.cast(x, "float32") / 255""",
    keras_numbers=(0.0, 0.2, 1.0),
)

TRAPS = [
    scaling_trap(
        id="pixels-unscaled",
        title="Pixels stay between 0 and 255",
        what="""A port that builds its tensors from the raw files misses the division that `ToTensor` would have done.
            Sigmoid and tanh layers saturate at once; the model learns slowly and says nothing. Remedy: divide by 255
            where the data is loaded.""",
        port="float32(x)",
        shows=f"{IMAGES} the candidate's range ends at 255.",
        port_code=scale_pixels_in_torch("x.float()"),
        port_numbers=(0.0, 51.0, 255.0),
    ),
    scaling_trap(
        id="pixels-256",
        title="Pixels divided by 256",
        what="""A byte has 256 values, its largest is 255: dividing by the one instead of the other makes every image a
            little darker: by 0.4 %, too little for any curve to show. Remedy: divide by 255.""",
        port="float32(x) / 256",
        shows=f"{IMAGES} the candidate's range ends below 1.",
        port_code=scale_pixels_in_torch("x.float() / 256"),
        port_numbers=(0.0, 0.19922, 0.99609),
    ),
    scaling_trap(
        id="pixels-centred",
        title="Pixels centred between -1 and 1",
        what="""`Normalize((0.5,), (0.5,))` came along with the code of another network. The model trains well, and is
            not the one that was to be ported. Remedy: no normalisation after the division.""",
        port="(float32(x) / 255 - .5) / .5",
        shows=f"{IMAGES} the candidate's range is -1 to 1.",
        port_code=scale_pixels_in_torch("(x / 255 - 0.5) / 0.5"),
        port_numbers=(-1.0, -0.6, 1.0),
    ),
    scaling_trap(
        id="pixels-standardised",
        title="Pixels standardised with MNIST's mean and deviation",
        what="""`Normalize((0.1307,), (0.3081,))` stands in most PyTorch programs for MNIST, so it comes along when the
            loading is copied. It changes every input and every gradient. Remedy: no normalisation after the
            division.""",
        port="(float32(x) / 255 - .1307) / .3081",
        shows=f"{IMAGES} the candidate's range is no longer 0 to 1.",
        port_code=scale_pixels_in_torch("(x / 255 - 0.1307) / 0.3081"),
        port_numbers=(-0.42421, 0.22493, 2.8215),
    ),
    scaling_trap(
        id="pixels-inverted",
        title="Black and white exchanged",
        what="""MNIST's background is 0; pictures on paper are white. Code that was written for the latter inverts every
            image, and the model still learns, from inputs of another mean. Remedy: leave MNIST as it is.""",
        port="1 - float32(x) / 255",
        shows=f"{IMAGES} the candidate's mean is 1 minus Keras's.",
        port_code=scale_pixels_in_torch("1 - x / 255"),
        port_numbers=(1.0, 0.8, 0.0),
    ),
    Trap(
        id="pixels-reciprocal",
        not_undone="it is rounding of one unit in the last place, within which rows are held to be the same",
        title="Pixels multiplied by 1/255 instead of divided by 255",
        what="""1/255 is rounded once more before it multiplies, so many pixels end in another last bit. Nobody sees
            it in a curve, but runs that should agree to the bit do not, and with Adam they part sooner. Remedy:
            divide.""",
        keras=SCALED,
        port="float32(x) * float32(1 / 255)",
        shows=f"{IMAGES} range and number of images agree.",
        inputs="Three pixels, with nine digits: float32 has no more.",
        columns=("x = 7", "x = 14", "x = 28"),
        keras_code="""x = ops.array([7, 14, 28], dtype="uint8")
        ops.cast(x, "float32") / 255""",
        port_code="""x = torch.tensor([7, 14, 28], dtype=torch.uint8)
        x * (1 / 255)""",
        keras_numbers=(0.0274509806, 0.0549019612, 0.109803922),
        port_numbers=(0.0274509825, 0.054901965, 0.10980393),
        digits=9,
    ),
    Trap(
        id="inputs-scaled",
        title="Inputs scaled or shifted otherwise",
        what="""Another divisor, a mean and a deviation of other rows, or a unit: every input is Keras's times a factor,
            and something is added, alike or column by column. The first layer can make up for it, so the loss falls.
            Remedy: the numbers that Keras's rows were made with.""",
        keras="x",
        port="a x + b",
        shows=f"{IMAGES} the candidate's range is another one.",
        inputs="Three inputs; the port standardises them with the mean 3 and the deviation 2.",
        columns=("x = 1", "x = 3", "x = 9"),
        keras_code="ops.array([1.0, 3.0, 9.0])",
        port_code="(torch.tensor([1.0, 3.0, 9.0]) - 3) / 2",
        keras_numbers=(1.0, 3.0, 9.0),
        port_numbers=(-1.0, 0.0, 3.0),
    ),
    Trap(
        id="batch-transfer",
        title="Batches are changed on their way",
        what="""`on_after_batch_transfer`, or `training_step` itself, scales, mirrors or augments what the loader
            served; in Keras nothing does, or the rows have been scaled once already. No look at the loader shows it.
            Remedy: leave it out, or do in Keras what it does.""",
        keras="the model is given x",
        port="the model is given f(x)",
        shows="`train images and labels` passes where the loader is right, and losses and gradients fail.",
        inputs="Three inputs that are divided by 255 before they are served; the hook divides them again.",
        columns=("x = 51", "x = 102", "x = 255"),
        keras_code="ops.array([51.0, 102.0, 255.0]) / 255",
        port_code="torch.tensor([51.0, 102.0, 255.0]) / 255 / 255",
        keras_numbers=(0.2, 0.4, 1.0),
        port_numbers=(0.00078431, 0.0015686, 0.0039216),
    ),
    Trap(
        id="pixels-moved",
        title="The same pixels at other places",
        what="""Images read column by column (or with height and width exchanged) are flattened in another order. An
            MLP does not care where a pixel is, learns just as well, and then fails on weights that were trained in
            Keras. Remedy: `reshape(-1, 784)` of (N, 28, 28), row by row.""",
        keras="x.reshape(N, 784): row by row",
        port="x transposed, then reshaped: column by column",
        shows=f"{IMAGES} number, range, mean and labels agree.",
        inputs="An image of two rows, (1, 2) and (3, 4), made flat.",
        columns=("first value", "second value", "third value"),
        keras_code="""image = ops.array([[1, 2], [3, 4]])
        ops.reshape(image, (-1,))[:3]""",
        port_code="""image = torch.tensor([[1, 2], [3, 4]])
        image.T.reshape(-1)[:3]""",
        keras_numbers=(1.0, 2.0, 3.0),
        port_numbers=(1.0, 3.0, 2.0),
    ),
    Trap(
        id="labels-changed",
        title="The same images with other labels",
        what="""Labels are renumbered on the way, for example counted among those that occur in a part of the data; or a
            few of them are wrong. The loss falls all the same, since the model learns whatever it is told. Remedy: take
            the labels as the files have them.""",
        keras="y",
        port="y with other values",
        shows="`train images and labels` fails: the images' hashes agree and the labels' do not.",
        inputs="The labels of MNIST's first three images.",
        columns=("image 1", "image 2", "image 3"),
        keras_code="""y = keras.utils.to_categorical([5, 0, 4], 10)
        y.argmax(axis=1)""",
        port_code="""y = torch.tensor([5, 0, 4])
        torch.unique(y, return_inverse=True)[1]""",
        keras_numbers=(5.0, 0.0, 4.0),
        port_numbers=(2.0, 0.0, 1.0),
    ),
    Trap(
        id="own-order",
        title="Rows in an order of their own",
        what="""`fit` shuffles unless told otherwise, `DataLoader` does not; and where both shuffle, the same seed
            means nothing: their generators have different streams. Two runs in different orders cannot be compared
            step by step. Remedy: draw the order once, outside both frameworks, and give it to both.""",
        keras="the prescribed order",
        port="an order of its own",
        shows="""`train images and labels` fails: images and labels hash otherwise, though number, range and the
            count of every label agree.""",
        inputs="Ten samples, shuffled with seed 0; the first three that come.",
        columns=("first", "second", "third"),
        keras_code="keras.random.shuffle(ops.arange(10), seed=0)[:3]",
        port_code="""torch.manual_seed(0)
        torch.randperm(10)[:3]""",
        keras_numbers=(7.0, 0.0, 4.0),
        port_numbers=(4.0, 1.0, 7.0),
    ),
    Trap(
        id="validation-data",
        title="Validation on the training data",
        what="""The wrong loader is passed on, often by copying a line. Validation then looks better than it is, and
            overfitting can no longer be seen. Remedy: look at the number of validation images, not at the accuracy.""",
        keras="x_test",
        port="x_train",
        shows="""`test images and labels` fails: the candidate's validation images are as many as the training
            images, and have their hash.""",
        inputs="Six samples, 1 to 6: three to train on, three to validate.",
        columns=("first", "second", "third"),
        keras_code="""x_train, x_test = ops.array([1, 2, 3]), ops.array([4, 5, 6])
        list(tf.data.Dataset.from_tensor_slices(x_test))""",
        port_code="""x_train, x_test = torch.tensor([1, 2, 3]), torch.tensor([4, 5, 6])
        list(DataLoader(x_train))""",
        keras_numbers=(4.0, 5.0, 6.0),
        port_numbers=(1.0, 2.0, 3.0),
    ),
    Trap(
        id="drop-last",
        title="The last, smaller batch is dropped",
        what="""`drop_last=True` leaves out what does not fill a batch; Keras trains on it. Some samples are missing
            in every epoch, and the number of steps differs wherever the batch size does not divide the data. Remedy:
            `drop_last=False`, the default.""",
        keras="every sample, every epoch: ceil(N / batch) batches",
        port="floor(N / batch) batches",
        shows="`batches` fails, on epochs with an uneven last batch: the candidate trained fewer.",
        inputs="Seven samples in batches of three.",
        columns=("batches", "samples seen", "size of the last batch"),
        keras_code="""batches = list(tf.data.Dataset.range(7).batch(3))
        [len(batches), sum(len(batch) for batch in batches), len(batches[-1])]""",
        port_code="""batches = list(DataLoader(torch.arange(7), batch_size=3, drop_last=True))
        [len(batches), sum(len(batch) for batch in batches), len(batches[-1])]""",
        keras_numbers=(3.0, 7.0, 1.0),
        port_numbers=(2.0, 6.0, 3.0),
    ),
    Trap(
        id="batch-order",
        not_undone="both are given the same order of rows, whatever a loader or a sampler would draw",
        title="The right batches in another order",
        what="""A sampler or several workers hand out the same batches in another order. The epoch's samples are
            complete, so counts and sums agree, and every weight differs after the first exchanged batch. Remedy:
            check the order at the training step, not at the sampler.""",
        keras="batches in the prescribed order",
        port="the same batches, some exchanged",
        shows="""`batches` fails at the first exchanged batch: rows, labels and pixels are summed, batch by batch, as
            they arrive at the training step.""",
        inputs="Samples 1 to 6 in batches of two; the sum of each batch.",
        columns=("batch 1", "batch 2", "batch 3"),
        keras_code="[sum(batch) for batch in tf.data.Dataset.range(1, 7).batch(2)]",
        port_code="""order = [[2, 3], [0, 1], [4, 5]]
        [batch.sum() for batch in DataLoader(torch.arange(1, 7), batch_sampler=order)]""",
        keras_numbers=(3.0, 7.0, 11.0),
        port_numbers=(7.0, 3.0, 11.0),
    ),
]
