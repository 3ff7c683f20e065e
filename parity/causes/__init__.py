"""The search for known causes: what each would have given, tested against what was recorded.

A hypothesis predicts the candidate's numbers as the reference's plus the difference that the cause makes in
numpy (`parity.numpy_mlp`), so that rounding cancels. The share it explains is
1 - |candidate - predicted| / |candidate - reference|. Free numbers (a rate, a decay) are fitted or tried from the
values people use. What the causes are stands in `parity.traps.catalogue`. One file a rung.
"""
