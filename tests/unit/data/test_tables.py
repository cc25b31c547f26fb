import pytest

from federated_pneumonia_detection.data import DataError
from federated_pneumonia_detection.data.tables import list_table


class Names:
    """A tree of which only the names count."""

    where = "tree"

    def names(self):
        return ["a.png", "images/b.png", "deep/c.png", "=cmd.png", "sub/images/d.png"]

    def read(self, name):
        raise AssertionError(name)

    def place(self, name):
        return f"tree/{name}"


def _list(text, base=""):
    content = text if isinstance(text, bytes) else text.encode()
    return list_table(content, Names(), where="x.csv", base=base).entries


def test_columns_are_found_by_name_in_any_order_and_case():
    (entry,) = _list("Patient_ID, LABEL ,Image,extra,Split\np7,pneumonia,a.png,zzz,VAL\n")
    assert (entry.name, entry.label, entry.split, entry.patient) == ("a.png", 1, "val", "p7")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_any_separator_encoding_and_line_end_is_read(separator, encoding, newline):
    rows = [("path", "label"), ("a.png", "0"), ("b.png", "1")]
    text = newline.join(separator.join(row) for row in rows) + newline
    assert [(e.name, e.label) for e in _list(text.encode(encoding))] == [("a.png", 0), ("images/b.png", 1)]


def test_paths_are_relative_to_the_csv_or_to_images_beside_it():
    assert [e.name for e in _list("image,label\nd.png,0\n", base="sub")] == ["sub/images/d.png"]
    assert [e.name for e in _list("image,label\ndeep\\c.png,0\n")] == ["deep/c.png"]


def test_empty_lines_are_passed_over():
    assert len(_list("image,label\n\na.png,0\n,\n")) == 1


def test_a_cell_that_looks_like_a_formula_is_a_name_and_nothing_else():
    assert _list("image,label\n=cmd.png,0\n")[0].name == "=cmd.png"


@pytest.mark.parametrize(
    ("text", "where", "what", "right"),
    [
        pytest.param("", "x.csv", "it is empty", "first line names the columns", id="empty"),
        pytest.param("image,klass\na.png,0", "x.csv", "no column label (it has image, klass)", "label", id="no label"),
        pytest.param("label\n0", "x.csv", "no column image", "image, label", id="no image"),
        pytest.param("image|label\na.png|0", "x.csv", "no column image", "first line", id="another separator"),
        pytest.param("image,label\n", "x.csv", "no rows", "names an image", id="no rows"),
        pytest.param("image,label\na.png,2", "x.csv, line 2", "the label is '2'", "0 or normal", id="a label of 2"),
        pytest.param("image,label\na.png,", "x.csv, line 2", "the label is ''", "0 or normal", id="no label given"),
        pytest.param("image,label\na.png,0.0", "x.csv, line 2", "the label is '0.0'", "0 or", id="a float label"),
        pytest.param("image,label\na.png,=1+1", "x.csv, line 2", "'=1+1'", "0 or normal", id="a formula"),
        pytest.param(
            "image,label\na.png,0\na.png,1", "x.csv, line 3", "named in line 2 already", "keep one", id="twice"
        ),
        pytest.param("image,label\nz.png,0", "line 2, z.png", "no such image", "relative to the CSV", id="not there"),
        pytest.param("image,label\n../a.png,0", "../a.png", "no such image", "relative", id="leads out"),
        pytest.param("image,label\n/etc/passwd,0", "/etc/passwd", "no such image", "relative", id="absolute"),
        pytest.param("image,label\n,0", "an empty cell", "no such image", "relative", id="no name"),
        pytest.param("image,label\na.png", "x.csv, line 2", "it has 1 cells", "has 2", id="a short row"),
        pytest.param("image,label,split\na.png,0,dev", "line 2", "the split is 'dev'", "train, val", id="a split"),
        pytest.param(
            "image,label,split\na.png,0,val\nb.png,1,", "x.csv", "1 rows have no split", "each row", id="half"
        ),
        pytest.param('image,label\n"a.png,0', "x.csv", "no CSV", "quote", id="an open quote"),
        pytest.param(b"image,label\n\xff\xfe\xfd,0", "x.csv", "is not UTF-8", "save it as UTF-8", id="no UTF-8"),
        pytest.param(b"\xff\xfea", "x.csv", "is not UTF-16", "save it as UTF-8", id="broken UTF-16"),
        pytest.param(b"image,label\n\0,0", "x.csv", "NUL", "UTF-8", id="NUL"),
    ],
)
def test_what_is_wrong_with_a_table_is_told_with_its_line(text, where, what, right):
    with pytest.raises(DataError) as caught:
        _list(text)
    error = caught.value
    assert where in error.where
    assert what in error.what
    assert right in error.right
    assert str(error).isprintable()
