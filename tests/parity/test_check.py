"""`python -m parity check`: honest ports pass, on other backends and in both precisions, and naive ones fail."""

import json

import pytest
import sample_pairs
from conftest import assert_user_error, run_python

from parity.check import CheckFlags


def check(folder, name, *flags):
    """Checks one of the sample pairs at the quick level; returns how it ended and its report."""
    path = folder / f"{name}.py"
    path.write_text(sample_pairs.PAIRS[name])
    flags = ("--level", "quick", *flags, "--output-dir", folder / "run")
    ended = run_python("-m", "parity", "check", path, *flags)
    return ended, json.loads((folder / "run" / "report.json").read_text())


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("honest", ()),
        ("honest", ("--precision", "float64", "--seed", "3")),
        ("regression", ("--precision", "float64")),
        ("noise", ()),
        ("turned", ()),
        ("words", ("--keras-backend", "jax")),
        ("two", ()),
        ("parts", ()),
        ("wrapped", ()),
    ],
)
def test_an_honest_port_has_parity(name, flags, tmp_path):
    ended, report = check(tmp_path, name, *flags)
    assert ended.status == 0, ended.out
    assert report["verdict"] == "pass" and ended.out.splitlines()[-1].startswith("PARITY: Keras and Lightning agree")
    rungs = dict.fromkeys(check["rung"] for check in report["checks"])
    assert list(rungs) == [
        "experiment", "data", "architecture", "initial weights", "forward", "loss", "gradients", "random layers",
        "callbacks", "optimizer", "metrics", "lockstep", "speed", "interchange",
    ]  # fmt: skip
    for one in report["checks"]:
        if "largest_ratio_to_floor" in one:
            assert one["largest_ratio_to_floor"] < 3 and one.get("judged_steps", 160) >= 160, one
    assert report["experiment"]["pair_file"]["name"] == name
    assert (tmp_path / "run" / "report.md").exists() and not list(tmp_path.rglob("*.npy"))  # no copy of the rows stays


def test_compiled_steps_are_climbed_with(tmp_path):
    ended, report = check(tmp_path, "honest", "--compile")  # it drops, too: compiled code is handed Keras's masks
    assert ended.status == 0, ended.out
    assert "Lightning  steps are compiled\n" in ended.out
    path = report["sides"]["lightning"]["path"]
    assert (path["compiled"], path["why_not"]) == (True, None)
    (speed,) = (one for one in report["checks"] if one["rung"] == "speed")
    assert speed["detail"].endswith("; Lightning compiled")


@pytest.mark.parametrize(("name", "wrong"), [("by-hand", set()), ("by-hand-unscaled", {"each-layer", "the-output"})])
def test_where_steps_stay_random_the_law_decides(name, wrong, tmp_path):
    ended, report = check(tmp_path, name)
    assert ended.status == bool(wrong), ended.out
    checks = {one["id"]: one for one in report["checks"]}
    failed = {name for name, one in checks.items() if one["status"] in ("fail", "error")}
    assert failed == {f"random-layers/law-of-{one}" for one in wrong}
    for of_steps in ("loss/batch-loss", "gradients/gradients", "lockstep/batch-loss-restarted-epochs"):
        one = checks[of_steps]
        assert one["status"] == "info" and "draws by rand_like); the rung random" in one["detail"], one
    assert checks["forward/probabilities"]["status"] == checks["random-layers/places"]["status"] == "pass"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("network", "lightning_module() returned a Sequential, a plain nn.Module: it has no training_step"),
        ("uncompiled", "keras_model() is not compiled"),
    ],
)
def test_what_cannot_be_trained_is_compared_as_far_as_it_goes(name, why, tmp_path):
    ended, report = check(tmp_path, name)
    assert ended.status == 0 and report["verdict"] == "pass", ended.out
    assert ended.out.splitlines()[-1].endswith(
        "as far as it could be compared (18 of 18 checks passed). "
        f"Not compared: loss, gradients, callbacks, optimizer, metrics, lockstep, speed ({why})."
    )
    left_out = [one for one in report["checks"] if one["status"] == "info"]
    assert {one["detail"] for one in left_out} == {f"not compared: {why}"} and len(left_out) == 7
    assert ended.out.count("lockstep") < 5 and "Lightning  Epoch" not in ended.out
    assert not report["sides"]["lightning"]  # Keras stops as soon as that is known: tests/parity/ladder


def test_a_port_as_people_first_write_it_fails_where_it_differs(tmp_path):
    ended, report = check(tmp_path, "naive")
    assert ended.status == 1, ended.out
    status = {one["id"]: one["status"] for one in report["checks"]}
    assert status["data/train-rows"] == status["architecture/parameters"] == "pass"
    assert "module's output is log-probabilities" in ended.out
    failed = {name for name, value in status.items() if value == "fail"}
    assert failed >= {
        "experiment/rates-of-dropout", "initial-weights/scale", "forward/probabilities", "loss/batch-loss",
        "gradients/gradients", "optimizer/weights-after-every-step", "lockstep/tensors-after-training",
    }  # fmt: skip
    # epsilon: a thousandth in place of a hundred-thousandth
    checks = {one["id"]: one for one in report["checks"]}
    forward = checks["forward/probabilities"]
    assert forward["measured"] > 50 * forward["limit"]
    for subject in ("layers", "layers-in-training-mode", "layers-after-training-passes"):
        assert checks[f"forward/{subject}"]["first"] == "batch_normalization"
    assert "the difference is inside batch_normalization, given" in checks["forward/layers-in-isolation"]["detail"]
    found = {one["id"]: one["explained"] for one in report["differences"]["found"]}
    assert set(found) >= {
        "dense-start", "dense-bias-start", "convolution-start", "batch-norm-epsilon", "batch-norm-momentum",
        "batch-norm-variance", "adam-epsilon", "adam-epsilon-place", "dropout-rate",
    }  # fmt: skip
    assert min(found.values()) > 0.9 and report["differences"]["left"] == []
    assert "undone, the pair is in parity." in ended.out
    # the largest first: where both train from the same weights, a start has no effect
    effects = [one["effect"] for one in report["differences"]["found"]]
    assert effects[0] and effects[-1] == {} and any(len(effect or {}) for effect in effects)


@pytest.mark.parametrize(
    ("name", "first", "others", "cause"),
    [
        (
            "bessel",
            "forward/layers-after-training-passes",
            {"forward/layers-in-isolation", "lockstep/tensors-after-training"},
            "batch-norm-variance",
        ),
        ("clipped", "optimizer/weights-after-every-step", {"lockstep/batch-loss-restarted-epochs"}, "clip-norm"),
    ],
)
def test_one_difference_fails_on_its_rung_and_is_proved_by_undoing_it(name, first, others, cause, tmp_path):
    ended, report = check(tmp_path, name)
    failed = [one["id"] for one in report["checks"] if one["status"] == "fail"]
    assert ended.status == 1 and failed[0] == first and others <= set(failed), failed
    (found,) = report["differences"]["found"]
    assert (found["id"], found["check"]) == (cause, first) and found["explained"] > 0.99 and found["changes"]
    assert report["differences"]["left"] == []
    assert ended.out.splitlines()[-1].endswith("1 difference was found. With it undone, the pair is in parity.")
    assert not list((tmp_path / "run").glob("und*/"))  # what was tried is not kept


def test_a_side_that_fails_is_told_once(tmp_path):
    path = tmp_path / "late.py"
    module = sample_pairs.HONEST.replace("F.cross_entropy(self(batch[0]), batch[1])", "self.no_such(batch)")
    path.write_text(sample_pairs.DIGITS + module)
    ended = run_python("-m", "parity", "check", path, "--level", "quick", "--output-dir", tmp_path / "run")
    assert ended.status == 2 and ended.out.count("no attribute 'no_such' (late.py, line") == 1, ended.out


def test_without_a_compiler_it_says_so_and_goes_on(tmp_path):
    path = tmp_path / "words.py"
    path.write_text(sample_pairs.WORDS)
    surroundings = {"CXX": "/nowhere/g++", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    flags = ("--level", "quick", "--compile", "--output-dir", tmp_path / "run")
    ended = run_python("-m", "parity", "check", path, *flags, env=surroundings)
    why_not = "no C++ compiler was found (g++ or clang++)"
    assert ended.status == 0 and f"Lightning  steps are not compiled, but run as they are: {why_not}\n" in ended.out
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    path = report["sides"]["lightning"]["path"]
    assert (path["compiled"], path["why_not"]) == (False, why_not)


@pytest.mark.parametrize(
    ("text", "flags", "words"),
    [
        ("def keras_model(): pass\n", [], "has no keras_data(), lightning_module(), lightning_data(); a pair file has"),
        ("def keras_model(:\n", [], "bad.py, line 1: invalid syntax"),
        (None, [], "there is no pair file"),
        (sample_pairs.WORDS, ["--epochs", "0"], "epochs is 0"),
        (sample_pairs.WORDS, ["--seed", "-1"], "seed is -1"),
        (sample_pairs.WORDS, ["--stall-timeout", "0"], "--stall-timeout is 0"),
        (sample_pairs.WORDS, ["--output-dir", "/proc/no/such"], "/proc/no/such"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(text, flags, words, tmp_path):
    path = tmp_path / "bad.py"
    if text is not None:
        path.write_text(text)
    assert_user_error(run_python("-m", "parity", "check", path, *flags), words)


def test_a_pair_is_the_file_and_what_flags_said(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(sample_pairs.WORDS)
    pair = CheckFlags(str(path), epochs=7, precision="float64", compile=True).pair()
    assert (
        pair.compiled
        and pair.file == str(path)
        and pair.experiment.name == "mine"
        and pair.experiment.said == {"epochs": 7}
    )
    assert (pair.experiment.training.epochs, pair.experiment.training.precision) == (7, "float64")
    path.write_text(sample_pairs.WORDS + "\n")
    assert CheckFlags(str(path), epochs=7, precision="float64").pair().experiment.hash != pair.experiment.hash
