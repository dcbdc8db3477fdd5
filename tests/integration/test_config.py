# SPDX-License-Identifier: MIT
"""The configuration file: profiles, which source of a value counts, `igtcloud config`, and misspelled
names."""

import os
import subprocess

import pytest

from igtcloud import FAILED, NOT_FOUND, PASSWORD, USAGE, USER, environment, is_private, on_windows, program, shown

SEED = "demo"


@pytest.fixture
def file(home):
    path = home / ".config/igtcloud/config"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def run(home):
    """Without --domain and --user: they come from the file. The password is on standard input."""
    def run(*arguments, status=0, **env):
        done = subprocess.run([program(), *map(str, arguments)], capture_output=True, text=True,
                              env=environment(home, **env), input=PASSWORD + "\n", timeout=60)
        assert done.returncode == status, done
        return done
    return run


def ls(run, *arguments, **more):
    return run("ls", "--password-stdin", *arguments, **more)


@pytest.fixture
def cloud(sandbox):
    return sandbox


@pytest.mark.smoke
def test_a_profile_signs_in(cloud, run, file):
    file.write_text(f"# mine\n[default]\ndomain = nowhere.invalid\nuser = a\n\n[lab]\ndomain = {cloud.url}\n"
                    f"  user = {USER} ; the demo's\n", encoding="utf-8")
    assert "demo" in ls(run, "--profile", "lab").stdout
    assert "demo" in ls(run, IGTCLOUD_PROFILE="lab").stdout
    assert "nowhere.invalid" in ls(run, "--retries", "0", status=FAILED).stderr


def test_option_then_variable_then_profile(run, file):
    file.write_text("[default]\ntimeout = 3\nretries = 3\nbwlimit = 3M\ndomain = nowhere.invalid\n",
                    encoding="utf-8")
    err = ls(run, "--debug", "--timeout", "1", IGTCLOUD_TIMEOUT="2", IGTCLOUD_RETRIES="0",
             status=4).stderr
    assert "timeout = 1, from the command line" in err
    assert "retries = 0, from IGTCLOUD_RETRIES" in err
    assert "domain = nowhere.invalid, from profile 'default'" in err


def test_a_password_command_is_hidden(run, file):
    """It may be `echo` and the password."""
    file.write_text("[default]\npassword-command = echo hush-1\nls.password-command = echo hush-2\n"
                    "domain = nowhere.invalid\nuser = a\n", encoding="utf-8")
    listed = run("config", "list").stdout
    assert listed.count("password-command\t(hidden)\t") == 2 and "hush" not in listed, listed
    done = run("ls", "--debug", "--retries", "0", status=FAILED)
    assert "password-command = (hidden), from profile" in done.stderr and "hush" not in done.stderr, done


def test_a_list_comes_from_one_source(home, run, file):
    file.write_text("[default]\ninclude = *.a\ninclude = *.b\n", encoding="utf-8")
    listed = run("config", "list").stdout.splitlines()
    assert [line.split("\t")[1] for line in listed] == ["*.a", "*.b"]
    err = run("download", "--debug", "--include", "*.c", home / "x", "p", status=4).stderr
    assert "include = *.c, from the command line" in err and "*.a" not in err


def test_prod_and_test_come_before_the_profile(run, file):
    """A script that names TEST must not be sent elsewhere by a file."""
    file.write_text("[default]\ndomain = nowhere.invalid\nuser = a\n", encoding="utf-8")
    err = run("csv", "-", "p", "i", "TEST", status=4).stderr
    assert "igt-web-test.eu1.phsdp.com" in err
    assert "here.invalid" in run("csv", "-", "p", CLOUD_DOMAIN="here.invalid", status=4).stderr


@pytest.mark.parametrize("text, said", [
    ("[default]\nconections = 3\n", "line 2: unknown key 'conections'; did you mean 'connections'?"),
    ("[default]\nretries = many\n", "line 2: retries = 'many' must be a whole number"),
    ("[default]\nhelp = true\n", "line 2: unknown key 'help'"),
    ("connections = 3\n", "line 1: the key is not in a section"),
    ("[default]\nconnections\n", "line 2: this is neither [PROFILE] nor KEY = VALUE"),
    ("[default]\nuser =\n", "line 2: the value is empty"),
    ("[default]\nuser = " + "x" * 1100 + "\n", "line 2: the line is too long"),
    ("[default]\n# " + "x" * 1100 + "\nuser =\n", "line 2: the line is too long"),
    ("[default]\r\n\r\nuser =\r\n", "line 3: the value is empty"),
    ("\ufeff\nuser = a\n", "line 2: the key is not in a section"),
    ("[default]\nuser = a\n  and b\n", "line 3: this is neither [PROFILE] nor KEY = VALUE"),
    ("[default]\nretries = 3\n[lab]\n[default]\nretries = many", "line 5: retries = 'many' must be a whole number"),
    ("[default]\nuser = a\n[]\n", "line 3: the profile has no name"),
    ("[default]\nuser = a\0b", "line 2: the line has a NUL byte"),
])
def test_a_mistake_is_an_error(run, file, text, said):
    file.write_text(text, encoding="utf-8")
    assert said in ls(run, status=USAGE).stderr
    assert said in run("config", "check", status=USAGE).stderr
    run("version")


@pytest.mark.parametrize("command", [("ls",), ("config", "check"), ("config", "list"), ("config", "get", "user")])
def test_a_file_that_is_not_there_is_a_usage_error(run, tmp_path, command):
    done = run(*command, "--config", tmp_path / "none", status=USAGE)
    assert "none" in done.stderr and os.strerror(2) in done.stderr


@pytest.mark.parametrize("text, line", [
    ("[default]\nuser = a b", 2),                              # no newline at the end
    ("\ufeff[default]\r\nuser = a b\r\n", 2),                 # as Windows' editor writes it
    ("[default]\nretries = 3\n  user: a b\n", 3),              # an indented line continues nothing
    ("[default]\nretries = 3\n[lab]\nuser = c\n[default]\nuser = a b\n", 6),  # the profile goes on
    ("[default] ; mine\n;user = c\n\tuser=a b\t; d\n", 3),
])
def test_set_and_unset_find_what_is_read(run, file, text, line):
    """In every notation: `set` changes the value that `list` shows, and `unset` removes it."""
    file.write_bytes(text.encode())
    file.chmod(0o600)
    assert f"user\ta b\tprofile 'default', line {line}\n" in run("config", "list").stdout
    run("config", "set", "user", "new")
    assert run("config", "get", "user").stdout == "new\n"
    run("config", "check")
    file.write_bytes(text.encode())
    run("config", "unset", "user")
    run("config", "get", "user", status=NOT_FOUND)
    left = [x for x in text.encode().splitlines() if b"a b" not in x]
    assert file.read_bytes().splitlines() == left


def test_a_line_of_1000_bytes_is_whole(run, file):
    """A password command with a long path, say."""
    value = "".join(f"/{i:04}" for i in range(200))
    file.write_text(f"[{'p' * 60}]\nca-file = {value}\n", encoding="utf-8")
    assert run("config", "get", "--profile", "p" * 60, "ca-file").stdout == value + "\n"


def test_keys_of_other_commands_are_fine(cloud, run, file):
    file.write_text(f"[default]\ndomain = {cloud.url}\nuser = {USER}\nconcurrent-files = 2\n"
                    "download.overwrite = true\nupload.overwrite = false\n", encoding="utf-8")
    ls(run)
    err = run("download", "--debug", "--password-stdin", "--dry-run", file.parent / "x", "demo").stderr
    assert "overwrite = true, from profile 'default'" in err and "false" not in err


@pytest.mark.skipif(os.geteuid() != 0, reason="another owner needs root")
def test_a_file_of_another_user_is_refused(run, file):
    file.write_text("[default]\nuser = a\n", encoding="utf-8")
    os.chown(file, 12345, -1)
    assert "it belongs to another user" in ls(run, status=USAGE).stderr


def test_a_file_that_others_can_write_is_refused(run, file):
    file.write_text("[default]\nuser = a\n", encoding="utf-8")
    file.chmod(0o666 if on_windows() else 0o664)  # the group is that of administrators there
    assert "other users can write to it" in ls(run, status=USAGE).stderr


def test_set_keeps_the_rest_of_the_file(run, file):
    file.write_text("# head\n[default]\nuser = a\n# of lab\n[lab]\nuser = b\n", encoding="utf-8")
    run("config", "set", "connections", "7")
    run("config", "set", "--profile", "lab", "user", "c")
    run("config", "set", "--profile", "new", "upload.retries", "2")
    assert file.read_text(encoding="utf-8") == (
        "# head\n[default]\nuser = a\nconnections = 7\n# of lab\n[lab]\nuser = c\n\n"
        "[new]\nupload.retries = 2\n")
    assert run("config", "get", "connections").stdout == "7\n"
    run("config", "unset", "user")
    assert run("config", "get", "user", status=NOT_FOUND).stdout == ""
    assert "has no key 'user'" in run("config", "unset", "user", status=NOT_FOUND).stderr
    before = file.read_bytes()
    done = run("config", "unset", "--profile", "nosuch", "user", status=NOT_FOUND)
    assert "there is no profile 'nosuch'" in done.stderr and file.read_bytes() == before


def test_the_first_set_makes_a_private_file(run, home):
    run("config", "set", "user", "a")
    path = home / ".config/igtcloud/config"
    assert run("config", "path").stdout == f"{shown(path)}\n"
    assert is_private(path) and (on_windows() or path.parent.stat().st_mode & 0o777 == 0o700)  # its APPDATA is private


@pytest.mark.parametrize("key, value, said", [
    ("conections", "1", "did you mean 'connections'?"),
    ("connections", "0", "must be a whole number"),
    ("user", "a ;b", "begins a comment"),
    ("user", "a\nb = c", "has a line break"),
    ("user", "x" * 1100, "is too long"),
    ("folder-structure", "round", "must be one of: flat|hierarchical"),
])
def test_set_refuses_what_would_not_be_read_back(run, home, key, value, said):
    assert said in run("config", "set", key, value, status=USAGE).stderr
    assert not (home / ".config").exists()


@pytest.mark.parametrize("arguments, env, said", [
    (["donwload"], {}, "did you mean 'download'?"),
    (["study", "craete"], {}, "did you mean 'study create'?"),
    (["studdy"], {}, "did you mean 'study'?"),
    (["sercive", "list"], {}, "did you mean 'service'?"),
    (["help", "studdy", "label"], {}, "unknown command 'studdy'; did you mean 'study'?"),
    (["ls", "--jsno"], {}, "did you mean '--json'?"),
    (["ls"], {"IGTCLOUD_CONECTIONS": "1"}, "did you mean 'IGTCLOUD_CONNECTIONS'?"),
    (["ls"], {"IGTCLOUD_PASSWORD": "secret"}, "passwords are not read from IGTCLOUD_PASSWORD"),
    (["ls"], {"IGTCLOUD_ZZZ": "1"}, "unknown variable IGTCLOUD_ZZZ"),
    (["ls", "--profile", "labb"], {}, "has no profile 'labb'; did you mean 'lab'?"),
])
def test_did_you_mean(run, file, arguments, env, said):
    file.write_text("[lab]\nuser = a\n", encoding="utf-8")
    assert said in run(*arguments, status=USAGE, **env).stderr


def test_the_python_clients_variables(run, file):
    """CLOUD_DOMAIN and CLOUD_USERNAME come before the profile, and are shown as the origin."""
    file.write_text("[default]\ndomain = a.invalid\nuser = a\n", encoding="utf-8")
    both = {"CLOUD_DOMAIN": "b.invalid", "CLOUD_USERNAME": "b"}
    assert run("config", "list", **both).stdout.splitlines() == [
        "domain\tb.invalid\tCLOUD_DOMAIN", "user\tb\tCLOUD_USERNAME"]
    assert run("config", "get", "domain", **both).stdout == "b.invalid\n"
    assert run("config", "get", "user", **both, IGTCLOUD_USER="c").stdout == "c\n"
    err = ls(run, "--debug", "--retries", "0", status=FAILED, **both).stderr
    assert "domain = b.invalid, from CLOUD_DOMAIN" in err and "user = b, from CLOUD_USERNAME" in err
    assert "a.invalid" not in err
    err = ls(run, "--debug", "--retries", "0", "--user", "d", status=FAILED, **both).stderr
    assert "user = d, from the command line" in err and "from CLOUD_USERNAME" not in err


@pytest.mark.parametrize("key, like", [
    ("download.conections", "download.connections"), ("dowload.connections", "download.connections"),
    ("study-craete.fields", "study-create.fields"), ("download.zzzzzzzz", None), ("zzzzzz.limit", None)])
def test_a_slip_in_a_dotted_key(run, key, like):
    err = run("config", "get", key, status=USAGE).stderr
    assert f"did you mean '{like}'?" in err if like else "did you mean" not in err


def test_options_before_the_command(cloud, run, file):
    """As with git -C: those that several commands share."""
    file.write_text(f"[lab]\ndomain = {cloud.url}\nuser = {USER}\n", encoding="utf-8")
    for before in (["--profile", "lab", "--password-stdin"], ["--profile=lab", "--password-stdin", "-q"],
                   ["-u", USER, "--domain", cloud.url, "--password-stdin", "--no-quiet"]):
        assert "demo" in run(*before, "ls").stdout
    assert run("--profile", "lab", "config", "get", "user").stdout == USER + "\n"
    assert "unknown option '--flarp' before the command" in run("--flarp", "ls", status=USAGE).stderr
    assert "unknown option '--sort'" in run("--sort", "name", "ls", status=USAGE).stderr
    assert "unknown command 'lss'" in run("--profile", "lab", "lss", status=USAGE).stderr
    assert "Usage: igtcloud [options] COMMAND" in run("--profile", "lab", status=USAGE).stderr
    assert "--profile requires a value" in run("ls", "--profile", status=USAGE).stderr
    assert run("--json", "version").stdout.startswith("{")
