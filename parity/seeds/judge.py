"""The rungs `independent` and `published`: pure functions of the seeds of both sides."""

import math
from statistics import median

import numpy as np
from scipy import stats

from mlp_spec import published
from mlp_spec.experiment import Experiment
from parity.protocol.seeds import SeedResult
from parity.rungs.check import Check
from parity.seeds import bands, equivalence
from parity.seeds.equivalence import ALPHA, Difference, Sample, detectable_difference, holm
from parity.seeds.measures import MEASURES, Margin, Measure, choose_margin

RUNG = "independent"
STATUS = {equivalence.EQUIVALENT: "pass", equivalence.WITHIN: "pass", equivalence.BEYOND: "fail"}
CHANCE = 0.1
# Each of these checks alone can fail a study, so each has its share of the level: three measures, and convergence.
DECIDING = len(MEASURES) + 1
Seeds = list[SeedResult]


def judge_study(experiment: Experiment, reference: Seeds, candidate: Seeds, margins: dict, fixed: bool) -> list[Check]:
    """Judges a study.

    Args:
        experiment: what was trained; its seed does not count.
        reference, candidate: the finished trainings, three a side at least.
        margins: from a measure's name to the margin of a flag, or None.
        fixed: whether the reference's seeds cannot become more (recorded points).
    """  # fmt: skip
    checks = [check_convergence(reference, candidate), check_independence(reference, candidate)]
    checks += check_equivalence(experiment, reference, candidate, margins, fixed)
    curves = [bands.stack_curves(side) for side in (reference, candidate)]
    if all(len(side["loss"]) >= 3 for side in curves):
        checks += [check_spreads(reference, candidate), check_curves(*curves)]
        both_sides = {name: np.concatenate([side[name] for side in curves]) for name in curves[0]}
        checks.append(check_lab_history(experiment, both_sides))
    return checks


def check_equivalence(
    experiment: Experiment, reference: Seeds, candidate: Seeds, margins: dict, fixed: bool
) -> list[Check]:
    """Checks that the final val_acc, the final val_loss and the area under val_acc are equivalent, each."""
    checks, samples = {}, {}
    for measure in MEASURES:
        values = [[measure.of(seed) for seed in side] for side in (reference, candidate)]
        lost = sum(not math.isfinite(value) for side in values for value in side)
        if lost:
            detail = f"{lost} seeds have no {measure.title}: training left the numbers, and there is no mean"
            more = {"finding": "cannot tell"}
            checks[measure] = Check(measure.subject, RUNG, "error", "not a number", None, detail, more=more)
        else:
            samples[measure] = [Sample.of(side) for side in values]
    differences = {measure: Difference.of(*pair) for measure, pair in samples.items()}
    adjusted = holm([difference.p_different() for difference in differences.values()])
    for (measure, pair), p_different in zip(samples.items(), adjusted, strict=True):
        margin = choose_margin(measure, experiment, pair[0], margins.get(measure.name))
        checks[measure] = check_measure(measure, pair, differences[measure], margin, p_different, fixed)
    return [checks[measure] for measure in MEASURES]


def check_measure(
    measure: Measure, samples: list[Sample], difference: Difference, margin: Margin, p_different: float, fixed: bool
) -> Check:
    """Checks that both sides are equivalent in a measure; `p_different` is adjusted for the number of measures."""
    power = equivalence.power_within(margin.value, difference.error, difference.freedom)
    finding = equivalence.classify_difference(difference, margin.value, power, p_different, DECIDING)
    facts = {
        "measure": measure.name,
        "finding": finding,
        "unit": measure.unit,
        "difference": difference.value,
        "interval": list(difference.interval()),
        "confidence": 1 - 2 * ALPHA,
        "reason": margin.reason,
        "power": power,
        "detectable": detectable_difference(difference.error, difference.freedom),
        "fails_from": detectable_difference(difference.error, difference.freedom, margin.value, ALPHA / DECIDING),
        "seeds_needed": equivalence.seeds_needed(margin.value, *samples, fixed),
        "p_equivalent": difference.p_within(margin.value),
        "p_different": p_different,
        "p_beyond": difference.p_beyond(margin.value),
        "samples": {side: vars(sample) for side, sample in zip(("keras", "lightning"), samples, strict=True)},
    }
    detail = describe_measure(measure.unit, facts, margin.value)
    status = STATUS.get(finding, "error")
    return Check(measure.subject, RUNG, status, abs(difference.value), margin.value, detail, more=facts)


def describe_measure(unit: str, facts: dict, margin: float) -> str:
    """Describes in full what was found for a measure."""
    low, high = facts["interval"]
    needed = facts["seeds_needed"]
    more = f"{needed} seeds give 0.9" if needed else "no number of seeds gives 0.9 against these reference points"
    return (
        f"{facts['finding']}: Lightning less Keras {format_amount(facts['difference'], unit, True)}, 90% interval "
        f"{format_amount(low, unit, True)} to {format_amount(high, unit, True)}, "
        f"margin {format_amount(margin, unit)} ({facts['reason']}); "
        f"these seeds show a difference from {format_amount(facts['detectable'], unit)} on, and that it is beyond the "
        f"margin from {format_amount(facts['fails_from'], unit)} on (power 0.9); "
        f"power of equivalence {facts['power']:.2f} ({more})"
    )


def format_amount(value: float, unit: str, signed: bool = False) -> str:
    """Returns a difference as people read it: percentage points, or nats."""
    value, digits = (100 * value, 3) if unit == "points" else (value, 5)
    return f"{value:{'+' if signed else ''}.{digits}f} {unit}"


def find_failures(seeds: Seeds, typical: float) -> list[int]:
    """Returns the seeds that did not converge: no numbers, or less than half the way from chance to a typical run."""
    limit = (CHANCE + typical) / 2
    return [
        seed.seed
        for seed in seeds
        if not all(math.isfinite(curve[-1]) for curve in seed.history.values()) or seed.history["val_acc"][-1] < limit
    ]


def check_convergence(reference: Seeds, candidate: Seeds) -> Check:
    """Checks that seeds fail to converge no more often than the reference's."""
    last = [value for seed in reference if math.isfinite(value := seed.history["val_acc"][-1])]
    typical = median(last) if last else CHANCE
    keras, lightning = find_failures(reference, typical), find_failures(candidate, typical)
    table = [[len(keras), len(reference) - len(keras)], [len(lightning), len(candidate) - len(lightning)]]
    p = float(stats.fisher_exact(table).pvalue)
    detail = (
        f"Keras: {len(keras)} of {len(reference)} seeds failed, Lightning: {len(lightning)} of {len(candidate)}"
        f"{f' (seeds {lightning})' if lightning else ''}; Fisher's exact test p = {p:.2g}"
    )
    status = "fail" if p <= ALPHA / DECIDING else "pass" if not keras and not lightning else "error"
    if status == "error":
        detail += "; whether both fail equally often cannot be told from so few"
    more = {"failed": {"keras": keras, "lightning": lightning}, "p": p}
    return Check("seeds-that-failed-to-converge", RUNG, status, len(lightning), len(keras), detail, more=more)


def check_independence(reference: Seeds, candidate: Seeds) -> Check:
    """Checks that different seeds give different runs: else, there are fewer than were counted."""
    repeated = []
    for side, seeds in (("Keras", reference), ("Lightning", candidate)):
        first_seeds = {}
        for seed in seeds:
            losses = tuple(seed.history["loss"])
            if losses in first_seeds and all(map(math.isfinite, losses)):
                repeated.append(f"{side} {first_seeds[losses]} and {seed.seed}")
            first_seeds.setdefault(losses, seed.seed)
    detail = f"the same run to the bit: seeds {', '.join(repeated[:5])}"
    status, detail = ("error", detail) if repeated else ("pass", "no two seeds gave the same run")
    return Check("seeds-are-independent", RUNG, status, len(repeated), 0, detail)


def check_spreads(reference: Seeds, candidate: Seeds) -> Check:
    """Compares the spreads of both sides: Brown and Forsythe's test, with Holm's correction."""
    rows, p_values = [], []
    for measure in MEASURES:
        values = [np.array([measure.of(seed) for seed in side]) for side in (reference, candidate)]
        values = [side[np.isfinite(side)] for side in values]
        keras, lightning = (float(side.std(ddof=1)) for side in values)
        ratio = lightning / keras if keras else None
        rows.append({"measure": measure.title, "keras": keras, "lightning": lightning, "ratio": ratio})
        p_values.append(float(stats.levene(*values, center="median").pvalue) if max(keras, lightning) > 0 else 1.0)
    rows = [row | {"p": p} for row, p in zip(rows, holm(p_values), strict=True)]
    ratios = ", ".join(
        f"{row['measure']} {row['lightning']:.2g} / {row['keras']:.2g} = "
        f"{'-' if row['ratio'] is None else format(row['ratio'], '.2f')} (p = {row['p']:.2g})"
        for row in rows
    )
    least = min(row["p"] for row in rows)
    verdict = "they differ" if least <= ALPHA else "no difference is seen"
    detail = f"standard deviation of Lightning over Keras's: {ratios}; {verdict} (Brown-Forsythe, Holm)"
    return Check("equal-spreads", RUNG, "info", least, ALPHA, detail, more={"spreads": rows})


def check_curves(reference: dict[str, np.ndarray], candidate: dict[str, np.ndarray]) -> Check:
    """Compares the curves (seeds, epochs) at every epoch, with Holm's correction."""
    points = bands.compare_means(reference, candidate)
    apart = [point for point in points if point["p"] <= ALPHA]
    detail = f"{len(apart)} of {len(points)} points of the four curves differ (Welch, Holm)"
    if apart:
        first = min(apart, key=lambda point: point["p"])
        where = f"{first['curve']} in epoch {first['epoch']}"
        detail += f"; most clearly {where}: {first['difference']:+.4g} (p = {first['p']:.2g})"
    both_bands = {"keras": bands.describe_bands(reference), "lightning": bands.describe_bands(candidate)}
    more = {"differ": apart, "bands": both_bands}
    return Check("curves", RUNG, "info", len(apart), 0, detail, more=more, title="curves, epoch by epoch")


def check_lab_history(experiment: Experiment, seeds: dict[str, np.ndarray]) -> Check:
    """Reports where the lab's printed run leaves the prediction band of the seeds of both frameworks."""
    subject, title, run = "lab-history", "the lab's printed history", published.history(experiment.name)
    if run is None or experiment.data.dataset != "mnist":
        where = f"{experiment.name} on {experiment.data.dataset}"
        return Check(subject, "published", "info", None, 0, f"the lab printed nothing for {where}", title=title)
    distances, count = bands.leave_one_out_distances(seeds), len(seeds["loss"])
    width, normal_width = bands.half_width(seeds, distances), bands.normal_half_width(seeds)
    points, unlikely = (bands.find_points_outside(seeds, run, limit) for limit in (width, normal_width))
    detail = (
        f"{len(points)} of {sum(map(len, run.values()))} points lie outside the simultaneous 95% prediction band of "
        f"{count} seeds (±{width:.1f} standard deviations; a normal law's would be ±{normal_width:.1f}, which "
        f"{sum(distance > normal_width for distance in distances)} of the {count} seeds themselves leave)"
    )
    if unlikely:
        examples = "; ".join(
            f"{point['curve']} in epoch {point['epoch']} is {point['value']:.4f}, "
            f"{point['standard_deviations']:+.1f} standard deviations"
            for point in unlikely[:3]
        )
        detail += f". Beyond a normal law's band: {examples}{'; ...' if len(unlikely) > 3 else ''}"
    if points:
        detail += (
            ". It is one run, made with Keras 2: an unlucky seed, a version that computed something otherwise, or a "
            "law with still longer tails; one run cannot say which"
        )
    elif unlikely:
        detail += ". Our own seeds jump as far now and then: it is what one run of this experiment can look like"
    more = {"outside": points, "beyond_normal": unlikely, "width": width, "normal_width": normal_width, "seeds": count}
    return Check(subject, "published", "info", len(points), 0, detail, more=more, title=title)
