"""Differences between poolings, padding, resizing and flattening."""

from parity.traps.layers.difference import Difference

DIFFERENCES = [
    Difference(
        id="max-pooling-same",
        kinds=("MaxPooling2D", "MaxPooling1D", "MaxPooling3D"),
        title='Max pooling with padding "same"',
        what="""As for convolutions: Keras pads what the size needs, the odd value at the end; `padding=kernel // 2`
            pads both ends.""",
        keras="layers.MaxPooling2D(3, strides=2, padding='same')",
        port="nn.MaxPool2d(3, stride=2, padding=1)",
        right="KerasMaxPool2d(3, stride=2, padding='same')",
        x="draw(2, 6, 6, 3)",
        size=1.3,
        largest=2.5,
    ),
    Difference(
        id="average-pooling-same",
        kinds=("AveragePooling2D", "AveragePooling1D", "AveragePooling3D"),
        title='Average pooling with padding "same"',
        what="""Keras leaves what it has padded out of the mean; PyTorch counts its zeros unless
            `count_include_pad=False` is given.""",
        keras="layers.AveragePooling2D(3, strides=1, padding='same')",
        port="nn.AvgPool2d(3, stride=1, padding=1)",
        right="KerasAvgPool2d(3, stride=1, padding='same')",
        x="draw(2, 6, 6, 3)",
        size=0.37,
        largest=0.96,
    ),
    Difference(
        id="zero-padding-order",
        kinds=("ZeroPadding2D", "ZeroPadding1D", "ZeroPadding3D"),
        title="The order of paddings",
        what="""Keras names the first axis first, ((top, bottom), (left, right)); PyTorch the last one, (left, right,
            top, bottom).""",
        keras="layers.ZeroPadding2D(((1, 0), (0, 1)))",
        port="nn.ZeroPad2d((1, 0, 0, 1))",
        right="nn.ZeroPad2d((0, 1, 1, 0))",
        x="draw(2, 4, 4, 3)",
        size=3.4,
        largest=2.4,
    ),
    Difference(
        id="flatten-order",
        kinds=("Flatten", "Reshape"),
        title="The order of what is flattened",
        what="""Keras flattens (H, W, C), PyTorch (C, H, W): the next layer's kernel has its rows in another order.
            Either the channels are moved before, or the kernel's rows when weights cross; the tool finds out which.""",
        keras="layers.Flatten()",
        port="nn.Flatten()",
        right="nn.Flatten()",
        right_call="module(x.movedim(1, -1))",
        x="draw(2, 4, 4, 3)",
        size=3.9,
        largest=2.4,
    ),
    Difference(
        id="resizing-corners",
        kinds=("UpSampling2D",),
        title="Corners of a bilinear resize",
        what="""Keras resizes as `align_corners=False` does, and so does `nn.Upsample` unless told otherwise;
            `nn.UpsamplingBilinear2d` aligns the corners. Nearest neighbours are the same.""",
        keras="layers.UpSampling2D(2, interpolation='bilinear')",
        port="nn.UpsamplingBilinear2d(scale_factor=2)",
        right="nn.Upsample(scale_factor=2, mode='bilinear')",
        x="draw(2, 5, 5, 3)",
        size=0.67,
        largest=2.2,
    ),
    Difference(
        id="resizing-bicubic",
        kinds=("UpSampling2D",),
        title="Bicubic resizing",
        what="TensorFlow and PyTorch interpolate by different cubic polynomials.",
        keras="layers.UpSampling2D(2, interpolation='bicubic')",
        port="nn.Upsample(scale_factor=2, mode='bicubic')",
        right="",
        x="draw(2, 5, 5, 3)",
        size=0.21,
        largest=2.6,
    ),
]
