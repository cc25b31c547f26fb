from pathlib import Path

from federated_pneumonia_detection.server.close_codes import CLOSE_CODES, typescript

COPY = Path(__file__).parents[3] / "dashboard" / "src" / "client" / "closeCodes.generated.ts"


def test_the_typescript_copy_is_not_stale() -> None:
    assert COPY.read_text(encoding="utf-8") == typescript(), (
        "run python -m federated_pneumonia_detection.server.close_codes"
    )


def test_each_code_and_each_name_stands_once() -> None:
    assert len({row.code for row in CLOSE_CODES}) == len({row.name for row in CLOSE_CODES}) == len(CLOSE_CODES)


def test_who_was_too_slow_or_saw_a_restart_comes_back_and_who_may_not_does_not() -> None:
    comes_back = {row.code: row.comes_back for row in CLOSE_CODES}
    assert all(comes_back[code] for code in (1001, 1012, 4408))
    assert not any(comes_back[code] for code in (4400, 4401, 4403, 4404))
