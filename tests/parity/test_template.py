"""The template of a pair file; `tests/test_readme.py` checks that it passes as it is."""

import subprocess
import sys

from conftest import ROOT

from parity.protocol import pair_file

TEMPLATE = ROOT / "parity" / "template.py"
CODE = "import sys, runpy; runpy.run_path(sys.argv[1]); print({'keras', 'torch'} & set(sys.modules) or 'none')"


def test_the_template_is_a_pair_file_that_imports_no_framework_at_its_top():
    pair_file.check(str(TEMPLATE))
    assert subprocess.check_output([sys.executable, "-c", CODE, TEMPLATE], text=True).strip() == "none"


def test_everything_in_the_template_is_said_in_words():
    text = TEMPLATE.read_text()
    assert text.count('"""') == 2 * 6  # the file and its five functions
    assert all(f"def {name}():" in text for name in pair_file.FUNCTIONS)
