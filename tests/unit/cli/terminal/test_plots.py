import pytest

from federated_pneumonia_detection.cli.terminal.plots import Curve, bar, figure, plot, sparkline


def _drawn(curves, width=40, height=9, last_x=10.0):
    return [row.plain for row in plot(curves, width=width, height=height, last_x=last_x, unit="epoch")]


def test_a_falling_curve_begins_top_left_and_ends_below():
    rows = _drawn([Curve([(x, 1.0 - x / 10) for x in range(1, 11)], marked=True)])
    assert len(rows) == 9
    assert rows[0].split("┤")[1].startswith("●")
    assert rows[-2].rstrip().endswith("●")
    assert rows[-1].split() == ["1", "epoch", "10"]


def test_what_is_to_come_keeps_its_room():
    rows = _drawn([Curve([(1, 0.1), (2, 0.2)])], last_x=20.0)
    assert max(len(row) for row in rows[:-1]) < 20


def test_a_gap_is_a_gap():
    whole = _drawn([Curve([(x, float(x)) for x in range(1, 11)])])
    broken = _drawn([Curve([(x, None if x == 5 else float(x)) for x in range(1, 11)])])

    def dots(rows):
        return sum((ord(letter) - 0x2800).bit_count() for letter in "".join(rows) if ord(letter) >= 0x2800)

    assert dots(broken) < dots(whole) * 0.9


def test_one_point_is_seen():
    assert "●" in "".join(_drawn([Curve([(1, 0.5)])]))


def test_no_numbers_yet_is_said_in_the_room_that_is_kept():
    rows = _drawn([Curve([(1, None)])])
    assert len(rows) == 9
    assert "first value after epoch 1" in "".join(rows)


@pytest.mark.parametrize("values", [(0.5, 0.5), (-3.0, 2e9), (1e-9, 2e-9), (float("nan"), 1.0), (float("inf"), 1.0)])
@pytest.mark.parametrize(("width", "height"), [(5, 5), (12, 3), (30, 4), (200, 40)])
def test_any_numbers_fit_any_room(values, width, height):
    rows = _drawn([Curve(list(enumerate(values, 1)))], width, height)
    assert len(rows) in (0, height)
    assert all(len(row) <= width for row in rows)


def test_a_sparkline_is_as_long_as_the_run_has_come():
    points = [(x, x / 10) for x in range(1, 6)]
    assert sparkline(points, 10, 10, 0.0, 1.0) == "▁▂▃▄▅     "
    assert sparkline(points, None, 5, 0.1, 0.5) == "▁▃▄▇█"
    assert sparkline([], 10, 4, 0, 1) == "    "
    assert sparkline([(1, 0.5), (2, None), (3, 0.5)], 3, 3, 0.5, 0.5) == "▅ ▅"


def test_a_bar_is_full_at_the_end_and_not_past_it():
    assert bar(0, 4, 8) == "░" * 8
    assert bar(3, 4, 8) == "██████░░"
    assert bar(9, 4, 8) == "█" * 8
    assert bar(3, None, 8) == ""


def test_a_number_has_three_decimals_and_a_real_minus_sign():
    assert [figure(v) for v in (0.5, -0.25, 0.0, 1234.5, 0.00001)] == ["0.500", "−0.250", "0.000", "1.23e+03", "1e−05"]
