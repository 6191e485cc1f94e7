"""The reference pages say what the code says, and links between pages lead somewhere."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from sipcc.config import load
from sipcc.config.schema import LISTS, TABLES

ROOT = Path(__file__).parents[3]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "tools" / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE = tool()


@pytest.mark.parametrize("name", list(MAKE.PAGES))
def test_a_page_is_as_the_code_makes_it(name: str) -> None:
    written = (ROOT / name).read_text("utf-8")
    assert written == MAKE.PAGES[name](), "run python tools/make_reference.py"


def test_every_key_has_a_meaning() -> None:
    silent = [
        (name, field.encode_name)
        for name, kind in (TABLES | LISTS).items()
        for field in msgspec.structs.fields(kind)
        if not MAKE.field_docs(kind).get(field.encode_name)
    ]
    assert silent == []


def test_the_examples_of_the_configuration_page_are_good(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    configs = []
    for text in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
        (tmp_path / "sipcc.toml").write_text(text)
        configs.append(load(tmp_path / "sipcc.toml", {"PASSWORD_1001": "correct-horse-1001"}))
    assert configs[0].numbers[0].to == "menu:main"


def keys_of(name: str, kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from keys_of(f"{name}.{field.encode_name}", field.type)
        else:
            yield name, field.encode_name


def test_the_example_shows_every_key() -> None:
    example = (ROOT / "examples" / "sipcc.toml").read_text("utf-8")
    pieces = re.split(r"^\[+([\w.]+)\]+.*$", example, flags=re.MULTILINE)
    shown = {
        (name, key)
        for name, text in zip(pieces[1::2], pieces[2::2], strict=True)
        for key in re.findall(r"^(?:# )?(\w+) = ", text, re.MULTILINE)
    }
    wanted = [key for name, kind in (TABLES | LISTS).items() for key in keys_of(name, kind)]
    assert [key for key in wanted if key not in shown] == []


def test_what_stands_in_the_example_is_the_default() -> None:
    own = {"listen", "domain", "prompts", "database", "recordings", "socket", "journal", "cache"}
    config = load(ROOT / "examples" / "sipcc.toml", {})
    others = [
        (name, field.name)
        for name, kind in TABLES.items()
        for field in msgspec.structs.fields(kind)
        if field.name not in own and getattr(getattr(config, name), field.name) != getattr(kind(), field.name)
    ]
    assert others == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", text)]
    lost = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert lost == []


def slugs(page: Path) -> set[str]:
    """The names by which the headings of a page can be linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_headings_find_them(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", text)
    lost = [
        f"{file}#{name}" for file, name in links if name not in slugs(page.parent / file if file else page)
    ]
    assert lost == []


@pytest.mark.parametrize("page", ["docs/one-call.md", "docs/architecture.md"])
def test_files_that_the_pages_name_are_there(page: str) -> None:
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.(?:py|toml))`", (ROOT / page).read_text("utf-8"))
    roots = (ROOT, ROOT / "src" / "sipcc")
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []
