/* SPDX-License-Identifier: MIT */
#include "auth/audience.h"

#include <string.h>

#include "base/str.h"
#include "http/http.h"

/* Clouds of this operator delegate sign-in to the identity service of its platform, which has a
 * domain of its own. */
static const struct {
  const char *cloud, *identity;
} operators[] = {
    {".phsdp.com", ".philips-healthsuite.com"},
};

static bool is_at_or_below(const char *host, const char *domain) {
  size_t n = strlen(host), m = strlen(domain);

  return n >= m && strcmp(host + n - m, domain) == 0 && (n == m || host[n - m - 1] == '.');
}

static bool is_operators(const igt__url *audience, const igt__url *cloud) {
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
    if (igt__str_ends(cloud->host, operators[i].cloud) &&
        igt__str_ends(audience->host, operators[i].identity))
      return true;
  return false;
}

static bool is_of_cloud(const char *audience, const char *origin) {
  igt__url at, cloud;

  if (!strstr(audience, "://") || igt__url_parse(audience, "the audience", &at, NULL) != IGT_OK ||
      igt__url_parse(origin, "the domain", &cloud, NULL) != IGT_OK)
    return false;
  if (cloud.is_loopback) /* the sandbox: all names of this machine are equivalent */
    return at.is_loopback;
  if (at.is_ip || cloud.is_ip) /* an IP address has no subdomains */
    return strcmp(at.host, cloud.host) == 0;
  return is_at_or_below(at.host, cloud.host) || is_operators(&at, &cloud);
}

igt_status igt__audience_check(const char *audience, const char *origin, const char *configured,
                               igt_error *err) {
  if (configured && *configured ? strcmp(audience, configured) == 0 : is_of_cloud(audience, origin))
    return IGT_OK;
  if (configured && *configured)
    return igt__fail(err, IGT_E_KEY,
                     "%s asks for a sign-in at '%.200s', not at '%.200s' as --audience says; "
                     "nothing was signed with the key",
                     origin, audience, configured);
  return igt__fail(err, IGT_E_KEY,
                   "%s asks for a sign-in at '%.200s', which is not part of that domain; nothing "
                   "was signed with the key. If your administrator confirms the address, pass it "
                   "with --audience",
                   origin, audience);
}
