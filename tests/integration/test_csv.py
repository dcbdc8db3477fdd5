# SPDX-License-Identifier: MIT
"""`igtcloud csv` against the sandbox: rows and columns to the letter, each option."""

import csv
import io

import pytest

from igtcloud import FAILED, NOT_FOUND, SOME_FAILED, USAGE, shown, tree
from rest_client import RestClient

EPD = {"name": "case-1", "datetime": "2024-05-06T07:08:09+00:00", "age": "61",
       "duration": 95, "redo": True, "procedureTypes": ["ablation", "map, 3D"],
       "comments": 'says "so",\r\nthen more'}

SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]}],
    "projects": [
        {"name": "heart", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "id": "lab-id", "studies": [
                {**EPD, "raw": {"createdOn": "2024-05-06T07:08:09.5Z",
                                "lastUpdatedOn": "2024-05-06T07:08:09"},
                 "files": [{"path": "notes/day 1.txt", "text": "well"},
                           {"path": "film.bin", "size": 1000}]},
                {"name": "case-2", "datetime": "2024-05-07T00:00:00+02:00",
                 "raw": {"site": None, "redo": False}},
                {"name": "case,3", "raw_remove": ["createdBy"],
                 "files": [{"path": "a,b.txt", "text": "x"},
                           {"path": "later.txt", "text": "x", "completed": False}]}]},
            {"name": "other", "id": "other-id", "studies": [
                {"name": "elsewhere", "datetime": "2024-06-01T00:00:00+00:00"}]}]},
        {"name": "images", "institutes": [
            {"name": "north", "studies": [
                {"class": "Study", "studyId": "A", "studyDate": "2024-03-01T10:00:00+00:00",
                 "patient": {"patientId": "P1", "patientName": "Ann", "givenName": "An",
                             "dateOfBirth": "1970-01-02T00:00:00"}},
                {"class": "Study", "studyId": "B",
                 "patient": {"patientId": "P2", "patientName": "Bob"}}]}]},
        {"name": "a/b", "projectTypeName": "EPD", "institutes": [{"name": "i"}]},
        {"name": "none", "projectTypeName": "EPD"},
        {"name": "many", "projectTypeName": "EPD", "institutes": [
            {"name": "lab", "generate": {"studies": 200, "files": 2, "size": 10}}]},
    ],
}


def table(data):
    """Columns and rows."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8"), newline="")))
    assert all(len(row) == len(rows[0]) for row in rows)
    return rows[0], [dict(zip(rows[0], row)) for row in rows[1:]]


def studies(cloud, project, institute):
    client = RestClient(cloud.url).login()
    where = client.institute(institute, project)
    return client.ok("GET", f"/api/data/hospitals/{where['id']}/studies")


# ---- the form ----

@pytest.mark.smoke
def test_a_target_that_looks_like_a_file(igtcloud, tmp_path):
    """A folder of that name would be made otherwise."""
    done = igtcloud.run("csv", tmp_path / "out.csv", "demo", status=USAGE)
    assert f"did you mean `igtcloud csv - PROJECT > {tmp_path}/out.csv`?" in done.err
    assert not (tmp_path / "out.csv").exists()


def test_rows_to_the_letter(cloud, igtcloud):
    data = igtcloud.run("csv", "-", "heart", "lab").out
    columns, rows = table(data)
    # The order of the server, then what else the type has; each once.
    first = [k for k in studies(cloud, "heart", "lab")[0] if k not in ("studyType", "s3Prefix")]
    assert columns[:len(first)] == first and len(set(columns)) == len(columns)
    assert {"site", "subsite", "physician", "imagedChambers", "events"} <= set(columns)
    one, two, three = rows
    assert one["age"] == "61" and one["duration"] == "95" and one["redo"] == "True"
    assert one["datetime"] == "2024-05-06 07:08:09+00:00"
    assert one["createdOn"] == "2024-05-06 07:08:09.500000+00:00"
    assert one["lastUpdatedOn"] == "2024-05-06 07:08:09"
    assert one["procedureTypes"] == "ablation, map, 3D"
    assert one["comments"] == EPD["comments"]
    assert two["datetime"] == "2024-05-07 00:00:00+02:00"
    assert two["redo"] == "False" and two["site"] == "" and two["age"] == two["comments"] == ""
    assert three["name"] == "case,3" and three["createdBy"] == "" and two["createdBy"]


def test_quoting_and_line_ends(igtcloud):
    data = igtcloud.run("csv", "-", "heart", "lab").out
    assert b',"ablation, map, 3D",' in data and b',"case,3",' in data
    assert b'"says ""so"",\r\nthen more"' in data and b",case-1," in data
    assert data.endswith(b"\r\n") and data.count(b"\n") == data.count(b"\r\n") == 5
    assert not data.startswith(b"\xef\xbb\xbf")
    # As Python's own writer would: quotes only where they are needed.
    again = io.StringIO(newline="")
    csv.writer(again).writerows(csv.reader(io.StringIO(data.decode(), newline="")))
    assert again.getvalue().encode() == data


def test_nested_patient(igtcloud):
    columns, (one, two) = table(igtcloud.run("csv", "-", "images").out)
    assert (one["patientId"], one["patientName"], one["patientGivenname"]) == ("P1", "Ann", "An")
    assert one["patientDateofbirth"] == "1970-01-02 00:00:00"
    assert two["patientId"] == "P2" and two["patientGivenname"] == two["patientDateofbirth"] == ""
    assert one["patientDatabaseId"] and one["studyDate"] == "2024-03-01 10:00:00+00:00"
    for left_out in ("studyType", "s3Prefix", "patientS3Prefix", "patientS3prefix", "patient"):
        assert left_out not in columns


# ---- where it goes ----

def test_file_of_a_project_and_of_an_institute(igtcloud, out):
    done = igtcloud.run("csv", out, "heart")
    assert set(tree(out)) == {"cloud_heart.csv"} and done.out == b""
    assert "cloud_heart.csv" in done.err and "Wrote 4 studies" in done.err
    assert len(table(tree(out)["cloud_heart.csv"])[1]) == 4
    igtcloud.run("csv", out, "heart", "lab", "PROD")
    assert set(tree(out)) == {"cloud_heart.csv", "cloud_lab-id.csv"}
    assert len(table(tree(out)["cloud_lab-id.csv"])[1]) == 3


def test_replaced_or_added_to(igtcloud, out):
    igtcloud.run("csv", out, "heart")
    once = tree(out)["cloud_heart.csv"]
    igtcloud.run("csv", out, "heart")
    assert tree(out) == {"cloud_heart.csv": once}
    igtcloud.run("csv", "--append", out, "heart")
    rows = once.split(b"\r\n", 1)[1]
    assert tree(out) == {"cloud_heart.csv": once + rows}


def test_append_makes_a_missing_file(igtcloud, out):
    igtcloud.run("csv", "--append", out, "heart")
    plain = tree(out)
    igtcloud.run("csv", out, "heart")
    assert tree(out) == plain


def test_append_keeps_to_the_columns_of_the_file(igtcloud, out):
    out.mkdir()
    path = out / "cloud_heart.csv"
    path.write_bytes(b"name,mine,age\r\n")
    done = igtcloud.run("csv", "--append", out, "heart", "*")
    assert path.read_bytes() == (b'name,mine,age\r\ncase-1,,61\r\ncase-2,,\r\n"case,3",,\r\n'
                                 b"elsewhere,,\r\n")
    assert "have no column" in done.err


def test_append_with_files_keeps_the_file_columns(igtcloud, out):
    igtcloud.run("csv", "--files", out, "heart", "lab")
    once = tree(out)["cloud_lab-id.csv"]
    igtcloud.run("csv", "--files", "--append", out, "heart", "lab")
    assert tree(out)["cloud_lab-id.csv"] == once + once.split(b"\r\n", 1)[1]


def test_name_that_no_file_can_have(igtcloud, out):
    igtcloud.run("csv", out, "a/b")
    (name,) = tree(out)
    assert name == "cloud_a_b.csv"


def test_project_without_studies(igtcloud):
    columns, rows = table(igtcloud.run("csv", "-", "a/b").out)
    assert rows == [] and {"name", "datetime", "procedureTypes"} <= set(columns)
    igtcloud.run("csv", "-", "none")


# ---- files ----

def test_a_row_for_each_file(igtcloud):
    columns, rows = table(igtcloud.run("csv", "--files", "-", "heart").out)
    assert columns[-2:] == ["filename", "filesize"]
    assert [(r["name"], r["filename"], r["filesize"]) for r in rows][:3] == [
        ("case-1", "notes/day 1.txt", "4"), ("case-1", "film.bin", "1000"), ("case-2", "", "")]
    assert ("case,3", "a,b.txt", "1") in [(r["name"], r["filename"], r["filesize"]) for r in rows]
    assert rows[-1]["name"] == "elsewhere" and rows[-1]["filename"] == ""
    # A study's fields are its own: nothing of the one before.
    assert rows[2]["age"] == rows[2]["comments"] == "" and rows[0]["age"] == rows[1]["age"] == "61"


def test_files_by_extension(igtcloud):
    _, rows = table(igtcloud.run("csv", "--files", "--ext", ".bin", "-", "heart", "lab").out)
    assert [(r["name"], r["filename"]) for r in rows] == [
        ("case-1", "film.bin"), ("case-2", ""), ("case,3", "")]


def test_order_of_many(cloud, igtcloud):
    _, rows = table(igtcloud.run("csv", "--files", "-", "many").out)
    names = [s["studyIdHumanReadable"] for s in studies(cloud, "many", "lab")]
    assert [r["studyIdHumanReadable"] for r in rows] == [n for n in names for _ in (0, 1)]


def test_files_that_cannot_be_listed(cloud, igtcloud, out, canned):
    second = studies(cloud, "heart", "lab")[1]["studyDatabaseId"]
    canned({"method": "GET", "path": f"/api/data/hospitals/*/studies/{second}/files",
            "status": 403, "body": {"message": "not yours"}})
    done = igtcloud.run("csv", "--files", out, "heart", status=SOME_FAILED)
    _, rows = table(tree(out)["cloud_heart.csv"])
    assert {r["name"] for r in rows} == {"case-1", "case,3", "elsewhere"}
    assert "case-2" in done.err and "not yours" in done.err and "1 study FAILED" in done.err


# ---- which ones ----

@pytest.mark.parametrize("options, names", [
    (["--start", "2024-05-07"], ["case-2", "case,3", "elsewhere"]),
    (["--end", "2024-05-06"], ["case-1", "case,3"]),
    (["--start", "2024-05-06", "--end", "2024-05-07"], ["case-1", "case-2", "case,3"])])
def test_studies_are_selected_by_date(igtcloud, options, names):
    done = igtcloud.run("csv", *options, "-", "heart")
    assert [r["name"] for r in table(done.out)[1]] == names
    assert "1 study has no date" in done.err


@pytest.mark.parametrize("command", [["ls"], ["ls", "-l"], ["find"], ["du"], ["tree"], ["manifest"]])
def test_undated_studies_are_reported_by_all(igtcloud, command):
    done = igtcloud.run(*command, "heart", "--start", "2024-05-07")
    assert "1 study has no date and passed the date filter" in done.err
    assert "no date" not in igtcloud.run(*command, "heart", "--start", "2024-05-07", "--quiet").err


def test_shards_are_disjoint_and_complete(igtcloud):
    shards = [{r["studyDatabaseId"] for r in
               table(igtcloud.run("csv", "--shard", f"{i}/2", "-", "many").out)[1]} for i in (1, 2)]
    assert all(shards) and len(shards[0] | shards[1]) == 200 == sum(map(len, shards))


@pytest.mark.parametrize("arguments", [
    [], ["-"], ["-", "heart", "*", "EARTH"], ["--start", "soon", "-", "heart"],
    ["--end", "2024-02-30", "-", "heart"], ["--shard", "3/2", "-", "heart"],
    ["--category", "video", "-", "heart"]])
def test_wrong_arguments_are_a_usage_error(igtcloud, arguments):
    done = igtcloud.run("csv", *arguments, status=USAGE)
    assert done.err.startswith("igtcloud: ") and done.out == b""


def test_unknown_names(igtcloud, out):
    assert "'nothing'" in igtcloud.run("csv", out, "nothing", status=NOT_FOUND).err
    assert "'nowhere'" in igtcloud.run("csv", out, "heart", "nowhere", status=NOT_FOUND).err
    assert not out.exists()


def test_quiet_prints_nothing(igtcloud, out):
    done = igtcloud.run("csv", "--quiet", out, "heart")
    assert (done.out, done.err) == (b"", "")


# ---- when it goes wrong ----

def test_old_file_stays_when_the_list_breaks(igtcloud, out, canned):
    igtcloud.run("csv", out, "heart")
    before = tree(out)
    canned({"method": "GET", "path": "/api/data/hospitals/other-id/studies", "status": 500,
            "body": {"message": "broken"}})
    done = igtcloud.run("csv", "--retries", "0", out, "heart", status=FAILED)
    assert tree(out) == before and "broken" in done.err


def test_standard_output_that_is_full(igtcloud):
    process = igtcloud.start("csv", "-", "heart", stdout=open("/dev/full", "wb"))
    _, err = process.communicate(timeout=30)
    assert process.returncode == FAILED and b"output" in err


def test_standard_output_that_nobody_reads(igtcloud):
    process = igtcloud.start("csv", "-", "many")
    process.stdout.close()
    process.stderr.read()
    assert process.wait(30) != 0


def test_json_prints_a_summary(igtcloud, out):
    done = igtcloud.run("csv", "--json", "--files", out, "heart")
    (summary,) = done.lines
    assert summary["kind"] == "summary" and summary["local"] == shown(out / "cloud_heart.csv")
    assert (summary["studies"], summary["files"], summary["rows"]) == (4, 4, 6)
