"""The outcomes of a question set -> JSON, text, and one HTML page that needs nothing else (pure)."""

from collections.abc import Iterable, Sequence
from html import escape
from statistics import fmean
from typing import Any

from bot.render import SCHEMA
from rag.evaluate import Outcome, auroc, by_type, figures, risk_coverage, speed

_MOST_LOST_SHOWN = 10
_TYPE_MEASURES = ("hit@1", "hit@5", "sentence@1", "sentence@3", "sentence@5", "point_recall", "citation_precision")
_HEADLINES = (
    ("hit@1", "right paper first"),
    ("sentence@1", "right sentence first"),
    ("point_recall", "answer points found"),
    ("citation_precision", "citations to the right paper"),
    ("quote_hits_gold", "answers that quote the right sentence"),
    ("refused_unanswerable", "unanswerable refused"),
    ("false_refusal", "answerable refused"),
    ("sentences_supported", "sentences supported"),
)


def evaluation_json(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What `footnote eval --json` prints."""
    return {
        "schema": SCHEMA,
        "questions": len(outcomes),
        "figures": figures(outcomes),
        "types": {
            type_: {"questions": len(found), "figures": figures(found)} for type_, found in by_type(outcomes).items()
        },
        "auroc": auroc(outcomes),
        "risk_coverage": [
            {"threshold": round(p.threshold, 4), "coverage": round(p.coverage, 4), "risk": round(p.risk, 4)}
            for p in risk_coverage(outcomes)
        ],
        "speed": speed(outcomes),
        "lost": [
            {"id": each.asked.id, "type": each.asked.type, "why": each.lost, "question": each.asked.question}
            for each in outcomes
            if each.lost
        ],
        "outcomes": [
            {
                "id": each.asked.id,
                "paper_rank": each.paper_rank,
                "sentence_rank": each.sentence_rank,
                "confidence": round(each.confidence, 4),
                "abstained": each.answer.abstained,
                "total_ms": round(each.answer.timings.total_ms, 1),
            }
            for each in outcomes
        ],
    }


def evaluation_text(outcomes: Sequence[Outcome]) -> str:
    """The same for people: figures, figures by type, speed, and the first of the lost questions."""
    lines = [f"{len(outcomes)} questions", *_aligned(figures(outcomes))]
    lines += _aligned({"auroc": area}) if (area := auroc(outcomes)) is not None else []
    lines += ["", f"{'':14}" + "".join(f"{name:>20}" for name in ("questions", *_TYPE_MEASURES))]
    for type_, found in by_type(outcomes).items():
        measured = figures(found)
        cells = [f"{measured[name]:.3f}" if name in measured else "-" for name in _TYPE_MEASURES]
        lines.append(f"{type_:14}" + "".join(f"{cell:>20}" for cell in (str(len(found)), *cells)))
    lines += ["", *_aligned(speed(outcomes))]
    lost = [each for each in outcomes if each.lost]
    lines += ["", f"{len(lost)} questions lost something"] if lost else []
    lines += [f"  {each.asked.id}: {each.lost}: {each.asked.question}" for each in lost[:_MOST_LOST_SHOWN]]
    more = len(lost) - _MOST_LOST_SHOWN
    return "\n".join([*lines, *([f"  and {more} more; --json and --report list them all"] if more > 0 else [])])


def evaluation_html(outcomes: Sequence[Outcome], name: str) -> str:
    """One page with the figures, the plots and the lost questions; `name` is that of the question set."""
    answer = outcomes[0].answer
    about = f"{len(outcomes)} questions · {answer.model or 'no language model'} · {answer.generation}"
    measured = figures(outcomes)
    cards = "".join(
        f'<div class="card"><b>{measured[measure]:.0%}</b><span>{label}</span></div>'
        for measure, label in _HEADLINES
        if measure in measured
    )
    area = auroc(outcomes)
    told = f" Answerable questions are told from others with an AUROC of {area:.2f}." if area is not None else ""
    lost = [each for each in outcomes if each.lost]
    return _PAGE.format(
        name=escape(name),
        about=escape(about),
        cards=cards,
        types=_types_table(outcomes),
        risk=_risk_plot(outcomes),
        told=told,
        ranks=_rank_plot(outcomes),
        latency=_latency_plot(outcomes),
        speed="".join(f"<tr><th>{key}</th><td>{value:,.1f}</td></tr>" for key, value in speed(outcomes).items()),
        figures="".join(f"<tr><th>{key}</th><td>{value:.3f}</td></tr>" for key, value in measured.items()),
        count=len(lost),
        lost="".join(map(_lost, lost)) or "<p>None.</p>",
    )


def _aligned(values: dict[str, float]) -> list[str]:
    return [f"  {name:26} {value:,.3f}".rstrip("0").rstrip(".") for name, value in values.items()]


def _types_table(outcomes: Sequence[Outcome]) -> str:
    rows = []
    for type_, found in by_type(outcomes).items():
        measured = figures(found)
        refused = fmean(each.answer.abstained for each in found)
        cells = [f"{measured[name]:.2f}" if name in measured else "–" for name in _TYPE_MEASURES]
        cells = [str(len(found)), *cells, f"{refused:.2f}"]
        rows.append(f"<tr><th>{escape(type_)}</th>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("type", "questions", *_TYPE_MEASURES, "refused"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _lost(each: Outcome) -> str:
    """A lost question: what was asked, what was answered, and what should have been."""
    earlier = f"<p class=dim>after: {escape(' / '.join(each.asked.history))}</p>" if each.asked.history else ""
    right = "".join(f"<li>{escape(sentence)}</li>" for sentence in each.asked.gold_sentences)
    titles = "".join(f"<li><i>{escape(title)}</i></li>" for title in each.asked.gold_titles)
    rank = f"paper ranked {each.paper_rank or 'nowhere'}, sentence {each.sentence_rank or 'nowhere'}"
    return (
        f"<article><h3>{escape(each.asked.question)}</h3>{earlier}"
        f'<p class="dim">{escape(each.asked.id)} · {escape(each.asked.type)} · {escape(each.lost)}'
        f"{f' · {rank}' if each.answerable else ''}</p><p>{escape(each.answer.text)}</p>"
        + (f"<details><summary>What answers it</summary><ul>{titles}{right}</ul></details>" if titles else "")
        + "</article>"
    )


# The plots share one frame, in units of an SVG that grows with the page.
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM, _TOP = 460, 260, 46, 24, 40, 14


def _across(share: float) -> float:
    return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)


def _up(share: float) -> float:
    return _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)


def _plot(title: str, across: str, ticks: Iterable[tuple[float, str]], top: str, marks: str) -> str:
    """Marks in a frame with a grid; `top` is the value of the upper end, 0 that of the lower."""
    grid = "".join(
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_up(share):.1f}" y2="{_up(share):.1f}"/>'
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    names = "".join(
        f'<text x="{_across(share):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{escape(text)}</text>'
        for share, text in ticks
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{grid}'
        f'<text x="{_LEFT - 6}" y="{_up(1) + 4:.1f}" text-anchor="end">{top}</text>'
        f'<text x="{_LEFT - 6}" y="{_up(0) + 4:.1f}" text-anchor="end">0</text>{names}'
        f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(across)}</text>'
        f"{marks}</svg>"
    )


def _risk_plot(outcomes: Sequence[Outcome]) -> str:
    points = risk_coverage(outcomes)
    line = " ".join(f"{_across(point.coverage):.1f},{_up(point.risk):.1f}" for point in points)
    marks = f'<polyline class="line" points="{line}"/>'
    answered = [each for each in outcomes if not each.answer.abstained]
    if answered:
        coverage, risk = len(answered) / len(outcomes), fmean(each.would_be_wrong for each in answered)
        marks += f'<circle class="dot" cx="{_across(coverage):.1f}" cy="{_up(risk):.1f}" r="5"/>'
    ticks = [(share / 4, f"{share * 25}%") for share in range(5)]
    return _plot("Risk by coverage", "share of the questions answered", ticks, "100%", marks)


def _rank_plot(outcomes: Sequence[Outcome]) -> str:
    """How many questions have their gold paper, and their gold sentence, at each rank."""
    asked = [each for each in outcomes if each.answerable]
    names = ["1", "2", "3", "4", "5", "6+", "none"]
    counts = [
        [_rank_name(each.paper_rank) for each in asked],
        [_rank_name(each.sentence_rank) for each in asked if each.asked.gold_sentences],
    ]
    most = max((found.count(name) for found in counts for name in names), default=0) or 1
    marks = "".join(
        f'<rect class="bar{kind}" x="{_across((place + 0.14 + 0.36 * kind) / len(names)):.1f}" width="19"'
        f' y="{_up(found.count(name) / most):.1f}" height="{_up(0) - _up(found.count(name) / most):.1f}"/>'
        for kind, found in enumerate(counts)
        for place, name in enumerate(names)
    )
    ticks = [((place + 0.5) / len(names), name) for place, name in enumerate(names)]
    return _plot("Ranks of the gold papers and sentences", "rank", ticks, str(most), marks)


def _rank_name(rank: int | None) -> str:
    return "none" if rank is None else str(rank) if rank <= 5 else "6+"


def _latency_plot(outcomes: Sequence[Outcome]) -> str:
    """What share of the answers took at most so long."""
    took = sorted(each.answer.timings.total_ms for each in outcomes)
    longest = took[-1] or 1.0
    line = " ".join(
        f"{_across(value / longest):.1f},{_up(place / len(took)):.1f}" for place, value in enumerate(took, 1)
    )
    marks = f'<polyline class="line" points="{_across(0):.1f},{_up(0):.1f} {line}"/>'
    ticks = [(share / 4, f"{longest * share / 4:,.0f}") for share in range(5)]
    return _plot("Latency", "milliseconds to the whole answer", ticks, "100%", marks)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Footnote: {name}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1c2024; --dim: #626a73; --paper: #fbfaf8; --card: #fff; --rule: #e3e0da;
  --one: #2f6f62; --two: #d08b3c; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e8e6e1; --dim: #9aa0a6; --paper: #16181b; --card: #1f2226;
  --rule: #33373d; --one: #6cc0ae; --two: #e0a75e; }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; max-width: 66rem; padding: 2rem 1.2rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, sans-serif; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.7rem; margin: 0; }} h2 {{ font-size: 1.15rem; margin: 2.4rem 0 .8rem; }}
h3 {{ font-size: 1rem; margin: 0 0 .2rem; }} p {{ margin: .3rem 0; }} .dim {{ color: var(--dim); font-size: .88rem; }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .7rem;
  margin-top: 1.4rem; }}
.card, figure, article {{ background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; }}
.card {{ padding: .8rem 1rem; }} .card b {{ display: block; font-size: 1.6rem; font-variant-numeric: tabular-nums; }}
.card span {{ color: var(--dim); font-size: .85rem; line-height: 1.3; display: block; }}
.plots {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: .9rem; }}
figure {{ margin: 0; padding: .8rem; }} figcaption {{ color: var(--dim); font-size: .85rem; }}
svg {{ width: 100%; height: auto; }} svg text {{ fill: var(--dim); font-size: 12px; }}
.grid {{ stroke: var(--rule); }} .line {{ fill: none; stroke: var(--one); stroke-width: 2.5; }}
.dot, .bar1 {{ fill: var(--two); }} .bar0 {{ fill: var(--one); }} .key {{ font-weight: 600; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }}
th, td {{ padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }}
th:first-child {{ text-align: left; }} thead th {{ color: var(--dim); font-weight: 500; }}
tbody th {{ font-weight: 600; }}
article {{ padding: .9rem 1.1rem; margin: .7rem 0; }}
summary {{ cursor: pointer; color: var(--dim); font-size: .88rem; }}
</style>
<h1>{name}</h1>
<p class="dim">{about}</p>
<div class="cards">{cards}</div>
<h2>By type of question</h2>
<div class="wide">{types}</div>
<h2>Plots</h2>
<div class="plots">
<figure>{risk}<figcaption><span class="key">Risk by coverage.</span> Share that goes wrong of the questions answered,
the most confident first: no paper answers them, or none of the sentences that do is among the four best.
The dot is what was done.{told}</figcaption></figure>
<figure>{ranks}<figcaption><span class="key">Rank of the gold paper</span> (first bar) and of the gold sentence
(second), in questions.</figcaption></figure>
<figure>{latency}<figcaption><span class="key">Latency.</span> Share of the answers that took at most so
long.</figcaption></figure>
</div>
<h2>Lost questions ({count})</h2>
{lost}
<h2>All figures</h2>
<div class="plots"><div class="wide"><table><tbody>{figures}</tbody></table></div>
<div class="wide"><table><tbody>{speed}</tbody></table></div></div>
</html>
"""
