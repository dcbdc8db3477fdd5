# SPDX-License-Identifier: MIT
"""`igtcloud study create|set|label|comment|submit`: the effect of each is read back."""


import pytest

from igtcloud import DENIED, DONE, FAILED, NOT_FOUND, USAGE, Program
from odd_cloud import OddCloud, Reply
from sandbox import seeded

SEED = {
    "users": [{"name": "demo@example.com", "password": "demo", "roles": ["DATA_MANAGER"]},
              {"name": "viewer@example.com", "password": "demo", "roles": ["MONITOR"]}],
    "projects": [
        {"name": "trial", "institutes": [{"name": "north", "studies": [
            {"class": "Study", "studyId": "CT", "description": "old", "studyComments": "kept",
             "patient": {"patientId": "P1", "patientName": "P1"}}]}]},
        {"name": "heart", "projectTypeName": "EPD", "institutes": [{"name": "lab"}]}],
}
STUDY = "trial/north/P1/CT"


@pytest.fixture
def cloud(tmp_path):
    """One for each test: they change what is in it."""
    with seeded(tmp_path, SEED) as running:
        yield running


def shown(igtcloud, path=STUDY):
    return igtcloud.run("show", path, "--json").lines[0]


@pytest.mark.smoke
def test_create_prints_the_new_study(igtcloud):
    done = igtcloud.run("study create", "trial/north", "studyId=MR", "description=a, b",
                        "patient.patientId=P9", "studyDate=2024-01-15T10:15:00+01:00",
                        "patient.patientName=Ann \"x\"", "legalBasis=consent,law")
    assert done.text == 'trial/north/Ann "x"/MR\n'
    study = shown(igtcloud, 'trial/north/Ann "x"/MR')
    assert study["studyType"] == "Study" and study["description"] == "a, b"
    assert study["legalBasis"] == ["consent", "law"]
    assert study["patient"]["patientId"] == "P9"
    assert study["studyDate"].startswith("2024-01-15T")


def test_create_takes_the_institutes_type(igtcloud):
    done = igtcloud.run("study create", "heart/lab", "name=case 1", "redo=TRUE", "duration=95",
                        "--json")
    assert done.lines[0]["studyType"] == "EpdStudy" and done.lines[0]["redo"] is True
    assert shown(igtcloud, "heart/lab/case 1")["duration"] == 95


@pytest.mark.parametrize("text, reported", [
    ("colour=red", "Study has no field 'colour'"), ("description", "FIELD=VALUE"),
    ("=x", "FIELD=VALUE"), ("patient=x", "FIELD.FIELD=VALUE"),
    ("patient.colour=x", "Patient has no field 'colour'"),
    ("description.x=1", "not an object"), ("createdBy=me", "read-only"),
    ("legalBasis:=[1", "")])
def test_fields_that_are_wrong(igtcloud, text, reported):
    done = igtcloud.run("study set", STUDY, text, status=USAGE)
    assert reported in done.err and done.out == b""
    assert shown(igtcloud)["description"] == "old"


@pytest.mark.parametrize("text", ["redo=maybe", "duration=1h", "duration=1.5", "duration="])
def test_values_that_are_wrong(igtcloud, text):
    done = igtcloud.run("study create", "heart/lab", "name=x", text, status=USAGE)
    assert text.split("=")[0] in done.err


@pytest.mark.smoke
def test_set_changes_only_the_given_fields(igtcloud):
    igtcloud.run("study set", STUDY, "description=new", "accessionNumber=7")
    study = shown(igtcloud)
    assert (study["description"], study["accessionNumber"]) == ("new", "7")
    assert study["studyComments"] == "kept" and study["patient"]["patientName"] == "P1"
    igtcloud.run("study set", STUDY, 'purpose:=["a","b"]', "description:=null")
    study = shown(igtcloud)
    assert study["purpose"] == ["a", "b"] and study["description"] is None


@pytest.mark.smoke
def test_label_replaces_the_labels(igtcloud):
    done = igtcloud.run("study label", STUDY, "first", "second", "--fields", "caseLabels")
    assert done.text == "first, second\n" or "first" in done.text
    assert shown(igtcloud)["caseLabels"] == ["first", "second"]
    igtcloud.run("study label", STUDY, "third")
    assert shown(igtcloud)["caseLabels"] == ["third"]
    igtcloud.run("study label", STUDY, "--clear")
    assert shown(igtcloud)["caseLabels"] == []
    igtcloud.run("study label", STUDY, status=USAGE)
    igtcloud.run("study label", STUDY, "x", "--clear", status=USAGE)


@pytest.mark.smoke
def test_comment_replaces_the_comments(igtcloud):
    igtcloud.run("study comment", STUDY, "All is\nwell")
    assert shown(igtcloud)["studyComments"] == "All is\nwell"
    igtcloud.run("study comment", STUDY, status=USAGE)


CHANGES = ("PATCH", "POST", "PUT")


@pytest.mark.parametrize("responds", ["with the study", "with nothing"])
@pytest.mark.parametrize("words, reported", [
    (["set", STUDY, "description=new", "studyComments=kept"], 'description is still "old", not "new"'),
    (["set", STUDY, "description:=null"], 'description is still "old", not null'),
    (["set", STUDY, "studyDate=2024-01-15T10:15:00Z"], "studyDate is still"),
    (["set", STUDY, "patient.patientId=P2"], 'patient.patientId is still "P1"'),
    (["label", STUDY, "a", "b"], 'caseLabels is still'),
    (["comment", STUDY, "new"], 'studyComments is still "kept", not "new"')])
def test_a_change_that_the_cloud_does_not_make(cloud, home, words, reported, responds):
    """It responds 200 all the same."""
    study = shown(Program(cloud.url, home))
    with OddCloud(cloud.url) as odd:
        odd.answer = lambda r: Reply(200, study if responds == "with the study" else {"studyType": "Study"}) \
            if r.method in CHANGES and "/studies/" in r.path else None
        done = Program(odd.url, home).run(f"study {words[0]}", *words[1:], status=FAILED)
    assert reported in done.err and done.err.count("igtcloud: ") == 1 and done.out == b""


@pytest.mark.parametrize("words, there, sure", [
    (["set", STUDY, "studyDate=2024-01-15T10:15:00+01:00"], {"studyDate": "2024-01-15T09:15:00.000Z"}, True),
    (["set", STUDY, "studyDate=2024-01-15T10:15:00Z"], {"studyDate": "2024-01-15T11:15:00+0100"}, True),
    (["set", STUDY, "studyDate=2024-01-15T10:15:00Z"], {"studyDate": "2024-01-15T11:15:00+01"}, True),
    (["set", STUDY, "studyDate=2024-01-15T10:15:00Z"], {"studyDate": "2024-01-15T11:15:00+ 1:00"}, False),
    (["set", STUDY, "studyDate=2024-01-15T10:15:00Z"], {"studyDate": "2024-01-15"}, True),
    (["set", STUDY, "studyDate=2024-01-15T10:15:00Z"], {"studyDate": "2024-01-15T11:15:00Z"}, False),
    (["set", STUDY, "patient.dateOfBirth=1970-01-01"], {"patient": {"dateOfBirth": "1969-12-31T23:00:00Z"}}, False),
    (["set", STUDY, "description="], {"description": None}, True),
    (["set", STUDY, "description=new"], {"description": None}, False),
    (["set", STUDY, "patient.patientId=P1"], {"patient": {"patientId": "P1", "extra": 1}}, True),
    (["label", STUDY, "b", "a"], {"caseLabels": ["a", "b"]}, True),
    (["label", STUDY, "b", "a"], {"caseLabels": ["b"]}, False),
    (["label", STUDY, "ab", "c"], {"caseLabels": ["ac", "b"]}, False),
    (["label", STUDY, 'a","b'], {"caseLabels": ["a", "b"]}, False),
    (["label", STUDY, "--clear"], {"caseLabels": None}, True)])
def test_the_study_is_read_again_unless_the_response_has_the_change(cloud, home, words, there, sure):
    def change(request, reply):
        if request.method in CHANGES and "/studies/" in request.path:
            reply.json = {**reply.json, **there}

    with OddCloud(cloud.url) as odd:
        odd.change = change
        Program(odd.url, home).run(f"study {words[0]}", *words[1:])
        last = next(r for r in reversed(odd.seen) if "/logout" not in r.path)
        assert (last.method in CHANGES) == sure


@pytest.mark.smoke
def test_submit_asks_for_the_password_again(igtcloud):
    status, screen = igtcloud.on_terminal("study submit", STUDY,
                                          answers=[("Password .again, .*: ", "demo")])
    assert status == DONE and "demo\n" not in screen
    assert shown(igtcloud)["electronicRecordState"] == "submitted"


def test_submit_with_a_wrong_password(igtcloud):
    status, screen = igtcloud.on_terminal("study submit", STUDY,
                                          answers=[("Password .again, .*: ", "wrong")])
    assert status != DONE and "wrong" not in screen.split("Password (again")[1].split("\n")[0]
    assert shown(igtcloud)["electronicRecordState"] == "draft"


def test_submit_by_standard_input(igtcloud):
    igtcloud.password = "demo\ndemo"
    igtcloud.run("study submit", STUDY)
    igtcloud.password = "demo"
    assert shown(igtcloud)["electronicRecordState"] == "submitted"


@pytest.mark.parametrize("given, status", [("demo", DONE), ("demo\n", DONE), ("demo\ndemo\n", DONE),
                                           ("demo\nwrong\n", None)])
def test_submit_with_one_password(igtcloud, given, status):
    """A file or variable has it once; a second line counts."""
    igtcloud.password = given
    done = igtcloud.run("study submit", STUDY, status=status)
    igtcloud.password = "demo"
    assert (done.status == DONE) == (status == DONE)
    assert shown(igtcloud)["electronicRecordState"] == ("submitted" if status == DONE else "draft")


def test_submit_by_a_command(igtcloud, tmp_path):
    count = f"echo x >> {tmp_path}/count; echo demo"
    igtcloud.run("study submit", "--user", igtcloud.user, "--password-command", count, STUDY,
                 sign_in=False)
    assert shown(igtcloud)["electronicRecordState"] == "submitted"
    assert (tmp_path / "count").read_text() == "x\nx\n"


@pytest.mark.parametrize("command", ["set", "label", "comment", "submit"])
def test_what_is_no_study(igtcloud, command):
    more = [] if command == "submit" else ["description=x"]
    igtcloud.run(f"study {command}", "trial/north", *more, status=USAGE)
    igtcloud.run(f"study {command}", "trial/north/P1/XX", *more, status=NOT_FOUND)


def test_create_where_no_study_may_be(igtcloud):
    igtcloud.run("study create", "trial", "studyId=x", status=USAGE)
    igtcloud.run("study create", "trial/south", "studyId=x", status=NOT_FOUND)


def test_who_may_not(igtcloud):
    igtcloud.user = "viewer@example.com"
    igtcloud.run("study set", STUDY, "description=x", status=DENIED)
    igtcloud.run("study create", "trial/north", "studyId=x", status=DENIED)


def test_a_group_needs_a_command(igtcloud):
    done = igtcloud.run("study", "nonsense", status=USAGE)
    assert "unknown command" in done.err
