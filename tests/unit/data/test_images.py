import io
import zlib

import numpy as np
import pytest
from PIL import Image

from federated_pneumonia_detection.data import DataError, read_image
from federated_pneumonia_detection.data.images import decode_image, resize_images


def _bytes(image, kind="PNG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _ramp(mode="L", size=40):
    return Image.fromarray(np.tile(np.linspace(0, 255, size).astype(np.uint8), (size, 1))).convert(mode)


def _pixels(content, size=40):
    return decode_image(content, size, where="here").pixels


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"])
def test_each_kind_of_file_gives_the_same_picture(kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    got = _pixels(_bytes(_ramp("RGB" if kind == "WEBP" else "L"), kind, **options))
    assert np.abs(got.astype(int) - np.asarray(_ramp())).max() <= 4


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "1", "CMYK", "I", "I;16", "F"])
def test_each_mode_becomes_grey_from_dark_to_bright(mode):
    if mode in {"I", "I;16"}:
        image = Image.fromarray(np.asarray(_ramp()).astype(np.uint16 if mode == "I;16" else np.int32) * 16)
    else:
        image = _ramp(mode)
    got = _pixels(_bytes(image, "TIFF" if mode in {"CMYK", "F", "I"} else "PNG"))
    assert got.shape == (40, 40)
    assert got.dtype == np.uint8
    assert got[:, :5].mean() < 60
    assert got[:, -5:].mean() > 195


def test_a_transparent_pixel_is_dark():
    image = Image.new("RGBA", (16, 16), (255, 255, 255, 0))
    assert _pixels(_bytes(image), 16).max() == 0


def test_sixteen_bits_are_stretched_from_least_to_greatest():
    values = np.array([[1000, 3000], [2000, 1000]], np.uint16).repeat(8, axis=0).repeat(8, axis=1)
    got = _pixels(_bytes(Image.fromarray(values)), 16)
    assert (got.min(), got.max()) == (0, 255)
    assert abs(int(got[12, 4]) - 128) <= 1


def test_one_constant_sixteen_bit_value_is_black_and_no_division_by_zero():
    assert _pixels(_bytes(Image.fromarray(np.full((16, 16), 700, np.uint16))), 16).max() == 0


def test_the_middle_square_is_taken():
    wide = np.zeros((20, 60), np.uint8)
    wide[:, 20:40] = 200
    assert _pixels(_bytes(Image.fromarray(wide)), 20).min() == 200


def test_a_photograph_that_lies_on_its_side_is_set_up():
    image = np.zeros((20, 20), np.uint8)
    image[:10] = 200
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    got = _pixels(_bytes(Image.fromarray(image), "JPEG", exif=exif), 20)
    assert got[:8].mean() < 20 < 180 < got[12:].mean()


def test_the_size_before_is_told_though_a_jpeg_is_shrunk_while_it_is_decoded():
    decoded = decode_image(_bytes(_ramp(size=900), "JPEG"), 28, where="here")
    assert (decoded.width, decoded.height) == (900, 900)
    assert decoded.pixels.shape == (28, 28)


def _png_header_that_claims(width, height):
    def chunk(kind, content):
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


WHOLE = _bytes(_ramp(size=64))
NOISE = _bytes(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)))


@pytest.mark.parametrize(
    ("content", "what", "right"),
    [
        pytest.param(b"", "empty", "copy it again", id="empty"),
        pytest.param(b"hello, I am text", "no image", "PNG, JPEG", id="text under .png"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "no image", "PNG, JPEG", id="signature alone"),
        pytest.param(NOISE[: len(NOISE) // 2], "broken", "copy it again", id="truncated PNG"),
        pytest.param(_bytes(_ramp(size=64), "JPEG")[:400], "broken", "copy it again", id="truncated JPEG"),
        pytest.param(NOISE[:200] + b"\0\0\0" + NOISE[203:], "broken", "copy it again", id="damaged PNG"),
        pytest.param(_bytes(_ramp(size=1)), "1 x 1 pixels", "at least 8 x 8", id="1 x 1"),
        pytest.param(
            _png_header_that_claims(30_000, 30_000), "900,000,000 pixels", "100,000,000", id="30 000 x 30 000"
        ),
        pytest.param(_png_header_that_claims(0, 7), "no image", "PNG", id="no pixels"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image", "PNG", id="PostScript"),
        pytest.param(b"%PDF-1.4", "no image", "PNG", id="PDF"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image", "PNG", id="SVG"),
    ],
)
def test_what_is_no_whole_picture_is_told(content, what, right):
    with pytest.raises(DataError) as caught:
        decode_image(content, 28, where="x.png")
    error = caught.value
    assert error.where == "x.png"
    assert what in error.what
    assert right in error.right
    assert "\n" not in str(error)


def test_a_file_of_several_pictures_is_refused():
    first, second = _ramp(), _ramp().transpose(Image.Transpose.ROTATE_90)
    with pytest.raises(DataError, match="it holds 2 pictures"):
        _pixels(_bytes(first, "GIF", save_all=True, append_images=[second]))


def test_every_cut_of_a_picture_is_read_or_told_and_nothing_else_is_raised():
    content = _bytes(_ramp(), "JPEG")
    for end in range(0, len(content), 7):
        try:
            decode_image(content[:end], 28, where="x")
        except DataError:
            continue


def test_a_path_that_is_no_file_is_told(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "absent.png", 28)
    with pytest.raises(DataError, match="is a folder"):
        read_image(tmp_path, 28)


def test_a_picture_is_read_from_its_path(tmp_path):
    (tmp_path / "a.png").write_bytes(WHOLE)
    assert read_image(tmp_path / "a.png", 28).shape == (28, 28)
    assert read_image(str(tmp_path / "a.png"), 64).shape == (64, 64)


def test_a_stack_is_brought_to_size_and_left_alone_where_it_has_it():
    stack = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
    assert resize_images(stack, 28) is stack
    assert resize_images(stack, 14).shape == (3, 14, 14)
