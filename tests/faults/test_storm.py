"""Random faults in a row; `python tests/support/storm.py --faults N --seed S` runs as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest
import storm


async def shown(directory: Path, *, faults: int, seed: int) -> None:
    summary = await storm.Storm(directory, seed).run(faults)
    print(f"seed {seed}: {summary}")
    assert summary.faults.total() == faults
    assert summary.returned > faults
    assert summary.is_fair, "\n".join([f"seed {seed}: {summary}", *summary.wrong[:20]])


async def test_forty_random_faults_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    await shown(tmp_path, faults=40, seed=20)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_a_thousand_random_faults_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    await shown(tmp_path, faults=1000, seed=1000)
