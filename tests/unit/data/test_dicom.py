import io
import warnings

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, SecondaryCaptureImageStorage

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.data.images import decode_image

RAMP = np.tile(np.linspace(0, 4095, 32).astype(np.uint16), (32, 1))


def _dicom(pixels=RAMP, kind="MONOCHROME2", frames=None, **elements):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    record = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    record.SOPClassUID, record.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    record.PatientName = "Doe^Jane"
    if pixels is not None:
        record.Rows, record.Columns = pixels.shape[-2:]
        record.SamplesPerPixel, record.PhotometricInterpretation = 1, kind
        record.BitsAllocated, record.BitsStored, record.HighBit, record.PixelRepresentation = 16, 12, 11, 0
        record.PixelData = pixels.tobytes()
    if frames is not None:
        record.NumberOfFrames = frames
    for name, value in elements.items():
        setattr(record, name, value)
    out = io.BytesIO()
    record.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_a_dicom_is_known_by_its_bytes_and_read_bright_where_its_values_are_great():
    got = decode_image(_dicom(), 32, where="x.png").pixels
    assert got[:, 0].max() == 0
    assert got[:, -1].min() == 255


def test_monochrome1_is_turned_round():
    got = decode_image(_dicom(kind="MONOCHROME1"), 32, where="x").pixels
    assert got[:, 0].min() == 255
    assert got[:, -1].max() == 0


def test_the_window_of_the_file_is_used():
    got = decode_image(_dicom(WindowCenter=1024, WindowWidth=1024), 32, where="x").pixels
    assert got[:, 16:].min() == 255


def test_burnt_in_text_is_told():
    assert decode_image(_dicom(BurnedInAnnotation="YES"), 32, where="x").burnt_in
    assert not decode_image(_dicom(BurnedInAnnotation="NO"), 32, where="x").burnt_in
    assert not decode_image(_dicom(), 32, where="x").burnt_in


def _of_an_unknown_syntax():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        record = pydicom.dcmread(io.BytesIO(_dicom()))
        record.file_meta.TransferSyntaxUID = JPEG2000Lossless
        record.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51junk"])
        record["PixelData"].is_undefined_length = True
        out = io.BytesIO()
        record.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "what", "right"),
    [
        pytest.param(lambda: _dicom(None), "DICOM without pixels", "not a report", id="no pixels"),
        pytest.param(lambda: _dicom(np.stack([RAMP, RAMP]), frames=2), "2 frames", "one frame", id="multi-frame"),
        pytest.param(_of_an_unknown_syntax, "syntax JPEG 2000", "uncompressed", id="an unknown syntax"),
        pytest.param(lambda: _dicom()[:140], "DICOM", "", id="cut in its header"),
        pytest.param(lambda: _dicom()[:-500], "cannot be unpacked", "export it", id="cut in its pixels"),
        pytest.param(lambda: b"\0" * 128 + b"DICM" + b"\xff" * 200, "DICOM", "", id="rubbish"),
        pytest.param(lambda: _dicom(RAMP[:4, :4]), "4 x 4 pixels", "at least 8", id="too small"),
        pytest.param(lambda: _dicom(Rows=60_000, Columns=60_000), "60000 x 60000", "at most", id="claims too many"),
    ],
)
def test_what_gives_no_picture_is_told_without_the_name_in_it(content, what, right):
    with pytest.raises(DataError) as caught:
        decode_image(content(), 28, where="x.dcm")
    error = caught.value
    assert what in error.what
    assert right in error.right
    assert "Doe" not in str(error)
    assert "\n" not in str(error)
