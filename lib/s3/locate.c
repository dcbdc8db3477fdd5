/* SPDX-License-Identifier: MIT */
/* Where a bucket is: builds an object's URL from the endpoint and region that came with the
 * credentials, the environment's AWS_* variables, or AWS's own naming scheme, and decides which
 * hosts a request may be redirected to. Names that come from a server are validated before they
 * become part of a host name, since signed requests are sent there. sign.c calls igt__s3_locate for
 * each attempt (the bucket's part of the URL is cached in the credentials); response.c calls the
 * rest for redirects and regions. */
#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "s3/internal.h"

#define DEFAULT_REGION "us-east-1"

/* A region becomes part of a host name: it must not be able to add anything else to it. */
bool igt__s3_region_valid(const char *region) {
  size_t n = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");

  return n > 0 && n < 64 && region[n] == '\0' && region[0] != '-' && region[n - 1] != '-';
}

/* The same for a bucket in a host name; other bucket names go into the path. */
static bool fits_host(const char *bucket) {
  size_t n = strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-");

  return n >= 3 && n <= 63 && bucket[n] == '\0' && bucket[0] != '-' && bucket[n - 1] != '-';
}

static bool bucket_valid(const char *bucket) {
  size_t n = strspn(bucket, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._");

  return n > 0 && bucket[n] == '\0' && strcmp(bucket, ".") != 0 && strcmp(bucket, "..") != 0;
}

bool igt__s3_learn_region(igt__s3 *s3, const char *bucket, const char *region,
                          const char *was_region) {
  igt__s3_bucket *known;

  if (!igt__s3_region_valid(region) || strcmp(region, was_region) == 0)
    return false;
  pthread_mutex_lock(&s3->lock);
  known = igt__map_get(s3->buckets, bucket);
  if (!known) {
    known = igt__calloc(1, sizeof *known);
    if (known && !igt__map_set(s3->buckets, bucket, known)) {
      igt__free(known);
      known = NULL;
    }
  }
  if (known)
    igt__str_copy(known->region, sizeof known->region, region); /* checked above: it fits */
  pthread_mutex_unlock(&s3->lock);
  return known != NULL;
}

static void find_region(igt__s3 *s3, const igt__s3_credentials *c, char region[64]) {
  const char *found = DEFAULT_REGION;
  igt__s3_bucket *known;

  if (igt__s3_region_valid(c->region))
    found = c->region;
  else if (igt__s3_region_valid(s3->env_region))
    found = s3->env_region;
  pthread_mutex_lock(&s3->lock);
  known = igt__map_get(s3->buckets, c->bucket);
  igt__str_copy(region, 64, known && known->region[0] ? known->region : found);
  pthread_mutex_unlock(&s3->lock);
}

static const char *aws_suffix(const char *region) {
  return igt__str_starts(region, "cn-") ? "amazonaws.com.cn" : "amazonaws.com";
}

/* Dots in a bucket name do not match the wildcard certificate of virtual-host addresses. */
static void put_aws(igt__buf *url, const char *bucket, const char *region) {
  const char *suffix = aws_suffix(region);

  if (fits_host(bucket))
    igt__buf_printf(url, "https://%s.s3.%s.%s/", bucket, region, suffix);
  else
    igt__buf_printf(url, "https://s3.%s.%s/%s/", region, suffix, bucket);
}

/* Other stores: path style for IP addresses, localhost, and bucket names that cannot be part of a
 * host name. */
static igt_status put_endpoint(igt__buf *url, const char *endpoint, const char *bucket,
                               igt_error *err) {
  igt__url parsed;
  char origin[300];
  igt_status status = igt__url_parse(endpoint, "the S3 endpoint", &parsed, err);

  if (status)
    return status;
  /* A path before the bucket (a gateway's "/s3") stays; it is signed with the rest. */
  size_t path_len = strlen(parsed.path);
  while (path_len > 0 && parsed.path[path_len - 1] == '/')
    path_len--;
  if (!parsed.is_ip && !parsed.is_loopback && fits_host(bucket) && path_len == 0 &&
      strlen(bucket) + 1 + strlen(parsed.host) < sizeof parsed.host) {
    memmove(parsed.host + strlen(bucket) + 1, parsed.host, strlen(parsed.host) + 1);
    memcpy(parsed.host, bucket, strlen(bucket));
    parsed.host[strlen(bucket)] = '.';
    igt__url_origin(&parsed, origin, sizeof origin);
    igt__buf_printf(url, "%s/", origin);
  } else {
    igt__url_origin(&parsed, origin, sizeof origin);
    igt__buf_printf(url, "%s%.*s/%s/", origin, (int)path_len, parsed.path, bucket);
  }
  return IGT_OK;
}

/* True for an endpoint that is AWS itself under one of its regional names: then the URL is built
 * from the learned region instead of the given name. */
static bool is_aws_endpoint(const char *endpoint) {
  igt__url url;

  return !igt__url_parse(endpoint, "the S3 endpoint", &url, NULL) &&
         (strcmp(url.host, "s3.amazonaws.com") == 0 ||
          (igt__str_starts(url.host, "s3.") && (igt__str_ends(url.host, ".amazonaws.com") ||
                                                igt__str_ends(url.host, ".amazonaws.com.cn"))));
}

static igt_status put_place(const igt__s3 *s3, igt__s3_credentials *c, igt__buf *url,
                            const char *region, igt_error *err) {
  const char *endpoint = c->endpoint[0] ? c->endpoint : s3->env_endpoint;
  igt_status status = IGT_OK;

  if (!bucket_valid(c->bucket))
    return igt__fail(err, IGT_E_PROTOCOL, "the S3 credentials name no usable bucket");
  if (!*endpoint || is_aws_endpoint(endpoint))
    put_aws(url, c->bucket, region);
  else
    status = put_endpoint(url, endpoint, c->bucket, err);
  if (!status)
    igt__s3_place_keep(c, region, url);
  return status;
}

igt_status igt__s3_locate(igt__s3 *s3, igt__s3_credentials *c, const char *key, igt__buf *url,
                          char region[64], igt_error *err) {
  igt_status status = IGT_OK;

  find_region(s3, c, region);
  if (!igt__s3_place_recall(c, region, url))
    status = put_place(s3, c, url, region, err);
  if (!status && !igt__uri_encode(url, key, strlen(key), true))
    status = url->too_long ? igt__fail(err, IGT_E_LIMIT, "the object's key is too long for S3")
                           : igt__fail_memory(err);
  return status;
}

bool igt__s3_region_of_endpoint(const char *endpoint, char region[64]) {
  const char *p = strstr(endpoint, ".s3");
  size_t n;

  if (igt__str_starts(endpoint, "s3"))
    p = endpoint + 2;
  else if (p)
    p += 3;
  if (!p || (*p != '.' && *p != '-')) /* s3.REGION and the legacy form s3-REGION */
    return false;
  p++;
  n = strcspn(p, ".");
  if (n == 0 || n >= 64 || !igt__str_starts(p + n, ".amazonaws.com"))
    return false;
  memcpy(region, p, n);
  region[n] = '\0';
  return igt__s3_region_valid(region);
}

bool igt__s3_redirect_allowed(const char *location, const char *bucket, char *origin, size_t cap) {
  char start[300];
  size_t scheme = 8, n;
  igt__url url;

  if (!igt__str_starts_nocase(location, "https://"))
    return false;
  n = scheme + strcspn(location + scheme, "/?#");
  if (n >= sizeof start)
    return false;
  memcpy(start, location, n);
  start[n] = '\0';
  if (igt__url_parse(start, "the redirect", &url, NULL) || url.port != 443)
    return false;
  n = strlen(bucket);
  if (!(igt__str_ends(url.host, ".amazonaws.com") || igt__str_ends(url.host, ".amazonaws.com.cn")))
    return false;
  if (strncmp(url.host, bucket, n) != 0 || !igt__str_starts(url.host + n, ".s3"))
    return false;
  igt__url_origin(&url, origin, cap);
  return true;
}
