"""A filter leaves the papers of its years, in every way it may be written, and says how it is written."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rag.answer import Answerer
from rag.errors import QuestionError
from rag.filters import read_filter
from rag.rebuild import rebuild
from rag.retrieve import Retriever
from rag.store import Store, open_store
from tests.conftest import PLANETS, WordEmbedder, WordReader

YEARS = np.array([0, 2019, 2020, 2021, 2024], dtype=np.int16)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("year>=2021", [2021, 2024]),
        ("year > 2021", [2024]),
        ("YEAR<2020", [2019]),
        ("year<=2020", [2019, 2020]),
        ("year=2020", [2020]),
        ("year==2020", [2020]),
        ("year!=2020", [2019, 2021, 2024]),
        ("year=2020..2021", [2020, 2021]),
        ("year = 2020 - 2021", [2020, 2021]),
        ("year>=2020,year<2024", [2020, 2021]),
        ("year>=2020 and year<2024", [2020, 2021]),
        ("year>=2020 year<2024", [2020, 2021]),
        ("year>2024", []),
    ],
)
def test_only_papers_of_these_years_are_left(text: str, left: list[int]) -> None:
    filter_ = read_filter(text)
    assert YEARS[filter_.among(YEARS)].tolist() == left
    assert read_filter(str(filter_)) == filter_


@pytest.mark.parametrize(
    "text", ["", "2024", "year", "year>=24", "title=x", "year>=2024 or so", "year>=2020..2024", "year>=20245"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(QuestionError, match=r"is no filter\. Write it as year>=2024"):
        read_filter(text)


def test_answer_comes_from_the_papers_that_are_left(
    tmp_path: Path, embedder: WordEmbedder, write_dump: Callable[..., Path]
) -> None:
    lines = [
        json.dumps({"title": title, "abstract": abstract, "date": str(2020 + year)})
        for year, (title, abstract) in enumerate(PLANETS)
    ]
    rebuild([write_dump("\n".join(lines))], tmp_path / "store", embedder)
    retriever = Retriever(open_store(tmp_path / "store"), embedder)
    question = "What accuracy is reached on the Tides benchmark?"
    answer = Answerer(retriever, None, reader=WordReader(), filter=read_filter("year>=2021 year<=2021")).answer(
        question
    )
    assert [found.paper.title for found in answer.passages] == ["Venus: Cloudy Attention"]
    nothing = Answerer(retriever, None, reader=WordReader(), filter=read_filter("year>2030")).answer(question)
    assert (nothing.abstained, nothing.reason) == (True, "No paper here is left by the filter year>2030.")
    retriever.store.close()


def test_related_papers_leave_out_the_paper_itself(planets: Store, embedder: WordEmbedder) -> None:
    retriever = Retriever(planets, embedder)
    mercury, venus, mars = (retriever.search(title, 1)[0].paper for title, _ in PLANETS)
    assert [found.paper for found in retriever.related(mercury, 5)] == [venus, mars]
    gone = replace(mercury, paper_id="gone")
    assert retriever.related(gone, 1)[0].paper == mercury
