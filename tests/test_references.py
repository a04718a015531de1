"""Entries for bibliographies: what they say, and that no field of a paper can break out of its own."""

import re

import pytest

from bot.references import STYLES, apa, bibliography, bibtex, key, ris
from rag.types import Paper

SWIN = Paper(
    "2103.14030",
    "The Swin Transformer",
    "We present Swin.",
    authors=("Ze Liú", "Han Hu"),
    date="2021-03-25",
    url="https://arxiv.org/abs/2103.14030",
    arxiv_id="2103.14030v2",
)
HOSTILE = [
    "}, x = {",
    "{",
    "}",
    r"\}",
    "\\",
    "$x}$",
    "${x$",
    "a\n\n@misc{b,\n}",
    "a\r\nER  - \nTY  - GEN",
    "%",
    '"',
    "a and b",
]


def fields(entry: str) -> dict[str, str]:
    """The fields of a BibTeX entry, their ends found as BibTeX finds them: by counting braces, behind \\ or not."""
    found, rest = {}, entry.split(",\n", 1)[1]
    while match := re.match(r"  (\w+) += (?=[{a-z])", rest):
        depth, end = 0, match.end()
        while depth or rest[end] != ",":
            depth += (rest[end] == "{") - (rest[end] == "}")
            end += 1
        found[match[1]] = rest[match.end() : end]
        rest = rest[end + 2 :]
    assert rest == "}", rest
    return found


# --- BibTeX ---


def test_bibtex_of_a_preprint_names_its_arxiv_number_without_version() -> None:
    assert bibtex(SWIN) == (
        "@misc{liu2021swin,\n"
        "  title         = {The Swin Transformer},\n"
        "  author        = {Ze Liú and Han Hu},\n"
        "  year          = {2021},\n"
        "  month         = mar,\n"
        "  eprint        = {2103.14030},\n"
        "  archiveprefix = {arXiv},\n"
        "  url           = {https://arxiv.org/abs/2103.14030},\n"
        "}"
    )


def test_bibtex_of_what_has_a_doi_is_an_article_whose_doi_is_escaped() -> None:
    entry = bibtex(Paper("1", "A", "", doi="10.1007/978-3_1", author_count=3, authors=("Ada Lovelace",)))
    assert entry.startswith("@article{lovelace,")
    assert fields(entry)["doi"] == r"{10.1007/978-3\_1}"
    assert fields(entry)["author"] == "{Ada Lovelace and others}"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("R&D of 50% {models}", r"{R}\&D of 50\% \textbraceleft{}models\textbraceright{}"),
        ("$O(n^{2})$ at $5", r"$O(n^{2})$ at \$5"),
        ("Half $x}$", r"Half \$x\textbraceright{}\$"),
        ("Scaling BERT\nfurther", "Scaling {BERT} further"),
    ],
)
def test_bibtex_escapes_a_title_and_keeps_its_maths_and_capitals(title: str, shown: str) -> None:
    assert fields(bibtex(Paper("1", title, "")))["title"] == f"{{{shown}}}"


@pytest.mark.parametrize("text", HOSTILE)
def test_no_field_ends_another_or_the_entry(text: str) -> None:
    paper = Paper(
        "1",
        text,
        text,
        authors=(text, "Bo Li"),
        date="2024",
        url=f"https://a.b/{text}",
        doi=f"10.1/{text}",
        arxiv_id=text,
    )
    found = fields(bibtex(paper))
    assert list(found) == ["title", "author", "year", "eprint", "archiveprefix", "doi", "url"]
    assert found["author"].endswith(" and Bo Li}")
    assert not re.search(r"[{}\\\s]", found["url"][1:-1])
    assert re.fullmatch("[a-z0-9-]+", key(paper))


@pytest.mark.parametrize("name", ["The ATLAS and CMS Collaborations", "and", "others"])
def test_author_who_would_be_read_as_others_is_kept_together(name: str) -> None:
    assert fields(bibtex(Paper("1", "A", "", authors=(name,))))["author"] == f"{{{{{name}}}}}"


@pytest.mark.parametrize(
    ("authors", "title", "date", "expected"),
    [
        (("Jürgen Åman",), "On the Ω of Small Models", "2022-12-22", "aman2022small"),
        (("Ada King, Countess of Lovelace",), "Notes", None, "adakingnotes"),
        (("李 明",), "深度学习", "2020", "2020"),
        ((), "", None, "paper"),
    ],
)
def test_key_is_ascii(authors: tuple[str, ...], title: str, date: str | None, expected: str) -> None:
    assert key(Paper("1", title, "", authors=authors, date=date)) == expected


def test_bibliography_has_each_paper_once_under_a_key_of_its_own() -> None:
    others = [Paper(f"p{n}", "Swin Again", "", authors=("A Liu",), date="2021") for n in range(3)]
    written = bibliography([SWIN, *others, SWIN], "bibtex")
    assert re.findall(r"@misc\{(\S+),", written) == ["liu2021swin", "liu2021swin-2", "liu2021swin-3", "liu2021swin-4"]


@pytest.mark.parametrize("style", STYLES)
def test_bibliography_of_any_style_keeps_order_and_papers_with_one_key(style: str) -> None:
    written = bibliography([SWIN, Paper("p", "Swin", "", authors=("A Liu",), date="2021")], style)
    assert written.count("2021") >= 2
    assert written.index("Swin Transformer") < written.rindex("Swin")
    assert not written.endswith("\n")


# --- RIS and APA ---


def test_ris_has_a_field_a_line() -> None:
    assert ris(SWIN) == (
        "TY  - GEN\nTI  - The Swin Transformer\nAU  - Liú, Ze\nAU  - Hu, Han\nPY  - 2021\nDA  - 2021/03/25\n"
        "AB  - We present Swin.\nUR  - https://arxiv.org/abs/2103.14030\nID  - 2103.14030\nER  - "
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_field_of_ris_begins_another_and_apa_stays_one_line(text: str) -> None:
    paper = Paper("1", text, text, authors=(text, "Bo Li"), url=f"https://a.b/{text}", doi=text)
    assert [line[:2] for line in ris(paper).splitlines()] == ["TY", "TI", "AU", "AU", "AB", "DO", "UR", "ID", "ER"]
    assert len(apa(paper).splitlines()) == 1


@pytest.mark.parametrize(
    ("paper", "expected"),
    [
        (SWIN, "Liú, Z., & Hu, H. (2021, March 25). The Swin Transformer. arXiv:2103.14030. https://arxiv.org/abs/2103.14030"),
        (Paper("1", "Who?", "", doi="10.1/x"), "Who? (n.d.). https://doi.org/10.1/x"),
        (Paper("1", "A", "", authors=("Bo Li",), author_count=9, date="2020"), "Li, B., et al. (2020). A."),
    ],
)  # fmt: skip
def test_apa(paper: Paper, expected: str) -> None:
    assert apa(paper) == expected


def test_apa_names_nineteen_authors_and_the_last() -> None:
    written = apa(Paper("1", "A", "", authors=tuple(f"A Name{n}" for n in range(30))))
    assert "Name18, A., … Name29, A. (n.d.)" in written
    assert "Name19" not in written
