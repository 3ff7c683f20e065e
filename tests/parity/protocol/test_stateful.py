"""What is known of layers that keep states crosses between the processes, and says how large batches are."""

from sample_records import make_facts

from parity.protocol.records import Facts
from parity.protocol.stateful import Stateful


def test_it_crosses_in_the_facts():
    facts = make_facts(stateful=Stateful(["lstm"], 4, ["Reset"]), kept=["hidden"])
    again = Facts.from_recording(facts.to_recording())
    assert again.stateful == facts.stateful and again.kept == ["hidden"]
    assert again.rows_or(1000) == 4
    assert make_facts().rows_or(1000) == 1000 and Facts.from_recording(make_facts().to_recording()).stateful is None
