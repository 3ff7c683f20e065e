"""The rung forward: the same weights and images in, the same probabilities out? Of a pair file, layer by layer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from parity.protocol.layer_forms import OUTPUT
from parity.protocol.records import Answer, Cases, LayerCall, LayerOutputs
from parity.rungs.check import Check, Context, Gap, compare, finite, missing, worst

RUNG = "forward"
# Of each mode the subject of its check, and its name in words.
MODES = {
    "evaluation": ("layers", "evaluation mode"),
    "training": ("layers-in-training-mode", "training mode"),
    "tracked": ("layers-after-training-passes", "evaluation mode after passes in training mode"),
}


def judge(reference: Cases, candidate: Cases, context: Context) -> list[Check]:
    """Checks the probabilities of every case."""
    gaps = compare_answers(reference, candidate, "probabilities", lambda answer: answer.probabilities)
    return [worst("probabilities", RUNG, gaps, limit_text(len(reference.variants)))]


def compare_answers(reference: Cases, candidate: Cases, name: str, array_of: Callable[[Answer], object]) -> list:
    """Compares one array of every case's answer; a case that one side lacks is said in words."""
    gaps: list[Gap | str] = list(missing(reference.answers, candidate.answers))
    for case, answer in reference.answers.items():
        if case in candidate.answers:
            variants = [array_of(variant[case]) for variant in reference.variants]
            theirs = array_of(candidate.answers[case])
            gaps.append(compare(f"{case}: {name}", array_of(answer), theirs, variants))
    return gaps


def limit_text(runs: int) -> str:
    """Says why the limit is what it is."""
    return f"limit: 10 times the reference's own departure in {runs} runs that differ in rounding only"


@dataclass(frozen=True)
class LayerGap:
    """How far one call of a layer is from Keras's."""

    layer: str
    gap: Gap | str | None  # None where it is not compared
    why_not: str = ""

    @property
    def departs(self) -> bool:
        """Says whether it is beyond its limit."""
        return self.gap is not None and (isinstance(self.gap, str) or self.gap.ratio > 1)


def judge_layers(reference: LayerOutputs, candidate: LayerOutputs, context: Context) -> list[Check]:
    """Checks every layer in its place, in both modes, and alone, given Keras's input."""
    checks, notes, inside, count = [], {}, {}, 0
    for mode, (subject, name) in MODES.items():
        if mode == "tracked" and not reference.in_place.tracked:
            continue
        expected, variants = getattr(reference.in_place, mode), [getattr(run, mode) for run in reference.variants]
        in_place = compare_calls(expected, getattr(candidate.in_place, mode), variants)
        blamed = blamed_layers(in_place)
        layers = [call for call in expected if call.layer != OUTPUT]
        alone = compare_calls(layers, getattr(candidate.alone, mode), [run[: len(layers)] for run in variants])
        check = check_in_place(subject, in_place, blamed, limit_text(len(variants)))
        checks.append(replace(check, more={**check.more, "layers": describe_gaps(in_place, alone)}))
        count += sum(gap.gap is not None for gap in alone)
        for number in blamed:
            inside.setdefault(name, []).append((in_place, number, alone[number] if number < len(alone) else None))
        for where, gaps in (("", in_place), (" alone", alone)):
            for gap in gaps:
                if gap.why_not:
                    notes.setdefault(gap.why_not, {})[f"{gap.layer}{where}"] = None
    checks.append(check_alone(inside, count, limit_text(len(reference.variants))))
    if notes:
        detail = "; ".join(f"{', '.join(layers)}: {why_not}" for why_not, layers in notes.items())
        measured = len({layer for layers in notes.values() for layer in layers})
        checks.append(Check("layers-not-compared", RUNG, "info", measured, None, detail))
    return checks


def compare_calls(expected: list[LayerCall], found: list[LayerCall], variants: list[list[LayerCall]]) -> list[LayerGap]:
    """Compares every call, each with its own floor.

    A module may apply the layer's own activation itself, or leave it to others: of the outputs before and behind it,
    the nearer one counts.
    """
    if [call.layer for call in expected] != [call.layer for call in found]:
        words = missing([call.layer for call in expected], [call.layer for call in found])
        return [LayerGap(call.layer, "; ".join(words) or "other calls were recorded") for call in expected]
    gaps = []
    for number, (ours, theirs) in enumerate(zip(expected, found, strict=True)):
        if theirs.output is None:
            gaps.append(LayerGap(ours.layer, None, theirs.why_not or "nothing was recorded"))
            continue
        runs = [variant[number] for variant in variants]
        both = [
            compare(ours.layer, output, theirs.output, [array for array in known if array is not None])
            for output, known in (
                (ours.output, [run.output for run in runs]),
                (ours.activated, [run.activated for run in runs]),
            )
            if output is not None
        ]
        gaps.append(LayerGap(ours.layer, min(both, key=lambda gap: gap.ratio if isinstance(gap, Gap) else np.inf)))
    return gaps


def blamed_layers(gaps: list[LayerGap]) -> list[int]:
    """Returns which calls depart, and matter.

    Where the whole model's output agrees, and every layer behind the last one that departs does, a port has cut its
    layers elsewhere: what the module does not do, its neighbour does.
    """
    departing = [number for number, gap in enumerate(gaps) if gap.departs]
    behind = gaps[departing[-1] + 1 :] if departing else []
    return [] if any(gap.layer == OUTPUT and gap.gap is not None for gap in behind) else departing


def describe_gaps(in_place: list[LayerGap], alone: list[LayerGap]) -> list[dict]:
    """Describes every call of a mode as plain JSON values: its gap in its place, and alone where it has one."""
    return [
        {"layer": gap.layer, **describe_gap(gap), "alone": describe_gap(alone[number]) if number < len(alone) else None}
        for number, gap in enumerate(in_place)
    ]


def describe_gap(gap: LayerGap) -> dict:
    """Describes one gap as plain JSON values; `why` says in words why it has no numbers."""
    if not isinstance(gap.gap, Gap):
        numbers, why = dict.fromkeys(("measured", "limit", "noise_floor")), gap.why_not or gap.gap
    else:
        numbers = {"measured": finite(gap.gap.measured), "limit": gap.gap.limit, "noise_floor": gap.gap.floor}
        why = "" if np.isfinite(gap.gap.measured) else "not a number"
    return {**numbers, "departs": gap.departs, "why": why}


def check_in_place(subject: str, gaps: list[LayerGap], blamed: list[int], limit: str) -> Check:
    """Judges all layers of one mode; names the first one that departs, in the order of execution."""
    if not gaps:
        return Check(subject, RUNG, "error", None, 0, "no layer was recorded")
    compared = [gap.gap for gap in gaps if gap.gap is not None]
    if not compared:
        return Check(subject, RUNG, "info", None, None, "no layer could be compared")
    if blamed:
        gap = gaps[blamed[0]].gap
        check = worst(subject, RUNG, [gap], limit)
        count = f"{len(compared)} of {len(gaps)} outputs compared"
        detail = f"the first to depart is {gaps[blamed[0]].layer}; {count}; {check.detail}"
        return replace(check, detail=detail, more={**check.more, "first": gaps[blamed[0]].layer})
    departing = [gap.layer for gap in gaps if gap.departs]
    check = worst(subject, RUNG, [gap.gap for gap in gaps if gap.gap is not None and not gap.departs], limit)
    detail = f"{len(compared)} of {len(gaps)} outputs compared; {check.detail}"
    if departing:
        detail += (
            f"; the output agrees, though {', '.join(dict.fromkeys(departing))} departs: the port cuts it elsewhere"
        )
    return replace(check, detail=detail)


def check_alone(inside: dict[str, list], count: int, limit: str) -> Check:
    """Judges the layers that depart in their places by what they give alone, for Keras's input.

    Args:
        inside: by mode, of each layer that departs: the mode's gaps, which of them it is, and its gap alone.
        count: how many could be compared.
        limit: why it is what it is.
    """
    subject = "layers-in-isolation"
    if not count:
        return Check(subject, RUNG, "info", None, None, "no layer could be compared alone")
    wrong = {alone.layer: alone.gap for gaps in inside.values() for _, _, alone in gaps if alone and alone.departs}
    if wrong:
        check = worst(subject, RUNG, list(wrong.values())[:1], limit)
        names = ", ".join(wrong)
        return replace(check, detail=f"the difference is inside {names}, given Keras's input; {check.detail}")
    words = [f"{count} compared, given Keras's input: each layer alone agrees"]
    for mode, gaps in inside.items():
        in_place, number, alone = gaps[0]
        behind = f"behind {in_place[number - 1].layer}" if number else "in front of the first"
        if alone is None or alone.gap is not None:
            words.append(f"in {mode} the difference starts {behind} and before {in_place[number].layer}")
        else:
            words.append(f"in {mode} {in_place[number].layer} cannot be told: {alone.why_not}")
    return Check(subject, RUNG, "pass", 0, 0, "; ".join(words))
