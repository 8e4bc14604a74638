"""The counters of `make house` on small trees, each made right first and then wrong: a figure that cannot rise counts nothing."""

from pathlib import Path
from textwrap import dedent

import pytest
from bench.house import imports, pointers, sizes, tools, tree, untested
from bench.house.figures import Figure, text

CONTRACTS = """
[tool.importlinter]
root_package = "a2llm"
[[tool.importlinter.contracts]]
name = "low does not know high"
type = "forbidden"
source_modules = ["a2llm.low"]
forbidden_modules = ["a2llm.high"]
"""


def put(root: Path, path: str, content: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(dedent(content))


def test_a_function_of_51_lines_is_long(tmp_path: Path) -> None:
    put(tmp_path, "models/a2llm/one.py", "def short():\n" + "    x = 1\n" * 49)
    assert sizes.long_functions(tmp_path) == []
    put(tmp_path, "services/a2serve/two.py", "class A:\n    async def long(self):\n" + "        x = 1\n" * 50)
    assert sizes.long_functions(tmp_path) == ["services/a2serve/two.py:2 long 51"]


def test_a_module_of_301_lines_is_long_and_a_generated_one_is_not(tmp_path: Path) -> None:
    put(tmp_path, "models/a2llm/one.py", "x = 1\n" * 300)
    put(tmp_path, "services/a2serve/contracts/proto/two_pb2.py", "x = 1\n" * 900)
    assert sizes.long_modules(tmp_path, tree.product(tmp_path)) == []
    put(tmp_path, "models/a2llm/one.py", "x = 1\n" * 301)
    assert sizes.long_modules(tmp_path, tree.product(tmp_path)) == ["models/a2llm/one.py 301"]


def test_messages_are_counted_by_file_and_by_class(tmp_path: Path) -> None:
    put(tmp_path, "a.py", "x = 1\n\ny = 2\n")
    put(tmp_path, "b.py", "class Other:\n    pass\n\n\nclass Mine:\n    a: int\n    b: int\n")
    assert sizes.message_lines(tmp_path, ("a.py", "b.py:Mine")) == {"a.py": 3, "b.py:Mine": 3}
    for gone in ("c.py", "b.py:Yours"):
        with pytest.raises(ValueError, match="name the"):
            sizes.message_lines(tmp_path, (gone,))


def test_lines_of_tests_are_set_against_lines_of_the_product(tmp_path: Path) -> None:
    put(tmp_path, "models/a2llm/one.py", "x = 1\n" * 10)
    put(tmp_path, "tests/unit/test_one.py", "x = 1\n" * 8)
    put(tmp_path, "services/web/src/page.ts", "let x;\n" * 4)
    put(tmp_path, "services/web/src/contract/events.ts", "let x;\n" * 90)
    put(tmp_path, "services/web/tests/page.test.ts", "let x;\n" * 1)
    assert sizes.tests_per_source_line(tmp_path) == {"tests_per_source_line": 0.8, "web_tests_per_source_line": 0.25}


BACK = ("from a2serve.gateway.rest import x", "def f():\n    from a2serve.gateway.rest.x import y", "from ..rest import x")


@pytest.mark.parametrize("back", BACK)
def test_packages_that_import_each_other_are_a_cycle(tmp_path: Path, back: str) -> None:
    put(tmp_path, "services/a2serve/gateway/rest/x.py", "import a2serve.gateway.state.y")
    put(tmp_path, "services/a2serve/gateway/rest/__init__.py", "x = 1")
    put(tmp_path, "services/a2serve/gateway/state/y.py", "import json")
    assert imports.gateway_cycles(tmp_path) == []
    imports.graph.cache_clear()
    put(tmp_path, "services/a2serve/gateway/state/z.py", back)
    assert imports.gateway_cycles(tmp_path) == ["rest->state state->rest"]


def test_a_cycle_over_three_nodes_is_one() -> None:
    assert imports.cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert imports.cycles({"a": {"b"}, "b": {"c"}, "c": set()}) == []


def test_an_option_is_counted_where_a_response_passes(tmp_path: Path) -> None:
    put(tmp_path, "services/a2serve/wire.py", "import a2llm.engine\nclass Options:\n    top_p: float | None = None")
    put(tmp_path, "services/a2serve/wire_pb2.py", "top_p = 1")
    put(tmp_path, "services/a2serve/wire.proto", "optional float top_p = 1;")
    put(tmp_path, "services/a2serve/names.py", "ALLOWED = ('top_p',)")
    put(tmp_path, "models/a2llm/engine.py", "import a2llm.sampling\ndef step(r): return r.options.top_p")
    put(tmp_path, "models/a2llm/sampling.py", "class Defaults:\n    top_p: float = 0.9\ndef draw(top_p): return top_p")
    put(tmp_path, "models/a2llm/training.py", "draw(top_p=1)  # nothing that serves imports it")
    put(tmp_path, "services/a2serve/other.py", "x.stop_p = x.top_pp = 1")
    put(tmp_path, "tests/unit/test_wire.py", "x.top_p = 1")
    found = ["models/a2llm/engine.py", "services/a2serve/names.py", "services/a2serve/wire.py", "services/a2serve/wire.proto"]
    assert imports.option_files(tmp_path, "top_p") == found


def test_a_module_is_tested_by_an_import_or_a_name(tmp_path: Path) -> None:
    for module in ("imported", "named", "part/twice", "twice", "left", "__init__", "box/inner", "box/hidden"):
        put(tmp_path, f"models/a2llm/{module}.py", "x = 1")
    put(tmp_path, "models/a2llm/box/__init__.py", "from a2llm.box.hidden import y\nfrom a2llm.box.inner import x")
    put(tmp_path, "tests/unit/test_box.py", "from a2llm.box import x")
    put(tmp_path, "services/a2serve/recorder/migrations/versions/0001.py", "x = 1")
    put(tmp_path, "tests/unit/test_named.py", "def test_it():\n    from a2llm import imported")
    put(tmp_path, "tests/parity/test_part_twice.py", "from a2llm import part")
    put(tmp_path, "tests/unit/test_twice.py", "x = 1")  # of which one is not said
    put(tmp_path, "tests/support/left.py", "import a2llm.left")
    assert untested.modules_without_test(tmp_path) == ["a2llm.box.hidden", "a2llm.left", "a2llm.twice"]


def test_a_page_leads_to_files_headings_and_modules(tmp_path: Path) -> None:
    put(tmp_path, "models/a2llm/engine.py", "def step(): ...")
    put(tmp_path, "docs/other.md", "# One\n## Two, and `three`\n")
    put(tmp_path, "docs/page.md", "[a](other.md#two-and-three) [b](https://x.y/z.py) a2llm/engine.py a2llm.engine.step my-own/x.py\n")
    assert pointers.broken_pointers(tmp_path) == []
    put(tmp_path, "docs/page.md", "[a](gone.md)\n[b](other.md#four)\n`a2llm/gone.py` stop.py\na2llm.engine.gone\n")
    assert pointers.broken_pointers(tmp_path) == [
        "docs/page.md:1 gone.md",
        "docs/page.md:2 other.md#four",
        "docs/page.md:3 a2llm/gone.py",
        "docs/page.md:3 stop.py",
        "docs/page.md:4 a2llm.engine.gone",
    ]


def test_docstrings_and_comments_name_what_is_there(tmp_path: Path) -> None:
    put(
        tmp_path,
        "models/a2llm/engine.py",
        '"""See `step`, layers/norm.py."""\n\ndef step(): ...  # `Engine.step`, `GET`\n',
    )
    put(tmp_path, "services/web/src/a.ts", "/** See\n * gone.ts. */\nconst x = 'other/gone.ts';\n")
    put(tmp_path, "infra/run.sh", "x=1 # like docs/gone.md\n")
    assert pointers.broken_pointers(tmp_path) == [
        "infra/run.sh:1 docs/gone.md",
        "models/a2llm/engine.py:1 layers/norm.py",
        "models/a2llm/engine.py:3 `Engine.step`",
        "services/web/src/a.ts:1 gone.ts",
    ]


def test_broken_contracts_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "pyproject.toml", CONTRACTS)
    for name in ("__init__", "low", "high"):
        put(tmp_path, f"a2llm/{name}.py", "x = 1")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert tools.import_contracts(tmp_path) == (1, 0)
    put(tmp_path, "a2llm/low.py", "import a2llm.high")
    assert tools.import_contracts(tmp_path) == (0, 1)
    put(tmp_path, "pyproject.toml", "")
    with pytest.raises(ValueError, match="import-linter"):
        tools.import_contracts(tmp_path)


def test_a_file_formatted_by_hand_is_counted(tmp_path: Path) -> None:
    put(tmp_path, "one.py", "x = 1\n")
    assert tools.unformatted(tmp_path) == []
    put(tmp_path, "two.py", "x = {  'a':1 }\n")
    assert tools.unformatted(tmp_path) == ["two.py"]


def test_a_file_of_the_page_formatted_by_hand_is_counted(tmp_path: Path) -> None:
    packages = tree.ROOT / tree.WEB / "node_modules"
    if not (packages / ".bin" / "biome").exists():
        pytest.skip("the page's packages are not installed")
    put(tmp_path, "services/web/biome.json", "{}\n")
    (tmp_path / tree.WEB / "node_modules").symlink_to(packages)
    put(tmp_path, "services/web/src/a.ts", "let x = 1;\n")
    assert tools.web_unformatted(tmp_path) == []
    put(tmp_path, "services/web/src/b.ts", "let  x=1\n")
    assert tools.web_unformatted(tmp_path) == ["src/b.ts"]


def test_a_bar_is_held_or_missed() -> None:
    assert Figure(3, 3).holds and Figure(3, 3, least=True).holds and Figure(99).holds
    assert not Figure(4, 3).holds and not Figure(2, 3, least=True).holds
    shown = text({"a": Figure(4, 3, found=["x", "y"]), "b": Figure(1, 1)}, most=1).splitlines()
    assert shown[0].split() == ["a", "4", "at", "most", "3", "MISSED"] and shown[1].split() == ["b", "1", "at", "most", "1"]
    assert shown[2:] == ["", "a:", "  x", "  ... 1 more: --all"]
