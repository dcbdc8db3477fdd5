# SPDX-License-Identifier: MIT
"""A script as users write it, with types. test_types.py has mypy --strict check it; it is not run."""

import datetime
from typing import Dict, List, Mapping, Optional, Tuple

from igtcloud.client.core.auth import smart_auth
from igtcloud.client.services import entities_service, set_auth
from igtcloud.client.services.entities.exceptions import ApiException, NotFoundException
from igtcloud.client.services.entities.model.file import File
from igtcloud.client.services.entities.models import (CoreLabsStudy, Institute, Patient, Project,
                                                      RootStudy, Service, Study)


def fields(study: Study) -> Tuple[str, Optional[str], Optional[datetime.datetime]]:
    patient: Optional[Patient] = study.patient
    name: Optional[str] = patient.given_name if patient else None
    return study.study_type, name, study.study_date


def dictionary(study: Study) -> Optional[str]:
    found = study.to_dict().get('patient')
    return found.get('given_name') if found else None


def collections(project: Project) -> List[File]:
    found: List[File] = []
    for institute in project.institutes:
        for study in institute.studies:
            found.extend(study.files)
    return found


def forms(institute: Institute) -> int:
    hospital: str = institute.id or ''
    studies: List[RootStudy] = entities_service.get_studies(hospital, _request_timeout=(1, 2.5))
    again, status, headers = entities_service.get_studies(hospital, _return_http_data_only=False)
    more: List[RootStudy] = again
    names: Mapping[str, str] = headers
    raw = entities_service.get_studies(hospital, _preload_content=False)
    waiting = entities_service.get_studies(hospital, async_req=True)
    waiting.wait(5)
    return len(studies) + len(more) + status + len(names) + raw.status


def errors(project_id: str) -> Dict[str, str]:
    try:
        return {'name': entities_service.get_project(project_id).name or ''}
    except NotFoundException as error:
        return {'body': error.body or ''}
    except ApiException as error:
        return {'status': str(error.status)}


def main() -> None:
    with smart_auth('https://example.com', username='me') as auth:
        set_auth(auth)
        service: Service = entities_service.post_services('institute', Service(name='robot'))
        print(service.service_id)
        study = CoreLabsStudy('CoreLabsStudy', study_name='x', patient=Patient(given_name='Ada'))
        print(entities_service.post_studies('institute', study).study_database_id)


if __name__ == '__main__':
    main()
