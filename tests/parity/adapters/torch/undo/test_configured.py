"""What `configure_optimizers` may give, in every form of Lightning's; other optimizers are put in their places."""

import pytest
import torch
from torch import nn

from parity.adapters.torch.undo.configured import hold, optimizers_in

SCHEDULE = torch.optim.lr_scheduler.StepLR


def make(count: int = 1) -> list:
    return [torch.optim.SGD(nn.Linear(2, 2).parameters(), 0.5) for _ in range(count)]


(ONE,), (FIRST, SECOND) = make(), make(2)
STEPPED = SCHEDULE(ONE, 3)
CONFIG = {"scheduler": STEPPED, "interval": "step"}
FORMS = {
    "one": (ONE, [ONE], []),
    "several": ([FIRST, SECOND], [FIRST, SECOND], []),
    "with schedules": (([ONE], [STEPPED]), [ONE], [{"scheduler": STEPPED}]),
    "with configured schedules": (([ONE], [CONFIG]), [ONE], [CONFIG]),
    "a dictionary": ({"optimizer": ONE, "lr_scheduler": CONFIG}, [ONE], [CONFIG]),
    "several dictionaries": (({"optimizer": FIRST}, {"optimizer": SECOND}), [FIRST, SECOND], []),
    "none": (None, [], []),
}


@pytest.mark.parametrize("form", FORMS)
def test_optimizers_and_schedules_are_found_in_every_form_and_replaced(form):
    given, optimizers, schedules = FORMS[form]
    found, scheduled, put_back = optimizers_in(given)
    assert found == optimizers and scheduled == schedules
    if not found:
        return
    new = make(len(found))
    again, kept, _ = optimizers_in(put_back(new, True))
    assert again == new and kept == schedules
    assert optimizers_in(put_back(new, False))[:2] == (new, [])


def test_schedules_go_on_with_what_was_put_in_place():
    (old,), (new,) = make(), make()
    scheduler = SCHEDULE(old, 1, 0.1)
    hold([{"scheduler": scheduler}], [old], [new])
    assert scheduler.optimizer is new and new.param_groups[0]["initial_lr"] == 0.5
    new.step()
    scheduler.step()
    assert new.param_groups[0]["lr"] == pytest.approx(0.05) and old.param_groups[0]["lr"] == 0.5
