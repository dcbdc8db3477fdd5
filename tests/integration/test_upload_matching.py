# SPDX-License-Identifier: MIT
"""Which study of the cloud a local folder is, and what becomes of one that is none of them. The
table of cases is in tests/unit/test_match.c; here the tree, the cloud and both runs are real."""

import itertools
import json

import pytest

from igtcloud import DONE, SOME_FAILED
from uploads import Place, changes, epd, igt, institute, items, patient_study, put, seed

NUMBER = itertools.count()
SEED = seed(igt(*[institute(f"ward{n}", patient_study("P1", "A"), patient_study("P1", "B"),
                            patient_study("P2", "A"), patient_study("twin", "A"),
                            patient_study("twin", "A")) for n in range(80)]),
            epd(*[institute(f"lab{n}", {"name": "case"}) for n in range(8)]),
            {"name": "subjects", "projectTypeName": "IGuideU", "institutes": [institute("site")]},
            *[{"name": f"all-{name}", "projectTypeName": kind, "institutes": [institute("site")]}
              for name, kind in (("marvel", "Marvel"), ("trust", "WeTrust"), ("guide", "IGuideU"),
                                 ("labs", "CoreLabs"), ("epd", "EPD"))])


class Tree:
    """The folder of an institute that no other test has."""

    def __init__(self, cloud, igtcloud, folder, prefix, project):
        self.name = f"{prefix}{next(NUMBER)}" if project == "trial" else prefix
        self.place, self.igtcloud, self.cloud = Place(cloud, self.name, project), igtcloud, cloud
        self.top, self.project = folder, project
        self.before = self.place.names()

    def put(self, files):
        put(self.top / self.name, files)

    def upload(self, *options, **more):
        return self.igtcloud.run("upload", "--json", *options, self.top, self.project, **more)

    def made(self):
        """Names of the studies that are new."""
        left = list(self.before)
        return [n for n in self.place.names() if n not in left or left.remove(n)]

    def again(self, *options):
        """A second run, without what the first one remembers, sends nothing."""
        self.cloud.clear()
        done = self.upload(*options, "--no-journal")
        assert changes(self.cloud) == [] and done.summary["filesDone"] == 0, done


@pytest.fixture
def ward(cloud, igtcloud, tmp_path):
    return Tree(cloud, igtcloud, tmp_path / "up", "ward", "trial")


@pytest.fixture
def site(cloud, igtcloud, tmp_path):
    return Tree(cloud, igtcloud, tmp_path / "up", "site", "subjects")


TREE = ["--folder-structure", "hierarchical"]
SUBJECT = {"patient": {"patientId": "7", "patientName": "P7"}, "studyId": "S7"}


def test_hierarchical_by_both_names(ward):
    ward.put({"P1/A/x": "1A", "P1/B/x": "1B", "P2/A/x": "2A"})
    ward.upload(*TREE)
    assert ward.made() == []
    assert [ward.place.contents(n)["x"] for n in ("P1/A", "P1/B", "P2/A")] == [b"1A", b"1B", b"2A"]
    ward.again(*TREE)


def test_flat_by_both_names(ward):
    ward.put({"P1---A/x": "1A", "P2---A/x": "2A"})
    ward.upload()
    assert ward.made() == []
    assert [ward.place.contents(n)["x"] for n in ("P1/A", "P2/A")] == [b"1A", b"2A"]
    ward.again()


def test_hierarchical_makes_what_is_missing(ward):
    """Never another study of the same patient, also when it is the only one."""
    ward.put({"P2/B/x": "2B", "P3/A/x": "3A", "P3/B/x": "3B"})
    ward.upload(*TREE)
    assert ward.made() == ["P2/B", "P3/A", "P3/B"]
    assert ward.place.contents("P2/A") == {} and ward.place.contents("P2/B") == {"x": b"2B"}
    made = ward.place.study("P3/A")
    assert made["studyId"] == "A" and made["patient"]["patientId"] == "P3"
    assert made["patient"]["patientName"] == "P3"
    ward.again(*TREE)


def test_flat_makes_patient_and_study(ward):
    """Two studies of one patient are one patient, and both forms of the tree are one."""
    ward.put({"P-77---Angio-1/x": "1", "P-77---Angio-2/x": "2", "P9/x": "9"})
    ward.upload()
    assert ward.made() == ["P-77/Angio-1", "P-77/Angio-2", "P9"]
    made = [ward.place.study(f"P-77/Angio-{n}") for n in (1, 2)]
    assert [m["studyId"] for m in made] == ["Angio-1", "Angio-2"]
    assert {m["patient"]["patientId"] for m in made} == {"P-77"}
    assert len({m["patientDatabaseId"] for m in made}) == 1
    ward.again()
    ward.again("--flat-names", "whole")


def test_flat_by_the_whole_name(ward):
    ward.put({"P9---A/x": "9A"})
    ward.upload("--flat-names", "whole")
    assert ward.made() == ["P9---A"]
    assert ward.place.study("P9---A")["patient"]["patientName"] == "P9---A"
    ward.again()
    ward.again("--flat-names", "whole")


@pytest.mark.parametrize("project, kind, made", [
    ("marvel", "Marvel", {"clinicalStudy": "P1", "studyId": "A"}),
    ("trust", "WeTrust", {"subjectId": "P1", "studyId": "A"}),
    ("guide", "IGuideU", {"subjectId": "P1", "visitName": "A"}),
    ("labs", "CoreLabs", {"studyId": "A"}), ("epd", "EPD", {"name": "P1---A"})])
def test_flat_of_every_type(igtcloud, cloud, tmp_path, project, kind, made):
    put(tmp_path / "up/site", {"P1---A/x": "1", "P1---B/x": "2"})
    igtcloud.run("upload", tmp_path / "up", f"all-{project}")
    place = Place(cloud, "site", f"all-{project}")
    human = "P1---A" if kind == "EPD" else "P1/A"
    assert place.names() == [human, human[:-1] + "B"]
    assert {k: place.study(human).get(k) for k in made} == made
    cloud.clear()
    igtcloud.run("upload", "--no-journal", tmp_path / "up", f"all-{project}")
    assert changes(cloud) == []


def test_flat_without_a_study_part(ward):
    ward.put({"P2/x": "2", "P1/x": "1"})
    done = ward.upload(status=SOME_FAILED)
    assert ward.made() == [] and ward.place.contents("P2/A") == {"x": b"2"}
    assert "P1/A (" in done.err and "P1/B (" in done.err and "nothing was sent" in done.err
    assert ward.place.contents("P1/A") == ward.place.contents("P1/B") == {}


def test_several_of_one_name(ward):
    ward.put({"twin/A/x": "no"})
    done = ward.upload(*TREE, status=SOME_FAILED)
    assert done.err.count("twin/A (") == 2 and ward.made() == []
    second = [s["studyDatabaseId"] for s in ward.place.studies()
              if s["studyIdHumanReadable"] == "twin/A"][1]
    ward.put({"twin/A/study.json": json.dumps({"studyDatabaseId": second})})
    done = ward.upload(*TREE)
    assert items(done, kind="file", result="done")[0]["studyDatabaseId"] == second


def test_study_database_id_comes_first(ward):
    wanted = ward.place.study("P1/B")["studyDatabaseId"]
    ward.put({"P1/renamed/study.json": json.dumps({"studyDatabaseId": wanted}),
              "P1/renamed/x": "b",
              "P2/A/study.json": json.dumps({"studyDatabaseId": "of another cloud"}),
              "P2/A/x": "a"})
    ward.upload(*TREE)
    assert ward.made() == [] and ward.place.contents("P1/B") == {"x": b"b"}
    assert ward.place.contents("P2/A") == {"x": b"a"} and ward.place.contents("P1/A") == {}


@pytest.mark.parametrize("options, folder", [([], "exam"), (TREE, "some/exam"), ([], "x---y")])
def test_by_what_its_study_json_says(ward, options, folder):
    """A second run finds the study that the first one made, whatever the folder is called."""
    ward.put({f"{folder}/study.json": json.dumps(SUBJECT), f"{folder}/x": "7"})
    ward.upload(*options)
    assert ward.made() == ["P7/S7"] and ward.place.contents("P7/S7") == {"x": b"7"}
    ward.again(*options)
    # Another study of that patient is not the same.
    ward.put({"second---y/study.json": json.dumps({**SUBJECT, "studyId": "S8"}),
              "second---y/x": "8"})
    # In a flat tree "some" would be a study with the files of another one.
    ward.igtcloud.run("upload", "--exclude", "*7", ward.top, ward.project,
                      status=SOME_FAILED if options else DONE)
    assert {"P7/S7", "P7/S8"} <= set(ward.made())
    assert ward.place.contents("P7/S7") == {"x": b"7"}


def test_a_tree_of_another_cloud(ward, igtcloud, cloud, tmp_path):
    """Its ids mean nothing here."""
    ward.put({"P5/A/x": "5"})
    ward.upload(*TREE)
    igtcloud.run("download", *TREE, tmp_path / "down", "trial", ward.name)
    other = Tree(cloud, igtcloud, tmp_path / "down", "ward", "trial")
    (tmp_path / "down" / ward.name).rename(tmp_path / "down" / other.name)
    for path in (tmp_path / "down").rglob("study.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "instituteId": "of another cloud"}))
    other.upload(*TREE, status=SOME_FAILED)
    assert other.made() == ["P5/A"]
    new, old = other.place.study("P5/A"), ward.place.study("P5/A")
    assert new["studyDatabaseId"] != old["studyDatabaseId"]
    assert new["instituteId"] == other.place.id and new["s3Prefix"] != old["s3Prefix"]


def test_two_folders_that_are_one_study(ward):
    wanted = ward.place.study("P1/A")["studyDatabaseId"]
    ward.put({"P1---A/x": "first", "zz/study.json": json.dumps({"studyDatabaseId": wanted}),
              "zz/x": "second"})
    done = ward.upload(status=SOME_FAILED)
    assert ward.place.contents("P1/A") == {"x": b"first"} and "the same study" in done.err


def test_two_folders_that_would_become_one(ward):
    for folder in ("one", "two"):
        ward.put({f"{folder}/study.json": json.dumps(SUBJECT), f"{folder}/x": folder})
    done = ward.upload("--concurrent-studies", "8", status=SOME_FAILED)
    assert ward.made() == ["P7/S7"] and ward.place.contents("P7/S7") == {"x": b"one"}
    assert "becomes the same study" in done.err


def test_a_type_without_a_study_id(site):
    """Two folders of one patient would be merged: an error for that patient alone."""
    site.put({"S1/visit/x": "1", "S2/first/x": "21", "S2/second/x": "22"})
    done = site.upload(*TREE, status=SOME_FAILED)
    assert site.made() == ["S1"] and site.place.contents("S1") == {"x": b"1"}
    assert "study.json" in done.err and "'S2'" in done.err and done.summary["studiesFailed"] == 2
    for visit in ("first", "second"):
        site.put({f"S2/{visit}/study.json": json.dumps({"subjectId": "S2", "visitName": visit})})
    site.upload(*TREE)
    assert site.made() == ["S1", "S2/first", "S2/second"]
    assert site.place.contents("S2/second") == {"x": b"22"}
    site.again(*TREE)


def test_epd_by_name(cloud, igtcloud, tmp_path):
    put(tmp_path / "up", {"lab0/case/x": "x", "lab0/P1---A/x": "y"})
    igtcloud.run("upload", tmp_path / "up", "up")
    place = Place(cloud, "lab0", "up")
    assert place.names() == ["P1---A", "case"] and place.contents("case") == {"x": b"x"}


def test_creating_is_never_raced(ward):
    ward.put({f"P{p}/S{s}/f{f}": "x" for p in range(10, 20) for s in range(3) for f in range(3)})
    ward.upload(*TREE, "--concurrent-studies", "32")
    assert ward.made() == sorted(f"P{p}/S{s}" for p in range(10, 20) for s in range(3))
    ward.again(*TREE)


def lists_of_files(cloud):
    return [r for r in cloud.requests(method="GET") if r["path"].endswith("/files")]


@pytest.mark.parametrize("fault", ["lost-response", "internal-error", "reset"])
def test_a_creation_of_unknown_outcome(cloud, ward, fault):
    """If the response was lost, the study may be somebody else's: its files are listed."""
    ward.put({"whatever/study.json": json.dumps(SUBJECT), "whatever/x": "7"})
    cloud.faults({"fault": fault, "method": "POST", "path": "/api/data/hospitals/*/studies"})
    ward.upload()
    assert ward.made() == ["P7/S7"] and ward.place.contents("P7/S7") == {"x": b"7"}
    assert len(lists_of_files(cloud)) == (fault == "lost-response")


def test_what_was_just_created_is_not_listed(cloud, ward):
    ward.put({"new/x": "1"})
    ward.upload()
    assert not lists_of_files(cloud)
    ward.put({"new/y": "2"})
    cloud.clear()
    ward.upload()
    assert len(lists_of_files(cloud)) == 1
    assert ward.place.contents("new") == {"x": b"1", "y": b"2"}
