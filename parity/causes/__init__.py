"""The search for known causes: what each would have given, tested against what was recorded.

A hypothesis predicts the candidate's numbers as the reference's plus the difference that the cause makes in
numpy (`parity.numpy_mlp`), so that rounding cancels. What it explains is 1 - |candidate - predicted| / |candidate -
reference|. Free numbers (a rate, a decay) are fitted or tried from the values people use. What the causes are stands
in `parity.traps.catalogue`.
"""

from parity.causes.data import of_facts
from parity.causes.forward import of_cases
from parity.causes.found import Evidence, Found, explained
from parity.causes.initial_weights import of_initial
from parity.causes.lockstep import of_restarts
from parity.causes.metrics import of_metrics
from parity.causes.optimizer import of_optimizer

__all__ = ["SEARCHES", "Evidence", "Found", "explained", "of_restarts"]

SEARCHES = {
    "facts": of_facts,
    "initial": of_initial,
    "cases": of_cases,
    "optimizer": of_optimizer,
    "metrics": of_metrics,
}
