"""Answers the ladder's parts for Keras.

Everything is measured through `model.fit` and `model.predict`, on the model that the training command trains. Each
part is measured once as it is, and again for every variant that differs in rounding only.
"""

import math
from dataclasses import replace

import numpy as np

from mlp_spec import optimizers
from mlp_spec.runs import environment
from mlp_spec.runs.folder import Results
from parity.adapters.keras import states, tensors
from parity.adapters.keras.callbacks import answer_callbacks
from parity.adapters.keras.layers import answer_layers
from parity.adapters.keras.random_layers import answer_random_layers
from parity.adapters.keras.record import AfterBatch, recorded_losses, replace_gradients
from parity.adapters.keras.reference import Reference
from parity.adapters.keras.tensors import load_weights, read_moments, read_weights, trained_paths, unknown_moments
from parity.protocol import inputs, records
from parity.protocol.answer import describe_batches, report_epoch, shorten, stack
from parity.protocol.inputs import Case
from parity.protocol.task import send
from parity.protocol.tensors import Arrays


def answer_facts(reference: Reference) -> records.Facts:
    """Describes data, layers, initialisers, versions."""
    initializers = [
        tensors.initializer_of(layer, value.name)
        for layer, _, variables in tensors.layers_with_tensors(reference.first)
        for value in variables
    ]
    return records.Facts(
        framework="keras",
        backend=reference.task.backend,
        level=reference.task.level,
        device=reference.device,
        environment=environment.describe("keras", reference.task.backend, "numpy"),
        experiment=reference.experiment.to_dict(),
        data=reference.describe_data(),
        data_source=reference.source,
        plan=reference.plan,
        layers=reference.describe_layers(),
        parameters=sum(math.prod(tensor.shape) for tensor in reference.table if tensor.trained),
        initializers={
            tensor.path: tensors.describe_initializer(initializer)
            for tensor, initializer in zip(reference.table, initializers, strict=True)
        },
        tensors=reference.table,
        start=reference.start,
        rates=reference.rates,
        untrained=reference.untrained,
        **reference.said(),
    )


def answer_initial_weights(reference: Reference) -> records.Draws:
    """Draws weights from the framework's own initialiser, many times."""
    seeds = range(reference.seed, reference.seed + inputs.initial_draws(reference.table))
    return records.Draws(weights=stack([read_weights(reference.build(seed), reference.table) for seed in seeds]))


def answer_cases(reference: Reference) -> records.Cases:
    """Answers every case, and every case again as each variant has it."""
    cases = inputs.cases(reference.table, reference.start, *reference.case_batch())
    answers, variants = {}, [{} for _ in reference.case_variants()]
    for name, case in cases.items():
        answers[name] = answer_case(reference, case)
        for variant, varied in zip(reference.case_variants(), variants, strict=True):
            order = variant.order(np.arange(len(case.images)), len(case.images), reference.seed)
            weights, images = reference.varied(variant, case.weights), reference.varied_inputs(variant, case.images)
            answer = answer_case(reference, Case(weights, images[order], case.labels[order]))
            varied[name] = replace(answer, probabilities=answer.probabilities[np.argsort(order)])
    return records.Cases(answers=answers, cases=cases, variants=variants)


def answer_case(reference: Reference, case: Case) -> records.Answer:
    """Puts one batch through `predict` and `fit`; through `predict` alone where nothing is trained."""
    model, size = reference.recorder, len(case.images)
    load_weights(model, reference.table, case.weights)
    labels = reference.targets(case.labels)
    images = reference.packed(case.images)
    probabilities = reference.output_of(model.predict(images, batch_size=size, verbose=0))
    if reference.untrained:
        return records.Answer(probabilities, np.empty(0), {})
    states.reset_states(model)
    model.fit(**reference.rows_for_fit(case.images, labels), batch_size=size, shuffle=False, verbose=0)
    gradients = dict(zip(trained_paths(reference.table), model.optimizer.gradients(), strict=True))
    return records.Answer(probabilities, recorded_losses(model), gradients)


def answer_optimizer(reference: Reference) -> records.Replay:
    """Replays the fixed gradients; records the weights after every step."""
    model = reference.build()
    model.optimizer.build(model.trainable_variables)
    gradients = inputs.replay_gradients(reference.experiment.training.precision)
    replace_gradients(model, gradients)
    start = inputs.replay_start(reference.table, reference.start)
    return records.Replay(
        gradients=gradients,
        start=start,
        weights=replay_from(reference, model, start),
        variants=[
            replay_from(reference, model, reference.varied(variant, start))
            for variant in inputs.variants()
            if variant.kind == "nudged"  # there are no rows to permute
        ],
        optimizer=optimizers.to_dict(reference.experiment.training.optimizer),
    )


def replay_from(reference: Reference, model, start: Arrays) -> Arrays:
    """Replays from a start: by path, (REPLAY_STEPS, values + 1)."""
    reference.load(model, start)
    steps = []
    trained = trained_paths(reference.table)

    def keep() -> None:
        weights = read_weights(model, reference.table)
        steps.append(shorten({path: weights[path] for path in trained}))

    size = reference.stateful.rows if reference.stateful else 1
    rows = np.arange(inputs.REPLAY_STEPS * size) % len(reference.arrays.x_train)
    images, labels = reference.arrays.x_train[rows], reference.arrays.y_train[rows]
    given = reference.rows_for_fit(images, labels)
    model.fit(**given, batch_size=size, shuffle=False, verbose=0, callbacks=[AfterBatch(keep)])
    return stack(steps)


def answer_metrics(reference: Reference) -> records.Means:
    """Takes an epoch's means twice, over uneven batches, while the weights stay as they are."""
    samples, batch_size = len(reference.arrays.x_train), reference.batch_size

    def rows_of(epoch: int) -> np.ndarray:
        return inputs.metrics_order(epoch, samples, batch_size)

    def curves_of(weights: Arrays, variant=None, **options) -> dict[str, np.ndarray]:
        load_weights(reference.recorder, reference.table, weights)
        results, order = Results(), reference.order_of(variant, rows_of)
        reference.fit(reference.recorder, results, inputs.METRICS_EPOCHS, order=order, **options)
        return curves(results)

    rows = [rows_of(epoch) for epoch in range(inputs.METRICS_EPOCHS)]
    images, labels = reference.arrays.x_train, reference.digits.train_labels
    return records.Means(
        start=reference.start,
        curves=curves_of(reference.start),
        variants=[
            curves_of(reference.varied(variant, reference.start), variant, validation_batch_size=reference.eval_batch)
            for variant in inputs.variants()
        ],
        batches=[describe_batches(images[order], labels[order], batch_size) for order in rows],
    )


def curves(results: Results) -> dict[str, np.ndarray]:
    """Returns the curves of a training as arrays (epochs,)."""
    return {name: np.array(curve) for name, curve in results.history.items()}


def answer_lockstep(reference: Reference) -> records.Steps:
    """Trains from the common start, as the training command does, and keeps every epoch's snapshot."""
    model, table, results = reference.model, reference.table, Results()
    losses, snapshots = [], []
    reference.states.clear()
    reference.load(model, reference.start)

    def before(epoch: int) -> None:
        state = reference.read_state(model)
        reference.states.append(state)
        moments = read_moments(model, table) | unknown_moments(model)
        snapshots.append(records.Snapshot(read_weights(model, table), moments, int(model.optimizer.iterations)))

    def after(results: Results) -> None:
        losses.append(recorded_losses(model))
        report_epoch(results)

    reference.fit(model, results, reference.plan.epochs, order=reference.order, before_epoch=before, after_epoch=after)
    reference.free_run = records.Steps(
        losses=np.concatenate(losses),
        curves=curves(results),
        final=read_weights(model, table),
        snapshots=snapshots,
        epoch_seconds=results.epoch_seconds,
        startup_seconds=results.startup_seconds,
    )
    reference.after_training()
    return reference.free_run


def answer_floor(reference: Reference) -> records.Floor:
    """Trains the runs that differ from the free run in rounding only: the noise floor."""
    runs = [run_of_floor(reference, variant) for variant in reference.variants()]
    return records.Floor(variants=runs, horizon_reached=any(has_departed(run, reference) for run in runs))


def run_of_floor(reference: Reference, variant: inputs.Variant) -> records.Run:
    """Trains once more from a start, or with rows, that differ in rounding; up to the chaos horizon."""
    reference.load(reference.twin, reference.varied(variant, reference.start))
    losses, results = [], Results()
    for epoch in range(reference.plan.epochs):
        reference.fit(
            reference.twin, results, epoch + 1, order=reference.order_of(variant),
            validation_batch_size=reference.eval_batch,
        )  # fmt: skip
        losses.append(recorded_losses(reference.twin))
        send("alive", what=f"noise floor, run {variant.number + 1}, epoch {epoch + 1}")
        run = records.Run(np.concatenate(losses), curves(results), read_weights(reference.twin, reference.table))
        if has_departed(run, reference):
            break
    if reference.pair.is_lab:
        return run
    return replace(run, probabilities=predict_test(reference, reference.twin, run.final))


def has_departed(run: records.Run, reference: Reference) -> bool:
    """Says whether a run has passed the chaos horizon: it has left the free run."""
    ours = reference.trained.losses[: len(run.losses)]
    size = 1.0 if reference.pair.is_lab else inputs.largest_so_far(ours)
    return not (np.abs(run.losses - ours) / size).max() <= inputs.HORIZON


def answer_restarts(reference: Reference) -> records.Restarts:
    """Trains every epoch once more from its own snapshot, for the noise floor of restarted epochs."""
    return records.Restarts(
        losses=reference.trained.losses,  # the reference, restarted from its own snapshots, is itself
        variants=[restarted_losses(reference, variant) for variant in reference.variants()],
    )


def restarted_losses(reference: Reference, variant: inputs.Variant) -> np.ndarray:
    """Trains every epoch from its snapshot, rounded as a variant has it; returns the batch losses (steps,)."""
    twin, losses, size = reference.twin, [], reference.eval_batch
    arrays = None  # states go on through the whole validation
    if not reference.stateful:  # the batch losses alone are judged here: few test images will do
        arrays = replace(reference.arrays, x_test=reference.arrays.x_test[:size], y_test=reference.arrays.y_test[:size])

    def before(epoch: int) -> None:
        weights = reference.trained.snapshots[epoch].weights
        varied, kept = reference.varied(variant, weights, reference.seed + epoch), states.read_states(twin)
        reference.load(twin, varied, reference.states[epoch])
        if epoch:  # states go on from where this run has left them
            states.write_states(twin, kept)

    def after(results: Results) -> None:
        losses.append(recorded_losses(twin))
        send("alive", what=f"noise floor of restarts, run {variant.number + 1}, epoch {results.epochs}")

    reference.fit(
        twin, Results(), reference.plan.epochs, arrays=arrays, after_epoch=after, before_epoch=before,
        validation_batch_size=size, order=reference.order_of(variant),
    )  # fmt: skip
    return np.concatenate(losses)


def answer_interchange(reference: Reference) -> records.Predictions:
    """Predicts the test images with the trained weights; with those of the start where nothing is trained."""
    final, model = reference.start, reference.recorder
    if not reference.untrained:
        final, model = reference.trained.final, reference.model

    def predict(weights: Arrays) -> np.ndarray:
        return predict_test(reference, model, weights)

    return records.Predictions(
        weights=final,
        **reference.pictures(),
        probabilities=predict(final),
        variants=[
            predict(reference.varied(variant, final)) for variant in inputs.variants() if variant.kind == "nudged"
        ],
    )


def predict_test(reference: Reference, model, weights: Arrays) -> np.ndarray:
    """Predicts the test images with some weights."""
    return predict_with(reference, model, weights, reference.arrays.x_test)


def predict_with(reference: Reference, model, weights: Arrays, rows: np.ndarray) -> np.ndarray:
    """Predicts some rows with some weights."""
    load_weights(model, reference.table, weights)
    images = reference.packed(rows)
    return reference.output_of(model.predict(images, batch_size=reference.eval_batch, verbose=0))


ANSWERS = (
    answer_facts, answer_initial_weights, answer_cases, answer_layers, answer_random_layers, answer_callbacks,
    answer_optimizer, answer_metrics, answer_lockstep, answer_interchange, answer_floor, answer_restarts,
)  # fmt: skip
PARTS = {function.__name__.removeprefix("answer_"): function for function in ANSWERS}
