"""Multi-head attention as Keras computes it.

PyTorch's `nn.MultiheadAttention` is called with query, key, value, and hides where its mask is True; Keras's is called
with query, value, key, and attends where its mask is True. PyTorch's heads share the embedding's size; Keras's have a
size of their own. Both start from Glorot's law, but PyTorch draws the three projections as one matrix.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from keras_like.initializers import glorot_uniform_


class KerasMultiHeadAttention(nn.Module):
    """Keras's `MultiHeadAttention`, with its order of arguments, masks and initialisers.

    Source: `keras/src/layers/attention/multi_head_attention.py` of Keras 3, after Vaswani et al. (2017).

    Args:
        inputs: size of the query's features.
        num_heads: heads.
        key_dim: size of a head's query and key.
        value_dim: size of a head's value; `key_dim` unless given.
        dropout: rate at which weights of the attention are dropped in training.
        use_bias: whether the four projections add a bias.
        value_inputs: size of the value's features; that of the query's unless given.
        key_inputs: size of the key's features; that of the value's unless given.
        output_size: size of what comes out; that of the query's features unless given.
    """

    def __init__(
        self,
        inputs,
        num_heads,
        key_dim,
        value_dim=None,
        dropout=0.0,
        use_bias=True,
        value_inputs=None,
        key_inputs=None,
        output_size=None,
    ):
        super().__init__()
        value_dim, value_inputs = value_dim or key_dim, value_inputs or inputs
        self.num_heads, self.key_dim, self.value_dim, self.dropout = num_heads, key_dim, value_dim, dropout
        self.query = nn.Linear(inputs, num_heads * key_dim, use_bias)
        self.key = nn.Linear(key_inputs or value_inputs, num_heads * key_dim, use_bias)
        self.value = nn.Linear(value_inputs, num_heads * value_dim, use_bias)
        self.attention_output = nn.Linear(num_heads * value_dim, output_size or inputs, use_bias)
        for layer in (self.query, self.key, self.value, self.attention_output):
            glorot_uniform_(layer.weight)
            if use_bias:
                nn.init.zeros_(layer.bias)

    def forward(
        self, query, value, key=None, attention_mask=None, use_causal_mask=False, return_attention_scores=False
    ):
        """Attends.

        Args:
            query: (N, T, inputs).
            value: (N, S, value_inputs).
            key: (N, S, key_inputs); the value unless given.
            attention_mask: (N, T, S), or (N, 1, S), (T, S) and so on: True where a query sees a key.
            use_causal_mask: whether each query sees no key behind it.
            return_attention_scores: whether the weights (N, num_heads, T, S) are returned, too.

        Returns:
            (N, T, output_size); and the weights if they are asked for.
        """
        key = value if key is None else key
        q = self.query(query).unflatten(-1, (self.num_heads, self.key_dim)).transpose(1, 2)  # (N, heads, T, key_dim)
        k = self.key(key).unflatten(-1, (self.num_heads, self.key_dim)).transpose(1, 2)  # (N, heads, S, key_dim)
        v = self.value(value).unflatten(-1, (self.num_heads, self.value_dim)).transpose(1, 2)
        mask = None if attention_mask is None else attention_mask.bool()
        if mask is not None and mask.ndim == 3:
            mask = mask[:, None]  # of all heads
        if use_causal_mask:
            causal = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
            mask = causal if mask is None else mask & causal
        # softmax(q k^T / sqrt(key_dim)), without what is hidden
        logits = (q / math.sqrt(self.key_dim)) @ k.mT  # (N, heads, T, S)
        weights = (logits if mask is None else logits.masked_fill(~mask, torch.finfo(logits.dtype).min)).softmax(dim=-1)
        if mask is not None and (self.dropout or return_attention_scores):
            # then Keras's softmax hides anew, and a query that sees no key gets nothing; else it gets the mean
            weights = weights.masked_fill(~mask, 0.0)
        dropped = F.dropout(weights, self.dropout, self.training)
        output = self.attention_output((dropped @ v).transpose(1, 2).flatten(2))  # (N, T, output_size)
        return (output, weights) if return_attention_scores else output
