"""What a trained evidence model adds to the mix of cosine, shared words and paper score that needs none.

    python -m training.evidence.evaluate DATA MODEL [--half a] [--questions 400]

DATA holds SQuAD and SciFact (see sources.py); MODEL is the folder that train.py wrote, `--half` the half of SciFact's
claims that it was trained on: the other is asked. Of SQuAD only articles held out of training are asked. Questions go
through the product's own retrieval; half or so cannot be answered. About half an hour on two cores, nearly all of it
embedding.
"""

import argparse
import contextlib
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rag.embed import SentenceEmbedder
from rag.evidence import find_evidence
from rag.manifest import Embedding
from rag.passages import dense_text
from rag.retrieve import Retriever
from rag.store import open_store, write_generation
from rag.types import Evidence, Paper
from training.evidence import sources
from training.evidence.model import pair
from training.evidence.sources import Asked, Passage
from training.evidence.train import auroc

TOP_K = 5
# The sum is mix + logit times these. A trial before had 1/8 with a mix of like size.
WEIGHTS = (0.03, 0.06, 0.125, 0.25)
_SEED = 1


def main() -> None:
    """Evaluate from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--half", choices=("a", "b"), default="a", help="the half of SciFact that was trained on")
    parser.add_argument("--questions", type=int, default=400, help="of each source")
    arguments = parser.parse_args()
    squad2 = sources.squad(arguments.data / "squad" / "squad2.0_dev.json.xz", "squad2", held_out=True)
    scifact = sources.scifact(arguments.data, "b" if arguments.half == "a" else "a")
    for name, (passages, asked) in {"SQuAD 2.0": squad2, "SciFact": scifact}.items():
        chosen = random.Random(_SEED).sample(asked, min(arguments.questions, len(asked)))
        report(name, passages, chosen, arguments.model)


def report(name: str, passages: Sequence[Passage], asked: Sequence[Asked], model: Path) -> None:
    """Print the figures of one source."""
    from sentence_transformers import CrossEncoder

    encoder = CrossEncoder(str(model), local_files_only=True)
    with_title = json.loads((model / "config.json").read_text(encoding="utf-8"))["with_title"]
    embedder = SentenceEmbedder()
    papers = [Paper(str(row), p.title, " ".join(p.sentences)) for row, p in enumerate(passages)]
    found: list[list[Evidence]] = []
    logits: list[npt.NDArray[np.float32]] = []
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        vectors = embedder.embed_passages([dense_text(paper) for paper in papers])
        write_generation(Path(folder), papers, vectors, Embedding.of(embedder), [], len(papers))
        with contextlib.closing(open_store(Path(folder))) as store:
            retriever = Retriever(store, embedder)
            for question in asked:
                hits = retriever.search(question.question, TOP_K)
                found.append(find_evidence(question.question, hits, embedder, store.lexical))
                start = time.perf_counter()
                pairs = [pair(question.question, e.paper.title, e.sentence, with_title) for e in found[-1]]
                logits.append(np.asarray(encoder.predict(pairs, show_progress_bar=False), dtype=np.float32))
                seconds.append(time.perf_counter() - start)
    sentences = np.mean([len(evidence) for evidence in found])
    print(
        f"{name}: {len(asked)} questions, {sum(not a.right for a in asked)} of them unanswerable, {len(papers)} papers"
    )
    print(f"{1000 * np.median(seconds):.0f} ms a question of {sentences:.0f} sentences")
    print("right sentence first / in three / in four, and AUROC of answerable against unanswerable")
    mixes = [np.array([e.score for e in evidence]) for evidence in found]
    # How well anything answers: the best cosine decides today; the model has the log-sum-exp of all its logits.
    cosines = np.array([max(e.cosine for e in evidence) for evidence in found])
    anything = np.array([np.logaddexp.reduce(row) for row in logits])
    rows = [("mix (today)", mixes, cosines), ("model", logits, anything)]
    for weight in WEIGHTS:
        summed = [mix + weight * row for mix, row in zip(mixes, logits, strict=True)]
        rows.append((f"mix + {weight} logit", summed, cosines + weight * anything))
    for label, scores, answers in rows:
        print(f"{label:18} {ranked(asked, found, scores)}   {answerable(asked, answers):.3f}")


def ranked(
    asked: Sequence[Asked], found: Sequence[Sequence[Evidence]], scores: Sequence[npt.NDArray[np.float32]]
) -> str:
    """Share of answerable questions with a right sentence among the first one, three, four."""
    ranks = []
    for question, evidence, row in zip(asked, found, scores, strict=True):
        if question.right:
            order = np.argsort(-row, kind="stable")
            hits = (rank for rank, place in enumerate(order) if _is_right(evidence[place], question))
            ranks.append(next(hits, len(order) + 4))
    return " / ".join(f"{np.mean(np.array(ranks) < most):.3f}" for most in (1, 3, 4))


def answerable(asked: Sequence[Asked], scores: npt.NDArray[np.float32]) -> float:
    """AUROC of the scores of answerable questions against those of the others."""
    can = np.array([bool(question.right) for question in asked])
    return auroc(scores[can].tolist(), scores[~can].tolist())


def _is_right(item: Evidence, question: Asked) -> bool:
    """The sentence may be cut otherwise here than in its source."""
    titles = {passage.title for passage in question.passages}
    right = any(item.sentence in sentence or sentence in item.sentence for sentence in question.right)
    return right and item.paper.title in titles


if __name__ == "__main__":
    main()
