"""The page about grammars: its program does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "grammars.md"


def test_the_program_of_the_page() -> None:
    program = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert program is not None
    done = subprocess.run(
        [sys.executable, "-c", program[1]], capture_output=True, text=True, timeout=15, check=True
    )
    tree, meaning, refused = done.stdout.splitlines()
    assert tree.startswith('$order["I", "want", $drink["green", "tea", {out = "green";}], {out.drink = ')
    assert (meaning, refused) == ("{'drink': 'green'}", "True")
