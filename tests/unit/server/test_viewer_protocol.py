import pytest
from websockets.frames import Frame, Opcode

from federated_pneumonia_detection.server.viewer_protocol import _framed, text_frame_header


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
def test_a_frame_begins_as_websockets_begins_it(size: int) -> None:
    payload = b"x" * size
    assert text_frame_header(size) + payload == Frame(Opcode.TEXT, payload).serialize(mask=False)


def test_a_frame_is_made_once_for_all_viewers() -> None:
    assert _framed(b"x" * 300) is _framed(b"x" * 300)
