"""What the supervisor of ``fundwatch up`` promises without any of its servers."""

import asyncio
import sys
from pathlib import Path

from stream_app.embedded.process import Program
from stream_app.embedded.supervisor import Supervisor


def test_nobody_is_told_of_a_process_that_is_gone(tmp_path: Path) -> None:
    """run.json once named a dead worker until the next one was started."""

    async def watched() -> None:
        lived, gone = asyncio.Event(), asyncio.Event()

        def changed() -> None:
            if supervisor.children():
                lived.set()
            elif lived.is_set():
                gone.set()

        supervisor = Supervisor(say=lambda words: None, changed=changed)
        supervisor.keep(Program(name="short", command=(sys.executable, "-c", ""), log=tmp_path / "short.log"))
        try:
            await asyncio.wait_for(gone.wait(), 30)
        finally:
            await supervisor.stop()

    asyncio.run(watched())
