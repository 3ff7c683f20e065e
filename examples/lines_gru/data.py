"""Lines of the texts that describe scikit-learn's data sets, as numbers of words; numpy only, for both frameworks."""

import re
from collections import Counter

import numpy as np
from sklearn import datasets

NAMES = ("breast_cancer", "diabetes", "digits", "iris", "wine")
WORDS, LONGEST, ROWS = 200, 16, 1600  # how many words are known, the words of a row, and the rows


def load_data():
    """Returns (x_train, y_train), (x_val, y_val): words (N, 16) int64 padded by 0, and subjects (N,) int64."""
    texts = [re.findall("[a-z]+", getattr(datasets, f"load_{name}")().DESCR.lower()) for name in NAMES]
    known = [word for word, _ in Counter(word for text in texts for word in text).most_common(WORDS)]
    numbers = {word: number for number, word in enumerate(known, start=1)}  # 0 is no word
    texts = [[numbers[word] for word in text if word in numbers] for text in texts]
    draw = np.random.default_rng(0)
    x, y = np.zeros((ROWS, LONGEST), "int64"), draw.integers(0, len(NAMES), ROWS)
    for row, label in zip(x, y, strict=True):
        length = draw.integers(4, LONGEST + 1)
        start = draw.integers(len(texts[label]) - length)
        row[:length] = texts[label][start : start + length]
    return (x[:1300], y[:1300]), (x[1300:], y[1300:])
