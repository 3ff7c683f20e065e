"""Both models' predictions: confusion matrices, disagreements and the worst mistakes."""

import numpy as np

from parity.protocol.records import Predictions
from parity.report.page import confusion

PIXELS = np.arange(4, dtype=np.uint8)[:, None].repeat(784, axis=1)
LABELS = np.array([0, 1, 2, 2])
KERAS = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])


def predict(lightning) -> confusion.Predictions:
    return confusion.Predictions(PIXELS, LABELS, KERAS, np.array(lightning))


def test_confusion_counts_digits_by_row_and_answers_by_column():
    assert confusion.count_confusions(KERAS, LABELS) == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    matrices = confusion.describe_matrices(predict(KERAS))
    assert [matrix["title"] for matrix in matrices] == ["Keras", "Lightning"]
    assert [matrix["right"] for matrix in matrices] == [3, 3] and matrices[0]["largest_mistake"] == 1


def test_a_model_without_mistakes_has_no_largest_one():
    perfect = confusion.Predictions(PIXELS, LABELS, np.eye(3)[LABELS], KERAS)
    assert [matrix["largest_mistake"] for matrix in confusion.describe_matrices(perfect)] == [0, 1]


def test_where_both_agree_the_closest_calls_come_first():
    count, gallery = confusion.find_disagreements(predict(KERAS))
    assert count == 0 and [image["number"] for image in gallery] == [3, 1, 2, 0]


def test_disagreements_come_before_close_calls():
    lightning = KERAS.copy()
    lightning[0] = [0.1, 0.9, 0.0]
    count, gallery = confusion.find_disagreements(predict(lightning))
    assert count == 1 and [image["number"] for image in gallery][:2] == [0, 3]
    assert [side["class"] for side in gallery[0]["sides"]] == [0, 1]


def test_the_surest_disagreement_comes_first():
    lightning = KERAS.copy()
    lightning[1], lightning[2] = [0.55, 0.45, 0.0], [1.0, 0.0, 0.0]
    count, gallery = confusion.find_disagreements(predict(lightning))
    assert count == 2 and [image["number"] for image in gallery] == [2, 1, 3, 0]


def test_the_worst_mistake_is_the_surest_one():
    assert [image["number"] for image in confusion.find_worst_mistakes(predict(KERAS))] == [2]


def test_without_a_mistake_there_is_no_worst_one():
    perfect = np.eye(3)[LABELS]
    assert confusion.find_worst_mistakes(confusion.Predictions(PIXELS, LABELS, perfect, perfect)) == []


def test_the_lead_is_that_of_the_likeliest_over_the_second():
    np.testing.assert_allclose(confusion.lead_of_likeliest(KERAS), [0.8, 0.2, 0.7, 0.1])


def test_the_first_image_of_every_digit_is_an_example():
    examples = confusion.select_examples(predict(KERAS))
    assert [(example["label"], example["pixels"][0]) for example in examples] == [(0, 0), (1, 1), (2, 2)]


def records():
    keras = {"interchange": Predictions(images=PIXELS, labels=LABELS, probabilities=KERAS)}
    return keras, {"interchange": Predictions(probabilities=KERAS, own_probabilities=KERAS)}


def test_predictions_are_read_from_the_records():
    predictions = confusion.read_predictions(*records())
    assert predictions.labels is LABELS and predictions.lightning is KERAS


def test_predictions_that_are_missing_or_no_numbers_are_not_compared():
    keras, lightning = records()
    assert confusion.read_predictions(keras, {}) is None and confusion.read_predictions({}, lightning) is None
    for probabilities in (np.full_like(KERAS, np.nan), KERAS[:2], None):
        lightning["interchange"] = Predictions(probabilities=KERAS, own_probabilities=probabilities)
        assert confusion.read_predictions(keras, lightning) is None
