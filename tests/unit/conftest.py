"""What the unit tests share: a clock that they need not wait for."""

import asyncio

import pytest


class Clock:
    """The loop's time, which passes only while something sleeps: minutes take no time."""

    def __init__(self) -> None:
        self.began_s = self.now_s = 7.25
        self.pauses_s: list[float] = []

    @property
    def passed_s(self) -> float:
        return self.now_s - self.began_s

    def restart(self) -> None:
        self.began_s = self.now_s
        self.pauses_s.clear()

    def sleep(self, delay_s: float) -> None:
        assert delay_s > 0
        self.pauses_s.append(delay_s)
        self.now_s += delay_s
        assert self.passed_s < 3600, "it waits for ever"


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock, yield_to_others = Clock(), asyncio.sleep

    async def sleep(delay_s: float) -> None:
        clock.sleep(delay_s)
        await yield_to_others(0)

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock.now_s)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return clock
