/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_LIMITS_H
#define IGT_BASE_LIMITS_H

/* All bounds on the memory, disk and time that a server or a file may make us use, each with its
 * reason. */

/* A single JSON value (one study, one file entry): the largest real study has some 20 KB. */
#define IGT__MAX_JSON_ELEMENT (8u * 1024 * 1024)
/* A whole JSON response that is not streamed. Stops responses of 1 GB. */
#define IGT__MAX_JSON_BODY (64u * 1024 * 1024)
/* Same, for a list that a program wants as a whole: 100,000 studies take 200 MB. */
#define IGT__MAX_JSON_LIST (512u * 1024 * 1024)
/* Nesting of objects; the API's deepest is 6. */
#define IGT__MAX_JSON_DEPTH 64
/* Nesting in a file that is uploaded unchanged: Python stops at some 1,000. */
#define IGT__MAX_JSON_FILE_DEPTH 900
/* Members of one object; the API's largest has 60. Reaching a member means counting up to it. */
#define IGT__MAX_JSON_MEMBERS 10000
/* A list response that is streamed: 100,000 studies take 200 MB. Bounds disk space, not memory. */
#define IGT__MAX_LIST_BODY (16ull * 1024 * 1024 * 1024)
/* The part of it that is buffered in TMPDIR because it is read more slowly than it arrives; never
 * more than a quarter of the free space there. And the same for all lists together. */
#define IGT__MAX_SPOOL (256ull * 1024 * 1024)
#define IGT__MAX_SPOOLS (2 * IGT__MAX_SPOOL)
/* Elements of a list: ten times a million studies, or files of a study. Bounds time: the bytes
 * above allow billions of empty elements. */
#define IGT__MAX_LIST_COUNT 10000000u
/* Memory of one decoded element: "{}" can become a struct of 1 KB. Real elements take twice the
 * size of their text. */
#define IGT__MAX_ELEMENT_MEMORY (16ull * IGT__MAX_JSON_ELEMENT)
/* Memory of one list that must be complete before it is used: the studies of an institute that is
 * uploaded to (600 B each), the files of a study (fingerprints: 24 B each, and as much unused), the
 * names in a folder, a list that a program wants as a whole (3 KB a study). Fits a million of the
 * first, ten million of the second and 300,000 of the last, as above. */
#define IGT__MAX_LIST_MEMORY (1024ull * 1024 * 1024)
/* Same, for all studies that a transfer handles at a time, up to 64; half of the memory available
 * to the process if that is less. One list may take half of it. */
#define IGT__MAX_RUN_MEMORY (2 * IGT__MAX_LIST_MEMORY)
/* Nodes of a collection that a program requests (igt_node_count): 1.5 KB a file, 6 KB a study. */
#define IGT__MAX_NODE_MEMORY (4 * IGT__MAX_LIST_MEMORY)
/* Values of a document that is decoded into a tree, up to 400 B each: "[[],[]" filling the bytes
 * above would take 8 GB. */
#define IGT__MAX_JSON_VALUES 1000000
/* S3's XML: ListParts of 1,000 parts takes 250 KB. */
#define IGT__MAX_XML_BODY (4u * 1024 * 1024)
#define IGT__MAX_XML_DEPTH 32
/* An error's body; no user reads further. */
#define IGT__MAX_ERROR_BODY (64u * 1024)
/* All header lines of one response, and their number. */
#define IGT__MAX_HEADER_BYTES (256u * 1024)
#define IGT__MAX_HEADER_COUNT 256
/* Bytes per second that an attempt must move on average over IGT__CRAWL_TIMEOUTS idle timeouts (10
 * minutes): otherwise a byte now and then would keep a transfer running forever. The slowest modems
 * did 40 times as much. */
#define IGT__MIN_RATE 64
#define IGT__CRAWL_TIMEOUTS 20
/* Bytes that an attempt must deliver for good to count as progress, which resets the retry count: a
 * server that sends a byte per connection fails after --retries, and 8 MiB take at most 128
 * attempts. A link of 10 kB/s that is cut every 7 s still passes. */
#define IGT__PROGRESS_LEAST (64u * 1024)
/* A link that is down yields no response at all. A file is not given up before this many seconds
 * per retry without progress (5 retries: a minute, which a router needs to restart) or, with a
 * short --timeout, this many timeouts, whichever is shorter. Errors that a server returns count as
 * attempts only. */
#define IGT__OUTAGE_PER_RETRY_S 12
#define IGT__OUTAGE_TIMEOUTS 2
/* A token: the token file has 20,480 bytes of base64. */
#define IGT__MAX_TOKEN (16u * 1024)
#define IGT__TOKEN_FILE_SIZE (5u * 4096)
#define IGT__MAX_KEY_FILE (64u * 1024)
/* Certificates read from a pipe: the system's store has some 250 KiB. */
#define IGT__MAX_CA_FILE (8u * 1024 * 1024)
/* A study.json beside data; anything larger is not one. */
#define IGT__MAX_STUDY_JSON (8u * 1024 * 1024)
/* Its values, usually some hundreds: 64 studies may be waiting for their creation. */
#define IGT__MAX_STUDY_VALUES 100000
/* A list of studies that the user names: a CSV of 100,000 studies takes 50 MB, with a row per file
 * some times as much. */
#define IGT__MAX_STUDY_LIST (1024u * 1024 * 1024)
/* A manifest: a line has the name of a study and a path, each byte of which may be escaped; what is
 * kept of a million studies takes some 200 MB. And one that comes through a pipe. */
#define IGT__MAX_MANIFEST_LINE (64u * 1024)
#define IGT__MAX_MANIFEST_PIPE (256u * 1024 * 1024)
/* The program of a release: currently 2 MB, statically linked 15 MB. */
#define IGT__MAX_PROGRAM (256u * 1024 * 1024)
/* The body of a release page's redirect. */
#define IGT__MAX_RELEASE_PAGE (64u * 1024)
/* A whole path, and one component of it (Linux PATH_MAX and NAME_MAX). */
#define IGT__MAX_PATH 4000
#define IGT__MAX_NAME 255
/* An object's key: S3 user guide, "Creating object key names". */
#define IGT__S3_MAX_KEY 1024
/* Names of one element of a list, joined and escaped to a path, a key or a label. The element's own
 * bound comes first, so a buffer of this size that fails means a lack of memory, which ends a run;
 * what is too long for a file system or the store is an error of that name alone. */
#define IGT__MAX_JOINED (8u * IGT__MAX_JSON_ELEMENT)
/* A text in an event, thousands of which may be queued: two paths, one below the other. */
#define IGT__MAX_SHOWN (8u * 1024)
/* S3: parts per upload, the smallest part except for the last, and the largest object: 10,000 parts
 * of 5 GiB (48.8 TiB; the limit was 5 TiB until December 2025). */
#define IGT__S3_MAX_PARTS 10000
#define IGT__S3_MIN_PART (5u * 1024 * 1024)
#define IGT__S3_MAX_OBJECT (IGT__S3_MAX_PARTS * 5ull * 1024 * 1024 * 1024)
/* S3 credentials: AWS's access keys have 20 characters, its session tokens some 1,000, and no
 * server accepts header lines of more than 64 KB. */
#define IGT__S3_MAX_ACCESS_KEY 512
#define IGT__S3_MAX_SECRET_KEY 4096
#define IGT__S3_MAX_SESSION_TOKEN (32u * 1024)

#endif
