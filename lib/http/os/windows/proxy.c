/* SPDX-License-Identifier: MIT */
/* The proxy of the user's settings, as browsers use it: a fixed one with its exceptions, or what a
 * script (PAC), named in the settings or found in the network (WPAD), says of a URL.
 *
 * Finding and running a script may take seconds, and loops must not wait: the first request to an
 * origin starts a thread that looks it up (igt__proxy_is_known), and is retried until the result is
 * known. A result is used for ten minutes, and longer while it is refreshed, as laptops change
 * their network. */
#include <winsock2.h>

#include <windows.h>
#include <winhttp.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "http/internal.h"

#define KEPT 16
#define PROXY_SIZE 320
#define ORIGIN_SIZE 300
#define STEP_MS 5000         /* for each of resolving, connecting, sending and receiving */
#define PATIENCE_US 15000000 /* then without a proxy, until there is a response */
#define FRESH_US 600000000

typedef struct known {
  char origin[ORIGIN_SIZE], proxy[PROXY_SIZE];
  int64_t asked_at;
  bool is_asked, has_answer;
} known;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static known kept[KEPT];
static unsigned kept_count;

static bool narrow(const wchar_t *wide, char *out, size_t cap) {
  return wide && WideCharToMultiByte(CP_UTF8, 0, wide, -1, out, (int)cap, NULL, NULL) > 0;
}

static void release(wchar_t *text) {
  if (text)
    GlobalFree(text);
}

/* "host:port", or "http=host:port;https=host:port", separated by ';' or blanks. */
static void pick(const char *list, const char *scheme, char *out, size_t cap) {
  size_t n = strlen(scheme);

  *out = '\0';
  for (const char *p = list; *p; p += strspn(p, "; ")) {
    size_t length = strcspn(p, "; ");
    bool is_for_all = !memchr(p, '=', length);

    if (is_for_all || (strncmp(p, scheme, n) == 0 && p[n] == '=')) {
      const char *value = is_for_all ? p : p + n + 1;

      (void)snprintf(out, cap, "%.*s", (int)(length - (size_t)(value - p)), value);
      return;
    }
    p += length;
  }
}

/* "*.hospital.example;10.*;<local>": <local> is every name without a dot. */
static bool is_exempt(const char *list, const char *host) {
  for (const char *p = list; *p; p += strspn(p, "; ")) {
    size_t n = strcspn(p, "; ");
    char pattern[ORIGIN_SIZE];

    (void)snprintf(pattern, sizeof pattern, "%.*s", (int)n, p);
    if (strcmp(pattern, "<local>") == 0 ? !strchr(host, '.') : igt__glob_match(pattern, host))
      return true;
    p += n;
  }
  return false;
}

static bool ask_script(const wchar_t *url, const WINHTTP_CURRENT_USER_IE_PROXY_CONFIG *settings,
                       WINHTTP_PROXY_INFO *out) {
  WINHTTP_AUTOPROXY_OPTIONS options = {.fAutoLogonIfChallenged = TRUE};
  HINTERNET session = WinHttpOpen(L"igtcloud", WINHTTP_ACCESS_TYPE_NO_PROXY, WINHTTP_NO_PROXY_NAME,
                                  WINHTTP_NO_PROXY_BYPASS, 0);
  bool found;

  if (!session)
    return false;
  (void)WinHttpSetTimeouts(session, STEP_MS, STEP_MS, STEP_MS, STEP_MS);
  if (settings->fAutoDetect) {
    options.dwFlags = WINHTTP_AUTOPROXY_AUTO_DETECT;
    options.dwAutoDetectFlags = WINHTTP_AUTO_DETECT_TYPE_DHCP | WINHTTP_AUTO_DETECT_TYPE_DNS_A;
  }
  if (settings->lpszAutoConfigUrl) {
    options.dwFlags |= WINHTTP_AUTOPROXY_CONFIG_URL;
    options.lpszAutoConfigUrl = settings->lpszAutoConfigUrl;
  }
  found = WinHttpGetProxyForUrl(session, url, &options, out);
  WinHttpCloseHandle(session);
  return found;
}

static void look(const char *url, const igt__url *parsed, char *out, size_t cap) {
  WINHTTP_CURRENT_USER_IE_PROXY_CONFIG settings = {.fAutoDetect = FALSE};
  WINHTTP_PROXY_INFO by_script = {.dwAccessType = WINHTTP_ACCESS_TYPE_NO_PROXY};
  char list[2048] = "", exempt[2048] = "";
  wchar_t wide[4096];

  if (!WinHttpGetIEProxyConfigForCurrentUser(&settings))
    return;
  if ((settings.fAutoDetect || settings.lpszAutoConfigUrl) &&
      MultiByteToWideChar(CP_UTF8, 0, url, -1, wide, 4096) > 0 &&
      ask_script(wide, &settings, &by_script))
    (void)narrow(by_script.lpszProxy, list, sizeof list);
  else if (narrow(settings.lpszProxy, list, sizeof list))
    (void)narrow(settings.lpszProxyBypass, exempt, sizeof exempt);
  if (!is_exempt(exempt, parsed->host))
    pick(list, parsed->scheme, out, cap);
  release(by_script.lpszProxy);
  release(by_script.lpszProxyBypass);
  release(settings.lpszProxy);
  release(settings.lpszProxyBypass);
  release(settings.lpszAutoConfigUrl);
}

/* ---- what is known ---- */

/* False: every request to it goes without a proxy; loopback is this machine, whatever the settings
 * say. */
static bool origin_of(const char *url, igt__url *parsed, char out[ORIGIN_SIZE]) {
  if (igt__url_origin_of(url, parsed, NULL) != IGT_OK || parsed->is_loopback)
    return false;
  return snprintf(out, ORIGIN_SIZE, "%s://%s/", parsed->scheme, parsed->host) < ORIGIN_SIZE;
}

static known *find_locked(const char *origin) {
  for (unsigned i = 0; i < KEPT && i < kept_count; i++)
    if (strcmp(kept[i].origin, origin) == 0)
      return &kept[i];
  return NULL;
}

/* In place of the oldest. */
static known *add_locked(const char *origin) {
  known *k = &kept[kept_count++ % KEPT];

  *k = (known){.proxy = ""};
  (void)snprintf(k->origin, sizeof k->origin, "%s", origin);
  return k;
}

static void *ask(void *arg) {
  char *origin = arg, proxy[PROXY_SIZE] = "";
  igt__url parsed;
  known *k;

  if (igt__url_origin_of(origin, &parsed, NULL) == IGT_OK)
    look(origin, &parsed, proxy, sizeof proxy);
  pthread_mutex_lock(&lock);
  if ((k = find_locked(origin)) != NULL) {
    (void)snprintf(k->proxy, sizeof k->proxy, "%s", proxy);
    k->is_asked = false;
    k->has_answer = true;
  }
  pthread_mutex_unlock(&lock);
  igt__free(origin);
  return NULL;
}

static void ask_locked(known *k) {
  char *origin = igt__strdup(k->origin);

  k->asked_at = igt__mono_us();
  k->is_asked = origin && igt__thread_start(NULL, "igt-proxy", 0, ask, origin) == 0;
  if (!k->is_asked) {
    igt__free(origin);
    k->has_answer = true;
  }
}

bool igt__proxy_is_known(const char *url) {
  char origin[ORIGIN_SIZE];
  igt__url parsed;
  bool is_known;
  int64_t age;
  known *k;

  if (!origin_of(url, &parsed, origin))
    return true;
  pthread_mutex_lock(&lock);
  if (!(k = find_locked(origin)))
    ask_locked(k = add_locked(origin));
  age = igt__mono_us() - k->asked_at;
  if (!k->is_asked && age > FRESH_US)
    ask_locked(k);
  is_known = k->has_answer || age > PATIENCE_US;
  pthread_mutex_unlock(&lock);
  return is_known;
}

void igt__proxy_ask_system(const char *url, char *out, size_t cap) {
  char origin[ORIGIN_SIZE];
  igt__url parsed;
  const known *k;

  *out = '\0';
  if (!origin_of(url, &parsed, origin))
    return;
  pthread_mutex_lock(&lock);
  if ((k = find_locked(origin)) != NULL)
    (void)snprintf(out, cap, "%s", k->proxy);
  pthread_mutex_unlock(&lock);
}

/* NTLM and Negotiate take the Windows login where no user is named: curl's ":". All but Basic need
 * a first attempt that the proxy refuses: a CONNECT. Without a tunnel that would be the request
 * itself, and attempt.c lets curl send none twice that may have had its effect. */
CURLcode igt__proxy_use_login(CURL *easy, const char *proxy, bool tunnel) {
  bool is_ours = tunnel && !strchr(proxy, '@') && strncmp(proxy, "socks", 5) != 0;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXYUSERPWD, is_ours ? ":" : NULL);
  const long methods = is_ours  ? (long)(CURLAUTH_NEGOTIATE | CURLAUTH_NTLM)
                       : tunnel ? (long)CURLAUTH_ANY
                                : (long)CURLAUTH_BASIC;

  return code ? code : curl_easy_setopt(easy, CURLOPT_PROXYAUTH, methods);
}
