"""Faults planted in the examples' right ports, alone and several in one: pair files, each in a folder of its own."""

import random
from dataclasses import dataclass, replace
from pathlib import Path

from mlp_spec.support.errors import UserError
from parity.pair import Pair
from parity.selftest.sweeps import SweepFlags

EXAMPLES = Path(__file__).parents[2] / "examples"
FILE = '''"""The right port of examples/{example} with planted faults: {names}."""

from parity.protocol.targets import load_source

NAMES = {names!r}
right = load_source({path!r})
EPOCHS, BATCH_SIZE = right.EPOCHS, getattr(right, "BATCH_SIZE", None)
keras_model, keras_data = right.keras_model, right.keras_data


def lightning_module():
    from parity.selftest.planted.plants import plant_in_module

    return plant_in_module({example!r}, NAMES, right.lightning_module())


def lightning_data():
    from parity.selftest.planted.plants import plant_in_data

    return plant_in_data({example!r}, NAMES, right.lightning_data())


def lightning_trainer():
    from parity.selftest.planted.plants import trainer_options

    given = right.lightning_trainer() if hasattr(right, "lightning_trainer") else {{}}
    return trainer_options({example!r}, NAMES, given)
'''


@dataclass(frozen=True)
class PairFault:
    """Faults in the right port of an example."""

    example: str
    names: tuple[str, ...]  # of the plants

    @property
    def name(self) -> str:
        """What it is called: `digits_cnn/adam-epsilon+clip-norm`."""
        return f"{self.example}/{'+'.join(self.names)}"

    @property
    def port(self) -> str:
        """The right port, whose Keras model is recorded."""
        return self.example

    @property
    def causes(self) -> tuple[str, ...]:
        """The differences that are to be named."""
        from parity.selftest.planted.plants import of_example

        known = {plant.name: plant for plant in of_example(self.example)}
        return tuple(dict.fromkeys(id for name in self.names for id in (known[name].id, *known[name].also)))

    def right(self, options: SweepFlags) -> Pair:
        """Returns the example's right pair."""
        from parity.check import CheckFlags

        return CheckFlags(str(EXAMPLES / self.example / "pair_right.py")).pair()

    def planted(self, right: Pair, folder: Path) -> Pair:
        """Writes a pair file of the faulty port; returns its pair."""
        file, path = folder / "pair.py", str(EXAMPLES / self.example / "pair_right.py")
        file.write_text(FILE.format(example=self.example, names=self.names, path=path), encoding="utf-8")
        return replace(right, file=str(file))

    @classmethod
    def parse(cls, name: str) -> "PairFault":
        """Returns the faults of a name.

        Raises:
            UserError: there are no such ones.
        """
        from parity.selftest.planted.plants import of_example

        example, _, names = name.partition("/")
        if example not in example_names():
            raise UserError(f"--only {name}: there is no example {example}; there are {', '.join(example_names())}")
        known = [plant.name for plant in of_example(example)]
        if unknown := [one for one in names.split("+") if one not in known]:
            raise UserError(f"--only {name}: {example} has no fault {unknown[0]}; it has {', '.join(known)}")
        return cls(example, tuple(names.split("+")))


def example_names() -> tuple[str, ...]:
    """Names the examples in whose ports faults are planted."""
    from parity.selftest.planted import plant

    return plant.EXAMPLES


def draw(seed: int, singles: int | None, pairs: int, triples: int) -> list[PairFault]:
    """Draws faults.

    Args:
        seed: of the draw.
        singles: how many faults stand alone in a port; all there are if None.
        pairs, triples: how many ports have two and three faults, which do not touch the same; the examples in turn.
    """  # fmt: skip
    from parity.selftest.planted.plants import are_compatible, of_example

    examples = example_names()
    chance = random.Random(seed)
    alone = [PairFault(example, (plant.name,)) for example in examples for plant in of_example(example)]
    if singles is not None and singles < len(alone):
        alone = chance.sample(alone, singles)
    several = {}
    for count, wanted in ((2, pairs), (3, triples)):
        found, tries = 0, 0
        while found < wanted and tries < 100 * wanted:
            example, tries = examples[tries % len(examples)], tries + 1
            plants = chance.sample(of_example(example), count)
            fault = PairFault(example, tuple(sorted(plant.name for plant in plants)))
            if are_compatible(plants) and fault not in several:
                several[fault], found = None, found + 1
    return [*alone, *several]
