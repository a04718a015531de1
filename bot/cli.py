"""Command-line arguments -> calls; all the wiring, and the exit codes.

Nothing heavy is imported before a command needs it: `footnote --help` must answer at once. Standard
output carries what was asked for and nothing else; progress and notes go to standard error.
"""

import argparse
import contextlib
import getpass
import io
import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from rag.errors import ConfigurationError, FootnoteError, QuestionError, StoreDamaged, StoreIncompatible, StoreMissing

if TYPE_CHECKING:
    from rag.answer import Answerer
    from rag.embed import SentenceEmbedder
    from rag.generate import LlamaGenerator
    from rag.settings import Settings
    from rag.shelf import Shelf

ANSWERED, FAILED, USAGE, UNANSWERED, NO_STORE, CONFIGURATION, INTERRUPTED = 0, 1, 2, 3, 4, 78, 130
_COMPLETION = "Print what makes a shell complete footnote's commands."
_EXIT_CODES = {
    QuestionError: USAGE,
    StoreMissing: NO_STORE,
    StoreIncompatible: NO_STORE,
    StoreDamaged: NO_STORE,
    ConfigurationError: CONFIGURATION,
    FootnoteError: FAILED,
}


class _Line(NamedTuple):
    """One line of --jsonl."""

    id: object
    question: str
    history: list[str]


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = _parser().parse_args(argv)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # text that cannot be read or shown is no reason to fail
            stream.reconfigure(errors="replace")
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except FootnoteError as error:
        _print_error(error, as_json=getattr(arguments, "json", False) or getattr(arguments, "jsonl", False))
        return _exit_code(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away; that is no error of ours
        _discard_output()
        return FAILED
    except OSError as error:
        if error.filename is not None:
            raise
        _discard_output()
        print(f"footnote: Cannot write the output: {error.strerror}.", file=sys.stderr)
        return FAILED


def _discard_output() -> None:
    """Let the interpreter's last flush go nowhere instead of failing again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="footnote", description="Ask a shelf of research papers. Every sentence of an answer carries a footnote."
    )
    parser.add_argument("--version", action="version", version=f"footnote {version('footnote')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], help_: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_, description=help_)
        added.set_defaults(run=run)
        added.add_argument("--store", metavar="DIR", help="folder of the vector store (FOOTNOTE_STORE)")
        return added

    rebuild = command("rebuild", _rebuild, "Build the vector store from dumps of abstracts.")
    rebuild.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        default=[Path("seeds")],
        help="dumps, folders of dumps, or - for standard input (default: seeds/)",
    )
    how = rebuild.add_mutually_exclusive_group()
    how.add_argument("--dry-run", action="store_true", help="show what would be read, and write nothing")
    how.add_argument("--rollback", action="store_true", help="make the generation before this one serve again")
    rebuild.add_argument("--json", action="store_true", help="print the report as JSON")

    ask = command("ask", _ask, "Answer one question, or one a line with --jsonl.")
    ask.add_argument("question", nargs="?", metavar="QUESTION", help="read from standard input if it is left out")
    ask.add_argument("--file", type=Path, metavar="FILE", help="read the question from a file")
    ask.add_argument("--model", metavar="PATH", help="a GGUF, or none for no model (FOOTNOTE_MODEL)")
    ask.add_argument("--filter", metavar="FILTER", help="answer from papers of some years: 'year>=2024'")
    ask.add_argument("-q", "--quiet", action="store_true", help="print the answer alone, without sources and notes")
    _add_json(ask)

    search = command("search", _search, "List the papers nearest to a query, without answering it.")
    search.add_argument("query", nargs="?", metavar="QUERY", help="read from standard input if it is left out")
    search.add_argument("-k", type=int, choices=range(1, 21), metavar="N", help="how many papers, 1 to 20 (default: 5)")
    _add_json(search)

    chat = command("chat", _chat, "Ask one question after another; follow-ups are understood.")
    chat.add_argument("--model", metavar="PATH", help="a GGUF, or none for no model (FOOTNOTE_MODEL)")
    chat.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="ID",
        help="go on with the last conversation, or the one of this id or name",
    )
    chat.add_argument("--no-history", action="store_true", help="keep nothing of this chat on disk")

    models = command("models", _models, "List larger language models, download one, or say which to use.")
    models.add_argument("what", choices=("list", "pull", "use"))
    models.add_argument("name", nargs="?", metavar="NAME", help="of a model in the list; for use also a GGUF's path")
    models.add_argument("--json", action="store_true", help="print JSON")

    discord = command("discord", _discord, "Answer in Discord; docs/discord.md says how to set it up.")
    discord.add_argument("--model", metavar="PATH", help="a GGUF, or none for no model (FOOTNOTE_MODEL)")
    discord.add_argument("--feedback", action="store_true", help="print the rated answers as JSON lines, and leave")
    discord.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        default=[Path("seeds")],
        help="what /reindex reads (default: seeds/)",
    )

    evaluate = command("eval", _evaluate, "Answer a question set and print how well it went.")
    evaluate.add_argument(
        "questions", type=Path, metavar="QUESTIONS", help="JSON lines with questions and gold answers"
    )
    evaluate.add_argument("--model", metavar="PATH", help="a GGUF, or none for no model (FOOTNOTE_MODEL)")
    evaluate.add_argument("--json", action="store_true", help="print the figures as JSON")
    evaluate.add_argument("--report", type=Path, metavar="FILE", help="write one HTML page with plots to FILE")

    status = command("status", _status, "Show the store, the models and the settings in effect.")
    status.add_argument("--json", action="store_true", help="print it as JSON")

    doctor = command("doctor", _doctor, "Check everything an answer needs, and say what mends it.")
    doctor.add_argument("--model", metavar="PATH", help="a GGUF, or none for no model (FOOTNOTE_MODEL)")
    doctor.add_argument("--json", action="store_true", help="print it as JSON")

    completion = commands.add_parser("completion", help=_COMPLETION, description=_COMPLETION)
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))
    completion.set_defaults(run=_completion)
    return parser


def _add_json(command: argparse.ArgumentParser) -> None:
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--json", action="store_true", help="print JSON")
    kind.add_argument(
        "--jsonl",
        action="store_true",
        help='read {"id", "question", "history"} a line from standard input; print JSON a line',
    )


def _rebuild(arguments: argparse.Namespace) -> int:
    from bot.progress import progress_on
    from bot.render import report_json, report_text, rollback_json, rollback_text, survey_json, survey_text
    from rag.rebuild import rebuild, survey
    from rag.store import roll_back

    settings = _settings(arguments)
    progress = progress_on(sys.stderr)
    if arguments.dry_run:
        with contextlib.closing(progress):
            found = survey(arguments.paths, progress)
        print(json.dumps(survey_json(found)) if arguments.json else survey_text(found))
        return ANSWERED
    if arguments.rollback:
        manifest = roll_back(settings.store)
        print(json.dumps(rollback_json(manifest)) if arguments.json else rollback_text(manifest))
        return ANSWERED
    try:
        with contextlib.closing(progress):
            report = rebuild(arguments.paths, settings.store, _embedder(settings), progress)
    except KeyboardInterrupt:
        _note("Interrupted. The papers of before serve; run it again, and it goes on from its last batch.")
        raise
    print(json.dumps(report_json(report)) if arguments.json else report_text(report))
    return ANSWERED


def _ask(arguments: argparse.Namespace) -> int:
    from bot.render import NO_MODEL, TINY_MODEL, answer_json
    from bot.terminal.screen import Output, stop_on_interrupt
    from rag.query import read_question

    if arguments.jsonl:
        _no_argument(arguments.question or arguments.file)
        answerer = _answerer(_settings(arguments), arguments.filter)
        return _each_line(lambda line: answer_json(answerer.answer(line.question, line.history), line.id))
    question = read_question(_given(arguments))
    answerer = _answerer(_settings(arguments), arguments.filter)
    with stop_on_interrupt() as stop:
        if arguments.json or arguments.quiet:
            answer = answerer.answer(question, stop=stop)
            print(json.dumps(answer_json(answer)) if arguments.json else answer.text)
        else:
            output = Output()
            answer = output.play(answerer.stream(question, stop=stop), lambda: answerer.generator is None)
            output.show_below(answer)
            model = answerer.generator
            chosen = model is not None and model.is_tiny and answer.mode == "quote"
            about = NO_MODEL if model is None else TINY_MODEL if chosen else ""
            _note("" if answer.abstained or not answer.text else about)
    if answer.finish_reason == "stopped":
        return INTERRUPTED
    return UNANSWERED if answer.abstained else ANSWERED


def _search(arguments: argparse.Namespace) -> int:
    from bot.render import search_json, search_text
    from rag.query import read_history, read_question, standalone_query
    from rag.retrieve import Retriever
    from rag.store import open_store

    settings = _settings(arguments, top_k=arguments.k)
    if arguments.jsonl:
        _no_argument(arguments.query)
    first = "" if arguments.jsonl else read_question(_argument_or_stdin(arguments.query, "search QUERY"))
    retriever = Retriever(open_store(settings.store), _embedder(settings))

    def results(query: str, id_: object = None) -> dict[str, Any]:
        started = time.perf_counter()
        passages = retriever.search(query, settings.top_k)
        return search_json(query, passages, (time.perf_counter() - started) * 1000, id_)

    if arguments.jsonl:
        return _each_line(
            lambda line: results(standalone_query(read_question(line.question), read_history(line.history)), line.id)
        )
    if arguments.json:
        print(json.dumps(results(first)))
    else:
        print(search_text(retriever.search(first, settings.top_k)))
    return ANSWERED


def _chat(arguments: argparse.Namespace) -> int:
    from bot.terminal.chat import Chat

    chat = Chat(_Loaders(arguments), person=_person(), resume=arguments.resume, keep=not arguments.no_history)
    try:
        code = chat.run()
    except FootnoteError as error:
        _print_error(error, as_json=False)
        code = _exit_code(error)
    except KeyboardInterrupt:  # where nothing is read or answered, as while it loads
        code = INTERRUPTED
    if chat.library.is_loading or (sys.stdin and sys.stdin.isatty()):
        # A person wants to be out at once. To free what was loaded takes a second; and the thread that loads or
        # answers cannot be interrupted: to end the interpreter below it may crash.
        sys.stdout.flush()
        os._exit(code)
    return code


class _Loaders:
    """How a chat loads its parts, each when it is needed."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments

    def settings(self) -> "Settings":
        return _settings(self._arguments)

    def shelf(self, settings: "Settings") -> "Shelf":
        from rag.reader import shipped_reader
        from rag.shelf import Shelf

        shelf = Shelf(settings.store, _embedder(settings))
        shelf.retriever().embedder.embed_queries(["warm"])  # the first question should not wait for either
        shipped_reader().read("warm", [("", ["warm"])])
        return shelf

    def generator(self, settings: "Settings") -> "LlamaGenerator | None":
        return _generator(settings)


def _person() -> str:
    """Whose conversations: the user of this machine."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return str(os.getuid())


def _models(arguments: argparse.Namespace) -> int:
    from bot.models import listing, listing_text, pull, use
    from rag.models import machine_memory_gb

    if (arguments.what == "list") == bool(arguments.name):
        raise QuestionError("pull and use take a NAME, list takes none.", "Run: footnote models list")
    if arguments.what == "list":
        listed = listing(_settings(arguments), machine_memory_gb())
        print(json.dumps(listed) if arguments.json else listing_text(listed))
        return ANSWERED
    path = (pull if arguments.what == "pull" else use)(arguments.name)
    if arguments.json:
        print(json.dumps({"schema": 1, "path": str(path)}))
    elif arguments.what == "pull":
        print(f"{path} is here. To answer with it: footnote models use {arguments.name}")
    else:
        print(f"{path} is in .env as FOOTNOTE_MODEL.")
        if "FOOTNOTE_MODEL" in os.environ:
            _note("FOOTNOTE_MODEL is also set in the environment, which wins over .env.")
    return ANSWERED


def _discord(arguments: argparse.Namespace) -> int:
    from bot.discord_app.kept import Kept, kept_path
    from bot.discord_app.service import run

    settings = _settings(arguments)
    if arguments.feedback:
        with contextlib.closing(Kept(kept_path(settings))) as kept:
            for row in kept.feedback():
                print(json.dumps(row))
        return ANSWERED
    return run(settings, arguments.paths, lambda: _embedder(settings), lambda: _generator(settings))


def _evaluate(arguments: argparse.Namespace) -> int:
    from bot.progress import progress_on
    from bot.render import error_json
    from bot.report import evaluation_html, evaluation_json, evaluation_text
    from rag.evaluate import outcome, read_questions

    questions = read_questions(arguments.questions)
    if arguments.report:
        _check_writable(arguments.report)  # before an hour of answers
    answerer = _answerer(_settings(arguments))
    outcomes = []
    progress = progress_on(sys.stderr)
    with contextlib.closing(progress):
        for asked in questions:
            outcomes.append(outcome(asked, answerer.answer(asked.question, asked.history)))
            progress("answer", len(outcomes), len(questions))
    problem = None
    if arguments.report:
        page = evaluation_html(outcomes, arguments.questions.name)
        try:
            arguments.report.write_text(page, encoding="utf-8")
        except OSError as exc:
            problem = _unwritable(arguments.report, exc)
    if arguments.json:
        print(json.dumps(evaluation_json(outcomes) | (error_json(problem) if problem else {})))
        return _exit_code(problem) if problem else ANSWERED
    print(evaluation_text(outcomes))
    if problem:
        raise problem
    return ANSWERED


def _check_writable(report: Path) -> None:
    """Raise FootnoteError if a report cannot be written there; leaves what is there as it is."""
    is_new = not report.exists()
    try:
        report.open("a").close()
        if is_new:
            report.unlink()
    except OSError as exc:
        raise _unwritable(report, exc) from exc


def _unwritable(report: Path, exc: OSError) -> FootnoteError:
    return FootnoteError(f"Cannot write {report}: {exc.strerror}.", "Name another --report.")


def _status(arguments: argparse.Namespace) -> int:
    from bot.render import error_json
    from bot.status import gather, status_text

    settings = _settings(arguments)
    status, problem = gather(settings, _embedder(settings), lambda: _generator(settings))
    if arguments.json:
        print(json.dumps(status | (error_json(problem) if problem else {})))
        return _exit_code(problem) if problem else ANSWERED
    print(status_text(status))
    if problem:
        raise problem
    return ANSWERED


def _doctor(arguments: argparse.Namespace) -> int:
    from bot.doctor import check_text, checks, checks_json

    settings = _settings(arguments)
    done = []
    for check in checks(settings, _embedder(settings), lambda: _generator(settings)):
        done.append(check)
        if not arguments.json:
            print(check_text(check), flush=True)
    if arguments.json:
        print(json.dumps(checks_json(done)))
    return FAILED if any(check.state == "failed" for check in done) else ANSWERED


def _completion(arguments: argparse.Namespace) -> int:
    from bot.completion import SHELLS

    print(SHELLS[arguments.shell](_parser()))
    return ANSWERED


def _settings(arguments: argparse.Namespace, **given: object) -> "Settings":
    from rag.settings import load_settings

    return load_settings(store=arguments.store, model=getattr(arguments, "model", None), **given)


def _embedder(settings: "Settings") -> "SentenceEmbedder":
    from rag.embed import SentenceEmbedder

    return SentenceEmbedder(
        settings.embedding_model,
        query_prefix=settings.query_prefix,
        passage_prefix=settings.passage_prefix,
        offline=settings.offline,
    )


def _generator(settings: "Settings") -> "LlamaGenerator | None":
    if settings.model_path is None:
        return None
    from rag.generate import LlamaGenerator

    return LlamaGenerator(
        settings.model_path,
        n_ctx=settings.n_ctx,
        threads=settings.threads or None,
        batch=settings.batch,
        gpu_layers=settings.gpu_layers,
        temperature=settings.temperature,
        seed=settings.seed,
        mode=settings.mode,
    )


def _answerer(settings: "Settings", filter_: str | None = None) -> "Answerer":
    from rag.answer import Answerer
    from rag.filters import read_filter
    from rag.retrieve import Retriever
    from rag.store import open_store

    only = read_filter(filter_) if filter_ is not None else None
    store = open_store(settings.store)  # the quick checks first: a missing store, an unreadable model
    generator = _generator(settings)
    return Answerer(Retriever(store, _embedder(settings)), generator, settings.top_k, settings.max_tokens, filter=only)


def _given(arguments: argparse.Namespace) -> str:
    """The question: the argument, a file, or standard input."""
    if arguments.file is None:
        return _argument_or_stdin(arguments.question, "ask QUESTION")
    if arguments.question is not None:
        raise QuestionError("A question and a file were given.", "Leave one of them out.")
    try:
        text: str = arguments.file.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        raise QuestionError(f"Cannot read {arguments.file}: {exc.strerror}.", "Check the path.") from exc
    return text


def _argument_or_stdin(argument: str | None, usage: str) -> str:
    if argument is not None:
        return argument
    if sys.stdin is None or sys.stdin.isatty():
        raise QuestionError("Nothing was asked.", f"Run: footnote {usage}, or pipe it in.")
    return sys.stdin.read()


def _no_argument(argument: str | Path | None) -> None:
    if argument is not None:
        raise QuestionError(
            "With --jsonl questions come from standard input alone.", "Leave the argument or --jsonl out."
        )


def _each_line(reply: Callable[[_Line], dict[str, Any]]) -> int:
    """Answer each line of standard input, in order; a bad line gets an error and the run goes on."""
    from bot.render import error_json

    code = ANSWERED
    for raw in sys.stdin.buffer if sys.stdin else ():
        if not raw.strip():
            continue
        id_: object = None
        try:
            fields = _object(raw)
            id_ = fields.get("id")
            result = reply(_line(fields))
        except QuestionError as error:
            result, code = error_json(error) | {"id": id_}, FAILED
        print(json.dumps(result), flush=True)
    return code


def _object(raw: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(raw, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise QuestionError(f"not JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise QuestionError("not a JSON object")
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _line(fields: dict[str, Any]) -> _Line:
    history = fields.get("history") or []
    if not isinstance(fields.get("question"), str):
        raise QuestionError('no "question"')
    if not isinstance(history, list) or not all(isinstance(question, str) for question in history):
        raise QuestionError('"history" is not a list of questions')
    return _Line(fields.get("id"), fields["question"], history)


def _exit_code(error: FootnoteError) -> int:
    return next(code for kind, code in _EXIT_CODES.items() if isinstance(error, kind))


def _note(text: str) -> None:
    if text:
        print(f"\n{text}", file=sys.stderr)


def _print_error(error: FootnoteError, as_json: bool) -> None:
    from bot.render import error_json

    if as_json:
        print(json.dumps(error_json(error)))
    else:
        print(f"footnote: {error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
