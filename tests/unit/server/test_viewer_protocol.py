import pytest
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from federated_pneumonia_detection.hub.frames import Burst, Frame
from federated_pneumonia_detection.server.viewer_protocol import text_frame_header, wire


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
def test_a_frame_begins_as_websockets_begins_it(size: int) -> None:
    payload = b"x" * size
    assert text_frame_header(size) + payload == WireFrame(Opcode.TEXT, payload).serialize(mask=False)


def test_a_burst_is_made_once_for_all_viewers() -> None:
    burst = Burst([Frame(b"x" * 300), Frame(b"y")])
    assert wire(burst) is wire(burst)
    assert wire(burst) == b"".join(WireFrame(Opcode.TEXT, frame).serialize(mask=False) for frame in burst.frames)
