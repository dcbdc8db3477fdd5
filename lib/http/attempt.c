/* SPDX-License-Identifier: MIT */
/* One attempt of a request: the settings of its easy handle, and the callbacks that curl makes
 * while it runs.
 *
 * requests.c opens a slot once (igt__slot_open: the settings that stay) and request.c begins each
 * attempt on it (igt__attempt_begin: URL, method, body, headers, buffers). The read and write
 * callbacks pass body bytes on, pause for the rate limit (rate.c) or for a spool that is full
 * (spool.c), and hand header lines and data to response.c. loop.c polls igt__attempt_is_idle, which
 * counts bytes that the other side acknowledged, since curl has no such idle timeout. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/os/os.h"
#include "base/str.h"
#include "http/attempt.h"

/* A body up to this size leaves together with the header lines: one system call, one packet. */
#define WHOLE_BODY (64u * 1024)
/* How often a full spool is checked. */
#define READER_LOOK_US 10000
/* AWS load balancers drop idle connections after 60 s; no request may run into that. */
#define REUSE_MOST_S 50L
#define SLOW_SEGMENT 4096
#define UNSENT_MOST (256 * 1024)

/* ---- pauses ---- */

static void resume_paused(igt__timer *timer) {
  igt__pauses *pauses = (igt__pauses *)((char *)timer - offsetof(igt__pauses, timer));
  size_t in_line = 0;

  for (const igt__attempt *a = pauses->waiting.first; a; a = a->next)
    in_line++;
  while (pauses->waiting.first && in_line-- > 0) {
    igt__attempt *attempt = igt__queue_take(&pauses->waiting);
    CURLcode code;
    attempt->waiting = false;
    attempt->paused = 0;
    code = curl_easy_pause(attempt->slot->easy, CURLPAUSE_CONT); /* may call on_body */
    if (code)
      pauses->on_failed(attempt, code);
    else if (attempt->paused && !attempt->full)
      break; /* still too early, for the rest of the queue as well */
  }
}

void igt__pauses_init(igt__pauses *pauses, igt__timers *timers,
                      void (*on_failed)(igt__attempt *attempt, CURLcode code)) {
  igt__queue_init(&pauses->waiting);
  pauses->timers = timers;
  pauses->timer.fn = resume_paused;
  pauses->on_failed = on_failed;
}

static void pause_for(igt__attempt *attempt, int64_t us) {
  igt__pauses *pauses = attempt->pauses;
  int64_t due = igt__mono_us() + us;

  if (!attempt->waiting)
    igt__queue_add(&pauses->waiting, attempt);
  attempt->waiting = true;
  if (!pauses->timer.prev || pauses->timer.due > due)
    igt__timer_set(pauses->timers, &pauses->timer, due);
}

void igt__attempt_unpause(igt__attempt *attempt) {
  if (attempt->waiting)
    (void)igt__queue_remove(&attempt->pauses->waiting, attempt);
  attempt->waiting = false;
  attempt->paused = 0;
}

/* ---- curl's callbacks ---- */

static size_t on_header(char *line, size_t size, size_t n, void *arg) {
  igt__attempt *attempt = ((igt__slot *)arg)->attempt;

  n *= size;
  attempt->down += n;
  return igt__response_line(&attempt->response, line, n) ? n : 0;
}

static bool must_pause(igt__attempt *attempt, igt__direction direction, size_t n) {
  int64_t wait = igt__rate_take(&attempt->http->rate, direction, n, igt__mono_us());

  if (wait == 0)
    return false;
  attempt->paused |= direction == IGT__UP ? CURLPAUSE_SEND : CURLPAUSE_RECV;
  pause_for(attempt, wait);
  return true;
}

/* Checked again every READER_LOOK_US until the reader has caught up. */
static bool must_wait_for_reader(igt__attempt *attempt, size_t n) {
  igt__spool *spool = attempt->response.spool;

  attempt->full =
      spool && !igt__response_is_error(&attempt->response) && igt__spool_is_full(spool, n);
  if (!attempt->full)
    return false;
  attempt->paused |= CURLPAUSE_RECV;
  pause_for(attempt, READER_LOOK_US);
  return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  igt__attempt *attempt = ((igt__slot *)arg)->attempt;

  n *= size;
  if (must_wait_for_reader(attempt, n) || must_pause(attempt, IGT__DOWN, n))
    return CURL_WRITEFUNC_PAUSE;
  attempt->down += n;
  if (!igt__response_data(&attempt->response, data, n))
    return n + 1; /* anything but n fails the transfer */
  if (attempt->req->on_progress && !igt__response_is_error(&attempt->response))
    attempt->req->on_progress(attempt->req, 0, n);
  return n;
}

/* Returns less than n only on error or at the end of the file. */
static ssize_t read_file(igt__attempt *attempt, char *out, size_t n) {
  const igt__http_request *req = attempt->req;
  ssize_t got;

  do
    got = igt__os_pread(req->body_fd, out, n, (int64_t)(req->body_offset + attempt->body_pos));
  while (got < 0 && errno == EINTR);
  if (got < 0)
    igt__fail_errno(&attempt->err, errno, "the file could not be read");
  else if (got == 0)
    igt__fail(&attempt->err, IGT_E_CHANGED, "the file became shorter while it was sent");
  return got;
}

/* Under a low rate limit, whole buffers would go out in bursts, with silences that servers do not
 * tolerate. */
static size_t rate_piece(igt__attempt *attempt, size_t n) {
  uint64_t most = igt__rate_limit(&attempt->http->rate, igt__mono_us()) / 20;

  if (most == 0)
    return n;
  if (most < 1024)
    most = 1024;
  return n < most ? n : (size_t)most;
}

/* ---- bytes sent ---- */

/* curl sends a whole body without calling us. */
static uint64_t handed_over(const igt__attempt *attempt) {
  curl_off_t n = 0;

  if (!attempt->whole_body || !attempt->slot ||
      curl_easy_getinfo(attempt->slot->easy, CURLINFO_SIZE_UPLOAD_T, &n) != CURLE_OK || n < 0)
    return attempt->up;
  return (uint64_t)n;
}

/* Bytes that the kernel still buffers for a slow link were not sent yet, but their number falls. */
static uint64_t sent(const igt__attempt *attempt) {
  const igt__slot *slot = attempt->slot;
  uint64_t up = handed_over(attempt);

  if (up == 0 || !slot || slot->fd == CURL_SOCKET_BAD)
    return up;
  return igt__os_received(slot->fd, slot->mark, up);
}

/* Progress and the measured rate count what the other side has received, not what waits in the
 * kernel: on a slow link that is seconds' worth. */
static void report_sent(igt__attempt *attempt) {
  igt__http_request *req = attempt->req;
  uint64_t n;

  if (!req->on_progress || attempt->whole_body || req->body_len == 0)
    return;
  n = sent(attempt);
  if (n > req->body_len)
    n = req->body_len;
  if (n <= attempt->reported)
    return;
  req->on_progress(req, n - attempt->reported, 0);
  attempt->reported = n;
}

static size_t on_send(char *out, size_t size, size_t n, void *arg) {
  igt__attempt *attempt = ((igt__slot *)arg)->attempt;
  igt__http_request *req = attempt->req;
  uint64_t left = req->body_len - attempt->body_pos;

  n *= size;
  n = rate_piece(attempt, n);
  if (n > left)
    n = (size_t)left;
  if (n == 0)
    return 0;
  if (must_pause(attempt, IGT__UP, n))
    return CURL_READFUNC_PAUSE;
  report_sent(attempt);
  if (req->body) {
    memcpy(out, (const char *)req->body + attempt->body_pos, n);
  } else {
    ssize_t got = read_file(attempt, out, n);
    if (got <= 0)
      return CURL_READFUNC_ABORT;
    n = (size_t)got;
  }
  attempt->body_pos += n;
  attempt->up += n;
  req->bytes_sent = attempt->body_pos;
  return n;
}

static int on_seek(void *arg, curl_off_t offset, int origin) {
  igt__attempt *attempt = ((igt__slot *)arg)->attempt;

  if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > attempt->req->body_len)
    return CURL_SEEKFUNC_FAIL;
  attempt->body_pos = (uint64_t)offset;
  return CURL_SEEKFUNC_OK;
}

/* Connected; the request is about to be sent. curl calls this again when a reused connection turns
 * out to be dead: it then resends the request by itself, whatever the method, although the server
 * may have received the first one (RFC 9110 9.2.2). It does not resend a body that is read by
 * callback (seen with 7.88): the request would hang until the idle timeout. */
static int on_ready(void *arg, char *ip, char *local_ip, int port, int local_port) {
  igt__attempt *attempt = ((igt__slot *)arg)->attempt;

  (void)ip, (void)local_ip, (void)port, (void)local_port;
  if (attempt->sent &&
      (!attempt->req->idempotent || (attempt->req->body_len > 0 && !attempt->whole_body)))
    return CURL_PREREQFUNC_ABORT;
  attempt->sent = true;
  atomic_fetch_add_explicit(&attempt->http->requests, 1, memory_order_relaxed);
  attempt->idle.at = igt__mono_us();
  return CURL_PREREQFUNC_OK;
}

/* ---- permanent settings ---- */

/* Two options of a new connection. Both are hints: a kernel that rejects them does no harm.
 * TCP_NOTSENT_LOWAT: Linux buffers up to 4 MiB of unsent data for a slow connection. These bytes
 * are not progress, delay the next request, and keep the link busy for seconds after the process
 * was killed. Data in flight does not count, so a fast connection is not affected. TCP_MAXSEG:
 * segments over loopback are 64 KiB. A local tunnel or proxy whose receive buffer is smaller than
 * two of them delays the acknowledgement of each by 40 ms: 0.4 MB/s. Smaller segments cost
 * processor time, so they are used only on slow links. Over Ethernet segments are smaller anyway
 * (1,460 bytes, 8,960 with jumbo frames), and the option changes little or nothing. */
static int on_new_socket(void *arg, curl_socket_t fd, curlsocktype purpose) {
  const igt__http *http = arg;
  bool slow = atomic_load_explicit(&http->slow_line, memory_order_relaxed);

  (void)purpose;
  igt__os_tune_socket(fd, UNSENT_MOST, slow ? SLOW_SEGMENT : 0);
  return CURL_SOCKOPT_OK;
}

static void set_callbacks(igt__slot *slot) {
  CURL *easy = slot->easy;

  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, slot);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot);
  curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
  curl_easy_setopt(easy, CURLOPT_READDATA, slot);
  curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
  curl_easy_setopt(easy, CURLOPT_SEEKDATA, slot);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, slot);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot->why);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, slot);
}

/* Neither a file nor a directory: no server is trusted. libcurl's own choice is for the
 * distribution that built it. */
static CURLcode set_certificates(CURL *easy, const igt__trust *trust) {
  struct curl_blob pem = {trust->pem, trust->pem_size, CURL_BLOB_NOCOPY};
  CURLcode code = trust->pem ? curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &pem)
                             : curl_easy_setopt(easy, CURLOPT_CAINFO, trust->file);

  if (!code)
    code = trust->pem ? curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO_BLOB, &pem)
                      : curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, trust->file);
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_CAPATH, trust->dir);
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, trust->dir);
  return code;
}

static CURLcode set_trust(CURL *easy, const igt__http *http) {
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (http->trust.by_system)
    return igt__trust_ask_system(easy);
  return set_certificates(easy, &http->trust);
}

igt_status igt__slot_open(igt__slot *slot, const igt__http *http, igt_error *err) {
  CURL *easy = slot->easy = curl_easy_init();
  CURLcode code;

  slot->fd = CURL_SOCKET_BAD;
  if (!easy)
    return igt__fail_memory(err);
  set_callbacks(slot);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, http);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  /* See docs/internals/http.md, "One request per connection". */
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  /* Otherwise removing a handle while getaddrinfo hangs would block the loop until it returns. */
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, REUSE_MOST_S);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->connect_timeout_ms);
  code = curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_NOPROXY, http->proxies.none);
  if (!code)
    code = set_trust(easy, http);
  return code ? igt__fail(err, IGT_E_NO_MEMORY, "libcurl refuses a setting: %s",
                          curl_easy_strerror(code))
              : IGT_OK;
}

void igt__slot_close(igt__slot *slot) {
  curl_easy_cleanup(slot->easy);
  slot->easy = NULL;
}

/* ---- settings of one attempt ---- */

static bool has_body(const igt__http_request *req) {
  return req->body_len > 0 || strcmp(req->method, "PUT") == 0 || strcmp(req->method, "POST") == 0 ||
         strcmp(req->method, "PATCH") == 0;
}

static CURLcode set_body(igt__attempt *attempt, CURL *easy) {
  const igt__http_request *req = attempt->req;

  /* Under a rate limit the body must be sent in chunks that can be delayed. */
  attempt->whole_body = (req->body || req->body_len == 0) && req->body_len <= WHOLE_BODY &&
                        igt__rate_limit(&attempt->http->rate, igt__mono_us()) == 0;
  if (attempt->whole_body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, req->body ? req->body : "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
  } else {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body_len);
  }
  return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method);
}

bool igt__may_follow(const char *method) {
  return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static CURLcode set_method(igt__attempt *attempt, CURL *easy) {
  const igt__http_request *req = attempt->req;

  attempt->whole_body = false;
  curl_easy_setopt(easy, CURLOPT_NOBODY, 0L); /* undo the previous attempt's settings */
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
  if (strcmp(req->method, "GET") == 0 && req->body_len == 0)
    return CURLE_OK;
  if (strcmp(req->method, "HEAD") == 0)
    return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (has_body(req))
    return set_body(attempt, easy);
  return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method);
}

/* Collected responses are short, and some are tokens: see memory.c. */
static void set_buffers(const igt__attempt *attempt, CURL *easy) {
  const igt__http_request *req = attempt->req;
  bool fits = attempt->head->lines.len + attempt->head->url.len < IGT__BULK_HEAD / 2;
  bool down = req->on_data, up = req->body_len > 0 && !attempt->whole_body;

  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                   (long)(down && fits ? IGT__BULK_BUFFER : IGT__SMALL_BUFFER));
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
                   (long)(up && fits ? IGT__BULK_BUFFER : IGT__SMALL_BUFFER));
}

static CURLcode set_proxy(const igt__attempt *attempt, CURL *easy) {
  const igt__proxies *proxies = &attempt->http->proxies;
  bool tunnel = attempt->origin.scheme[4] != '\0'; /* https */
  const char *proxy = tunnel ? proxies->https : proxies->http;
  char asked[320];
  CURLcode code;

  if (proxies->by_system) {
    igt__proxy_ask_system(attempt->head->url.data, asked, sizeof asked);
    proxy = asked;
  }
  code = curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
  return code || !*proxy ? code : igt__proxy_use_login(easy, proxy, tunnel);
}

static CURLcode set_attempt(igt__attempt *attempt, CURL *easy) {
  const igt__http_request *req = attempt->req;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, attempt->head->url.data);

  if (!code)
    code = set_proxy(attempt, easy);
  if (!code)
    code =
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, req->compressed ? "gzip, deflate" : NULL);
  if (!code)
    code = set_method(attempt, easy);
  set_buffers(attempt, easy);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, attempt->head->list);
  return code;
}

static void reset(igt__attempt *attempt) {
  int64_t now = igt__mono_us();

  attempt->sent = false;
  attempt->paused = 0;
  attempt->full = false;
  attempt->body_pos = attempt->up = attempt->down = attempt->reported = 0;
  attempt->began_at = attempt->idle.at = attempt->idle.crawl_at = now;
  attempt->idle.moved = attempt->idle.crawl_moved = 0;
  attempt->idle.crawls = false;
  attempt->req->bytes_sent = 0;
  attempt->response.ranged = igt__head_has(attempt->head, "Range");
  igt__error_clear(&attempt->err);
  igt__response_reset(&attempt->response);
}

igt_status igt__attempt_begin(igt__attempt *attempt, igt__slot *slot, igt_error *err) {
  CURLcode code;
  igt_status status;

  reset(attempt);
  status = igt__url_origin_of(attempt->head->url.data, &attempt->origin, err);
  if (status)
    return status;
  igt__url_label(&attempt->origin, attempt->host, sizeof attempt->host);
  if (!igt__head_link(attempt->head))
    return igt__fail_memory(err);
  slot->why[0] = '\0';
  code = set_attempt(attempt, slot->easy);
  if (code)
    return igt__fail(err, code == CURLE_OUT_OF_MEMORY ? IGT_E_NO_MEMORY : IGT_E_INVALID, "%s: %s",
                     attempt->host, curl_easy_strerror(code));
  return IGT_OK;
}

/* ---- idle timeout ---- */

/* Below a low rate limit of our own, the slowness is ours. */
static bool is_crawling(igt__attempt *attempt, uint64_t moved, int64_t now) {
  uint64_t limit = atomic_load(&attempt->http->rate.limit);
  int64_t passed = now - attempt->idle.crawl_at;
  int64_t window = (int64_t)attempt->http->idle_timeout_ms * 1000 * IGT__CRAWL_TIMEOUTS;

  if (passed < window)
    return false;
  attempt->idle.crawls =
      (limit == 0 || limit > (uint64_t)IGT__MIN_RATE * 64) &&
      (moved - attempt->idle.crawl_moved) * 1000000 < (uint64_t)passed * IGT__MIN_RATE;
  attempt->idle.crawl_at = now;
  attempt->idle.crawl_moved = moved;
  return attempt->idle.crawls;
}

bool igt__attempt_is_idle(igt__attempt *attempt, int64_t now) {
  uint64_t moved = sent(attempt) + attempt->down;
  int64_t passed = now - attempt->idle.at;

  report_sent(attempt);
  /* Until the request is sent the connect timeout applies; pauses by the rate limit are ours. */
  if (!attempt->sent || attempt->paused) {
    attempt->idle.at = attempt->idle.crawl_at = now;
    attempt->idle.crawl_moved = moved;
    return false;
  }
  if (is_crawling(attempt, moved, now))
    return true;
  if (moved > attempt->idle.moved && (moved - attempt->idle.moved) * 1000000 >= (uint64_t)passed) {
    attempt->idle.moved = moved;
    attempt->idle.at = now;
    return false;
  }
  return passed >= (int64_t)attempt->http->idle_timeout_ms * 1000;
}

/* ---- the end ---- */

/* A response >= 200 after the whole body was sent acknowledges it. */
static void note_rest(igt__attempt *attempt, CURLcode code) {
  igt__http_request *req = attempt->req;

  if (!code && req->on_progress && req->body_len > attempt->reported &&
      req->bytes_sent == req->body_len)
    req->on_progress(req, req->body_len - attempt->reported, 0);
}

void igt__attempt_note_sent(igt__attempt *attempt, CURLcode code) {
  igt__http_request *req = attempt->req;
  curl_off_t sent = 0;

  if (!attempt->whole_body)
    note_rest(attempt, code);
  if (!attempt->whole_body ||
      curl_easy_getinfo(attempt->slot->easy, CURLINFO_SIZE_UPLOAD_T, &sent) != CURLE_OK ||
      sent <= 0)
    return;
  req->bytes_sent = (uint64_t)sent < req->body_len ? (uint64_t)sent : req->body_len;
  if (req->on_progress && req->bytes_sent > 0)
    req->on_progress(req, req->bytes_sent, 0);
}

bool igt__attempt_failed_in_tls(CURLcode code) {
  switch ((int)code) {
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_SSL_CERTPROBLEM:
  case CURLE_SSL_CIPHER:
  case CURLE_SSL_CACERT_BADFILE:
  case CURLE_SSL_ISSUER_ERROR:
  case CURLE_SSL_INVALIDCERTSTATUS:
  case CURLE_PEER_FAILED_VERIFICATION:
    return true;
  default:
    return false;
  }
}

/* More of a body than fits into the socket buffers of a listener: something acknowledged it. */
#define TAKEN (256u * 1024)

/* Proxies and firewalls that are out of connections do not send SlowDown: they refuse connections,
 * or reset those they accepted. A new connection without any response is such a sign; a reused one
 * may have been closed for its age, or by a broken link. */
bool igt__attempt_was_refused(const igt__attempt *attempt, CURLcode code) {
  long made = 0;

  switch ((int)code) {
  case CURLE_COULDNT_CONNECT:
    return true;
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_SEND_ERROR:
  case CURLE_RECV_ERROR:
  case CURLE_GOT_NOTHING:
    return attempt->down == 0 && attempt->reported < TAKEN &&
           curl_easy_getinfo(attempt->slot->easy, CURLINFO_NUM_CONNECTS, &made) == CURLE_OK &&
           made > 0;
  default:
    return false;
  }
}
