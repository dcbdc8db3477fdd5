/* SPDX-License-Identifier: MIT */
/* One attempt of a request: the settings of its easy handle, and the callbacks that curl makes
 * while it runs.
 *
 * loop.c opens a slot once (igt__slot_open: the settings that stay) and request.c begins each
 * attempt on it (igt__attempt_begin: URL, method, body, headers, buffers). The read and write
 * callbacks pass body bytes on, stop for the rate limit (rate.c) or for a stream that is full
 * (stream.c), and hand header lines and data to response.c. loop.c polls igt__attempt_is_idle,
 * which counts bytes that the other side acknowledged, since curl has no such idle timeout. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/str.h"
#include "http/internal.h"

/* A body up to this size leaves together with the header lines: one system call, one packet. */
#define WHOLE_BODY (64u * 1024)
/* How often a full stream is checked. */
#define READER_LOOK_US 10000
/* AWS load balancers drop idle connections after 60 s; no request may run into that. */
#define REUSE_MOST_S 50L
#define SLOW_SEGMENT 4096
#define UNSENT_MOST (256 * 1024)

/* ---- curl's callbacks ---- */

static size_t on_header(char *line, size_t size, size_t n, void *arg) {
  struct igt__http_private *priv = ((igt__slot *)arg)->priv;

  n *= size;
  priv->down += n;
  return igt__response_line(priv, line, n) ? n : 0;
}

static bool must_pause(struct igt__http_private *priv, igt__direction direction, size_t n) {
  int64_t wait = igt__rate_take(&priv->http->rate, direction, n, igt__mono_us());

  if (wait == 0)
    return false;
  priv->paused |= direction == IGT__UP ? CURLPAUSE_SEND : CURLPAUSE_RECV;
  igt__loop_pause(priv->loop, priv, wait);
  return true;
}

/* Checked again every READER_LOOK_US until the reader has caught up. */
static bool must_wait_for_reader(struct igt__http_private *priv, size_t n) {
  priv->full =
      priv->stream && !igt__response_is_error(priv) && igt__stream_is_full(priv->stream, n);
  if (!priv->full)
    return false;
  priv->paused |= CURLPAUSE_RECV;
  igt__loop_pause(priv->loop, priv, READER_LOOK_US);
  return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg) {
  struct igt__http_private *priv = ((igt__slot *)arg)->priv;

  n *= size;
  if (must_wait_for_reader(priv, n) || must_pause(priv, IGT__DOWN, n))
    return CURL_WRITEFUNC_PAUSE;
  priv->down += n;
  if (!igt__response_data(priv, data, n))
    return n + 1; /* anything but n fails the transfer */
  if (priv->req->on_progress && !igt__response_is_error(priv))
    priv->req->on_progress(priv->req, 0, n);
  return n;
}

/* Returns less than n only on error or at the end of the file. */
static ssize_t read_file(struct igt__http_private *priv, char *out, size_t n) {
  const igt__http_request *req = priv->req;
  ssize_t got;

  do
    got = pread(req->body_fd, out, n, (off_t)(req->body_offset + priv->body_pos));
  while (got < 0 && errno == EINTR);
  if (got < 0)
    igt__fail_errno(&priv->err, errno, "the file could not be read");
  else if (got == 0)
    igt__fail(&priv->err, IGT_E_CHANGED, "the file became shorter while it was sent");
  return got;
}

/* Under a low rate limit, whole buffers would go out in bursts, with silences that servers do not
 * tolerate. */
static size_t rate_piece(struct igt__http_private *priv, size_t n) {
  uint64_t most = igt__rate_limit(&priv->http->rate, igt__mono_us()) / 20;

  if (most == 0)
    return n;
  if (most < 1024)
    most = 1024;
  return n < most ? n : (size_t)most;
}

/* ---- bytes sent ---- */

/* curl sends a whole body without calling us. */
static uint64_t handed_over(const struct igt__http_private *priv) {
  curl_off_t n = 0;

  if (!priv->whole_body || !priv->slot ||
      curl_easy_getinfo(priv->slot->easy, CURLINFO_SIZE_UPLOAD_T, &n) != CURLE_OK || n < 0)
    return priv->up;
  return (uint64_t)n;
}

/* Bytes that the kernel still buffers for a slow link were not sent yet, but their number falls. */
static uint64_t sent(const struct igt__http_private *priv) {
  uint64_t up = handed_over(priv);
  int n = 0;

  if (up == 0 || !priv->slot || priv->slot->fd == CURL_SOCKET_BAD ||
      ioctl(priv->slot->fd, TIOCOUTQ, &n) != 0 || n < 0)
    return up;
  return (uint64_t)n < up ? up - (uint64_t)n : 0;
}

/* Progress and the measured rate count what the other side has received, not what waits in the
 * kernel: on a slow link that is seconds' worth. */
static void tell_sent(struct igt__http_private *priv) {
  igt__http_request *req = priv->req;
  uint64_t n;

  if (!req->on_progress || priv->whole_body || req->body_len == 0)
    return;
  n = sent(priv);
  if (n > req->body_len)
    n = req->body_len;
  if (n <= priv->notification)
    return;
  req->on_progress(req, n - priv->notification, 0);
  priv->notification = n;
}

static size_t on_send(char *out, size_t size, size_t n, void *arg) {
  struct igt__http_private *priv = ((igt__slot *)arg)->priv;
  igt__http_request *req = priv->req;
  uint64_t left = req->body_len - priv->body_pos;

  n *= size;
  n = rate_piece(priv, n);
  if (n > left)
    n = (size_t)left;
  if (n == 0)
    return 0;
  if (must_pause(priv, IGT__UP, n))
    return CURL_READFUNC_PAUSE;
  tell_sent(priv);
  if (req->body) {
    memcpy(out, (const char *)req->body + priv->body_pos, n);
  } else {
    ssize_t got = read_file(priv, out, n);
    if (got <= 0)
      return CURL_READFUNC_ABORT;
    n = (size_t)got;
  }
  priv->body_pos += n;
  priv->up += n;
  req->bytes_sent = priv->body_pos;
  return n;
}

static int on_seek(void *arg, curl_off_t offset, int origin) {
  struct igt__http_private *priv = ((igt__slot *)arg)->priv;

  if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > priv->req->body_len)
    return CURL_SEEKFUNC_FAIL;
  priv->body_pos = (uint64_t)offset;
  return CURL_SEEKFUNC_OK;
}

/* Connected; the request is about to be sent. curl calls this again when a reused connection turns
 * out to be dead: it then resends the request by itself, whatever the method, although the server
 * may have received the first one (RFC 9110 9.2.2). It does not resend a body that is read by
 * callback (seen with 7.88): the request would hang until the idle timeout. */
static int on_ready(void *arg, char *ip, char *local_ip, int port, int local_port) {
  struct igt__http_private *priv = ((igt__slot *)arg)->priv;

  (void)ip, (void)local_ip, (void)port, (void)local_port;
  if (priv->sent && (!priv->req->idempotent || (priv->req->body_len > 0 && !priv->whole_body)))
    return CURL_PREREQFUNC_ABORT;
  priv->sent = true;
  atomic_fetch_add_explicit(&priv->http->requests, 1, memory_order_relaxed);
  priv->mark_at = igt__mono_us();
  return CURL_PREREQFUNC_OK;
}

/* ---- permanent settings ---- */

/* Two options of a new connection. Both are hints: a kernel that rejects them does no harm.
 * TCP_NOTSENT_LOWAT: Linux buffers up to 4 MiB of unsent data for a slow connection. These bytes
 * are no progress, delay the next request, and keep the link busy for seconds after the process was
 * killed. Data in flight does not count, so a fast connection is not affected.
 * TCP_MAXSEG: segments over loopback are 64 KiB. A local tunnel or proxy whose receive buffer is
 * smaller than two of them delays the acknowledgement of each by 40 ms: 0.4 MB/s. Smaller segments
 * cost processor time, so they are used only on slow links. Over Ethernet segments are smaller
 * anyway (1,460 bytes, 8,960 with jumbo frames), and the option changes little or nothing. */
static int on_new_socket(void *arg, curl_socket_t fd, curlsocktype purpose) {
  const igt__http *http = arg;
  int unsent = UNSENT_MOST, segment = SLOW_SEGMENT;

  (void)purpose;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
  if (atomic_load_explicit(&http->slow_line, memory_order_relaxed))
    (void)setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
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

bool igt__attempt_has_header(const struct igt__http_private *priv, const char *name) {
  const char *line = priv->head.data;
  size_t n = strlen(name);

  for (size_t i = 0; i < priv->head_count; i++, line += strlen(line) + 1)
    if (igt__str_starts_nocase(line, name) && (line[n] == ':' || line[n] == ';'))
      return true;
  return false;
}

/* curl's list, built over our lines; curl only reads it. */
static bool link_lines(struct igt__http_private *priv) {
  /* By default curl asks for permission to send large bodies, waits a second for a response that
   * some servers never send, and labels whole bodies as forms. "Name:" suppresses the header. */
  static char no_expect[] = "Expect:", no_type[] = "Content-Type:";
  size_t most = priv->head_count + 2, n = 0;
  char *line = priv->head.data;

  if (most > priv->line_cap) {
    struct curl_slist *lines = igt__realloc(priv->lines, most * 2 * sizeof *lines);
    if (!lines)
      return false;
    priv->lines = lines;
    priv->line_cap = most * 2;
  }
  for (size_t i = 0; i < priv->head_count; i++, line += strlen(line) + 1)
    priv->lines[n++].data = line;
  priv->lines[n++].data = no_expect;
  if (!igt__attempt_has_header(priv, "Content-Type"))
    priv->lines[n++].data = no_type;
  for (size_t i = 0; i < n; i++)
    priv->lines[i].next = i + 1 < n ? &priv->lines[i + 1] : NULL;
  return true;
}

static bool has_body(const igt__http_request *req) {
  return req->body_len > 0 || strcmp(req->method, "PUT") == 0 || strcmp(req->method, "POST") == 0 ||
         strcmp(req->method, "PATCH") == 0;
}

static CURLcode set_body(struct igt__http_private *priv, CURL *easy) {
  const igt__http_request *req = priv->req;

  /* Under a rate limit the body must be sent in chunks that can be delayed. */
  priv->whole_body = (req->body || req->body_len == 0) && req->body_len <= WHOLE_BODY &&
                     igt__rate_limit(&priv->http->rate, igt__mono_us()) == 0;
  if (priv->whole_body) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, req->body ? req->body : "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body_len);
  } else {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)req->body_len);
  }
  return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method);
}

static CURLcode set_method(struct igt__http_private *priv, CURL *easy) {
  const igt__http_request *req = priv->req;

  priv->whole_body = false;
  curl_easy_setopt(easy, CURLOPT_NOBODY, 0L); /* undo the previous attempt's settings */
  curl_easy_setopt(easy, CURLOPT_UPLOAD, 0L);
  curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
  if (strcmp(req->method, "GET") == 0 && req->body_len == 0)
    return CURLE_OK;
  if (strcmp(req->method, "HEAD") == 0)
    return curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  if (has_body(req))
    return set_body(priv, easy);
  return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method);
}

/* Collected responses are short, and some are tokens: see memory.c. */
static void set_buffers(const struct igt__http_private *priv, CURL *easy) {
  const igt__http_request *req = priv->req;
  bool fits = priv->head.len + priv->url.len < IGT__BULK_HEAD / 2;
  bool down = req->on_data, up = req->body_len > 0 && !priv->whole_body;

  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE,
                   (long)(down && fits ? IGT__BULK_BUFFER : IGT__SMALL_BUFFER));
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
                   (long)(up && fits ? IGT__BULK_BUFFER : IGT__SMALL_BUFFER));
}

static CURLcode set_attempt(struct igt__http_private *priv, CURL *easy) {
  const igt__http_request *req = priv->req;
  const igt__proxies *proxies = &priv->http->proxies;
  const char *proxy = priv->origin.scheme[4] ? proxies->https : proxies->http;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_URL, priv->url.data);

  if (!code)
    code = curl_easy_setopt(easy, CURLOPT_PROXY, proxy);
  if (!code)
    code =
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, req->compressed ? "gzip, deflate" : NULL);
  if (!code)
    code = set_method(priv, easy);
  set_buffers(priv, easy);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, priv->lines);
  return code;
}

static void reset(struct igt__http_private *priv) {
  priv->sent = false;
  priv->paused = 0;
  priv->full = false;
  priv->body_pos = 0;
  priv->up = priv->down = priv->marked = priv->notification = 0;
  priv->began_at = priv->mark_at = priv->crawl_at = igt__mono_us();
  priv->crawl_marked = 0;
  priv->crawls = false;
  priv->req->bytes_sent = 0;
  igt__error_clear(&priv->err);
  igt__response_reset(priv);
}

igt_status igt__attempt_begin(struct igt__http_private *priv, igt__slot *slot, igt_error *err) {
  CURLcode code;
  igt_status status;

  reset(priv);
  status = igt__url_origin_of(priv->url.data, &priv->origin, err);
  if (status)
    return status;
  igt__url_label(&priv->origin, priv->host, sizeof priv->host);
  if (priv->head.failed || !link_lines(priv))
    return igt__fail_memory(err);
  slot->why[0] = '\0';
  code = set_attempt(priv, slot->easy);
  if (code)
    return igt__fail(err, code == CURLE_OUT_OF_MEMORY ? IGT_E_NO_MEMORY : IGT_E_INVALID, "%s: %s",
                     priv->host, curl_easy_strerror(code));
  return IGT_OK;
}

/* ---- idle timeout ---- */

/* Below a low rate limit of our own, the slowness is ours. */
static bool is_crawling(struct igt__http_private *priv, uint64_t moved, int64_t now) {
  uint64_t limit = atomic_load(&priv->http->rate.limit);
  int64_t passed = now - priv->crawl_at;
  int64_t window = (int64_t)priv->http->idle_timeout_ms * 1000 * IGT__CRAWL_TIMEOUTS;

  if (passed < window)
    return false;
  priv->crawls = (limit == 0 || limit > (uint64_t)IGT__MIN_RATE * 64) &&
                 (moved - priv->crawl_marked) * 1000000 < (uint64_t)passed * IGT__MIN_RATE;
  priv->crawl_at = now;
  priv->crawl_marked = moved;
  return priv->crawls;
}

bool igt__attempt_is_idle(struct igt__http_private *priv, int64_t now) {
  uint64_t moved = sent(priv) + priv->down;
  int64_t passed = now - priv->mark_at;

  tell_sent(priv);
  /* Until the request is sent the connect timeout applies; pauses by the rate limit are ours. */
  if (!priv->sent || priv->paused) {
    priv->mark_at = priv->crawl_at = now;
    priv->crawl_marked = moved;
    return false;
  }
  if (is_crawling(priv, moved, now))
    return true;
  if (moved > priv->marked && (moved - priv->marked) * 1000000 >= (uint64_t)passed) {
    priv->marked = moved;
    priv->mark_at = now;
    return false;
  }
  return passed >= (int64_t)priv->http->idle_timeout_ms * 1000;
}
