# SPDX-License-Identifier: MIT
"""The commands of the existing client, with its names, arguments and options. Needs click.

    from igtcloud.client.tools.cli import cli; cli()

The `igtcloud` program has the same commands, and more: where it is installed, it is the console's.
"""

from __future__ import annotations

import functools
import logging
import os
import shutil
import sys
from typing import Any, Callable, Optional, Tuple

import click

from igtcloud.client import _errors
from igtcloud.client.tools import logger
from igtcloud.client.tools.common import TqdmLoggingHandler

__all__ = ["cli", "download", "csv", "upload", "login", "get_token", "version", "upgrade"]

logging.basicConfig(level=logging.INFO, handlers=[TqdmLoggingHandler()])

_DOMAINS = {"PROD": "igt-web.eu1.phsdp.com", "TEST": "igt-web-test.eu1.phsdp.com"}
# The exit statuses of the program.
_STATUS = ((_errors.SomeFailed, 3), (_errors.SignInFailed, 4), (_errors.Unauthorized, 4), (_errors.Forbidden, 4),
           (_errors.NotFound, 5), (_errors.Ambiguous, 5))


@click.group()
def cli() -> None:
    """Philips Interventional Cloud CLI"""


def _with_failures(command: Callable[..., Any]) -> Callable[..., Any]:
    """A failure is a line, not a traceback, and an exit status."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt:
            raise click.exceptions.Exit(130) from None
        except (RuntimeError, LookupError, OSError, ValueError, _errors.IgtError) as error:
            if isinstance(error, click.exceptions.Exit):
                raise
            logger.error("%s", error)
            cause = error.__cause__ if isinstance(error.__cause__, _errors.IgtError) else error
            raise click.exceptions.Exit(next((n for kind, n in _STATUS if isinstance(cause, kind)), 1)) from None

    return run


def _on_project(*folder: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The arguments and options that commands on a project have in common."""
    parts = [
        click.argument(folder[0]), click.argument("project"), click.argument("institute", required=False, default="*"),
        click.argument("environment", required=False, default="PROD",
                       type=click.Choice(["PROD", "TEST"], case_sensitive=False)),
        click.option("--domain", default=None, help="Overwrites the environment setting"),
        click.option("--user", default=None, help="Username"),
        click.option("--debug", flag_value=True, help="Enable debug logging"),
    ]

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for part in reversed(parts):
            function = part(function)
        return function

    return decorate


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for part in (
            click.option("--ext", default=None, help="filter on specific file extension (i.e.: '.txt')"),
            click.option("--start", default=None, callback=_check_date,
                         help="start date (YYYY-MM-DD) of date range filter. Default value is 1900-01-01."),
            click.option("--end", default=None, callback=_check_date,
                         help="end date (YYYY-MM-DD) of date range filter. Default value is 9999-12-31.")):
        function = part(function)
    return function


def _check_date(context: Any, parameter: Any, value: Optional[str]) -> Optional[str]:
    from igtcloud.client.tools.common import filter_by_study_date

    try:
        filter_by_study_date(value, None)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


def _workers(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for part in (
                click.option("--concurrent-studies", type=click.IntRange(1), default=None,
                             help=f"Maximum number of concurrent studies {what}"),
                click.option("--concurrent-files", type=click.IntRange(1), default=None,
                             help=f"Maximum number of concurrent files {what} per study"),
                click.option("--folder-structure", default="flat",
                             type=click.Choice(["flat", "hierarchical"], case_sensitive=False),
                             help="Folders: PATIENT---STUDY, or PATIENT/STUDY")):
            function = part(function)
        return function

    return decorate


class _SignedIn:
    """The session of a command."""

    def __init__(self, domain: Optional[str], environment: str, user: Optional[str], debug: Any) -> None:
        if debug:
            logging.getLogger("igtcloud.client").setLevel(logging.DEBUG)
        from igtcloud.client.core.auth import smart_auth

        self._auth = smart_auth(domain or _DOMAINS[environment.upper()], username=user)

    def __enter__(self) -> None:
        from igtcloud.client.services import set_auth

        auth = self._auth.__enter__()
        set_auth(auth)
        logger.info("Using url: %s", auth.domain)

    def __exit__(self, *error: Any) -> Any:
        return self._auth.__exit__(*error)


def _name(institute: str) -> Optional[str]:
    return None if institute == "*" else institute


@click.command(short_help="Download data from Philips Interventional Cloud")
@_on_project("target_folder")
@_filters
@click.option("--category", default=["files"], multiple=True, help="Categories of files to download",
              type=click.Choice(["files", "dicom", "annotations"], case_sensitive=False))
@click.option("--include-modified-date", flag_value=True, help="Local times are those of the cloud")
@click.option("--project-files", flag_value=True, help="Only the project's own files, to TARGET_FOLDER/files")
@_workers("download")
@_with_failures
def download(target_folder: str, project: str, institute: str, environment: str, domain: Optional[str],
             user: Optional[str], ext: Optional[str], start: Optional[str], end: Optional[str],
             category: Tuple[str, ...], include_modified_date: Any, project_files: Any, debug: Any,
             concurrent_studies: Optional[int], concurrent_files: Optional[int], folder_structure: str) -> None:
    """Download data from Philips Interventional Cloud.

    \b
    Downloads all files of INSTITUTE ('*': all institutes) in PROJECT to
    TARGET_FOLDER/INSTITUTE/PATIENT---STUDY."""
    from igtcloud.client.tools.common import filter_by_ext, filter_by_study_date
    from igtcloud.client.tools.download_institute import download_institutes
    from igtcloud.client.tools.download_project import download_project

    with _SignedIn(domain, environment, user, debug):
        if project_files:
            download_project(project, target_folder, filter_by_ext(ext), bool(include_modified_date))
        else:
            download_institutes(project, _name(institute), target_folder, [name.lower() for name in category],
                                filter_by_study_date(start, end), filter_by_ext(ext), bool(include_modified_date),
                                concurrent_studies, concurrent_files, folder_structure.lower())


@click.command(short_help="List data from Philips Interventional Cloud in CSV file")
@_on_project("target_folder")
@_filters
@click.option("--files", flag_value=True, help="Output all files under patient studies")
@_with_failures
def csv(target_folder: str, project: str, institute: str, environment: str, domain: Optional[str],
        user: Optional[str], ext: Optional[str], start: Optional[str], end: Optional[str], debug: Any,
        files: Any) -> None:
    """List data from Philips Interventional Cloud in CSV file.

    Lists the studies (or files) of INSTITUTE ('*': all institutes) in PROJECT in TARGET_FOLDER/cloud_PROJECT.csv"""
    from igtcloud.client.tools.common import filter_by_ext, filter_by_study_date
    from igtcloud.client.tools.list_project import list_project

    with _SignedIn(domain, environment, user, debug):
        list_project(project, target_folder, _name(institute), bool(files), filter_by_study_date(start, end),
                     filter_by_ext(ext))


@click.command(short_help="Upload data to Philips Interventional Cloud")
@_on_project("local_folder")
@click.option("--submit", flag_value=True, help="Set electronic record state to submitted state")
@click.option("--category", default=None, help="Category of the files", type=click.Choice(
    ["files", "annotations", "dicom"], case_sensitive=False))
@_workers("upload")
@_with_failures
def upload(local_folder: str, project: str, institute: str, environment: str, domain: Optional[str],
           user: Optional[str], submit: Any, category: Optional[str], debug: Any, concurrent_studies: Optional[int],
           concurrent_files: Optional[int], folder_structure: str) -> None:
    """Upload data to Philips Interventional Cloud.

    \b
    Uploads LOCAL_FOLDER/INSTITUTE/PATIENT---STUDY to PROJECT, and the project's
    own files in LOCAL_FOLDER/files."""
    from igtcloud.client.tools.upload_project import upload_project

    with _SignedIn(domain, environment, user, debug):
        upload_project(local_folder, project, _name(institute), bool(submit), concurrent_studies, concurrent_files,
                       folder_structure.lower(), category)


@click.command(short_help="Login to Philips Interventional Cloud")
@click.option("-d", "--domain", default=None, type=str)
@click.option("-u", "--user", default=None, type=str)
@click.option("-s", "--service-file", default=None, type=str, help="Use a service certificate to perform login")
@_with_failures
def login(domain: Optional[str], user: Optional[str], service_file: Optional[str]) -> None:
    """Signs in and keeps the session for other commands, until Ctrl-C."""
    from igtcloud.client.core.auth import AuthRefresher

    key = None
    if service_file is not None:
        with open(service_file, encoding="utf-8") as source:
            key = source.read()
        user = user or os.path.splitext(os.path.basename(service_file))[0]
    AuthRefresher().start(domain=domain, username=user, key=key)


@click.command("get-token", short_help="Get token for Philips Interventional Cloud")
@click.option("--type", "-t", "type_", default="jwt", required=False, type=click.Choice(
    ["jwt", "access", "csrf"], case_sensitive=False))
@_with_failures
def get_token(type_: str) -> None:
    """Prints a token of the running login."""
    from igtcloud.client.core.auth import AuthHandler

    handler = AuthHandler()
    try:
        token = getattr(handler, type_.lower() + "_token") if handler.is_valid else None
    except RuntimeError as error:
        raise _errors.SignInFailed(str(error)) from error
    if not token:
        raise _errors.SignInFailed("the session has expired or has no such token; use `igtcloud login`")
    click.echo(token)


@click.command(short_help="Print version of this tool")
def version() -> None:
    """Prints the version."""
    from igtcloud.client import __version__

    click.echo(__version__)


@click.command(short_help="Upgrade this tool to a new version")
@click.argument("package_version", required=False, default=None)
@_with_failures
def upgrade(package_version: Optional[str]) -> None:
    """Upgrades the igtcloud program; a Python package is upgraded by what installed it."""
    program = shutil.which("igtcloud")
    if program is None or os.path.realpath(program) == os.path.realpath(sys.argv[0]):
        raise RuntimeError("this is a Python package: upgrade it with what installed it, such as "
                           "`pip install --upgrade igtcloud` or `apt upgrade`")
    os.execv(program, [program, "upgrade", *([package_version] if package_version else [])])


for _command in (version, login, get_token, download, upload, csv, upgrade):
    cli.add_command(_command)

if __name__ == "__main__":
    cli()
