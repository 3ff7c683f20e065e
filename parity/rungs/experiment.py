"""The rung experiment: do both run the same?"""

from mlp_spec.experiment import Experiment, differences
from parity.protocol.records import Facts
from parity.rungs.check import Check, Context, judged


def judge(reference: Facts, candidate: Facts, context: Context) -> list[Check]:
    """Checks that both ran the same experiment, and Lightning the one that was asked for."""
    ours, theirs = (Experiment.from_dict(facts.experiment) for facts in (reference, candidate))
    different = [f"Keras has {text}" for text in differences(ours, theirs)]
    different += [f"asked for {text} in Lightning" for text in differences(context.asked, theirs)]
    same = not different and {reference.experiment_hash, candidate.experiment_hash} == {ours.hash}
    detail = "; ".join(different) or f"both ran {ours.run_id}"
    return [Check("same-experiment", "experiment", judged(same), len(different), 0, detail)]
