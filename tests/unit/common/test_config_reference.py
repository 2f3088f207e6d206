"""The configuration page says what the settings say."""

from __future__ import annotations

from pathlib import Path

from common import config, config_reference

PAGE = Path(__file__).parents[3] / "docs" / "configuration.md"


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == config_reference.render(), (
        "run `python -m common.config_reference > docs/configuration.md`"
    )


def test_every_section_is_on_the_page_with_its_secrets_marked() -> None:
    page = config_reference.render()

    for name in config.SECTIONS:
        assert f"\n## [{name}]\n" in page
    assert "| `key` | text, *secret* |" in page
