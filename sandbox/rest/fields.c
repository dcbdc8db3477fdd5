/* SPDX-License-Identifier: MIT */
/* The models of request bodies as a table of field lists, and the check of a body against them:
 * required fields, types, nested models, and concrete types chosen by a discriminator. rest.c
 * checks each body before its route runs; filter.c and study_document.c look up which fields a
 * model has as well. */
#include "fields.h"

#include <stdio.h>
#include <string.h>

#include "base/time.h"

typedef struct model {
  const char *name;
  const char *parent;
  const char *fields; /* name:type; "[]" a list, "!" required, "-" read-only */
} model;

static const model models[] = {
    {"AnnotationState", NULL, "annotationState:string"},
    {"ApplicationRequest", NULL,
     "appId:string name:string supportedFormats:string vmEnvironment:string "
     "defaultInProjectTypes:string enabled:bool"},
    {"AuditTrail", NULL,
     "eventAction:string eventOutcome:string eventSubtype:string eventType:string "
     "applicationName:string applicationVersion:string componentName:string "
     "arguments:string objectType:string objectLifecycle:string environment:string"},
    {"CaseLabel", NULL, "caseLabels:string[]"},
    {"ElectronicRecordState", NULL, "username:string password:string electronicRecordState:string"},
    {"EpdSite", NULL, "id:int- name:string"},
    {"File", NULL,
     "key:string! fileName:string- isCompleted:bool- isNew:bool- uploadId:string- "
     "progressPercentage:int- type:string- fileSize:int! progressInBytes:int-"},
    {"FileUploadCompleted", NULL, "uploadedPath:string! triggerAction:bool"},
    {"Institute", NULL,
     "id:string- name:string description:string parentId:string- hasSeries:bool- "
     "projectTypeName:string- studyType:string- s3Prefix:string- studies:any-"},
    {"RootStudy", NULL,
     "studyDatabaseId:string- instituteId:string- projectId:string- "
     "studyIdHumanReadable:string- createdOn:time- createdBy:string- "
     "lastUpdatedOn:time- lastUpdatedBy:string- maxRetentionDate:time "
     "legalBasis:string[] legalBasisOther:string purpose:string[] purposeOther:string "
     "electronicRecordState:string s3Prefix:string- studyType:string!"},
    {"LatestAnnotations", NULL, "latestAnnotations:time"},
    {"LoginModel", NULL, "grantType:string username:string password:string assertion:string"},
    {"PreprocessingRequest", NULL,
     "uploadedPath:string hospitalId:string patientId:string studyId:string"},
    {"Project", NULL,
     "id:string- name:string description:string projectTypeName:string "
     "studyType:string- continents:string[] s3Prefix:string- institutes:any-"},
    {"ProjectApplicationRequest", NULL, "applicationId:int"},
    {"Series", NULL,
     "seriesDatabaseId:string createdOn:string- createdBy:string- "
     "lastUpdatedOn:string- lastUpdatedBy:string- instanceUid:string modality:string "
     "previewUrl:string procedureDatabaseId:string s3Prefix:string seriesFormat:string "
     "studyDatabaseId:string- relatedStudyInstanceUid:string "
     "relatedSeriesInstanceUid:string documentTitle:string displayName:string "
     "seriesType:string!"},
    {"Service", NULL,
     "applicationId:string- defaultScopes:string[]- expiresOn:string- id:string- "
     "name:string organizationId:string- privateKey:string- scopes:string[]- "
     "serviceId:string-"},
    {"StudyComments", NULL, "studyComments:string"},
    {"StudyStickyNote", NULL, "hasStickyNote:bool"},
    {"TaskCompleted", NULL, "status:string message:string"},
    {"UpdateDatabaseRequest", NULL, "uploadedPath:string hospitalId:string isPrefix:bool"},
    {"UserActivationRequest", NULL, "loginId:string"},
    {"UserRequest", NULL,
     "givenName:string! familyName:string! email:string! loginId:string! "
     "istLevel:string preferredLanguage:string trainingStartDate:time "
     "trainingEndDate:time"},
    {"UsersGroups", NULL, "userId:string groupIds:string[]"},
    {"CoreLabsStudy", "BaseStudy",
     "isPhilipsData:string studyName:string applicationType:string operator:string "
     "cathlabnr:string usedMaterials:string studyStartDateTime:time "
     "studyEndDateTime:time"},
    {"BaseStudy", "RootStudy",
     "studyId:string instanceUid:string state:string description:string "
     "studyComments:string studyDate:time accessionNumber:string hospitalId:string- "
     "patientDatabaseId:string- patient:Patient"},
    {"Patient", NULL,
     "patientDatabaseId:string- patientId:string patientName:string givenName:string "
     "familyName:string middleName:string nameSuffix:string namePrefix:string "
     "dateOfBirth:time gender:string patientIdIssuer:string patientIdValue:string "
     "s3Prefix:string-"},
    {"Study", "BaseStudy", ""},
    {"EpdStudy", "RootStudy",
     "age:string gender:string diseaseTypes:string[] diseaseTypesOther:string "
     "datetime:time site:string subsite:string procedureTypes:string[] "
     "procedureTypesOther:string comments:string computerName:string "
     "computerUsername:string macAddress:string driveId:string softwareVersion:string "
     "hardwareVersion:string duration:int name:string FCS:string physician:string "
     "redo:bool imagedChambers:string[] imagedChambersOther:string "
     "events:EpdStudyEvent[]"},
    {"EpdStudyEvent", NULL,
     "datetime:time description:string isMaster:bool isSlave:bool comments:string"},
    {"AnnotationStudy", "CoreLabsStudy",
     "annotationState:string latestAnnotations:time caseLabels:string[] "
     "hasStickyNote:bool"},
    {"IGuideUStudy", "RootStudy",
     "hospitalId:string subjectId:string visitName:string procedureDate:time"},
    {"WeTrustStudy", "BaseStudy", "subjectId:string corelabId:string classification:string"},
    {"EchoNavStudy", "BaseStudy",
     "subjectId:string xRaySystem:string xRaySoftwareRelease:string "
     "xRayConfiguration:string xRayDetector:string xRayTable:string "
     "ultrasoundSystem:string ultrasoundSoftwareRelease:string "
     "ultrasoundHardware:string echoNavigatorEmpty:string "
     "echoNavigatorInvestigationalDevice:string echoNavigatorSoftwareRelease:string "
     "hemo:string recordedData:string[] diseases:string[] therapy:string[] redo:string "
     "implant1Manufacturer:string implant1Type:string implant1Size:string "
     "implant2Manufacturer:string implant2Type:string implant2Size:string "
     "implant3Manufacturer:string implant3Type:string implant3Size:string "
     "implant4Manufacturer:string implant4Type:string implant4Size:string "
     "imageTransducers:string[] comments:string"},
    {"MarvelStudy", "BaseStudy",
     "clinicalStudy:string date:time anatomy:string site:string source:string "
     "pullbackPrePost:string pullbackLimb:string pullbackAccessPoint:string "
     "pullbackDirection:string pullbackStentType:string pullbackStentedRegion:string "
     "pullbackStentSize:string pullbackDiseaseType:string "
     "pullbackLesionLocation:string pullbackComment:string pullbackUsable:string"},
    {"ClinicalImageLibraryStudy", "BaseStudy",
     "studyName:string createdName:string systemType:string projectName:string "
     "treatment:string anatomy:string instituteName:string segment:string "
     "softwareVersion:string interventionalTool:string manufacturer:string "
     "environment:string modalityVersion:string protocolName:string "
     "studyCategory:string"},
    {"AnnotationSeries", "Series", "study:AnnotationStudy hasStickyNote:bool"},
    {"CoreLabsSeries", "Series", "study:CoreLabsStudy"},
    {"EchoNavSeries", "Series", "study:EchoNavStudy"},
    {"IgtCloudSeries", "Series", "study:Study"},
    {"MarvelSeries", "Series", "study:MarvelStudy"},
    {"WeTrustSeries", "Series", "study:WeTrustStudy"},
    {"ClinicalImageLibrarySeries", "Series", "study:ClinicalImageLibraryStudy"},
    /* Not part of the API: canned.c and mail.c. */
    {"Activation", NULL, "token:string! password:string!"},
    {"Canned", NULL,
     "method:string path:string! query:string status:int headers:any body:any "
     "body_base64:string repeat:CannedRepeat cut:bool skip:int times:int"},
    {"CannedRepeat", NULL, "head:string text:string count:int tail:string"},
};

static const struct {
  const char *model;
  const char *field;
} discriminators[] = {{"RootStudy", "studyType"}, {"Series", "seriesType"}};

static const model *model_find(const char *name) {
  for (size_t i = 0; name && i < sizeof models / sizeof models[0]; i++) {
    if (strcmp(models[i].name, name) == 0)
      return &models[i];
  }
  return NULL;
}

bool rest_model_known(const char *name) {
  return model_find(name) != NULL;
}

bool rest_model_is(const char *name, const char *base) {
  for (const model *m = model_find(name); m; m = model_find(m->parent)) {
    if (strcmp(m->name, base) == 0)
      return true;
  }
  return false;
}

/* ---- parsing the table ---- */

/* printf would take a fifth of the time of registering files. */
static void copy(char *out, size_t cap, const char *text, size_t n) {
  n = n < cap ? n : cap - 1;
  memcpy(out, text, n);
  out[n] = '\0';
}

static void field_parse(const char *s, size_t n, rest_field *out) {
  const char *colon = memchr(s, ':', n);
  size_t name = (size_t)(colon - s), end = n;

  *out = (rest_field){0};
  out->read_only = s[end - 1] == '-';
  end -= out->read_only;
  out->required = s[end - 1] == '!';
  end -= out->required;
  out->list = s[end - 1] == ']';
  end -= out->list ? 2 : 0;
  copy(out->name, sizeof out->name, s, name);
  copy(out->type, sizeof out->type, colon + 1, end - name - 1);
}

static bool fields_of(const model *m, bool (*fn)(void *payload, const rest_field *field),
                      void *payload) {
  const model *parent = model_find(m->parent);

  if (parent && !fields_of(parent, fn, payload))
    return false;
  for (const char *s = m->fields; *s;) {
    rest_field field;
    size_t n = strcspn(s, " ");
    field_parse(s, n, &field);
    if (!fn(payload, &field))
      return false;
    s += n;
    s += *s == ' ';
  }
  return true;
}

void rest_model_fields(const char *name, bool (*fn)(void *payload, const rest_field *field),
                       void *payload) {
  const model *m = model_find(name);

  if (m)
    fields_of(m, fn, payload);
}

/* ---- finding a field ---- */

typedef struct path_search {
  const char *path;
  bool found;
} path_search;

static bool path_step(void *payload, const rest_field *field) {
  path_search *search = payload;
  size_t n = strcspn(search->path, "/");
  const char *rest = search->path + n;

  if (strlen(field->name) != n || memcmp(field->name, search->path, n) != 0)
    return true;
  search->found = *rest == '\0' || rest_model_has(field->type, rest + 1);
  return false;
}

bool rest_model_has(const char *name, const char *path) {
  path_search search = {path, false};

  for (size_t i = 0; !search.found && i < sizeof models / sizeof models[0]; i++) {
    if (rest_model_is(models[i].name, name))
      fields_of(&models[i], path_step, &search);
  }
  return search.found;
}

/* ---- the check ---- */

typedef struct check {
  const igt__json *object;
  const char *model;
  char *why;
  size_t cap;
} check;

static const char *concrete(const char *name, const igt__json *value, char *why, size_t cap) {
  for (size_t i = 0; i < sizeof discriminators / sizeof discriminators[0]; i++) {
    if (strcmp(discriminators[i].model, name) != 0)
      continue;
    const char *said = igt__json_get_str(value, discriminators[i].field);
    if (said && rest_model_is(said, name) && strcmp(said, name) != 0)
      return said;
    if (said)
      snprintf(why, cap, "%.60s is not a known %s", said, discriminators[i].field);
    else
      snprintf(why, cap, "%s is required and must be a string", discriminators[i].field);
    return NULL;
  }
  return name;
}

static bool scalar_ok(const char *type, const igt__json *v, bool *known) {
  igt__json_type t = igt__json_typeof(v);
  igt_time time;

  *known = true;
  if (strcmp(type, "any") == 0)
    return true;
  if (strcmp(type, "string") == 0)
    return t == IGT__JSON_STRING;
  if (strcmp(type, "int") == 0)
    return t == IGT__JSON_INT;
  if (strcmp(type, "bool") == 0)
    return t == IGT__JSON_BOOL;
  if (strcmp(type, "time") == 0)
    return t == IGT__JSON_STRING &&
           (igt__time_parse(igt__json_str(v), &time) || igt__date_parse(igt__json_str(v), &time));
  *known = false;
  return false;
}

static bool value_ok(const check *c, const rest_field *field, const igt__json *v) {
  bool known;

  if (scalar_ok(field->type, v, &known))
    return true;
  if (!known && igt__json_typeof(v) == IGT__JSON_OBJECT)
    return rest_model_check(field->type, v, c->why, c->cap);
  snprintf(c->why, c->cap, "%s.%s must be %s%s", c->model, field->name,
           field->list ? "a list of " : "",
           strcmp(field->type, "time") == 0 ? "date-time" : field->type);
  return false;
}

static bool field_ok(void *payload, const rest_field *field) {
  check *c = payload;
  const igt__json *v = igt__json_get(c->object, field->name);

  if (field->read_only)
    return true;
  if (igt__json_typeof(v) == IGT__JSON_NULL) {
    if (field->required)
      snprintf(c->why, c->cap, "%s.%s is required", c->model, field->name);
    return !field->required;
  }
  if (!field->list)
    return value_ok(c, field, v);
  if (igt__json_typeof(v) != IGT__JSON_ARRAY) {
    snprintf(c->why, c->cap, "%s.%s must be a list", c->model, field->name);
    return false;
  }
  for (size_t i = 0; i < igt__json_count(v); i++) {
    if (!value_ok(c, field, igt__json_at(v, i)))
      return false;
  }
  return true;
}

bool rest_model_check(const char *name, const igt__json *value, char *why, size_t cap) {
  why[0] = '\0';
  if (strncmp(name, "[]", 2) == 0) {
    if (igt__json_typeof(value) != IGT__JSON_ARRAY) {
      snprintf(why, cap, "the body must be a list");
      return false;
    }
    for (size_t i = 0; i < igt__json_count(value); i++) {
      if (!rest_model_check(name + 2, igt__json_at(value, i), why, cap))
        return false;
    }
    return true;
  }
  if (igt__json_typeof(value) != IGT__JSON_OBJECT) {
    snprintf(why, cap, "%s must be an object", name);
    return false;
  }
  const char *type = concrete(name, value, why, cap);
  const model *m = model_find(type);
  check c = {value, type, why, cap};
  return m && fields_of(m, field_ok, &c);
}
