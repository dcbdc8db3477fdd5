/* SPDX-License-Identifier: MIT */
#ifndef IGT_BASE_LIMITS_H
#define IGT_BASE_LIMITS_H

/* All bounds on what a server or a file may make us hold, each with its reason. */

/* A single JSON value (one study, one file entry): the largest real study is some 20 KB. */
#define IGT__MAX_JSON_ELEMENT (8u * 1024 * 1024)
/* A whole JSON answer that is not streamed. 1 GB answers end here. */
#define IGT__MAX_JSON_BODY (64u * 1024 * 1024)
/* The same, when it is a list that a program wants as a whole: 100,000 studies are 200 MB. */
#define IGT__MAX_JSON_LIST (512u * 1024 * 1024)
/* Objects in objects; the API's deepest is 6. */
#define IGT__MAX_JSON_DEPTH 64
/* Of a file that is sent as it is: Python stops at some 1,000. */
#define IGT__MAX_JSON_FILE_DEPTH 900
/* Members of one object; the API's largest has 60. Members are reached by counting. */
#define IGT__MAX_JSON_MEMBERS 10000
/* A list answer that is streamed: 100,000 studies are 200 MB. Bounds disk, not memory. */
#define IGT__MAX_LIST_BODY (16ull * 1024 * 1024 * 1024)
/* Of it, what is in TMPDIR because it is read more slowly than it comes; never more than a quarter
 * of the space that is free there. And the same of all lists. */
#define IGT__MAX_SPOOL (256ull * 1024 * 1024)
#define IGT__MAX_SPOOLS (2 * IGT__MAX_SPOOL)
/* Elements of a list: a million studies, or files of a study, ten times over. Bounds time: empty
 * elements come by the billion in the bytes above. */
#define IGT__MAX_LIST_COUNT 10000000u
/* Memory of one element, decoded: "{}" can become a struct of a KB. Real ones take 2 times their
 * text.
 */
#define IGT__MAX_ELEMENT_MEMORY (16ull * IGT__MAX_JSON_ELEMENT)
/* Memory of one list that has to be known as a whole: the studies of an institute that are uploaded
 * to (600 B each), the files of a study (fingerprints: 24 B each, and as much that is free), the
 * names in a folder, a list that a program wants in one piece (3 KB a study). A million of the
 * first fit, ten of the second and 300,000 of the last, as above.
 */
#define IGT__MAX_LIST_MEMORY (1024ull * 1024 * 1024)
/* The same of all studies that a run has in hand, of which there may be 64; half of what the
 * process may have where that is less. One list may take half of it. */
#define IGT__MAX_RUN_MEMORY (2 * IGT__MAX_LIST_MEMORY)
/* Nodes that a program wants as a collection (igt_node_count): 1.5 KB a file, 6 KB a study. */
#define IGT__MAX_NODE_MEMORY (4 * IGT__MAX_LIST_MEMORY)
/* Values of a document that becomes a tree, up to 400 B each: "[[],[]" in the bytes above would be
 * 8 GB.
 */
#define IGT__MAX_JSON_VALUES 1000000
/* S3's XML: ListParts of 1,000 parts is 250 KB. */
#define IGT__MAX_XML_BODY (4u * 1024 * 1024)
#define IGT__MAX_XML_DEPTH 32
/* An error's body; what is behind it cannot matter to a person. */
#define IGT__MAX_ERROR_BODY (64u * 1024)
/* All header lines of one answer, and their number. */
#define IGT__MAX_HEADER_BYTES (256u * 1024)
#define IGT__MAX_HEADER_COUNT 256
/* Bytes a second that an exchange must move on average over IGT__CRAWL_TIMEOUTS idle timeouts (10
 * minutes): a byte now and then would hold a run for ever. The slowest modems did 40 times as much.
 */
#define IGT__MIN_RATE 64
#define IGT__CRAWL_TIMEOUTS 20
/* What an attempt must bring for good to count as progress, which starts the count of retries
 * anew: a server that sends a byte per connection ends after --retries, and 8 MiB take 128 attempts
 * at most. A line of 10 kB/s that is cut every 7 s still passes. */
#define IGT__PROGRESS_LEAST (64u * 1024)
/* A link that is down brings no response at all. A file is not given up before this many seconds a
 * retry without progress (5 retries: a minute, which a router needs to restart), nor, with a short
 * --timeout, later than after so many of them. Errors that a server sends count as attempts only.
 */
#define IGT__OUTAGE_PER_RETRY_S 12
#define IGT__OUTAGE_TIMEOUTS 2
/* A token: the token file holds 20,480 bytes of base64. */
#define IGT__MAX_TOKEN (16u * 1024)
#define IGT__TOKEN_FILE_SIZE (5u * 4096)
#define IGT__MAX_KEY_FILE (64u * 1024)
/* Certificates that come through a pipe: the system's store has some 250 KiB. */
#define IGT__MAX_CA_FILE (8u * 1024 * 1024)
/* A study.json next to data; larger is not one. */
#define IGT__MAX_STUDY_JSON (8u * 1024 * 1024)
/* Its values, of which it has some hundreds: 64 studies that are to be created may wait. */
#define IGT__MAX_STUDY_VALUES 100000
/* A release's program: today's is 2 MB, one with all its libraries inside 15 MB. */
#define IGT__MAX_PROGRAM (256u * 1024 * 1024)
/* What a release page answers beside its redirect. */
#define IGT__MAX_RELEASE_PAGE (64u * 1024)
/* A path in all, and one component of it (Linux PATH_MAX and NAME_MAX). */
#define IGT__MAX_PATH 4000
#define IGT__MAX_NAME 255
/* An object's key: S3 user guide, "Creating object key names". */
#define IGT__S3_MAX_KEY 1024
/* A text of an event, of which thousands may wait: two paths, one below the other. */
#define IGT__MAX_SHOWN (8u * 1024)
/* S3: parts in one upload, the smallest part but the last, and the largest object: 10,000 parts of
 * 5 GiB (48.8 TiB; it was 5 TiB until December 2025). */
#define IGT__S3_MAX_PARTS 10000
#define IGT__S3_MIN_PART (5u * 1024 * 1024)
#define IGT__S3_MAX_OBJECT (IGT__S3_MAX_PARTS * 5ull * 1024 * 1024 * 1024)
/* S3 credentials: AWS's access keys have 20 characters, its session tokens some 1,000, and no
 * server takes header lines of more than 64 KB. */
#define IGT__S3_MAX_ACCESS_KEY 512
#define IGT__S3_MAX_SECRET_KEY 4096
#define IGT__S3_MAX_SESSION_TOKEN (32u * 1024)

#endif
