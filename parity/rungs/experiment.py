"""The rung experiment: do both run the same?"""

from mlp_spec.experiment import differences
from parity.pair import Settings, experiment_from
from parity.protocol.records import Facts
from parity.rungs.check import Check, Context, judged


def judge(reference: Facts, candidate: Facts, context: Context) -> list[Check]:
    """Checks that both ran the same experiment, and Lightning the one that was asked for."""
    ours, theirs = (experiment_from(facts.experiment) for facts in (reference, candidate))
    if isinstance(ours, Settings):
        quirks = [Check(quirk.id, "experiment", "info", None, None, quirk.text) for quirk in reference.quirks]
        return [*compare_batches(reference, candidate), compare_rates(reference, candidate), *quirks]
    different = [f"Keras has {text}" for text in differences(ours, theirs)]
    different += [f"asked for {text} in Lightning" for text in differences(context.asked, theirs)]
    same = not different and {reference.experiment_hash, candidate.experiment_hash} == {ours.hash}
    detail = "; ".join(different) or f"both ran {ours.run_id}"
    return [Check("same-experiment", "experiment", judged(same), len(different), 0, detail)]


def compare_batches(reference: Facts, candidate: Facts) -> list[Check]:
    """Checks that the user's own loader cuts batches as Keras does; it is given Keras's all the same."""
    theirs = candidate.data["train"]
    ours = reference.experiment["training"]["batch_size"]
    detail = f"Keras's batches have {ours} rows, the training loader's {theirs['batch_size']}"
    if theirs["batch_size"] != ours:
        detail += "; BATCH_SIZE in the pair file says what Keras trains with"
    same = theirs["batch_size"] == ours
    checks = [Check("batch-size", "experiment", judged(same), theirs["batch_size"], ours, detail)]
    if theirs["drop_last"] and theirs["samples"] % ours:
        detail = f"the loader leaves out the last {theirs['samples'] % ours} rows (drop_last); Keras trains on them"
        checks.append(Check("last-batch", "experiment", "fail", theirs["samples"] % ours, 0, detail))
    return checks


def compare_rates(reference: Facts, candidate: Facts) -> Check:
    """Checks the rates of what drops by chance; and says whether both drop the same in the training."""
    ours, theirs = (" ".join(f"{rate:g}" for rate in facts.rates) or "none" for facts in (reference, candidate))
    same_masks = reference.random_layers and len(candidate.rates) == len(reference.rates)
    detail = f"Keras {ours}, candidate {theirs}"
    if reference.rates or candidate.rates:
        why = f" ({reference.silent})" if reference.silent else ""
        how = "the candidate drops what Keras dropped" if same_masks else f"nothing is dropped{why}"
        if reference.random_layers and not same_masks:
            how = "Keras drops and the candidate does not: they do not drop as often"
        detail += f"; nothing is dropped while single batches are compared; in the training, {how}"
    return Check("rates-of-dropout", "experiment", judged(ours == theirs), theirs, ours, detail)
