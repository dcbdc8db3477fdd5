# SPDX-License-Identifier: MIT
"""The interface that scripts use, written out: modules and their names, arguments, operations, the types of models.

Written from what the existing client has, not from the tables of this package: test_operations.py and
test_models.py go by those. scripts.py and rows.py compare what both clients do, where the existing one is there."""

import datetime
import importlib
import inspect
import re
import sys

import pytest

from igtcloud.client.services import action_service, auth_service, entities_service

EXCEPTIONS = 'OpenApiException ApiAttributeError ApiTypeError ApiValueError ApiKeyError ApiException'
MODULES = {
    '': '__version__ __source__',
    'core.auth': 'smart_auth AuthHandler AuthRefresher Periodic',
    'services': 'entities_service auth_service action_service set_auth BaseService',
    'services.base_service': 'BaseService CollectionWrapper',
    'services.entities_service': '''EntitiesService FilesCollectionWrapper download_file download_fileobj open_file
        get_s3_client get_s3_file_metadata s3_creds get_file_creds get_project_institutes get_institute_studies
        get_institute_dicom get_study_series get_study_files get_dicom_files get_annotation_files get_project_files
        get_aux_files file_upload_completed update_database get_category no_setter''',
    'services.auth_service': 'AuthService',
    'services.action_service': 'ActionService',
    'services.utils.key': 'save_private_key key_regex',
    'services.utils.s3': 'S3File',
    'tools.common': '''TqdmLoggingHandler find_project_by_name find_institute_by_name find_project_and_institutes
        filter_by_ext filter_by_study_date flatten_dict study_key''',
    'tools.download_institute': 'download_institutes',
    'tools.download_project': 'download_project',
    'tools.list_project': 'list_project',
    'tools.upload_project': 'upload_project upload_study upload_annotation_files upload_project_files',
    **{f'services.{service}{module}': names for service in ('auth', 'entities', 'action') for module, names in (
        ('', f'ApiClient Configuration {EXCEPTIONS} __version__'), ('.api_client', 'ApiClient Endpoint'),
        ('.configuration', 'Configuration'), ('.exceptions', f'''{EXCEPTIONS} UnauthorizedException ForbiddenException
        NotFoundException ServiceException'''), ('.rest', 'RESTResponse'),
        ('.model_utils', 'model_to_dict validate_and_convert_types'), ('.models', ''), ('.apis', ''))},
    'services.entities.model.ai_suite_collection': 'AISuiteCollection',
    'services.entities.model.i_guide_u_study': 'IGuideUStudy',
    'services.entities.model.epd_study': 'EpdStudy',
    'services.auth.model.s3_credential': 'S3Credential',
    'services.entities.api.epd_sites_api': 'EpdSitesApi',
}

# Arguments as scripts pass them. A drop-in may have more, behind these and with defaults.
ARGUMENTS = """
core.auth.smart_auth(domain, username=None, key=None, auto_refresh=True, auto_logout=True)
core.auth.AuthHandler(filename=None)
core.auth.AuthRefresher.start(domain=None, username=None, key=None, blocking=True, auto_refresh=True, auto_logout=True)
core.auth.Periodic(interval, function)
services.set_auth(auth)
services.base_service.BaseService(api_client, host_path)
services.base_service.CollectionWrapper(iterable=None, f_init=None, f_add=None, f_remove=None)
services.base_service.CollectionWrapper.to_dict(key_fn)
services.base_service.CollectionWrapper.reload()
services.entities_service.FilesCollectionWrapper.get_credentials(action)
services.entities_service.FilesCollectionWrapper.upload(filename, key=None, overwrite=False, callback=None, trigger_action=True, client_kwargs=None)
services.entities_service.s3_creds(action, s3_prefix)
services.entities_service.download_file(file, destination_dir, overwrite=True, callback=None, include_modified_date=False, client_kwargs=None)
services.entities_service.download_fileobj(file, file_obj)
services.entities_service.open_file(file, mode='rb', buffering=-1)
services.entities_service.get_file_creds(file, action)
services.entities_service.get_s3_client(file, action)
services.entities_service.get_s3_file_metadata(file)
services.entities_service.file_upload_completed(service, study, file)
services.entities_service.update_database(institute, file, common_prefix)
services.entities_service.get_aux_files(service, study, aux)
services.entities.model.file.File.download(destination_dir, overwrite=True, callback=None, include_modified_date=False, client_kwargs=None)
services.entities.model.file.File.download_fileobj(file_obj)
services.entities.model.file.File.open(mode='rb', buffering=-1)
services.entities.model.file.File.credentials(action)
services.utils.key.save_private_key(key, filename)
services.entities.ApiClient.set_default_header(header_name, header_value)
services.entities.ApiClient.sanitize_for_serialization(obj)
services.entities.exceptions.ApiException(status=None, reason=None, http_resp=None)
tools.common.find_project_by_name(project_name)
tools.common.find_institute_by_name(institute_name, project_id=None)
tools.common.find_project_and_institutes(project_name, institute_name=None)
tools.common.filter_by_ext(ext)
tools.common.filter_by_study_date(start, end)
tools.common.flatten_dict(input_dict)
tools.common.study_key(study)
tools.download_institute.download_institutes(project_name, institute_name, destination, categories=None, studies_filter=None, files_filter=None, include_modified_date=False, max_workers_studies=None, max_workers_files=None, folder_structure=None)
tools.download_project.download_project(project_name, destination, files_filter=None, include_modified_date=False)
tools.list_project.list_project(project_name, destination, institute_name=None, list_files=False, studies_filter=None, files_filter=None)
tools.upload_project.upload_project(local_folder, project_name, institute_name=None, submit=False, max_workers_studies=None, max_workers_files=None, folder_structure=None, category=None)
"""

# Behind ";": optional. A type where it is not str; what comes back where it is described.
OPERATIONS = """
# AuthApi
get_introspect_resource(; x_fields) -> IntrospectResponse
get_login_aud_resource() -> str
get_permissions_resource(; x_fields) -> PermissionsResponse
get_s3_credentials_resource(action; prefix, x_fields) -> S3CredentialResponse
post_audit_resource(payload:AuditTrail)
post_login_resource_login(payload:LoginModel; includes3creds:bool) -> LoginResponse
post_logout_resource(; has_expired:bool) -> LogoutResponse
post_refresh_resource() -> LoginResponse
# ActionApi
post_preprocess_file(payload:PreprocessingRequest)
post_update_database(payload:UpdateDatabaseRequest)
# ProjectsApi
delete_institute(project_id, hospital_id)
delete_project(project_id)
delete_project_application_specific(project_id, application_id:int, payload:InlineObject3)
delete_project_files(project_id; keys:[str])
get_institute(hospital_id; include_child_relations:bool, x_fields) -> Institute
get_institutes(project_id; x_fields) -> [Institute]
get_project(project_id; include_child_relations:bool, x_fields) -> Project
get_project_applications(project_id; x_fields) -> [Application]
get_project_download_file(project_id) -> file
get_project_epd_sites(project_id)
get_project_file_content(project_id, file_name)
get_project_files(project_id; x_fields) -> Files
get_project_types() -> [str]
get_projects(; x_fields) -> [Project]
post_institutes(project_id, payload:Institute; x_fields) -> Institute
post_project_applications(project_id, payload:InlineObject2; x_fields) -> Application
post_project_files(project_id, payload:[File]; x_fields) -> Files
post_projects(payload:Project; x_fields) -> [Project]
# InstitutesApi
delete_study(hospital_id, study_id)
delete_study_annotations(hospital_id, study_id, patient_id)
delete_study_files(hospital_id, study_id; keys:[str])
delete_study_series(hospital_id, study_id, series_id)
get_all_institutes(; x_fields) -> [Institute]
get_series(hospital_id, series_id) -> Series
get_series_list(hospital_id; filter) -> [Series]
get_series_preview(hospital_id, series_id, file_name) -> file
get_studies(hospital_id; filter) -> [RootStudy]
get_study(hospital_id, study_id) -> RootStudy
get_study_download_file(hospital_id, study_id) -> file
get_study_files(hospital_id, study_id; auxiliary, completed:bool, x_fields) -> Files
get_study_series_list(hospital_id, study_id; filter) -> [Series]
patch_study(hospital_id, study_id, payload:RootStudy) -> RootStudy
post_studies(hospital_id, payload:RootStudy) -> RootStudy
post_study_action(hospital_id, study_id)
post_study_annotation_state(hospital_id, study_id, payload:AnnotationState) -> RootStudy
post_study_annotations_updated(hospital_id, study_id, payload:LatestAnnotations) -> RootStudy
post_study_case_labels(hospital_id, study_id, payload:CaseLabel) -> RootStudy
post_study_comments(hospital_id, study_id, payload:StudyComments) -> RootStudy
post_study_download_link(hospital_id, study_id)
post_study_electronic_record_state(hospital_id, study_id, payload:ElectronicRecordState) -> RootStudy
post_study_files(hospital_id, study_id, payload:[File]; x_fields) -> Files
post_study_files_upload_completed(hospital_id, study_id, payload:FileUploadCompleted)
put_study(hospital_id, study_id, payload:RootStudy) -> RootStudy
put_study_series(hospital_id, study_id, series_id, payload:Series) -> Series
put_study_sticky_note(hospital_id, study_id, payload:StudyStickyNote) -> RootStudy
# IntegrationsApi
get_ai_suite_attribute_mappings(; project_id)
get_ai_suite_collections(connection_name; igtcloud_identifier, igtcloud_identifier_type, aisuite_project_id, aisuite_collection_id, x_fields) -> [AISuiteDatabaseCollection]
get_ai_suite_connections(; x_fields) -> [AISuiteConnection]
get_ai_suite_file_mappings(; project_id)
get_ai_suite_projects(connection_name; x_fields) -> [AISuiteProject]
get_ai_suite_sync(connection_name, aisuite_project_id; project_id, institute_id, x_authorization_code, x_fields) -> [AISuiteCollection]
post_ai_suite_collections(connection_name, aisuite_url, identifier, identifier_type, aisuite_collection_id; aisuite_project_id, x_fields) -> AISuiteDatabaseCollection
post_ai_suite_mappings(; project_id)
post_ai_suite_sync(connection_name, aisuite_project_id; project_id, institute_id, x_authorization_code)
post_ai_suite_task(callback_token, payload:TaskCompleted)
# UsersApi
delete_user(user_uuid)
delete_user_storage_files(; keys:[str])
delete_user_storage_training_settings()
get_me(; x_fields) -> User
get_user(user_uuid; x_fields) -> User
get_user_storage(; region, x_fields) -> Storage
get_user_storage_download_files() -> file
get_user_storage_files(; x_fields) -> [File]
get_users(; x_fields) -> [User]
post_resend_activation(payload:UserActivationRequest; x_fields) -> HsdpResponse
post_reset_mfa(payload:UserActivationRequest)
post_user_profile()
post_users(payload:UserRequest; x_fields) -> User
put_user(user_uuid, payload:UserRequest)
# OrganizationsApi
delete_service(organization_id, service_id)
get_groups(organization_id; x_fields) -> [Group]
get_services(organization_id; filter, x_fields) -> [Service]
get_users_groups(organization_id; x_fields) -> [UsersGroups]
post_services(organization_id, payload:Service; x_fields) -> Service
put_users_groups(organization_id, payload:UsersGroups; x_fields) -> [UsersGroups]
# ReportsApi
post_project_report()
# ApplicationsApi
delete_application_specific(application_id:int)
get_application_file_formats()
get_application_specific(application_id:int; x_fields) -> Application
get_applications(; enabled:bool, x_fields) -> [Application]
get_training_application_guide(training_application) -> file
get_training_application_storage(training_application; region, x_fields) -> Storage
get_training_applications(; x_fields) -> [TrainingApplication]
post_applications(payload:InlineObject; x_fields) -> Application
put_application_specific(application_id:int, payload:InlineObject1; x_fields) -> Application
# CaseLabelsApi
get_case_labels(; project_id)
# EpdSitesApi
delete_epd_site_specific(site_id:int)
get_epd_site_specific(site_id:int; x_fields) -> EpdSite
get_epd_sites(; x_fields) -> [EpdSite]
post_epd_sites(payload:EpdSite; x_fields) -> [EpdSite]
put_epd_site_specific(site_id:int, payload:EpdSite; x_fields) -> EpdSite
# TasksApi
get_task(token; redirect:bool)
post_task(token, payload:TaskCompleted)
"""

# Required arguments, which are also positional.
REQUIRED = {'File': 'key file_size', 'FileUploadCompleted': 'uploaded_path',
            'UserRequest': 'given_name family_name email login_id', 'RootStudy': 'study_type', 'EpdStudy': 'study_type',
            'Study': 'study_type', 'Series': 'series_type', 'Project': '', 'Institute': '', 'Service': ''}

# Attributes that are no text. "*": of all studies.
TYPES = """
* created_on, last_updated_on, max_retention_date: datetime; legal_basis, purpose: [str]
AnnotationStudy latest_annotations, study_start_date_time, study_end_date_time, study_date: datetime; case_labels: [str]; has_sticky_note: bool; patient: Patient
CoreLabsStudy study_start_date_time, study_end_date_time: datetime
EchoNavStudy recorded_data, diseases, therapy, image_transducers: [str]
EpdStudy datetime: datetime; disease_types, procedure_types, imaged_chambers: [str]; duration: int; redo: bool; events: [EpdStudyEvent]
IGuideUStudy procedure_date: datetime
MarvelStudy date: datetime
EpdStudyEvent datetime: datetime; is_master, is_slave: bool
Patient date_of_birth: datetime
LatestAnnotations latest_annotations: datetime
CaseLabel case_labels: [str]
StudyStickyNote has_sticky_note: bool
AnnotationSeries has_sticky_note: bool; study: AnnotationStudy
File file_size, progress_percentage, progress_in_bytes: int; is_completed, is_new: bool
FileUploadCompleted trigger_action: bool
Files files, dicom, annotations, pathis: [File]
Project continents: [str]
Institute has_series: bool
Service default_scopes, scopes: [str]
UsersGroups group_ids: [str]
Application id: int; supported_formats, default_in_project_types: [str]; enabled: bool
InlineObject enabled: bool
InlineObject1 enabled: bool
InlineObject2 application_id: int
InlineObject3 application_id: int
TrainingApplication has_guide: bool
EpdSite id: int
AISuiteProject create_date: int
AISuiteCollection create_date: int
StorageCredentials expiration: datetime
Profile roles: [str]; disabled: bool; organization_roles: [OrganizationRole]
OrganizationRole groups, permissions, roles: [str]
UserSettings training_start_date, training_end_date: date
UserRequest training_start_date, training_end_date: datetime
AccountStatus last_login_time, account_locked_on, account_locked_until, last_invalid_attempted_on, password_expires_on, password_changed_on: datetime; email_verified, disabled: bool; number_of_invalid_attempt: int
HsdpResponse issue: [HsdpIssue]
IntrospectResponse active: bool; exp: int; roles: [str]
Organizations organization_list: [Organization]
Organization permissions, roles, groups: [str]
LogoutResponse success: bool
PermissionsResponse permissions: [str]
UpdateDatabaseRequest is_prefix: bool
"""


def module_of(name):
    # The services have objects of the names of their modules, which hide those.
    if name in ('services.entities_service', 'services.auth_service', 'services.action_service'):
        return sys.modules['igtcloud.client.' + name]
    return importlib.import_module('igtcloud.client' + ('.' + name if name else ''))


@pytest.mark.parametrize('name, names', MODULES.items(), ids=list(MODULES))
def test_modules_have_their_names(name, names):
    module = module_of(name)
    assert [one for one in names.split() if not hasattr(module, one)] == []


def test_the_command_line_has_its_commands():
    pytest.importorskip('click')
    module = importlib.import_module('igtcloud.client.tools.cli')
    commands = ('download', 'csv', 'upload', 'login', 'get_token', 'version', 'upgrade')
    assert [name for name in ('cli', *commands) if not callable(getattr(module, name, None))] == []
    assert {name.replace('-', '_') for name in module.cli.commands} >= set(commands)


def found(path):
    """What a dotted path leads to: the longest module, then attributes."""
    parts = path.split('.')
    for count in range(len(parts), 0, -1):
        try:
            value = module_of('.'.join(parts[:count]))
        except (ImportError, KeyError):
            continue
        for part in parts[count:]:
            value = getattr(value, part)
        return value
    raise AssertionError(path)


@pytest.mark.parametrize('row', ARGUMENTS.strip().splitlines())
def test_arguments(row):
    path, arguments = re.fullmatch(r'([\w.]+)\((.*)\)', row).groups()
    wanted = re.findall(r'(\w+)(?:=([^,]+))?', arguments)
    params = [one for one in inspect.signature(found(path)).parameters.values() if one.name != 'self']
    assert [one.name for one in params[:len(wanted)]] == [name for name, _ in wanted]
    for (_, default), param in zip(wanted, params):
        assert repr(param.default) == default if default else param.default is param.empty
    for param in params[len(wanted):]:
        assert param.default is not param.empty or param.kind in (param.VAR_POSITIONAL, param.VAR_KEYWORD)


def operation_rows():
    group = ''
    for row in OPERATIONS.strip().splitlines():
        if row.startswith('#'):
            group = row[2:]
        else:
            yield pytest.param(group, row, id=row.split('(')[0])


def typed(text):
    pairs = [part.strip().partition(':') for part in text.split(',') if part.strip()]
    return {name: type_ or 'str' for name, _, type_ in pairs}


def words_of(kind):
    """A type of `settings` or `openapi_types` in words of the rows."""
    if isinstance(kind, tuple):
        kind, = kind
    if isinstance(kind, list):
        return f'[{words_of(kind[0])}]'
    return {'IOBase': 'file'}.get(kind.__name__, kind.__name__)


@pytest.mark.parametrize('group, row', operation_rows())
def test_operations(group, row):
    name, required, optional, response = re.fullmatch(
        r'(\w+)\(([^;)]*)(?:; ?([^)]*))?\)(?: -> (.+))?', row).groups()
    service = {'AuthApi': auth_service, 'ActionApi': action_service}.get(group, entities_service)
    call = getattr(service, name)
    required, optional = typed(required), typed(optional or '')
    assert call.params_map['required'] == list(required)
    own = [one for one in call.params_map['all'] if not one.startswith('_') and one != 'async_req']
    assert sorted(own) == sorted([*required, *optional])
    for argument, type_ in {**required, **optional}.items():
        assert words_of(call.openapi_types[argument]) == type_, argument
    if response:
        assert words_of(call.settings['response_type']) == response


def class_called(name):
    for service in ('entities', 'auth', 'action'):
        models = importlib.import_module(f'igtcloud.client.services.{service}.models')
        if hasattr(models, name):
            return getattr(models, name)
    raise AssertionError(name)


@pytest.mark.parametrize('name, arguments', REQUIRED.items(), ids=list(REQUIRED))
def test_required_arguments_of_models(name, arguments):
    params = inspect.signature(class_called(name)).parameters.values()
    assert [one.name for one in params if one.kind is one.POSITIONAL_OR_KEYWORD] == arguments.split()


@pytest.mark.parametrize('row', TYPES.strip().splitlines(), ids=lambda row: row.split()[0])
def test_types_of_models(row):
    name, _, rest = row.partition(' ')
    studies = list(entities_service.study_type_classes.values())
    for cls in studies if name == '*' else [class_called(name)]:
        for part in rest.split('; '):
            names, wanted = part.split(': ')
            for attribute in names.split(', '):
                assert words_of(cls.openapi_types[attribute]) == wanted, (cls, attribute)


def test_classes_of_studies_and_series():
    assert sorted(entities_service.study_type_classes) == [
        'AnnotationStudy', 'BaseStudy', 'ClinicalImageLibraryStudy', 'CoreLabsStudy', 'EchoNavStudy', 'EpdStudy',
        'IGuideUStudy', 'MarvelStudy', 'Study', 'WeTrustStudy']
    assert len(entities_service.series_type_classes) == 7
    made = class_called('RootStudy')(study_type='EpdStudy', datetime=datetime.datetime(2026, 1, 1))
    assert type(made).__name__ == 'EpdStudy'
