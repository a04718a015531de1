"""The store rebuilt by a process of its own: it takes no turn from the event loop, and its memory is given back."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from bot.discord_app.parsing import Step, rebuild_step
from rag.errors import FootnoteError


async def rebuild_elsewhere(
    paths: Sequence[Path], store: Path, tell: Callable[[Step], Awaitable[None]]
) -> dict[str, Any]:
    """Run `footnote rebuild`, telling each step; returns its report. Raises FootnoteError with what it says is wrong.

    Killed with whoever waits for it, if that is cancelled; the store of before then goes on serving.
    """
    environment = {name: value for name, value in os.environ.items() if name != "FOOTNOTE_DISCORD_TOKEN"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.cli", "rebuild", "--json", "--store", str(store), "--", *map(str, paths)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        printed = asyncio.create_task(process.stdout.read())
        async for line in process.stderr:
            if step := rebuild_step(line.decode(errors="replace")):
                await tell(step)
        report: dict[str, Any] = json.loads(await printed or b"{}")
        await process.wait()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode != 0:
        raise FootnoteError(report.get("error", "The rebuild was ended from outside."), report.get("hint", ""))
    return report
