"""Whatever bytes a decoder is given, it answers with a value or with its own error, which is one printable line.

Inputs are whole files of each kind with bytes changed, taken out, doubled or cut off, and bytes of no kind at all.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from machines import fresh, seeded
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from federated_pneumonia_detection.config import ConfigError, TrainingConfig
from federated_pneumonia_detection.config.training import make_config
from federated_pneumonia_detection.config.yaml_reading import parse_yaml, read_yaml
from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.data.images import decode_image
from federated_pneumonia_detection.data.npz import read_npz
from federated_pneumonia_detection.data.reading import read_path
from federated_pneumonia_detection.data.tables import list_table
from federated_pneumonia_detection.data.trees import FolderTree
from federated_pneumonia_detection.progress import values
from federated_pneumonia_detection.progress.framing import Damage, Line, decode_line, encode_line
from federated_pneumonia_detection.training.checkpoints import load_checkpoint, save_best
from federated_pneumonia_detection.training.errors import BadCheckpoint, BadModel
from federated_pneumonia_detection.training.networks import build_network

RANDOM = np.random.default_rng(7)
GREY = Image.fromarray(RANDOM.integers(0, 256, (24, 24), dtype=np.uint8))


def _picture(kind: str, mode: str = "L") -> bytes:
    out = io.BytesIO()
    GREY.convert(mode).save(out, kind)
    return out.getvalue()


def _deep_tiff() -> bytes:
    out = io.BytesIO()
    Image.fromarray(RANDOM.integers(0, 65_536, (24, 24)).astype(np.uint16)).save(out, "TIFF")
    return out.getvalue()


def _dicom() -> bytes:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.1", "1.2.3"
    record = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    record.Rows = record.Columns = 24
    record.SamplesPerPixel, record.PhotometricInterpretation = 1, "MONOCHROME1"
    record.BitsAllocated, record.BitsStored, record.HighBit, record.PixelRepresentation = 16, 12, 11, 0
    record.WindowCenter, record.WindowWidth, record.RescaleSlope, record.RescaleIntercept = 100, 50, 1, 0
    record.NumberOfFrames, record.BurnedInAnnotation, record.PatientName = 1, "YES", "Doe^Jane"
    record.PixelData = RANDOM.integers(0, 4096, (24, 24)).astype("<u2").tobytes()
    out = io.BytesIO()
    pydicom.dcmwrite(out, record, enforce_file_format=True)
    return out.getvalue()


def _npz() -> bytes:
    out = io.BytesIO()
    arrays = {f"{split}_images": RANDOM.integers(0, 256, (6, 8, 8), dtype=np.uint8) for split in ("train", "val")}
    np.savez(out, **arrays, train_labels=np.arange(6) % 2, val_labels=np.arange(6)[:, None] % 2)
    return out.getvalue()


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(6):
            archive.writestr(f"NORMAL/{number}.png", _picture("PNG"))
            archive.writestr(f"PNEUMONIA/{number}.png", _picture("PNG"))
    return out.getvalue()


TABLE = b"image,label,split,patient\na.png,0,train,p1\n'b.png',pneumonia,val,p2\n\"c,.png\",1,test,=cmd\n"
YAML = (
    b"# settings\nepochs: 3\nlearning_rate: 3e-3\nmodel: small_resnet\nmodel_args: {a: [1, 'x', null]}\ndevice: cpu\n"
)
LINE = encode_line(
    b'{"type":"epoch_end","epoch":1,"metrics":{"loss":0.5,"a":[1,{}]},"timestamp":"t","text":"\\u00e4"}', 12
)

PICTURES = [
    *(_picture(kind) for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")),
    *(_picture("PNG", mode) for mode in ("RGBA", "P", "LA", "1")),
    _picture("JPEG", "CMYK"),
    _deep_tiff(),
    _dicom(),
]


@st.composite
def spoilt(draw: st.DrawFn, whole: list[bytes]) -> bytes:
    """One of these files after a few accidents, or bytes of no kind."""
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=400))
    data = bytearray(draw(st.sampled_from(whole)))
    for _ in range(draw(st.integers(1, 5))):
        # Half of them in the first bytes, where what a file is and how large it is stands.
        at = draw(st.integers(0, max(0, min(len(data), draw(st.sampled_from([300, 1 << 20]))) - 1)))
        accident = draw(st.sampled_from(["set", "bound", "take out", "put in", "double", "cut"]))
        if accident == "set" and data:
            data[at] = draw(st.integers(0, 255))
        elif accident == "bound":
            data[at : at + 4] = draw(
                st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\1\0\0"])
            )
        elif accident == "take out":
            del data[at : at + draw(st.integers(1, 20))]
        elif accident == "put in":
            data[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif accident == "double":
            data[at:at] = data[at : at + 40]
        elif accident == "cut":
            del data[at:]
    return bytes(data)


def _is_one_line(error: Exception) -> None:
    told = str(error)
    assert told
    assert told.isprintable(), ascii(told)


def _image(data: bytes) -> None:
    try:
        decoded = decode_image(data, 28, where="x.png")
    except DataError as error:
        _is_one_line(error)
    else:
        assert decoded.pixels.shape == (28, 28)
        assert decoded.pixels.dtype == np.uint8


def _arrays(data: bytes) -> None:
    try:
        images, labels = read_npz(data, where="x.npz")
    except DataError as error:
        _is_one_line(error)
    else:
        assert all(set(np.unique(labels[split])) <= {0, 1} for split in images)
        assert all(images[split].dtype == np.uint8 for split in images)


def _archive(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.zip"
        path.write_bytes(data)
        try:
            reading = read_path(path, image_size=16, seed=0)
        except DataError as error:
            _is_one_line(error)
        else:
            assert len(reading.images) == len(reading.labels) == len(reading.splits)
        assert [entry.name for entry in Path(folder).iterdir()] == ["x.zip"], "something was unpacked onto the disk"


def _table(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.png", "'b.png'", "c,.png"):
            (Path(folder) / name).touch()
        try:
            listing = list_table(data, FolderTree(Path(folder)), where="x.csv")
        except DataError as error:
            _is_one_line(error)
        else:
            assert all(entry.label in (0, 1) for entry in listing.entries)


def _configuration(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.yaml"
        path.write_bytes(data)
        try:
            config = make_config(read_yaml(path), "centralized")
        except ConfigError as error:
            _is_one_line(error)
        else:
            assert isinstance(config, TrainingConfig)


def _journal_line(data: bytes) -> None:
    told = decode_line(data)
    if isinstance(told, Line):
        assert told == decode_line(encode_line(told.body, told.n))
    else:
        assert isinstance(told, Damage)


KINDS: dict[str, tuple[Callable[[bytes], None], list[bytes], int]] = {
    "pictures": (_image, PICTURES, 600),
    "npz": (_arrays, [_npz()], 250),
    "zip": (_archive, [_zip()], 120),
    "table": (_table, [TABLE, TABLE.decode().encode("utf-16"), TABLE.replace(b",", b";")], 250),
    "configuration": (_configuration, [YAML], 300),
    "line": (_journal_line, [LINE], 500),
}


@pytest.mark.parametrize("kind", KINDS)
def test_spoilt_bytes_are_a_value_or_an_error_of_ours(kind: str) -> None:
    look, whole, examples = KINDS[kind]
    seeded(examples)(given(spoilt(whole))(look))()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_very_many_spoilt_bytes_are_a_value_or_an_error_of_ours(kind: str) -> None:
    look, whole, examples = KINDS[kind]
    fresh(examples * 100)(given(spoilt(whole))(look))()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = TrainingConfig(image_size=12, model_args={"channels": [2, 2, 2]}, device="cpu", threads=1)
    folder = tmp_path_factory.mktemp("checkpoint")
    return save_best(build_network(config), config, folder, epoch=1, metrics={"val_loss": 0.5}, about={})


@pytest.mark.parametrize("part", ["best.pt", "best.json"])
def test_a_spoilt_checkpoint_is_a_network_or_an_error_of_ours(checkpoint: Path, part: str, tmp_path: Path) -> None:
    names = {"best.pt": checkpoint.name, "best.json": checkpoint.with_suffix(".json").name}
    whole = {name: (checkpoint.parent / name).read_bytes() for name in names.values()}

    def load(data: bytes) -> None:
        for name, content in whole.items():
            (tmp_path / name).write_bytes(content)
        (tmp_path / names[part]).write_bytes(data)
        try:
            network, config = load_checkpoint(tmp_path / checkpoint.name, device=torch.device("cpu"))
        except (BadCheckpoint, BadModel) as error:
            _is_one_line(error)
        else:
            assert isinstance(network, torch.nn.Module)
            assert config.image_size

    seeded(60)(given(spoilt([whole[names[part]]]))(load))()


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.dates()
    | st.builds(object)
    | st.builds(np.float32, st.floats(width=32))
    | st.builds(lambda number: np.array([number, number]), st.floats())
    | st.builds(lambda number: torch.tensor(number), st.floats()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=10,
)


def test_any_value_at_all_is_told_as_json_or_as_null() -> None:
    import msgspec

    def tell(value: Any) -> None:
        told: list[str] = []
        plain = values.plain(value, lambda cause, text: told.append(text))
        metrics, not_finite = values.metrics_of(value, lambda cause, text: told.append(text))
        assert msgspec.json.decode(msgspec.json.encode([plain, metrics])) is not None
        assert set(not_finite) <= set(metrics)
        assert isinstance(values.name(value), str)
        assert 0 <= values.seconds(value, "interval", 0.5, lambda *_: None) <= 60
        number = values.whole(value, "epoch", lambda *_: None)
        assert number is None or abs(number) < 2**63

    seeded(300)(given(anything)(tell))()


def test_any_text_at_all_is_yaml_or_an_error_of_ours() -> None:
    def parse(text: str) -> None:
        try:
            parse_yaml(text)
        except ConfigError as error:
            _is_one_line(error)

    alphabet = st.sampled_from([*"abc:{}[]&*!|>-?#%@`'\"\\, \n\t0123.eE~<=", "\0", "\ud800", "\u2028", "\x85", "é"])
    seeded(500)(given(st.text(alphabet, max_size=60))(parse))()
