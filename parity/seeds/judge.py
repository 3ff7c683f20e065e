"""The rungs `independent` and `published`: pure functions of the seeds of both sides."""

import math
from statistics import median

import numpy as np
from scipy import stats

from mlp_spec import published
from mlp_spec.experiment import Experiment
from parity.protocol.seeds import SeedResult
from parity.rungs.check import Check
from parity.seeds import bands
from parity.seeds.equivalence import (
    ALPHA,
    BEYOND,
    EQUIVALENT,
    WITHIN,
    Difference,
    Sample,
    detectable,
    finding,
    holm,
    power_within,
    seeds_needed,
)
from parity.seeds.measures import MEASURES, margin_of

RUNG = "independent"
STATUS = {EQUIVALENT: "pass", WITHIN: "pass", BEYOND: "fail"}
CHANCE = 0.1
# Each of these checks alone can fail a study, so each has its share of the level: three measures, and convergence.
DECIDING = len(MEASURES) + 1
Seeds = list[SeedResult]


def judge(experiment: Experiment, reference: Seeds, candidate: Seeds, margins: dict, fixed: bool) -> list[Check]:
    """Judges a study.

    Args:
        experiment: what was trained; its seed does not count.
        reference, candidate: the finished trainings, three a side at least.
        margins: from a measure's name to the margin a flag gives, or None.
        fixed: whether the reference's seeds cannot become more (recorded points).
    """  # fmt: skip
    checks = [converged(reference, candidate), distinct(reference, candidate)]
    checks += equivalences(experiment, reference, candidate, margins, fixed)
    curves = [bands.stacked(side) for side in (reference, candidate)]
    if all(len(side["loss"]) >= 3 for side in curves):
        checks += [spreads(reference, candidate), epochs(*curves)]
        checks.append(lab(experiment, {name: np.concatenate([side[name] for side in curves]) for name in curves[0]}))
    return checks


def equivalences(experiment: Experiment, reference: Seeds, candidate: Seeds, margins: dict, fixed: bool) -> list[Check]:
    """Checks that the final val_acc, the final val_loss and the area under val_acc are equivalent, each."""
    rows = []
    for measure in MEASURES:
        values = [[measure.of(seed) for seed in side] for side in (reference, candidate)]
        lost = sum(not math.isfinite(value) for side in values for value in side)
        if lost:
            detail = f"{lost} seeds have no {measure.title}: training left the numbers, and there is no mean"
            rows.append((measure, detail))
            continue
        samples = [Sample.of(side) for side in values]
        margin = margin_of(measure, experiment, samples[0], margins.get(measure.name))
        rows.append((measure, samples, Difference.of(*samples), margin))
    judged = [row for row in rows if len(row) == 4]
    adjusted = iter(holm([difference.p_different() for _, _, difference, _ in judged]))
    return [
        one_measure(*row, next(adjusted), fixed) if len(row) == 4 else unmeasured(*row)
        for row in rows
    ]  # fmt: skip


def unmeasured(measure, detail: str) -> Check:
    """Says that a measure cannot be compared."""
    more = {"finding": "cannot tell"}
    return Check(measure.subject, RUNG, "error", "not a number", None, detail, more=more)


def one_measure(measure, samples: list[Sample], difference: Difference, margin, p_different: float, fixed) -> Check:
    """Judges one measure."""
    power = power_within(margin.value, difference.error, difference.freedom)
    found = finding(difference, margin.value, power, p_different, DECIDING)
    low, high = difference.interval()
    needed = seeds_needed(margin.value, *samples, fixed)
    facts = {
        "measure": measure.name,
        "finding": found,
        "unit": measure.unit,
        "difference": difference.value,
        "interval": [low, high],
        "confidence": 1 - 2 * ALPHA,
        "reason": margin.reason,
        "power": power,
        "detectable": detectable(difference.error, difference.freedom),
        "fails_from": detectable(difference.error, difference.freedom, margin.value, ALPHA / DECIDING),
        "seeds_needed": needed,
        "p_equivalent": difference.p_within(margin.value),
        "p_different": p_different,
        "p_beyond": difference.p_beyond(margin.value),
        "samples": {
            side: {"n": one.n, "mean": one.mean, "sd": one.sd}
            for side, one in zip(("keras", "lightning"), samples, strict=True)
        },
    }
    detail = words(measure.unit, facts, margin.value)
    status = STATUS.get(found, "error")
    return Check(measure.subject, RUNG, status, abs(difference.value), margin.value, detail, more=facts)


def words(unit: str, facts: dict, margin: float) -> str:
    """Says in full what was found for a measure."""
    low, high = facts["interval"]
    needed = facts["seeds_needed"]
    more = f"{needed} seeds give 0.9" if needed else "no number of seeds gives 0.9 against these reference points"
    return (
        f"{facts['finding']}: Lightning less Keras {amount(facts['difference'], unit, True)}, 90% interval "
        f"{amount(low, unit, True)} to {amount(high, unit, True)}, margin {amount(margin, unit)} ({facts['reason']}); "
        f"these seeds show a difference from {amount(facts['detectable'], unit)} on, and that it is beyond the margin "
        f"from {amount(facts['fails_from'], unit)} on (power 0.9); power of equivalence {facts['power']:.2f} ({more})"
    )


def amount(value: float, unit: str, signed: bool = False) -> str:
    """Returns a difference as people read it: percentage points, or nats."""
    value, digits = (100 * value, 3) if unit == "points" else (value, 5)
    return f"{value:{'+' if signed else ''}.{digits}f} {'points' if unit == 'points' else 'nats'}"


def failures(seeds: Seeds, typical: float) -> list[int]:
    """Returns the seeds that did not converge: no numbers, or less than half the way from chance to a typical run."""
    limit = (CHANCE + typical) / 2
    ended = {
        seed.seed: all(math.isfinite(curve[-1]) for curve in seed.history.values())
        and seed.history["val_acc"][-1] >= limit
        for seed in seeds
    }
    return [seed for seed, well in ended.items() if not well]


def converged(reference: Seeds, candidate: Seeds) -> Check:
    """Checks that seeds fail to converge no more often than the reference's."""
    last = [seed.history["val_acc"][-1] for seed in reference]
    typical = median(value for value in last if math.isfinite(value)) if any(map(math.isfinite, last)) else CHANCE
    ours, theirs = failures(reference, typical), failures(candidate, typical)
    table = [[len(ours), len(reference) - len(ours)], [len(theirs), len(candidate) - len(theirs)]]
    p = float(stats.fisher_exact(table).pvalue)
    detail = (
        f"Keras: {len(ours)} of {len(reference)} seeds failed, Lightning: {len(theirs)} of {len(candidate)}"
        f"{f' (seeds {theirs})' if theirs else ''}; Fisher's exact test p = {p:.2g}"
    )
    status = "fail" if p <= ALPHA / DECIDING else "pass" if not ours and not theirs else "error"
    if status == "error":
        detail += "; whether both fail equally often cannot be told from so few"
    more = {"failed": {"keras": ours, "lightning": theirs}, "p": p}
    return Check("seeds-that-failed-to-converge", RUNG, status, len(theirs), len(ours), detail, more=more)


def distinct(reference: Seeds, candidate: Seeds) -> Check:
    """Checks that different seeds give different runs: else, there are fewer than were counted."""
    again = []
    for side, seeds in (("Keras", reference), ("Lightning", candidate)):
        known = {}
        for seed in seeds:
            key = tuple(seed.history["loss"])
            if key in known and all(map(math.isfinite, key)):
                again.append(f"{side} {known[key]} and {seed.seed}")
            known.setdefault(key, seed.seed)
    detail = f"the same run to the bit: seeds {', '.join(again[:5])}" if again else "no two seeds gave the same run"
    return Check("seeds-are-independent", RUNG, "error" if again else "pass", len(again), 0, detail)


def spreads(reference: Seeds, candidate: Seeds) -> Check:
    """Compares the spreads of both sides: Brown and Forsythe's test, with Holm's correction."""
    rows, p_values = [], []
    for measure in MEASURES:
        values = [np.array([measure.of(seed) for seed in side]) for side in (reference, candidate)]
        values = [side[np.isfinite(side)] for side in values]
        sds = [float(side.std(ddof=1)) for side in values]
        found = float(stats.levene(*values, center="median").pvalue) if max(sds) > 0 else 1.0
        rows.append({"measure": measure.title, "keras": sds[0], "lightning": sds[1], "ratio": _ratio(sds)})
        p_values.append(found)
    rows = [row | {"p": p} for row, p in zip(rows, holm(p_values), strict=True)]
    told = ", ".join(
        f"{row['measure']} {row['lightning']:.2g} / {row['keras']:.2g} = {_shown(row['ratio'])} (p = {row['p']:.2g})"
        for row in rows
    )
    least = min(row["p"] for row in rows)
    verdict = "they differ" if least <= ALPHA else "no difference is seen"
    detail = f"standard deviation of Lightning over Keras's: {told}; {verdict} (Brown-Forsythe, Holm)"
    return Check("equal-spreads", RUNG, "info", least, ALPHA, detail, more={"spreads": rows})


def _ratio(sds: list[float]) -> float | None:
    return sds[1] / sds[0] if sds[0] else None


def _shown(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}"


def epochs(reference: dict, candidate: dict) -> Check:
    """Compares the curves at every epoch, with Holm's correction."""
    points = bands.compared(reference, candidate)
    apart = [point for point in points if point["p"] <= ALPHA]
    detail = f"{len(apart)} of {len(points)} points of the four curves differ (Welch, Holm)"
    if apart:
        first = min(apart, key=lambda point: point["p"])
        where = f"{first['curve']} in epoch {first['epoch']}"
        detail += f"; most clearly {where}: {first['difference']:+.4g} (p = {first['p']:.2g})"
    more = {"differ": apart, "bands": {"keras": bands.described(reference), "lightning": bands.described(candidate)}}
    return Check("curves", RUNG, "info", len(apart), 0, detail, more=more, title="curves, epoch by epoch")


def lab(experiment: Experiment, seeds: dict[str, np.ndarray]) -> Check:
    """Says where the lab's printed run leaves the prediction band of the seeds of both frameworks."""
    subject, title, run = "lab-history", "the lab's printed history", published.history(experiment.name)
    if run is None or experiment.data.dataset != "mnist":
        where = f"{experiment.name} on {experiment.data.dataset}"
        return Check(subject, "published", "info", None, 0, f"the lab printed nothing for {where}", title=title)
    own, count = bands.excursions(seeds), len(seeds["loss"])
    wide, normal = bands.width(seeds, own), bands.normal_width(seeds)
    points, unlikely = bands.outside(seeds, run, wide), bands.outside(seeds, run, normal)
    total = sum(map(len, run.values()))
    detail = (
        f"{len(points)} of {total} points lie outside the simultaneous 95% prediction band of {count} seeds "
        f"(±{wide:.1f} standard deviations; a normal law's would be ±{normal:.1f}, which "
        f"{sum(one > normal for one in own)} of the {count} seeds themselves leave)"
    )
    if unlikely:
        told = "; ".join(
            f"{point['curve']} in epoch {point['epoch']} is {point['value']:.4f}, "
            f"{point['standard_deviations']:+.1f} standard deviations"
            for point in unlikely[:3]
        )
        detail += f". Beyond a normal law's band: {told}{'; ...' if len(unlikely) > 3 else ''}"
    if points:
        detail += (
            ". It is one run, made with Keras 2: an unlucky seed, a version that computed something otherwise, or a "
            "law with still longer tails; one run cannot say which"
        )
    elif unlikely:
        detail += ". Our own seeds jump as far now and then: it is what one run of this experiment can look like"
    more = {"outside": points, "beyond_normal": unlikely, "width": wide, "normal_width": normal, "seeds": count}
    return Check(subject, "published", "info", len(points), 0, detail, more=more, title=title)
