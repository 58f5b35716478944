"""What the README shows is what the repository holds."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_program_is_the_example():
    (program,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    example = (ROOT / "examples" / "digits.py").read_text(encoding="utf-8")
    assert example.endswith(program)


def test_links_lead_to_files():
    links = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    assert links
    missing = [link for link in links if not (ROOT / link).exists()]
    assert missing == []


def test_commands_exist():
    from nengo_hybrid.cli import main

    named = set(re.findall(r"^    nengo-hybrid (\w+)", README, flags=re.MULTILINE))
    assert named == set(main.commands)
