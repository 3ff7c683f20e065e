"""The rung experiment: do both run the same?"""

from mlp_spec.experiment import differences
from parity.pair import Settings, experiment_from
from parity.protocol.records import Facts
from parity.rungs.check import Check, Context, judged
from parity.rungs.stateful import judge_batches

ADDING = ("GaussianNoise", "GaussianDropout")  # kinds of Keras's that do not drop, but add or multiply
# By split, the check of a last batch that is left out, and what is done with its rows.
LAST = {
    "train": ("last-batch", ("training", "trains on")),
    "test": ("last-validation-batch", ("validation", "validates on")),
}
INSIDE = (" dropout", " recurrent_dropout")  # what the kinds end with that drop inside of a layer, `LSTM dropout`


def judge(reference: Facts, candidate: Facts, context: Context) -> list[Check]:
    """Checks that both ran the same experiment, and Lightning the one that was asked for."""
    ours, theirs = (experiment_from(facts.experiment) for facts in (reference, candidate))
    if isinstance(ours, Settings):
        batches = [] if context.untrained else compare_batches(reference, candidate)
        quirks = [Check(quirk.id, "experiment", "info", None, None, quirk.text) for quirk in reference.quirks]
        batches += judge_batches(reference, candidate)
        return [*batches, compare_rates(reference, candidate), *quirks]
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
        detail += "; BATCH_SIZE in a pair file, or --batch-size of targets, says what Keras trains with"
    same = theirs["batch_size"] == ours
    checks = [Check("batch-size", "experiment", judged(same), theirs["batch_size"], ours, detail)]
    shuffles = [facts.data.get("train", {}).get("shuffles") for facts in (reference, candidate)]
    if not reference.stateful and None not in shuffles and shuffles[0] != shuffles[1]:
        words = ["in another order in every epoch" if one else "in their own order" for one in shuffles]
        detail = f"Keras trains on rows {words[0]}, the training loader serves them {words[1]}"
        detail += f": write shuffle={shuffles[0]}; both are given the same order below"
        checks.append(Check("order-of-rows", "experiment", "fail", words[1], words[0], detail))
    for split, (subject, does) in LAST.items():
        found = candidate.data.get(split, {})
        left = found.get("samples", 0) % (ours if split == "train" else found.get("batch_size") or 1)
        if found.get("drop_last") and left:
            detail = f"the {does[0]} loader leaves out the last {left} rows (drop_last); Keras {does[1]} them"
            checks.append(Check(subject, "experiment", "fail", left, 0, detail))
    return checks


def compare_rates(reference: Facts, candidate: Facts) -> Check:
    """Checks the rates of what drops by chance; and says whether both drop the same in the training.

    What adds or multiplies by chance has no rate in torch, nor has what a module drops by functions of its own: the
    rung random layers compares them. What Keras drops inside of a recurrent layer, a port may drop in more calls.
    """
    kinds = reference.kinds or ["Dropout"] * len(reference.rates)
    dropping = [rate for rate, kind in zip(reference.rates, kinds, strict=True) if kind not in ADDING]
    ours, theirs = (" ".join(f"{rate:g}" for rate in rates) or "none" for rates in (dropping, candidate.rates))
    detail = f"Keras {ours}, candidate {theirs}"
    shown = [(kind, f"{kind} {rate:g}") for rate, kind in zip(reference.rates, kinds, strict=True)]
    if others := [words for kind, words in shown if kind in ADDING or kind.endswith(INSIDE)]:
        detail += f"; Keras's {', '.join(others)} is compared at random layers"
    if candidate.draws:
        functions = ", ".join(dict.fromkeys(candidate.draws))
        detail += f"; the candidate draws by {functions}, too, which is compared at random layers"
    if reference.rates or candidate.rates or candidate.draws:
        detail += "; nothing is drawn while single batches are compared"
        detail += f"; in the training, {how_drawn(reference, candidate)}" if not candidate.untrained else ""
    may_drop = any(not name.startswith(("randn", "normal")) for name in candidate.draws)
    has_all = any(kind.endswith(INSIDE) for kind in kinds) and set(dropping) == set(candidate.rates)
    status = "info" if ours != theirs and (may_drop or has_all) else judged(ours == theirs)
    return Check("rates-of-dropout", "experiment", status, theirs, ours, detail)


def how_drawn(reference: Facts, candidate: Facts) -> str:
    """Says what is dropped while both train in lockstep."""
    if reference.unsilenced or candidate.unsilenced:
        return "steps are random and not compared"
    if reference.random_layers and len(candidate.rates) == len(reference.rates):
        return "the candidate drops what Keras dropped"
    if reference.random_layers:
        return "Keras drops and the candidate does not: they do not drop as often"
    why = f" ({reference.silent})" if reference.silent else ""
    return f"nothing is drawn{why}: the law is compared at random layers"
