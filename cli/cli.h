/* SPDX-License-Identifier: MIT */
#ifndef CLI_H
#define CLI_H

/* What the commands share. The command line only uses the public headers. */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "human.h"
#include "igtcloud/client.h"
#include "igtcloud/cloud.h"
#include "igtcloud/error.h"
#include "igtcloud/log.h"
#include "igtcloud/model.h"
#include "igtcloud/transfer.h"
#include "igtcloud/uploads.h"
#include "os/os.h"

/* Exit statuses; exit_statuses[] in help.c describes them. */
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

/* Lists of strings, such as all values of --include. */
typedef struct texts {
  const char *v[64];
  size_t count;
} texts;

#define MAX_ARGUMENTS 1024 /* reports of as many shards */

/* The values of a command's arguments and options. Strings belong to argv or the environment. */
typedef struct settings {
  const char *arguments[MAX_ARGUMENTS];
  size_t argument_count;
  /* sign-in and connection */
  const char *domain, *user, *service_file, *audience, *ca_file, *proxy;
  bool password_stdin, no_keyring, forget;
  const char *password_command;
  double timeout;
  long long retries, connections;
  const char *bwlimit;
  /* output */
  const char *config, *profile;
  bool debug, quiet, json, no_progress, help;
  const char *log_file, *report;
  /* selection and transfer */
  const char *ext, *start, *end, *shard, *folder_structure, *token_type, *journal;
  texts category, include, exclude;
  texts institute, study, patient, modality, label;
  const char *studies_from, *modified_since, *modified_until;
  long long limit;
  bool newest;
  long long concurrent_studies, concurrent_files;
  bool include_modified_date, project_files, checksum, overwrite, dry_run, follow_links, no_journal;
  bool include_clutter;
  bool portable_names;
  const char *min_age, *max_age, *min_size, *max_size;
  texts filter_from, files_from;
  const char *manifest;
  bool delete_extra;
  long long max_delete;
  bool submit, files, append, background;
  bool ignore_unknown, trust_study_json;
  const char *flat_names;
  /* single entities, and requests */
  const char *fields, *key_file, *input, *describe;
  texts field, header;
  double max_time;
  bool yes, list, clear, show_headers;
  const char *target, *bundle; /* of doctor */
  /* looking */
  const char *stats;
  const char *by, *sort, *name, *size, *newer;
  texts types;
  long long level, top;
  bool print0, details, ids, verbose;
  /* unfinished uploads */
  bool abort, lost;
  long long older_than;
  /* upload stations, keys */
  texts folder;
  const char *settle, *rescan, *when_done, *order, *done_folder, *failed_folder;
  const char *quota, *min_free, *keep, *status_file, *metrics, *on_event, *event_timeout;
  long long attempts;
  bool once, event_names, metrics_anywhere, keep_old;
  const char *service_name, *account; /* of a station that Windows starts */
} settings;

/* The texts of errors that were not printed. */
#define HELD_ERRORS_MOST 16
typedef struct held_errors {
  char v[HELD_ERRORS_MOST][1024];
  size_t count;
} held_errors;

typedef enum option_kind {
  OPTION_FLAG,
  OPTION_TEXT,
  OPTION_FILE, /* as a text, but neither standard input nor output: "-" is refused */
  OPTION_LIST,
  OPTION_NUMBER,
  OPTION_SECONDS
} option_kind;

typedef struct option {
  const char *name; /* without "--" */
  char letter;      /* 0: no short form */
  option_kind kind;
  size_t offset;       /* in settings */
  const char *value;   /* placeholder in help; NULL for a flag */
  const char *choices; /* "a|b"; NULL: any value */
  const char *help;
} option;

typedef struct command {
  const char *name;      /* "ls", or in a group: "study create" */
  const char *arguments; /* for the usage line */
  size_t least, most;    /* number of arguments */
  const char *summary;   /* one line */
  const char *about;     /* paragraphs for --help and the man page */
  const option *options; /* ends with a NULL name */
  bool signs_in;         /* takes the sign-in options */
  int (*run)(settings *s);
  bool ignores_profile; /* works with a configuration file that has errors */
  /* Runs beside mistakes in variables and the profile, and reports setting_mistakes() itself. */
  bool reports_mistakes;
} command;

/* Documentation that belongs to no single command; ends with a NULL name. */
typedef struct fact {
  const char *name, *text;
} fact;

/* A page of `igtcloud help NAME`, which belongs to no single command; scripts/make-topics writes
 * them from the man pages of section 7. Ends with a NULL name. */
typedef struct topic {
  const char *name, *summary;
  /* Paragraphs, indented by spaces, each to be wrapped; with a tab before it, a line to be left as
   * it is. Ends with NULL. */
  const char *const *lines;
} topic;
extern const topic topics[];

/* commands.c: the tables, and lookups in them. */
extern const command *const commands[]; /* ends with NULL */
extern const option sign_in_options[], common_options[], no_options[];
/* The command that the first words name; *taken: the number of words in its name. NULL: unknown. */
const command *command_named(const char *const *words, size_t count, size_t *taken);
bool is_group(const char *word); /* "study", if there is a "study create" */
bool in_group(const command *cmd, const char *group);
typedef void (*option_fn)(void *payload, const command *cmd, const option *o);
void each_option(const command *cmd, option_fn fn, void *payload);
/* One of the names separated by "|"; the rest in *next, NULL at the end. */
const char *next_choice(const char *choices, int *length);
/* The environment variable of an option: IGTCLOUD_ and its name. False: it has none. */
bool variable_of(const option *o, char *out, size_t cap);
/* "igtcloud-study-create" */
void man_name(const command *cmd, char *out, size_t cap);

/* kept.c: whether a study has the values of the fields that were sent; unless quiet, says which has
 * another one. */
bool is_kept(const igt_model *sent, const igt_model *study, bool quiet);

/* options.c: fills s from argv, the environment and the profile; false: a usage error was
 * printed. */
bool parse_options(const command *cmd, int argc, char **argv, settings *s);
/* Parses the same arguments again, for a daemon that rereads its configuration. The values of the
 * last one remain valid. */
bool parse_again(settings *s);
/* What was typed behind the command's name. */
const char *const *typed_words(size_t *count);
/* How many words an option takes that may stand before the command's name: 1, or 2 with its value;
 * 0: arg is no such option. */
size_t global_option_words(const char *arg);
/* The words of all options before the command's name: igtcloud --profile lab ls. */
size_t leading_words(int argc, char **argv);
/* argv is n such words, then a name of taken words: the options go behind the name, where all are
 * read. */
void move_behind_name(char **argv, size_t n, size_t taken);
/* An option of the command, or of all commands; NULL: there is none. */
const option *command_option(const command *cmd, const char *name);
/* settings_sources.c: the source of the value of the option at this offset in settings, such as
 * "IGTCLOUD_USER"; NULL: it is not set. */
const char *option_origin(size_t offset);
bool is_from_profile(size_t offset);
/* Where --proxy was set, for messages: "--proxy", "IGTCLOUD_PROXY", ... */
const char *proxy_source(void);
bool is_user_of_key(const char *key_file, const char *user); /* by the file's name or record */
/* NULL, or what is wrong with the value. */
const char *check_value(const option *o, const char *value);
/* The command's own options that were given, as a command line; free() it, NULL: no memory. */
char *given_options(const command *cmd);
void log_origins(void); /* for --debug */
/* The Python client's variable, such as "CLOUD_DOMAIN", that sets the key unless --domain or
 * IGTCLOUD_DOMAIN does; NULL: it has none, or it is not set. */
const char *cloud_variable(const char *key);
/* The value of CLOUD_USERNAME, which comes before the user of a profile. NULL: none. */
const char *user_variable(void);
/* Of a command that reports them; what they were to set is not set. */
const held_errors *setting_mistakes(void);
/* The option's value for messages and lists: a proxy's without user name and password, and none of
 * the command that prints a password. */
const char *shown_value(const char *name, const char *value, char *out, size_t cap);

/* The tables in the forms that users and shells read: help.c, completion.c, man.c. */
extern const fact exit_statuses[], variables[];
void print_help(FILE *out, const command *cmd);
void print_overview(FILE *out);
void print_group(FILE *out, const char *group);
void print_tables(const command *cmd); /* as JSON; NULL: all commands */
int print_completion(const char *shell);
void print_man(const command *cmd); /* NULL: the page of the program itself */

/* cmd_help.c: the words name no command; prints an error; EXIT_USAGE. */
int no_command(const char *const *words, size_t count);

/* cmd_transfer.c: the values of options that several commands share. */
/* Selects studies and categories of their files; a project's own files have neither dates nor
 * categories. */
void select_files(const settings *s, igt_study_selection *selection, unsigned *categories);
/* The options that select studies by name, field and time. False: it has printed a usage error. */
bool select_studies(const settings *s, igt_study_selection *selection);
bool selects_studies(const settings *s); /* one of them is set; limit is not */
bool transfer_options(const settings *s, igt_transfer_options *o);
unsigned categories_of(const settings *s);

/* suggest.c: "did you mean". Offer each name; best has the one most similar to what was typed. */
typedef struct suggestion {
  const char *name; /* NULL: none is similar */
  size_t distance;
} suggestion;
void suggest(suggestion *best, const char *wanted, const char *name);
/* "; did you mean 'NAME'?", or nothing; returns out. */
const char *suggestion_text(const suggestion *best, char *out, size_t cap);

/* config.c: the configuration file. */
typedef struct config_entry {
  char *profile, *key, *value;
  unsigned line;
} config_entry;
typedef struct config {
  const char *path; /* NULL: there is no home folder */
  bool exists;
  config_entry *v; /* in the order of the lines */
  size_t count;
} config;
/* A line of the file. Its parts are in the text, which is changed; value is of CONFIG_KEY alone. */
typedef struct config_line {
  enum { CONFIG_NOTHING, CONFIG_SECTION, CONFIG_KEY, CONFIG_NEITHER } kind;
  char *name, *value;
} config_line;
config_line config_parse(char *text, unsigned number);
/* --config, or the default file; NULL: there is no home folder. */
const char *config_path(const settings *s);
/* No file: no entries, unless it was named by --config. False: reported, and *out holds nothing but
 * the path. */
bool config_read(const settings *s, config *out);
/* How many profiles it has. */
size_t config_profiles(const config *c);
void config_free(config *c);
bool config_has_profile(const config *c, const char *profile);
/* The command's option that the key sets; NULL: none. */
const option *config_option(const command *cmd, const char *key);
bool config_key_exists(const char *key); /* it sets an option of any command */
const char *config_key_like(const char *key);

/* For a command's own table of options. */
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
#define PROXY_OPTION                                                                               \
  {                                                                                                \
    "proxy", 0, OPTION_TEXT, AT(proxy), "URL", NULL,                                               \
        "connect through this proxy; none: without one (default: https_proxy)"                     \
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
/* Whether the running login is what a client with these options would use. */
bool is_login_for(const settings *s, const igt_client_options *o, const igt_token *token);
/* The client's options by the settings, as open_client has them, without a cancel. Valid as long as
 * s. False: reported. */
bool client_options(const settings *s, const char *environment, igt_client_options *out,
                    int *exit_status);
/* Passwords that are asked for from now on are for this client's cloud. */
void session_use(igt_client *client);
igt_client *open_client(const settings *s, const char *environment, int *exit_status);
/* The same; without --domain it opens the cloud of the running login. */
/* The cloud that a file names: without --domain only one that is known, or that the user chose. */
igt_client *open_client_of(const settings *s, const char *cloud, int *exit_status);
igt_client *open_here(const settings *s, int *exit_status);
/* Of the client that was opened last; NULL: none was. */
igt_cancel *session_cancel(void);
/* Signs out and frees the client. */
void close_client(igt_client *client);
/* Asks "Delete ...?" on the terminal, unless --yes. Other than EXIT_DONE: the user declined, or
 * there is no terminal; it has printed that. */
int confirm(const settings *s, const char *fmt, ...) IGT_PRINTF(2, 3);
/* Of a question without an answer: the command's exit status, after saying why. Without a terminal
 * that is a usage error; otherwise the user pressed Ctrl-C, or Ctrl-D, which means no. */
int no_answer(const char *without_terminal);
/* As no_answer, of ask_again. what: requires the password. */
int no_password(const settings *s, const char *what);
/* Takes the institute and environment from the optional arguments. False: it has printed a usage
 * error. */
bool take_place(const settings *s, const char **institute, const char **environment);
bool is_environment(const char *text); /* PROD or TEST */
bool check_dates(const settings *s);   /* --start, --end */
bool parse_shard(const settings *s, unsigned *shard, unsigned *shards);

/* password.c: the library's questions. The user is being asked for a name or a password. Any
 * thread. */
bool is_asking(void);
bool prompt_user(const settings *s, const char *domain, igt_prompt_kind what, const char *question,
                 char *out, size_t cap);
bool has_said_why(void);    /* why there is no password was printed */
bool is_from_keyring(void); /* the last password was */
/* Offers on the terminal to put a password that was typed into the keyring; wipes it. */
void offer_to_keep(const settings *s, const igt_identity *who);
void keep_typed(void); /* for offer_to_keep */
/* Before the sign-in, of a command that calls ask_again after it. */
void will_ask_again(void);
/* Asks for the password again. With --password-stdin it is the next line, or at the end of standard
 * input the one that signed in; --password-command is run again. */
bool ask_again(const settings *s, const char *question, char *out, size_t cap);

/* keyring.c: the desktop's keyring. *why: NULL-terminated, valid if there is none. */
bool keyring_is_available(const char **why);
bool keyring_read(const char *domain, const char *user, char *out, size_t cap);
bool keyring_store(const char *domain, const char *user, const char *password);
/* domain NULL: all of this program's. 1: removed, 0: there was none, -1: reported. */
int keyring_forget(const char *domain, const char *user);

/* prompt.c: asks on the terminal; false: no terminal, or no input. */
bool can_ask(void); /* there is a terminal */
bool ask_text(const char *question, char *out, size_t cap);
bool ask_password(const char *question, char *out, size_t cap);
bool read_password(char *out, size_t cap); /* one line of standard input */

/* signals.c: the first INT, TERM or HUP sets the flag, the second ends the process. */
bool catch_signals(igt_cancel *cancel);
int caught_signal(void);
/* From now on SIGUSR1 does not end the process; called at the start. */
void catch_questions(void);
/* SIGUSR1 has come since the last call. */
bool progress_is_asked_for(void);
/* Standard output's reader has gone: the run ends, and prints nothing about it. */
bool reader_is_gone(void);
void end_as_by_pipe(void);

/* output.c */
int exit_status_of(igt_status status);
/* Prints "igtcloud: message" on stderr; returns the exit status. */
int fail(const igt_error *err);
int usage_error(const char *fmt, ...) IGT_PRINTF(1, 2);
void message(const settings *s, const char *fmt, ...) IGT_PRINTF(2, 3);
/* Into the log, with --debug. */
void debug_message(const char *fmt, ...) IGT_PRINTF(1, 2);
/* As in syslog(3): under systemd each line begins with <N>, its priority for the journal. */
enum { PRIORITY_ERROR = 3, PRIORITY_WARNING = 4, PRIORITY_NOTICE = 5, PRIORITY_INFO = 6 };
/* The same as complain, with another priority; IGT_OK: the status is not known. */
void complain_at(int priority, igt_status code, const char *fmt, ...) IGT_PRINTF(3, 4);
/* Prints "igtcloud: ..." on stderr, even with --quiet. code is that of the JSON form. */
void complain(igt_status code, const char *fmt, ...) IGT_PRINTF(2, 3);
/* The same where something could not be written, which errno's number says: adds what to do about a
 * full disk. */
void complain_io(int os_error, const char *fmt, ...) IGT_PRINTF(2, 3);
/* Errors are kept in into instead of being printed, until it is called with NULL. */
void hold_errors(held_errors *into);
/* Errors become JSON lines on standard error, as with --json. */
void use_json_errors(void);
void open_log(settings *s);
/* Opens the log file anew: logrotate has moved it. */
void reopen_log(const settings *s);
/* False: part of the log could not be written; it has printed an error. */
bool close_log(void);

/* file.c: files named on the command line; "-" is standard input or output. NULL: *why has the
 * reason. */
FILE *open_input(const char *path, const char **why);
void close_input(FILE *in);
/* The option reads standard input: false if something else does, too; a usage error was printed. */
bool take_input(const settings *s, const char *name);
/* For the library, which opens files by name. */
const char *file_option(const char *value);
bool file_exists(const char *path); /* else errno says why not */
/* Of a file that a program renames once it is complete. */
bool is_partial_name(const char *name);
/* append: keeps the existing content; otherwise it is truncated. NULL: *why, and errno where
 * the system refuses. */
FILE *open_output(const char *path, bool append, const char **why);
/* Whether writing to standard output has failed. Called after what was written, it remembers why.
 */
bool output_failed(void);
/* Flushes standard output. 0, or why something of it could not be written. */
int output_error(void);
bool close_output(FILE *out); /* false: part of the output could not be written */
bool write_all(int fd, const void *data, size_t n); /* false: errno says why */

/* cmd_cat.c: prints a file from the cloud; returns the exit status. */
int print_file(igt_client *client, const char *path);

/* From now on messages go to the log file, or otherwise to the system's log. */
void leave_terminal(void);
int log_descriptor(void); /* -1: no log file */

/* text.c */
/* Names may contain anything: prints them so that nothing moves the cursor or reverses text. */
void print_safe(FILE *out, const char *text);
char *safe_text(const char *text); /* what that prints, to be freed; NULL: no memory */
/* The same; hide: as on a terminal, else as into a pipe. */
void put_safe(FILE *out, const char *text, bool hide);
/* The same for n bytes of text; line ends and tabs are kept. */
void print_lines(FILE *out, const char *text, size_t n);
/* To standard output: with print_lines on a terminal, otherwise unchanged. */
bool write_text(const char *text, size_t n);
/* As JSON; invalid bytes become U+FFFD. */
void json_value(FILE *out, const char *value);
void json_text(FILE *out, const char *key, const char *value, bool first);
/* For text that is JSON already; whatever is unsafe on a terminal becomes a \u escape. */
void print_json(FILE *out, const char *json);
/* Columns on a terminal, as print_safe prints it. */
size_t width_of(const char *text);
/* Bytes of the next character (1 if invalid), and its columns. */
size_t next_character(const char *text, unsigned *columns);
bool is_plain(const char *text); /* its first character is printed unchanged */

/* wrap.c */
/* Of the terminal; 0: out is none, or too narrow, and nothing is wrapped. */
unsigned wrap_columns(FILE *out);
/* A line, without its end, as print_safe prints it, wrapped between words. at: the column where it
 * begins; indent: of the lines after the first. */
void print_wrapped(FILE *out, const char *text, unsigned columns, unsigned at, unsigned indent);
/* Our own text of several lines: a paragraph that does not fit is wrapped anew. */
void print_paragraphs(FILE *out, const char *text);

/* Output is for users: standard output is a terminal, or IGTCLOUD_FORCE_TTY says so. */
bool for_people(void);
/* Around the title of a table on a terminal. */
bool begin_bold(void);
void end_bold(bool bold);
/* A field's value; "": it is not set. */
const char *text_of(const igt_string_field *field);

/* place.c: places in the cloud, named on the command line. */
#define REMOTE "igt:"
typedef struct place {
  igt_client *client;
  igt_node *cloud;
  igt_node_target target;
  const char *path; /* as given, without "igt:" */
} place;
/* Without "igt:". */
const char *remote_path(const char *text);
/* Signs in and resolves the path. False: *exit_status is set; nothing to close. */
bool place_open(place *p, const settings *s, const char *path, int *exit_status);
void place_close(place *p);
/* The node that the path names, possibly a file; NULL: *exit_status is set. */
igt_node *place_node(place *p, int *exit_status);
/* The same, but it must be of this kind, or of the second kind. */
igt_node *place_node_of(place *p, igt_node_kind kind, igt_node_kind other, int *exit_status);
bool is_file_kind(igt_node_kind kind);
/* "demo/north/P1/CT/files/report.txt". free() it; NULL: no memory. */
char *path_of(const igt_node *node);

/* listing.c: a table on a terminal, tab-separated rows when piped, JSON with --json. */
typedef struct column {
  const char *title;
  const char *field; /* in JSON; for "a|b" the first that exists */
  bool is_size;
  unsigned look; /* on a terminal: LOOK_... */
} column;
enum {
  LOOK_NAME = 1, /* comes first; the list is sorted by it */
  LOOK_ID = 2,   /* shown with --long only */
  LOOK_TIME = 4,
  LOOK_COUNT = 8,
  LOOK_SIZE = 16, /* bytes, as is_size */
  LOOK_WIDE = 32  /* free text, which may be shortened */
};
typedef struct listing listing;
/* columns ends with a NULL title, and must outlive the listing. NULL: out of memory, reported. */
listing *listing_open(const settings *s, const column *columns);
/* The same, sorted by this field also when piped; it need not be that of a column. */
listing *listing_open_by(const settings *s, const column *columns, const char *field);
/* Instead of 64 MiB: what follows is neither sorted nor aligned with what comes later. */
void listing_hold(listing *l, size_t bytes);
/* path: shown as the field "path" and in JSON; may be NULL. IGT_E_INVALID: already reported. */
igt_status listing_row(listing *l, const igt_model *model, const char *path, const char *name);
/* The same with fields of our own behind those of the model. */
igt_status listing_row_with(listing *l, const igt_model *model, const char *path, const char *name,
                            const igt_field_text *more, size_t count);
bool listing_sorts(const listing *l);
/* --limit is reached: another row returns IGT_E_CANCELLED. */
bool listing_is_full(const listing *l);
/* A row that is not a model: its fields. */
igt_status listing_fields(listing *l, const igt_field_text *fields, size_t count);
int listing_close(listing *l, int exit_status); /* prints buffered rows; returns the exit status */
/* record.c: builds such a row. Names must outlive the row, texts too. */
#define ROW_FIELDS_MAX 16
typedef struct record {
  igt_field_text fields[ROW_FIELDS_MAX];
  char *json[ROW_FIELDS_MAX]; /* of strings */
  char numbers[ROW_FIELDS_MAX][32];
  size_t count;
  bool failed; /* out of memory */
} record;
void record_text(record *r, const char *name,
                 const char *text); /* "" stands for an unknown value */
void record_number(record *r, const char *name, uint64_t number);
void record_time(record *r, const char *name, int64_t seconds);
/* Prints the row, and empties it. */
igt_status record_print(record *r, listing *out);
/* Prints one model with all its fields. */
int show_model(const settings *s, const igt_model *model, const char *path);

/* assign.c: FIELD=VALUE as JSON of a model. free() it; NULL: reported. Values are converted to the
 * field's type; FIELD:=JSON accepts any value. type_name: "Study"; NULL: all are strings. */
char *assignments(const char *type_name, const char *const *given, size_t count,
                  const char *tag_name);
void put_json_string(FILE *out, const char *text);

/* Entries of --study and --studies-from without a study that are printed one by one. */
#define UNMATCHED_MOST 10

/* report.c: a transfer's callbacks, and its summary. */
typedef struct report report;
/* Before the client, so that a run that fails early has a report, too. */
report *report_open(const settings *s, const char *verb, int *exit_status);
/* Opens the client and signs in, so that each line says where it is from. NULL: the report was
 * closed, with the error in it, and *exit_status is set. */
igt_client *report_client(report *r, const char *environment, const char *project,
                          int *exit_status);
/* As report_client(), with a client that was opened; NULL closes the report, too. */
igt_client *report_sign_in(report *r, igt_client *client, const char *project, int *exit_status);
/* Of a run without a client: what its lines name. Both strings outlive the report. */
void report_about(report *r, const char *cloud, const char *project);
/* Of a run that ends before its transfer: only a summary. err may be NULL. */
void report_close_early(report *r, igt_status status, const igt_error *err);
/* What is the same in all lines of a report. */
typedef struct report_context {
  const char *cloud, *project, *user; /* "" if unknown */
} report_context;
/* One line. */
void report_item(FILE *out, const report_context *context, const igt_transfer_item *item);
/* Of this process: 16 hexadecimal digits. */
const char *run_id(void);
const igt_transfer_callbacks *report_callbacks(report *r);
/* The numbers of a summary, by their JSON names; `report merge` adds them up. The last row has no
 * name. */
typedef struct summary_count {
  const char *name;
  size_t offset; /* of a uint64_t in igt_transfer_summary */
} summary_count;
extern const summary_count summary_counts[];
/* Prints the summary; returns the exit status. */
int report_close(report *r, igt_status status, const igt_transfer_summary *summary,
                 const igt_error *err);

/* Without a summary: for callers that print their own. */
void report_end(report *r);

/* For a single file: its error is printed once, without a summary. */
report *report_open_single(const settings *s, const char *verb, int *exit_status);
int report_close_single(report *r, igt_status status, const igt_error *err);

/* progress.c */
typedef struct progress progress;
progress *progress_new(const settings *s, const char *verb);
void progress_show(progress *p, const igt_transfer_progress *now);
void progress_clear(progress *p); /* before other output; the next progress_show draws it again */
void progress_free(progress *p);
/* A line of a summary: "  1 file was ...", "  2 files were ..."; nothing for 0. */
void note(unsigned long long n, const char *noun, const char *nouns, const char *text);

/* The commands; commands.c lists them. */
extern const command login_command, logout_command, whoami_command, get_token_command,
    version_command;
extern const command download_command, upload_command, verify_command, csv_command;
extern const command completion_command, help_command;
extern const command config_list_command, config_get_command, config_set_command,
    config_unset_command, config_path_command, config_check_command;
extern const command manifest_command, sync_command;
/* cmd_manifest.c: these commands with --manifest. */
int download_manifest(settings *s);
int verify_manifest(settings *s);
extern const command ls_command, tree_command, du_command, find_command, show_command, cat_command,
    cp_command, rm_command;
extern const command study_create_command, study_set_command, study_label_command,
    study_comment_command, study_submit_command;
extern const command service_create_command, service_list_command, service_rotate_command,
    service_delete_command;
extern const command user_list_command, user_create_command, user_show_command,
    user_reset_mfa_command, user_resend_activation_command;
extern const command api_command, doctor_command, report_merge_command, upgrade_command,
    uploads_command;
extern const command station_command;

/* cmd_rotate.c: what is to be recorded of a service's key. */
void key_info_of(const igt_service *service, const char *organization, igt_key_info *out);

/* release.c: the key of the releases that `igtcloud upgrade` accepts ("": none), and their URL. */
const char *release_key(void);
const char *release_url(void);

#endif
