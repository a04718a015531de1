"""The rooms of the house: who may import whom, and that nothing heavy is imported before it is needed."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Each room may import from the rows above its own, never sideways except where a row says so.
ORDER = [
    {"rag.errors", "rag.types", "rag.text", "rag.workers", "rag.dumps.lines", "rag.dumps.identity"},
    {
        "rag.passages",
        "rag.lexical",
        "rag.query",
        "rag.filters",
        "rag.embed",
        "rag.constrain",
        "rag.trie",
        "rag.template",
        "rag.manifest",
        "rag.generations",
        "rag.models",
        "rag.dumps.files",
        "rag.dumps.latex",
        "rag.dumps.xml",
        "rag.dumps.fields",
    },
    {
        "rag.rows",
        "rag.settings",
        "rag.dumps.listing",
        "rag.dumps.bibtex",
        "rag.dumps.ris",
        "rag.dumps.anthology",
        "rag.dumps.pubmed",
        "rag.dumps.jsonl",
        "rag.merge",
        "rag.untrusted",
        "rag.generate",
        "rag.facts",
        "rag.unfinished",
    },
    {"rag.dumps.tables", "rag.store", "rag.prompt", "rag.held", "rag.named", "rag.given"},
    {"rag.belongs", "rag.contradict"},
    {"rag.verify"},
    {"rag.dumps", "rag.cite"},
    {"rag.rebuild", "rag.retrieve", "rag.reader", "rag.evidence", "rag.compose"},
    {"rag.refusal"},
    {"rag.answer", "rag.shelf", "rag.evaluate"},
    {"bot.progress", "bot.records", "bot.references"},
    {"bot.render"},
    {"bot.sessions", "bot.status", "bot.completion", "bot.report", "bot.models"},
    {"bot.queue", "bot.discord_app.parsing", "bot.discord_app.markdown", "bot.discord_app.split"}
    | {"bot.discord_app.watch", "bot.discord_app.logs", "bot.discord_app.library"},
    {"bot.discord_app.rules", "bot.discord_app.reindex"},
    {"bot.discord_app.wording", "bot.discord_app.kept"},
    {"bot.discord_app.cards"},
    {"bot.discord_app.asking"},
    {"bot.discord_app.posting", "bot.discord_app.connection"},
    {"bot.discord_app.client"},
    {"bot.discord_app.commands"},
    {"bot.discord_app.service"},
    {
        "bot.terminal.commands",
        "bot.terminal.markdown",
        "bot.terminal.files",
        "bot.terminal.status",
        "bot.terminal.library",
    },
    {"bot.terminal.views", "bot.terminal.talk", "bot.terminal.complete", "bot.terminal.keyboard"},
    {"bot.terminal.papers", "bot.terminal.export", "bot.terminal.screen"},
    {"bot.terminal.chat", "bot.doctor", "bot.reference"},
    {"bot.cli"},
]
IMPORTERS = {
    "chromadb": {"rag.store"},
    "llama_cpp": {"rag.generate"},
    "sentence_transformers": {"rag.embed"},
    "bm25s": {"rag.lexical"},
    "pydantic_settings": {"rag.settings"},
    "prompts": {"rag.prompt"},
    "discord": {f"bot.discord_app.{name}" for name in ("client", "commands", "connection", "posting")},
    "prompt_toolkit": {"bot.terminal.keyboard"},
}
HEAVY = {
    "aiohttp",
    "discord",
    "chromadb",
    "llama_cpp",
    "sentence_transformers",
    "torch",
    "transformers",
    "bm25s",
    "numpy",
    "pydantic",
    "jinja2",
    "prompt_toolkit",
    "rich",
}


def modules() -> dict[str, Path]:
    found = {}
    for path in [*ROOT.glob("rag/**/*.py"), *ROOT.glob("bot/**/*.py")]:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name not in {"rag", "bot", "bot.discord_app", "bot.terminal"}:
            found[name] = path
    return found


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in modules() else node.module
                for alias in node.names
            }
    return found


def test_every_module_has_its_place() -> None:
    assert set(modules()) == set().union(*ORDER)


def test_imports_run_one_way() -> None:
    rows = {name: row for row, names in enumerate(ORDER) for name in names}
    for name, path in modules().items():
        for imported in imports(path) & rows.keys():
            assert rows[imported] < rows[name] or {imported, name} <= ORDER[0], f"{name} imports {imported}"


@pytest.mark.parametrize("library", IMPORTERS)
def test_each_library_is_imported_in_its_place_only(library: str) -> None:
    importers = {
        name for name, path in modules().items() if any(found.split(".")[0] == library for found in imports(path))
    }
    assert importers <= IMPORTERS[library]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["ask", "--help"], ["nonsense"]])
def test_nothing_heavy_is_imported_before_it_is_needed(arguments: list[str]) -> None:
    code = (
        "import json, sys\nfrom bot.cli import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not HEAVY & set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_a_room_reads_no_settings_and_loads_no_model() -> None:
    code = (
        "import sys\n"
        + "".join(f"import {name}\n" for name in modules())
        + "print({'torch', 'llama_cpp', 'chromadb'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"FOOTNOTE_TOP_K": "nonsense", "PATH": ""},
    )
    assert done.stdout == "set()\n"
