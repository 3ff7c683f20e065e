"""Traps in the architecture: layers and activations."""

from parity.traps.catalogue.trap import Trap

TRAPS = [
    Trap(
        id="activation",
        title="Another activation, perhaps of the same name",
        what="""A layer gets ReLU out of habit, or an activation whose name is the same and whose numbers are not:
            `LeakyReLU` is one. The model has the right sizes and the right number of parameters. Remedy: compare
            activations by what they do to a few numbers.""",
        keras="LeakyReLU(): max(z, .3 z)",
        port="nn.LeakyReLU(): max(z, .01 z)",
        shows="`layers` fails and names the layer: activations are told by the values they give, not by their names.",
        inputs="What both layers called LeakyReLU make of three numbers.",
        columns=("z = -2", "z = -1", "z = 1"),
        keras_code="keras.layers.LeakyReLU()(ops.array([-2.0, -1.0, 1.0]))",
        port_code="nn.LeakyReLU()(torch.tensor([-2.0, -1.0, 1.0]))",
        keras_numbers=(-0.6, -0.3, 1.0),
        port_numbers=(-0.02, -0.01, 1.0),
    ),
]
