# SPDX-License-Identifier: MIT
"""What the sandbox makes of DICOM: imports of many folders, what it cannot sort, names in all
character sets, previews. Files of Debian's python3-pydicom are used where they are installed."""

import pathlib
import struct

import pytest

from test_rest_data import dicom, element
from test_rest_rest import pixels
from uploads import Place, epd, igt, institute, objects, put, seed

SEED = seed(igt(*[institute(f"ward{n}") for n in range(120)]),
            epd(*[institute(f"ward{n}") for n in range(120)], name="epd"))
IMPORT = ["--category", "dicom"]
DATA = pathlib.Path("/usr/lib/python3/dist-packages/pydicom/data")
needs_pydicom = pytest.mark.skipif(not DATA.is_dir(), reason="python3-pydicom is not installed")
META = b"\0" * 128 + b"DICM"


def left(ward):
    """What lies in the import still: name: reason."""
    return {i["key"].split("/Import/")[1].split("/", 1)[1]: i["reason"]
            for i in ward.client.ok("GET", f"/__imports/{ward.id}")}


# ---- many folders, one name ----

@pytest.mark.case("dicom-1")
def test_one_name_in_several_folders(igtcloud, up, name, ward, tmp_path):
    """Also the very same instance twice, and no series: nothing takes another's place."""
    files = {f"{name}/CD/DIR{n}/IM000001": dicom("A^B", "1.2.3", "1.2.3.1", f"1.2.3.1.{n}", "S1")
             for n in range(5)}
    files[f"{name}/CD/DIR5/IM000001"] = files[f"{name}/CD/DIR1/IM000001"]
    files[f"{name}/CD/DIR6/IM000001"] = dicom("A^B", "1.2.3", "1.2.3.1", "1.2.3.1.1", "S2")
    put(up, files)
    igtcloud.run("upload", *IMPORT, up, "trial")
    stored = ward.contents("A^B/S1", "0/")
    assert sorted(stored.values()) == sorted(files.values()) and left(ward) == {}
    assert "1.2.3.1/IM000001" in stored
    igtcloud.run("download", *IMPORT, tmp_path / "down", "trial", name)
    down = [p.read_bytes() for p in (tmp_path / "down").rglob("*IM000001")]
    assert sorted(down) == sorted(files.values())
    # The same again: nothing twice, nothing lost.
    igtcloud.run("upload", *IMPORT, "--overwrite", up, "trial")
    assert ward.contents("A^B/S1", "0/") == stored and objects(ward.cloud, ward.prefix + "Import/") == {}


@pytest.mark.case("dicom-1")
def test_one_name_by_several_commands(igtcloud, up, name, ward):
    for n in range(3):
        path = put(up, {f"{n}/IM1": dicom("A^B", "1.2.3", "1.2.3.1", f"1.2.3.1.{n}", "S1")})
        igtcloud.run("cp", path / f"{n}/IM1", f"igt:trial/{name}/dicom/")
    assert len(ward.contents("A^B/S1", "0/")) == 3


# ---- what cannot be sorted ----

@pytest.mark.case("dicom-8")
def test_what_cannot_be_sorted_is_listed(igtcloud, up, name, ward):
    deflated = META + element(2, 0x10, "UI", "1.2.840.10008.1.2.1.99") + b"\x73\x74" * 20
    directory = META + element(2, 0x10, "UI", "1.2.840.10008.1.2.1") + element(
        4, 0x1130, "CS", "DISC") + element(4, 0x1220, "CS", "")
    put(up, {f"{name}/a/notes.txt": "text", f"{name}/a/z.zip": b"PK\3\4" + bytes(200),
             f"{name}/DICOMDIR": directory, f"{name}/d.dcm": deflated, f"{name}/empty": "",
             f"{name}/good": dicom("A^B", "1.2.3", "1.2.3.1", "1", "S1")})
    igtcloud.run("upload", *IMPORT, up, "trial")
    reasons = left(ward)
    assert set(reasons) == {"a/notes.txt", "a/z.zip", "DICOMDIR", "d.dcm", "empty"}
    assert "not DICOM" in reasons["a/notes.txt"] and "deflated" in reasons["d.dcm"]
    assert "DICOMDIR" in reasons["DICOMDIR"] and "empty" in reasons["empty"]
    assert len(objects(ward.cloud, ward.prefix + "Import/")) == 5


@pytest.mark.case("dicom-8")
def test_one_study_uid_of_two_patients(igtcloud, up, name, ward):
    """No image is filed under another patient; nor below a folder that its UIDs name."""
    put(up, {f"{name}/a": dicom("ANNA", "1.2.3", "1.2.3.1", "1", "S1"),
             f"{name}/b": dicom("BERTA", "1.2.3", "1.2.3.1", "2", "S1"),
             f"{name}/c": dicom("CLARA", "1.2.4", "../../x", "3", "S1")})
    igtcloud.run("upload", *IMPORT, up, "trial")
    assert ward.names() == ["ANNA/S1"] and list(ward.contents("ANNA/S1", "0/")) == ["1.2.3.1/a"]
    reasons = left(ward)
    assert set(reasons) == {"b", "c"} and "another patient" in reasons["b"] and "UID" in reasons["c"]


def without(image, number):
    """Without this element of group 10."""
    at = image.index(struct.pack("<HH", 0x10, number))
    return image[:at] + image[at + 8 + int.from_bytes(image[at + 6:at + 8], "little"):]


@pytest.mark.case("dicom-8")
@pytest.mark.parametrize("first", [0, 0x20])
def test_one_study_uid_of_two_patients_without_ids(igtcloud, up, name, ward, first):
    """By their names, if one of them has no id."""
    images = {n: dicom(n, "1.2.3", "1.2.3.1", n, "S1") for n in ("ANNA", "BERTA", "CLARA")}
    put(up, {f"{name}/1": without(images["ANNA"], first) if first else images["ANNA"],
             f"{name}/2": without(images["BERTA"], 0x20), f"{name}/3": images["CLARA"],
             f"{name}/4": without(images["ANNA"], 0x20)})
    igtcloud.run("upload", *IMPORT, up, "trial")
    assert ward.names() == ["ANNA/S1"] and set(ward.contents("ANNA/S1", "0/")) == {"1.2.3.1/1", "1.2.3.1/4"}
    assert set(left(ward)) == {"2", "3"} and all("another patient" in r for r in left(ward).values())


@pytest.mark.case("dicom-8")
def test_one_study_uid_of_two_patients_whose_studies_have_no_patient(cloud, igtcloud, up, name):
    """Studies of an EPD project have a name only."""
    lab = Place(cloud, name, "epd")
    put(up, {f"{name}/a": dicom("ANNA", "1.2.3", "1.2.3.1", "1", "S1"),
             f"{name}/b": dicom("BERTA", "1.2.3", "1.2.3.1", "2", "S1")})
    igtcloud.run("upload", *IMPORT, up, "epd")
    assert lab.names() == ["ANNA"] and list(lab.contents("ANNA", "0/")) == ["1.2.3.1/a"]
    assert list(left(lab)) == ["b"]


def data_set(order, explicit):
    def one(group, number, vr, text):
        data = text.encode() + b" " * (len(text) % 2)
        head = struct.pack(order + "HH", group, number)
        return head + (vr.encode() + struct.pack(order + "H", len(data)) if explicit
                       else struct.pack(order + "I", len(data))) + data
    return b"".join(one(*e) for e in [
        (8, 0x16, "UI", "1.2.840.10008.5.1.4.1.1.2"), (8, 0x18, "UI", "1.2.3.1.1"),
        (8, 0x60, "CS", "CT"), (0x10, 0x10, "PN", "A^B"), (0x10, 0x20, "LO", "A"),
        (0x20, 0xd, "UI", "1.2.3"), (0x20, 0xe, "UI", "1.2.3.1"), (0x20, 0x10, "SH", "S1")])


@pytest.mark.case("dicom-8")
@pytest.mark.parametrize("preamble", [META, b""])
@pytest.mark.parametrize("syntax, order, explicit", [
    ("1.2.840.10008.1.2", "<", False), ("1.2.840.10008.1.2.1", "<", True),
    ("1.2.840.10008.1.2.2", ">", True), ("", "<", False), ("", "<", True), ("", ">", True)])
def test_ways_to_write_a_data_set(igtcloud, up, name, ward, preamble, syntax, order, explicit):
    meta = element(2, 0x10, "UI", syntax) if syntax else b""
    put(up, {f"{name}/IM1": preamble + meta + data_set(order, explicit)})
    igtcloud.run("upload", *IMPORT, up, "trial")
    assert ward.names() == ["A^B/S1"] and left(ward) == {}


@needs_pydicom
@pytest.mark.case("dicom-8")
@pytest.mark.parametrize("file", [
    "rtstruct.dcm", "ExplVR_BigEnd.dcm", "ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm",
    "no_meta.dcm", "no_meta_group_length.dcm", "meta_missing_tsyntax.dcm", "UN_sequence.dcm",
    "nested_priv_SQ.dcm", "reportsi.dcm", "image_dfl.dcm"])
def test_real_files_become_studies_or_are_listed(igtcloud, up, name, ward, file):
    import pydicom
    path = DATA / "test_files" / file
    if not path.exists():
        pytest.skip(f"this pydicom has no {file}")
    put(up, {f"{name}/{file}": path.read_bytes()})
    igtcloud.run("upload", *IMPORT, up, "trial")
    uid = pydicom.dcmread(path, force=True).get("StudyInstanceUID")
    if uid and file != "image_dfl.dcm":
        assert [s["instanceUid"] for s in ward.studies()] == [uid]
    else:
        assert list(left(ward)) == [file]


# ---- character sets ----

def person(charset, data, number=1):
    study = f"1.2.{number}"
    meta = element(2, 0x10, "UI", "1.2.840.10008.1.2.1")
    data += b" " * (len(data) % 2)
    return META + meta + (element(8, 5, "CS", charset) if charset else b"") + (
        struct.pack("<HH", 0x10, 0x10) + b"PN" + struct.pack("<H", len(data)) + data
        + element(0x10, 0x20, "LO", f"P{number}") + element(0x20, 0xd, "UI", study)
        + element(0x20, 0xe, "UI", study + ".1") + element(0x20, 0x10, "SH", "S1"))


@pytest.mark.case("dicom-10")
def test_names_in_all_character_sets(igtcloud, up, name, ward):
    people = [("ISO_IR 100", "Müller^Jérôme", "latin-1"), ("ISO_IR 101", "Dvořák", "iso8859-2"),
              ("ISO_IR 144", "Люкceмбypг", "iso8859-5"), ("ISO_IR 127", "قباني^لنزار", "iso8859-6"),
              ("ISO_IR 126", "Διονυσιος", "iso8859-7"), ("ISO_IR 138", "שרון^דבורה", "iso8859-8"),
              ("ISO_IR 148", "Çavuşoğlu", "iso8859-9"), ("ISO_IR 166", "นามสกุล", "tis-620"),
              ("ISO_IR 192", "Wang^小东", "utf-8"), ("GB18030", "Wang^王小东", "gb18030"),
              ("GBK", "王小云", "gbk"), ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ", "shift-jis"),
              ("ISO_IR 203", "Œuvre€", "iso8859-15"), ("ISO_IR 126", "Κωνσταντ", "iso8859-7"),
              ("", "Größe", "utf-8"), ("", "Größe^Zwei", "latin-1")]
    iso = [("\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎"),
           ("ISO 2022 IR 13\\ISO 2022 IR 87", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J",
            "ﾔﾏﾀﾞ^ﾀﾛｳ=山田"),
           ("\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7", "Hong=洪^吉洞"),
           ("\\ISO 2022 IR 58", b"Z=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab", "Z=张^小东"),
           ("ISO 2022 IR 100\\ISO 2022 IR 144\\ISO 2022 IR 126",
            b"G\xe9=\x1b-L\xbb\xee\xda^\x1b-F\xc4\xe9", "Gé=Люк^Δι")]
    files = {f"{name}/{n}": person(c, t.encode(e), n + 1) for n, (c, t, e) in enumerate(people)}
    files.update({f"{name}/i{n}": person(c, raw, 100 + n) for n, (c, raw, _) in enumerate(iso)})
    put(up, files)
    igtcloud.run("upload", *IMPORT, up, "trial")
    expected = [t for _, t, _ in people] + [t for _, _, t in iso]
    assert sorted(s["patient"]["patientName"] for s in ward.studies()) == sorted(expected)


@needs_pydicom
@pytest.mark.case("dicom-10")
def test_names_of_real_files(igtcloud, up, name, ward):
    import pydicom
    files = sorted((DATA / "charset_files").glob("chr*.dcm"))
    expected = {}
    for n, path in enumerate(files):
        one = pydicom.dcmread(path)
        one.decode()
        if "PatientName" not in one:
            continue
        expected[f"1.2.{n + 1}"] = str(one.PatientName)
        one.StudyInstanceUID = f"1.2.{n + 1}"
        one.save_as(put(up, {f"{name}": None}) / name / path.name)
    assert len(expected) > 10
    igtcloud.run("upload", *IMPORT, up, "trial")
    assert {s["instanceUid"]: s["patient"]["patientName"] for s in ward.studies()} == expected


# ---- previews ----

def us(group, number, value):
    return struct.pack("<HH", group, number) + b"US\2\0" + struct.pack("<H", value)


def picture(data, rows=4, columns=8, bits=16, stored=0, signed=0, samples=1,
            photometric="MONOCHROME2", syntax="1.2.840.10008.1.2.1", spacing=None):
    stored = stored or bits
    return (META + element(2, 0x10, "UI", syntax) + element(8, 0x18, "UI", "1.2.3.1.1")
            + element(0x10, 0x10, "PN", "A^B") + element(0x20, 0xd, "UI", "1.2.3")
            + element(0x20, 0xe, "UI", "1.2.3.1") + element(0x20, 0x10, "SH", "S1")
            + us(0x28, 2, samples) + element(0x28, 4, "CS", photometric) + us(0x28, 0x10, rows)
            + us(0x28, 0x11, columns) + (element(0x28, 0x30, "DS", spacing) if spacing else b"")
            + us(0x28, 0x100, bits) + us(0x28, 0x101, stored) + us(0x28, 0x102, stored - 1)
            + us(0x28, 0x103, signed)
            + struct.pack("<HH2sHI", 0x7fe0, 0x10, b"OW", 0, len(data)) + data)


def ramp(n, step=100):
    return struct.pack(f"<{n}H", *[i * step for i in range(n)])


def preview(igtcloud, up, name, ward, body):
    put(up, {f"{name}/IM1": body})
    igtcloud.run("upload", *IMPORT, up, "trial")
    study = ward.study("A^B/S1")
    series = ward.client.ok("GET", f"/api/data/hospitals/{ward.id}/studies/"
                                   f"{study['studyDatabaseId']}/series")
    return ward.client.get(series[0]["previewUrl"])


@pytest.mark.case("dicom-11")
@pytest.mark.parametrize("how, word", [
    ({"signed": 1}, "signed"), ({"samples": 3, "photometric": "RGB", "bits": 8}, "colour"),
    ({"photometric": "PALETTE COLOR"}, "palette"), ({"bits": 1}, "bits"), ({"bits": 32}, "bits"),
    ({"spacing": "1.0\\0.5"}, "square"), ({"syntax": "1.2.840.10008.1.2.4.50"}, "compressed"),
    ({"syntax": "1.2.840.10008.1.2.4.90"}, "compressed"), ({"syntax": "1.2.840.10008.1.2.5"}, "compressed"),
    ({"rows": 400}, "cut off"), ({"stored": 40}, "bits is wrong")])
def test_a_preview_that_would_be_wrong_is_refused(igtcloud, up, name, ward, how, word):
    answer = preview(igtcloud, up, name, ward, picture(ramp(64), **how))
    assert answer.status == 415 and word in answer.body.decode()


@pytest.mark.case("dicom-11")
def test_no_picture_no_preview(igtcloud, up, name, ward):
    body = picture(b"").replace(struct.pack("<HH2sHI", 0x7fe0, 0x10, b"OW", 0, 0), b"")
    assert preview(igtcloud, up, name, ward, body).status == 404


@pytest.mark.case("dicom-11")
@pytest.mark.parametrize("how", [
    {}, {"stored": 12}, {"photometric": "MONOCHROME1"}, {"bits": 8}, {"spacing": "0.5\\0.5"}])
def test_a_preview_that_is_drawn_is_right(igtcloud, up, name, ward, how):
    data = bytes(range(0, 256, 8)) if how.get("bits") == 8 else ramp(32)
    answer = preview(igtcloud, up, name, ward, picture(data, **how))
    assert answer.status == 200
    samples = pixels(answer.body)
    if how.get("photometric") == "MONOCHROME1":
        samples.reverse()
    assert len(samples) == 32 and samples == sorted(samples)
    assert samples[0] == 0 and samples[-1] == 255


@pytest.mark.case("dicom-11")
@pytest.mark.parametrize("rows, columns", [(300, 484), (484, 300), (1, 1000), (64, 64)])
def test_a_preview_keeps_its_shape(igtcloud, up, name, ward, rows, columns):
    answer = preview(igtcloud, up, name, ward, picture(ramp(rows * columns, 0), rows, columns))
    at = answer.body.index(b"\xff\xc0")
    height, width = struct.unpack(">HH", answer.body[at + 5:at + 9])
    assert abs(height / width - rows / columns) <= max(16 / width, 16 / height)
