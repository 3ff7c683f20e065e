"""Differences between attentions."""

from parity.traps.layers.difference import Difference

SIZES = {"inputs": 6}
ALL = {"kinds": ("MultiHeadAttention",), "sizes": SIZES, "channels_first": False}
DIFFERENCES = [
    Difference(
        **ALL,
        id="attention-order",
        title="The order of an attention's inputs",
        what="Keras's attention is called with query, value, key; PyTorch's with query, key, value.",
        keras="layers.MultiHeadAttention(2, 3)",
        call="layer(x, x[:, ::-1], 2 * x)",
        port="nn.MultiheadAttention(6, 2, batch_first=True)",
        port_call="module(x, x.flip(1), 2 * x)[0]",
        right="KerasMultiHeadAttention(6, 2, 3)",
        right_call="module(x, x.flip(1), 2 * x)",
        x="draw(2, 5, 6)",
        size=0.67,
        largest=1.2,
    ),
    Difference(
        **ALL,
        id="attention-mask",
        title="What an attention's mask says",
        what="""Keras's mask is True where a query sees a key. That of `nn.MultiheadAttention` is True where it does
            not; `F.scaled_dot_product_attention` has Keras's. A query from which the wrong one hides all gets NaN.""",
        keras="layers.MultiHeadAttention(2, 3)",
        call="layer(x, x, attention_mask=np.arange(5) > np.zeros((5, 1)))",
        port="nn.MultiheadAttention(6, 2, batch_first=True)",
        port_call="module(x, x, x, attn_mask=torch.arange(5) > torch.zeros(5, 1))[0]",
        right="KerasMultiHeadAttention(6, 2, 3)",
        right_call="module(x, x, attention_mask=torch.arange(5) > torch.zeros(1, 5, 1))",
        x="draw(2, 5, 6)",
        size=1.3,
        largest=1.2,
    ),
    Difference(
        **ALL | {"sizes": {"inputs": 64, "heads": 4, "size": 16}},
        id="attention-start",
        title="Initial kernels of an attention",
        what="""Keras draws each projection by Glorot's law; PyTorch draws query, key and value as one matrix of three
            times as many outputs, and the last projection as any linear layer.""",
        keras="layers.MultiHeadAttention(4, 16)",
        call="layer(x, x)",
        port="nn.MultiheadAttention(64, 4, batch_first=True)",
        port_call="module(x, x, x)",
        right="KerasMultiHeadAttention(64, 4, 16)",
        right_call="module(x, x)",
        x="draw(2, 5, 64)",
        mode="start",
        compared="the standard deviations of the initial kernels of query and output",
        values="[w['query/kernel'].std(), w['attention_output/kernel'].std()]",
        size=0.052,
        largest=0.12,
    ),
    Difference(
        **ALL,
        id="attention-scale",
        title="What an attention divides its products by",
        what="Keras divides by sqrt(key_dim), the size of a head, as PyTorch does unless told otherwise.",
        keras="layers.MultiHeadAttention(2, 3)",
        call="layer(x, x)",
        port="KerasMultiHeadAttention(6, 2, 3)",
        port_call="""module.attention_output(F.scaled_dot_product_attention(
            *(part(x).unflatten(2, (2, 3)).transpose(1, 2) for part in (module.query, module.key, module.value)),
            scale=6**-0.5).transpose(1, 2).flatten(2))""",
        right="KerasMultiHeadAttention(6, 2, 3)",
        right_call="module(x, x)",
        x="draw(2, 5, 6)",
        size=0.13,
        largest=1.2,
    ),
]
