"""What is seen of a rebuild while it runs."""

import io

from bot.progress import Bar, Lines, progress_on


def test_a_line_every_few_seconds_with_rate_and_time_left() -> None:
    seconds = iter([0, 1, 6, 7, 12, 12, 13])
    stream = io.StringIO()
    lines = Lines(stream, clock=lambda: next(seconds))
    for done in (0, 64, 128, 192, 640):
        lines("embed", done, 1280)
    lines("write", 0, 3)
    lines("write", 3, 3)
    assert stream.getvalue().splitlines() == [
        "embed 128/1280, 21/s, 54 s left",
        "embed 640/1280, 53/s, 12 s left",
        "write 3/3",
    ]


def test_an_unknown_total_is_left_out_until_it_is_known() -> None:
    seconds = iter([0, 5, 6])
    stream = io.StringIO()
    lines = Lines(stream, clock=lambda: next(seconds))
    for done, total in ((1, 0), (500, 0), (600, 600)):
        lines("read", done, total)
    assert stream.getvalue().splitlines() == ["read 500, 100/s", "read 600/600"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_a_stage_on_a_terminal() -> None:
    terminal = Terminal()
    progress = progress_on(terminal)
    assert isinstance(progress, Bar)
    for stage, done, total in (("read", 5, 0), ("read", 9, 9), ("embed", 0, 4), ("embed", 4, 4)):
        progress(stage, done, total)
    progress.close()
    last = [line.rsplit("\r", 1)[-1] for line in terminal.getvalue().split("\n")]
    assert last[0].startswith("read: 100%|")
    assert "| 9/9 [" in last[0]
    assert last[1].startswith("embed: 100%|")
    assert "| 4/4 [" in last[1]
