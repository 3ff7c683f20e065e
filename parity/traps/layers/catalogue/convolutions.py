"""Differences between convolutions."""

from parity.traps.layers.difference import Difference

KERNEL_START = "the standard deviation of the initial kernel"
DIFFERENCES = [
    Difference(
        id="same-padding-with-strides",
        kinds=("Conv2D", "Conv1D", "Conv3D", "DepthwiseConv2D", "SeparableConv2D"),
        title='Padding "same" with strides',
        what="""Keras pads as much as the input's size needs, and the odd row or column at the end;
            `padding=kernel // 2` pads both ends alike. PyTorch refuses `padding="same"` with strides; without them
            the two are the same.""",
        keras="layers.Conv2D(4, 3, strides=2, padding='same')",
        port="nn.Conv2d(3, 4, 3, stride=2, padding=1)",
        right="KerasConv2d(3, 4, 3, padding='same', stride=2)",
        x="draw(2, 6, 6, 3)",
        size=4.6,
        largest=3.4,
    ),
    Difference(
        id="causal-padding",
        kinds=("Conv1D",),
        title='Padding "causal"',
        what="""Keras pads the past alone, by (kernel - 1) dilation zeros. PyTorch has no such padding, and its "same"
            lets every step see the next one.""",
        keras="layers.Conv1D(4, 3, padding='causal')",
        port="nn.Conv1d(3, 4, 3, padding='same')",
        right="KerasConv1d(3, 4, 3, padding='causal')",
        x="draw(2, 8, 3)",
        size=4.6,
        largest=3.3,
    ),
    Difference(
        id="convolution-start",
        kinds=("Conv2D", "Conv1D", "Conv3D"),
        title="Initial kernels",
        what="""Keras draws kernels from Glorot's uniform law, sqrt(6 / (fan_in + fan_out)), and starts biases at 0;
            PyTorch draws both from U(-l, l) with l = 1 / sqrt(fan_in).""",
        keras="layers.Conv2D(64, 3)",
        port="nn.Conv2d(32, 64, 3)",
        right="nn.Conv2d(32, 64, 3)",
        right_call="glorot_uniform_(module.weight)",
        x="draw(1, 4, 4, 32)",
        sizes={"inputs": 32, "outputs": 64},
        mode="start",
        compared=KERNEL_START,
        values="w['kernel'].std()",
        size=0.014,
        largest=0.048,
    ),
    Difference(
        id="transposed-same",
        kinds=("Conv2DTranspose", "Conv1DTranspose", "Conv3DTranspose"),
        title='Transposed convolution with padding "same"',
        what="""Keras's output is strides times as long as its input, and what is too much is cut from both ends, the
            odd value from the end. PyTorch's `padding` and `output_padding` give the same length; with an odd kernel
            and an even stride, or the reverse, all values are one place off.""",
        keras="layers.Conv2DTranspose(4, 3, strides=2, padding='same')",
        port="nn.ConvTranspose2d(3, 4, 3, stride=2, padding=1, output_padding=1)",
        right="KerasConvTranspose2d(3, 4, 3, stride=2, padding='same')",
        x="draw(2, 5, 5, 3)",
        size=3.3,
        largest=2.7,
    ),
    Difference(
        id="transposed-start",
        kinds=("Conv2DTranspose", "Conv1DTranspose", "Conv3DTranspose"),
        title="Initial kernels of a transposed convolution",
        what="""Glorot's law in Keras, whose kernel has outputs before inputs; in PyTorch 1 / sqrt(fan_in), where it
            takes the outputs for the inputs.""",
        keras="layers.Conv2DTranspose(64, 3)",
        port="nn.ConvTranspose2d(32, 64, 3)",
        right="nn.ConvTranspose2d(32, 64, 3)",
        right_call="glorot_uniform_(module.weight)",
        x="draw(1, 4, 4, 32)",
        sizes={"inputs": 32, "outputs": 64},
        mode="start",
        compared=KERNEL_START,
        values="w['kernel'].std()",
        size=0.024,
        largest=0.048,
    ),
    Difference(
        id="depthwise-channels",
        kinds=("DepthwiseConv2D", "DepthwiseConv1D", "SeparableConv2D", "SeparableConv1D"),
        title="Channels of a depthwise kernel, turned as another kernel is",
        what="""Keras's kernel ends in (inputs, multiplier); output channel c * multiplier + m belongs to input
            channel c in both frameworks. Turned round as the kernel of a Conv2D, (multiplier, inputs), it fits and is
            wrong.""",
        keras="layers.DepthwiseConv2D(3, depth_multiplier=2)",
        port="nn.Conv2d(3, 6, 3, groups=3)",
        port_call="""F.conv2d(x, module.weight.unflatten(0, (3, 2)).transpose(0, 1).flatten(0, 1), module.bias,
            groups=3)""",
        right="nn.Conv2d(3, 6, 3, groups=3)",
        x="draw(2, 5, 5, 3)",
        size=3.8,
        largest=1.8,
    ),
    Difference(
        id="depthwise-start",
        kinds=("DepthwiseConv2D", "DepthwiseConv1D", "SeparableConv2D", "SeparableConv1D"),
        title="Initial kernels of a depthwise convolution",
        what="""Keras counts all channels as inputs and the multiplier as outputs; to PyTorch, a kernel with groups has
            one input.""",
        keras="layers.DepthwiseConv2D(3, depth_multiplier=2)",
        port="nn.Conv2d(64, 128, 3, groups=64)",
        right="nn.Conv2d(64, 128, 3, groups=64)",
        right_call="glorot_uniform_(module.weight, depthwise=64)",
        x="draw(1, 4, 4, 64)",
        sizes={"inputs": 64},
        mode="start",
        compared=KERNEL_START,
        values="w['kernel'].std()",
        size=0.14,
        largest=0.058,
    ),
]
