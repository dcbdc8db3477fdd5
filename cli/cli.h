/* SPDX-License-Identifier: MIT */
#ifndef CLI_H
#define CLI_H

/* What the commands share. The command line uses the public headers alone. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "igtcloud/client.h"
#include "igtcloud/cloud.h"
#include "igtcloud/error.h"
#include "igtcloud/log.h"
#include "igtcloud/model.h"
#include "igtcloud/transfer.h"
#include "igtcloud/uploads.h"

/* Exit statuses; exit_statuses[] in help.c says what they mean. */
enum {
  EXIT_DONE = 0,
  EXIT_FAILED = 1,
  EXIT_USAGE = 2,
  EXIT_SOME_FAILED = 3,
  EXIT_NOT_ALLOWED = 4,
  EXIT_NOT_FOUND = 5,
  EXIT_HUNG_UP = 129,
  EXIT_INTERRUPTED = 130,
  EXIT_TERMINATED = 143
};

/* secrets.c: of what other programs of the same user, and a crash, could see. */
void keep_secrets(void);

/* Lists of texts, such as all --include. */
typedef struct texts {
  const char *v[64];
  size_t count;
} texts;

#define MAX_ARGUMENTS 1024 /* reports of as many shards */

/* What the arguments and options of a command say. Text belongs to argv or the environment. */
typedef struct settings {
  const char *arguments[MAX_ARGUMENTS];
  size_t argument_count;
  /* signing in, and the connection */
  const char *domain, *user, *service_file, *audience, *ca_file;
  bool password_stdin;
  double timeout;
  long long retries, connections;
  const char *bwlimit;
  /* what is told, and where */
  bool debug, quiet, json, no_progress, help;
  const char *log_file, *report;
  /* what is moved */
  const char *ext, *start, *end, *shard, *folder_structure, *token_type, *journal;
  texts category, include, exclude;
  long long concurrent_studies, concurrent_files;
  bool include_modified_date, project_files, checksum, overwrite, dry_run, follow_links, no_journal;
  bool include_clutter;
  bool portable_names;
  const char *min_age;
  bool submit, files, append, background;
  bool ignore_unknown, trust_study_json;
  const char *flat_names;
  /* single things of the cloud, and requests */
  const char *fields, *key_file, *input, *describe;
  texts field;
  bool yes, list, clear;
  /* unfinished uploads */
  bool abort, lost;
  long long older_than;
} settings;

typedef enum option_kind {
  OPTION_FLAG,
  OPTION_TEXT,
  OPTION_LIST,
  OPTION_NUMBER,
  OPTION_SECONDS
} option_kind;

typedef struct option {
  const char *name; /* without "--" */
  char letter;      /* 0: none */
  option_kind kind;
  size_t offset;       /* in settings */
  const char *value;   /* its name in help; NULL for a flag */
  const char *choices; /* "a|b"; NULL: any */
  const char *help;
} option;

typedef struct command {
  const char *name;      /* "ls", or of a group: "study create" */
  const char *arguments; /* for the usage line */
  size_t least, most;    /* how many arguments */
  const char *summary;   /* one line */
  const char *about;     /* paragraphs for --help and the man page */
  const option *options; /* ends with a NULL name */
  bool signs_in;         /* takes the options of signing in */
  int (*run)(settings *s);
} command;

/* What belongs to no single command; ends with a NULL name. */
typedef struct fact {
  const char *name, *text;
} fact;
extern const fact exit_statuses[], variables[];

extern const command *const commands[]; /* ends with NULL */
extern const option sign_in_options[], common_options[];
/* The command of the first words; *taken: how many of them are its name. NULL: there is none. */
const command *find_command(const char *const *words, size_t count, size_t *taken);
int no_command(const char *const *words, size_t count); /* says so; a usage error */
bool is_group(const char *word); /* "study", when there is a "study create" */
bool in_group(const command *cmd, const char *group);

/* options.c: fills s from the environment and argv; false: a usage error was printed. */
bool parse_options(const command *cmd, int argc, char **argv, settings *s);
/* The variable that stands for an option: IGTCLOUD_ and its name. False: it has none. */
bool variable_of(const option *o, char *out, size_t cap);

/* The tables, told in the forms that people and shells read: help.c, completion.c, man.c. */
typedef void (*option_fn)(void *payload, const command *cmd, const option *o);
void each_option(const command *cmd, option_fn fn, void *payload);
/* One of the names between "|"; the rest in *next, NULL at the end. */
const char *next_choice(const char *choices, int *length);
void print_help(FILE *out, const command *cmd);
void print_overview(FILE *out);
void print_group(FILE *out, const char *group);
/* "igtcloud-study-create" */
void man_name(const command *cmd, char *out, size_t cap);
void print_tables(const command *cmd); /* as JSON; NULL: all */
int print_completion(const char *shell);
void print_man(const command *cmd); /* NULL: of the program itself */

/* cmd_transfer.c: what the options that several commands have say. */
/* Which studies and kinds of their files; a project's own files have neither dates nor kinds. */
void select_files(const settings *s, igt_selection *selection, unsigned *categories);
bool transfer_options(const settings *s, igt_transfer_options *o);

/* What a command's own table of options is written with. */
#define AT(field) offsetof(settings, field)
#define END_OF_OPTIONS                                                                             \
  { NULL, 0, OPTION_FLAG, 0, NULL, NULL, NULL }
#define FIELDS_OPTION                                                                              \
  { "fields", 0, OPTION_TEXT, AT(fields), "NAMES", NULL, "only these fields, separated by commas" }
#define CA_FILE_OPTION                                                                             \
  {                                                                                                \
    "ca-file", 0, OPTION_TEXT, AT(ca_file), "FILE", NULL,                                          \
        "trust these certificates (PEM) instead of the system's"                                   \
  }
#define TIMEOUT_OPTION                                                                             \
  {                                                                                                \
    "timeout", 0, OPTION_SECONDS, AT(timeout), "SECONDS", NULL,                                    \
        "give up on a silent connection after this time (default 30)"                              \
  }
#define RETRIES_OPTION                                                                             \
  {                                                                                                \
    "retries", 0, OPTION_NUMBER, AT(retries), "N", NULL,                                           \
        "consecutive retries without progress (default 5)"                                         \
  }
#define YES_OPTION                                                                                 \
  { "yes", 'y', OPTION_FLAG, AT(yes), NULL, NULL, "do not ask for confirmation" }

/* session.c */
igt_client *open_client(const settings *s, const char *environment, int *exit_status);
/* The same; without --domain it is the running login's cloud that is meant. */
igt_client *open_here(const settings *s, int *exit_status);
/* Signs out, frees. */
void close_client(igt_client *client);
/* "Delete ...?" on the terminal, unless --yes. Else than EXIT_DONE: a no, or nobody to ask, told.
 */
int confirm(const settings *s, const char *fmt, ...) IGT_PRINTF(2, 3);
/* The password once more, from standard input with --password-stdin. */
bool ask_again(const settings *s, const char *question, char *out, size_t cap);
/* The institute and environment among optional arguments. False: usage error, printed. */
bool take_place(const settings *s, const char **institute, const char **environment);
bool check_dates(const settings *s); /* --start, --end */
bool parse_shard(const settings *s, unsigned *shard, unsigned *shards);

/* prompt.c: on the terminal; false: there is none, or no answer. */
bool ask_text(const char *question, char *out, size_t cap);
bool ask_password(const char *question, char *out, size_t cap);
bool read_password(char *out, size_t cap); /* a line of standard input */

/* signals.c: the first INT, TERM or HUP sets the flag, the second ends the process. */
bool catch_signals(igt_cancel *cancel);
int caught_signal(void);
/* Nobody reads standard output any more: the run ends, and says nothing about it. */
bool reader_is_gone(void);
void end_as_by_pipe(void);

/* output.c */
int exit_status_of(igt_status status);
/* "igtcloud: sentence" on stderr; the exit status. */
int fail(const igt_error *err);
int usage_error(const char *fmt, ...) IGT_PRINTF(1, 2);
void message(const settings *s, const char *fmt, ...) IGT_PRINTF(2, 3);
/* "igtcloud: ..." on stderr, with --quiet, too. */
void complain(const char *fmt, ...) IGT_PRINTF(1, 2);
void open_log(settings *s);
/* False: some of it could not be written, which is told. */
bool close_log(void);

/* file.c: files named on the command line; "-" is standard input or output. NULL: *why says why. */
FILE *open_input(const char *path, const char **why);
void close_input(FILE *in);
/* For the library, which opens it by its name. */
const char *file_option(const char *value);
/* append: to what is there; else it is emptied. */
FILE *open_output(const char *path, bool append, const char **why);
bool close_output(FILE *out); /* false: some of it could not be written */

/* cmd_cat.c: prints a file of the cloud; the exit status. */
int print_file(igt_node *file);

/* From now on messages go to the log file, or else to the system's log. */
void leave_terminal(void);
int log_descriptor(void); /* -1: there is no log file */

/* text.c */
/* Names may hold anything: nothing in them moves the cursor or turns text around. */
void print_safe(FILE *out, const char *text);
/* The same for n bytes of lines: ends of lines and tabs stay. */
void print_lines(FILE *out, const char *text, size_t n);
/* To standard output: on a terminal by print_lines, else as it is. */
bool write_text(const char *text, size_t n);
/* As JSON; bytes that are no text become U+FFFD. */
void json_value(FILE *out, const char *value);
void json_text(FILE *out, const char *key, const char *value, bool first);
/* What is JSON already; what would not be safe on a terminal becomes \u escapes. */
void print_json(FILE *out, const char *json);
/* Columns on a screen, as print_safe writes it. */
size_t width_of(const char *text);
/* Bytes of the next character (of one that is none: 1), and its columns. */
size_t next_character(const char *text, unsigned *columns);
bool is_plain(const char *text); /* its first character is written as it is */

/* place.c: places in the cloud, named on the command line. */
#define REMOTE "igt:"
typedef struct place {
  igt_client *client;
  igt_node *cloud;
  igt_node_target target;
  const char *path; /* as it was given, without "igt:" */
} place;
/* Signs in and follows the path. False: *exit_status says why; nothing to close. */
bool place_open(place *p, const settings *s, const char *path, int *exit_status);
void place_close(place *p);
/* The node that the path names, a file too; NULL: *exit_status. */
igt_node *place_node(place *p, int *exit_status);
/* The same, but it must be of this kind, or of another one that is given twice. */
igt_node *place_node_of(place *p, igt_node_kind kind, igt_node_kind other, int *exit_status);
bool is_file_kind(igt_node_kind kind);
/* "demo/north/P1/CT/files/report.txt". free() it; NULL: no memory. */
char *path_of(const igt_node *node);

/* listing.c: rows for people on a terminal, for programs when piped, as JSON with --json. */
typedef struct column {
  const char *title;
  const char *field; /* in JSON; of "a|b" the first that there is */
  bool is_size;
} column;
typedef struct listing listing;
/* columns end with a NULL title, and must outlive it. NULL: no memory, told. */
listing *listing_open(const settings *s, const column *columns);
/* path: shown for the field "path" and in JSON; may be NULL. IGT_E_INVALID: told already. */
igt_status listing_row(listing *l, const igt_model *model, const char *path, const char *name);
/* A row that is no model: what it is made of. */
igt_status listing_fields(listing *l, const igt_field_text *fields, size_t count);
int listing_close(listing *l, int exit_status); /* prints what was held back; the exit status */
/* One model with all its fields. */
int show_model(const settings *s, const igt_model *model, const char *path);

/* assign.c: FIELD=VALUE as JSON of a model. free() it; NULL: told. Values are read as the
 * field's type says; FIELD:=JSON takes any. type_name: "Study"; NULL: all are texts. */
char *assignments(const char *type_name, const char *const *given, size_t count,
                  const char *tag_name);
void put_json_string(FILE *out, const char *text);

/* report.c: callbacks of a transfer, its summary. */
typedef struct report report;
report *report_open(const settings *s, const char *verb, int *exit_status);
const igt_callbacks *report_callbacks(report *r);
/* The numbers of a summary line, by their names in JSON; `report merge` adds them up. The last row
 * has no name. */
typedef struct summary_count {
  const char *name;
  size_t offset; /* of a uint64_t in igt_summary */
} summary_count;
extern const summary_count summary_counts[];
/* Prints the summary; the exit status. */
int report_close(report *r, igt_status status, const igt_summary *summary, const igt_error *err);

/* Without a summary: for who prints its own. */
void report_end(report *r);

/* Of a run of one file: its error is told once, without a sum. */
report *report_open_single(const settings *s, const char *verb, int *exit_status);
int report_close_single(report *r, igt_status status, const igt_error *err);

/* progress.c */
typedef struct progress progress;
progress *progress_new(const settings *s, const char *verb);
void progress_show(progress *p, const igt_progress *now);
void progress_clear(progress *p); /* before other lines; comes back with the next show */
void progress_free(progress *p);
void format_size(unsigned long long n, char *out, size_t cap);
/* A line of a sum: "  1 file was ...", "  2 files were ..."; nothing for 0. */
void note(unsigned long long n, const char *noun, const char *nouns, const char *text);

/* The commands that have files of their own. */
extern const command ls_command, show_command, cat_command, cp_command, rm_command;
extern const command study_create_command, study_set_command, study_label_command,
    study_comment_command, study_submit_command;
extern const command service_create_command, service_list_command, service_delete_command;
extern const command user_list_command, user_create_command, user_show_command,
    user_reset_mfa_command, user_resend_activation_command;
extern const command api_command, report_merge_command, upgrade_command, uploads_command;

/* release.c: whose releases `igtcloud upgrade` takes ("": none), and where they are. */
const char *release_key(void);
const char *release_url(void);

/* The commands. */
int cmd_login(settings *s);
int cmd_logout(settings *s);
int cmd_whoami(settings *s);
int cmd_get_token(settings *s);
int cmd_download(settings *s);
int cmd_upload(settings *s);
int cmd_verify(settings *s);
int cmd_csv(settings *s);
int cmd_version(settings *s);
int cmd_completion(settings *s);
int cmd_help(settings *s);

#endif
