/* SPDX-License-Identifier: MIT */
/* The proxy of the user's settings, as browsers use it: a fixed one with its exceptions, or what a
 * script (PAC), named in the settings or found in the network (WPAD), says of a URL. Scripts are
 * asked once for each host, since finding one may take seconds. */
#include <winsock2.h>

#include <windows.h>
#include <winhttp.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "http/internal.h"

#define KEPT 16
#define PROXY_SIZE 320
#define ORIGIN_SIZE 300

typedef struct known {
  char origin[ORIGIN_SIZE], proxy[PROXY_SIZE];
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

static bool recall_locked(const char *origin, char *out, size_t cap) {
  for (unsigned i = 0; i < KEPT && i < kept_count; i++)
    if (strcmp(kept[i].origin, origin) == 0) {
      (void)snprintf(out, cap, "%s", kept[i].proxy);
      return true;
    }
  return false;
}

/* Loopback is this machine, whatever the settings say. */
void igt__proxy_ask_system(const char *url, char *out, size_t cap) {
  char origin[ORIGIN_SIZE];
  igt__url parsed;
  known *place;

  *out = '\0';
  if (igt__url_origin_of(url, &parsed, NULL) != IGT_OK || parsed.is_loopback)
    return;
  (void)snprintf(origin, sizeof origin, "%s://%s", parsed.scheme, parsed.host);
  pthread_mutex_lock(&lock);
  if (!recall_locked(origin, out, cap)) {
    (void)snprintf(origin + strlen(origin), sizeof origin - strlen(origin), "/");
    look(origin, &parsed, out, cap);
    origin[strlen(origin) - 1] = '\0';
    place = &kept[kept_count++ % KEPT];
    (void)snprintf(place->origin, sizeof place->origin, "%s", origin);
    (void)snprintf(place->proxy, sizeof place->proxy, "%s", out);
  }
  pthread_mutex_unlock(&lock);
}

/* NTLM and Negotiate take the Windows login where no user is named: curl's ":". */
CURLcode igt__proxy_use_login(CURL *easy, const char *proxy) {
  bool is_ours = *proxy && !strchr(proxy, '@') && strncmp(proxy, "socks", 5) != 0;
  CURLcode code = curl_easy_setopt(easy, CURLOPT_PROXYUSERPWD, is_ours ? ":" : NULL);
  const long methods = is_ours ? (long)(CURLAUTH_NEGOTIATE | CURLAUTH_NTLM) : (long)CURLAUTH_ANY;

  return code ? code : curl_easy_setopt(easy, CURLOPT_PROXYAUTH, methods);
}
