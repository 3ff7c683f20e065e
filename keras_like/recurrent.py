"""Recurrent layers that start, step and mask as Keras's do.

PyTorch adds two biases, `bias_ih` and `bias_hh`, where Keras's SimpleRNN and LSTM have one. Both get the gradient of
their sum, so that the sum steps twice as far: here the second one stays zero and is not trained. A GRU has two biases
in both frameworks, unless `reset_after=False`, which `nn.GRU` cannot do. PyTorch draws all weights from
U(-1/sqrt(u), 1/sqrt(u)); Keras kernels by Glorot's law and recurrent kernels as orthogonal matrices, with biases of
zeros and ones for the LSTM's forget gate.

Gates lie as in PyTorch: i, f, g, o are Keras's i, f, c, o; r, z, n are Keras's r, z, h, which it stores as z, r, h.
Sources: `keras/src/layers/rnn/{lstm,gru,simple_rnn,rnn,bidirectional}.py`, `keras/src/backend/tensorflow/rnn.py`.
"""

import torch
import torch.nn.functional as F
from torch import nn

from keras_like.initializers import glorot_uniform_

SECOND_BIAS = "bias_hh"


class KerasStart:
    """What all classes below share: Keras's initial weights, and one bias where Keras has one."""

    trains_second_bias = False

    def reset_parameters(self):
        """Draws the weights as Keras does; leaves the second biases untrained where Keras has one."""
        for name, weight in self.named_parameters():
            if "weight_ih" in name:  # (gates * hidden, inputs)
                glorot_uniform_(weight)
            elif "weight_hh" in name:  # (gates * hidden, hidden), with orthonormal columns
                nn.init.orthogonal_(weight)
            else:
                nn.init.zeros_(weight)
                self.reset_bias(name, weight)
            if SECOND_BIAS in name:
                weight.requires_grad_(self.trains_second_bias)

    def reset_bias(self, name, bias):
        """Leaves zeros."""


class UnitForgetBias(KerasStart):
    """An LSTM's biases: ones for the forget gate, Keras's `unit_forget_bias`."""

    def reset_bias(self, name, bias):
        """Sets the second quarter of the first bias, the forget gate's, to ones."""
        if SECOND_BIAS not in name:
            with torch.no_grad():
                bias.chunk(4)[1].fill_(1.0)


class KerasRecurrent(KerasStart):
    """The base of the three layers below, each of which stands in the place of the one of `torch.nn`.

    Without a mask and with Keras's default functions, PyTorch's own code runs.
    """

    is_native = True  # whether PyTorch's own code computes the same

    def forward(self, input, hx=None, mask=None):
        """Runs the layers.

        Args:
            input: (batch, steps, inputs) with `batch_first=True`, else (steps, batch, inputs).
            hx: the initial states as PyTorch takes them, (layers * directions, batch, hidden); zeros unless given.
            mask: (batch, steps), True where a step counts. A step that does not leaves the states as they are, and its
                output is the one before; in a bidirectional layer it is zeros, as in Keras's Bidirectional.

        Returns:
            the outputs of the last layer, and the last states, as PyTorch's.

        Raises:
            ValueError: a mask or functions of one's own come with an input that is not (batch, steps, inputs).
        """
        if self.is_native and mask is None:
            return super().forward(input, hx)
        if not torch.is_tensor(input) or input.dim() != 3:
            raise ValueError("the input must be one tensor of three axes: batch, steps and inputs")
        x = input if self.batch_first else input.transpose(0, 1)
        count = 1 + self.bidirectional
        finals = []
        for layer in range(self.num_layers):
            outputs = []
            for is_reverse in (False, True)[:count]:
                number = layer * count + is_reverse
                output, states = self.run(x, self.initial_states(x, hx, number), mask, layer, is_reverse)
                outputs.append(output)
                finals.append(states)
            x = torch.cat(outputs, dim=-1)
            if layer + 1 < self.num_layers:
                x = F.dropout(x, self.dropout, self.training)
        stacked = tuple(torch.stack(states) for states in zip(*finals, strict=True))
        return x if self.batch_first else x.transpose(0, 1), stacked if len(stacked) > 1 else stacked[0]

    def initial_states(self, x, hx, number):
        """Returns the states that a layer's direction starts from."""
        if hx is None:
            return tuple(x.new_zeros(len(x), self.hidden_size) for _ in range(2 if isinstance(self, nn.LSTM) else 1))
        return tuple(state[number] for state in (hx if isinstance(hx, tuple) else (hx,)))

    def run(self, x, states, mask, layer, is_reverse):
        """Runs one direction of a layer over (batch, steps, inputs); returns (batch, steps, hidden) and the states."""
        suffix = f"_l{layer}{'_reverse' * is_reverse}"
        kernel, recurrent = (getattr(self, f"weight_{name}{suffix}") for name in ("ih", "hh"))
        biases = [getattr(self, f"bias_{name}{suffix}") if self.bias else None for name in ("ih", "hh")]
        projected, output = F.linear(x, kernel, biases[0]), torch.zeros_like(states[0])
        steps = range(x.shape[1])
        outputs = {}
        for t in reversed(steps) if is_reverse else steps:
            new = self.step(projected[:, t], states, recurrent, biases[1])
            if mask is None:
                output, states = new[0], new
            else:
                kept = mask[:, t, None].bool()
                output = torch.where(kept, new[0], torch.zeros_like(output) if self.bidirectional else output)
                states = tuple(torch.where(kept, after, before) for after, before in zip(new, states, strict=True))
            outputs[t] = output
        return torch.stack([outputs[t] for t in steps], dim=1), states


class KerasRNN(KerasRecurrent, nn.RNN):
    """Keras's SimpleRNN, with the arguments of `nn.RNN`; see `KerasRecurrent`."""

    def step(self, projected, states, recurrent, bias):
        """Computes one step."""
        # h = f(x W + b + h U)
        h = projected + F.linear(states[0], recurrent, bias)
        return (torch.tanh(h) if self.nonlinearity == "tanh" else torch.relu(h),)


class KerasLSTM(UnitForgetBias, KerasRecurrent, nn.LSTM):
    """Keras's LSTM.

    Args:
        arguments, options: of `nn.LSTM`.
        activation, recurrent_activation: Keras's, as functions: of cell and output, and of the gates.
    """

    def __init__(self, *arguments, activation=torch.tanh, recurrent_activation=torch.sigmoid, **options):
        super().__init__(*arguments, **options)
        self.activation, self.recurrent_activation = activation, recurrent_activation
        self.is_native = activation is torch.tanh and recurrent_activation is torch.sigmoid

    def step(self, projected, states, recurrent, bias):
        """Computes one step."""
        h, c = states
        i, f, g, o = (projected + F.linear(h, recurrent, bias)).chunk(4, dim=1)
        # c = f c + i g, h = o tanh(c)
        c = self.recurrent_activation(f) * c + self.recurrent_activation(i) * self.activation(g)
        return self.recurrent_activation(o) * self.activation(c), c


class KerasGRU(KerasRecurrent, nn.GRU):
    """Keras's GRU.

    Args:
        arguments, options: of `nn.GRU`.
        reset_after: whether the reset gate comes after the product with the recurrent kernel, as in PyTorch and, unless
            said otherwise, in Keras. If it does not, there is one bias.
        activation, recurrent_activation: Keras's, as functions: of the new state, and of the gates.
    """

    def __init__(
        self, *arguments, reset_after=True, activation=torch.tanh, recurrent_activation=torch.sigmoid, **options
    ):
        self.trains_second_bias = reset_after
        super().__init__(*arguments, **options)
        self.reset_after = reset_after
        self.activation, self.recurrent_activation = activation, recurrent_activation
        self.is_native = reset_after and activation is torch.tanh and recurrent_activation is torch.sigmoid

    def step(self, projected, states, recurrent, bias):
        """Computes one step."""
        (h,), size = states, self.hidden_size
        x_r, x_z, x_n = projected.chunk(3, dim=1)
        both = F.linear(h, recurrent[: 2 * size], None if bias is None else bias[: 2 * size])
        r, z = (self.recurrent_activation(gate) for gate in (torch.cat([x_r, x_z], dim=1) + both).chunk(2, dim=1))
        last = None if bias is None else bias[2 * size :]
        # n = tanh(x + r (h U + b)), or tanh(x + (r h) U)
        if self.reset_after:
            n = self.activation(x_n + r * F.linear(h, recurrent[2 * size :], last))
        else:
            n = self.activation(x_n + F.linear(r * h, recurrent[2 * size :], last))
        # h = z h + (1 - z) n
        return (z * h + (1 - z) * n,)


class KerasRNNCell(KerasStart, nn.RNNCell):
    """One step of Keras's SimpleRNN."""


class KerasLSTMCell(UnitForgetBias, nn.LSTMCell):
    """One step of Keras's LSTM."""


class KerasGRUCell(KerasStart, nn.GRUCell):
    """One step of Keras's GRU."""

    trains_second_bias = True
