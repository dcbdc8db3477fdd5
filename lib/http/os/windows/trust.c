/* SPDX-License-Identifier: MIT */
/* OpenSSL speaks TLS, and Windows judges the server's certificate, as it does for browsers: with
 * the roots of group policies, those that it downloads when first needed, and the company's own.
 *
 * attempt.c calls igt__trust_ask_system for each handle when neither --ca-file nor a variable names
 * certificates. OpenSSL then hands each server's chain to verify(), on the loop's thread. Windows
 * builds its own chain (CertGetCertificateChain) and applies its rules for servers
 * (CertVerifyCertificateChainPolicy). Both results count: the rules alone may pass a chain that its
 * status calls incomplete. */
#include <winsock2.h>

#include <wincrypt.h>

/* Names that Windows takes from OpenSSL. */
#undef X509_NAME
#undef X509_EXTENSIONS
#undef PKCS7_SIGNER_INFO
#undef OCSP_REQUEST
#undef OCSP_RESPONSE

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "http/internal.h"

#define HOST_MAX 256 /* RFC 1035: 255 bytes */

typedef struct verdict {
  DWORD chain, policy; /* 0: good */
} verdict;

static PCCERT_CONTEXT add(HCERTSTORE store, X509 *certificate) {
  PCCERT_CONTEXT added = NULL;
  unsigned char *der = NULL;
  int n = certificate ? i2d_X509(certificate, &der) : -1;

  if (n > 0)
    (void)CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, (DWORD)n,
                                           CERT_STORE_ADD_ALWAYS, &added);
  OPENSSL_free(der);
  return added;
}

/* What the server sent beside its own: may be needed to reach a root, is not trusted. */
static void add_others(HCERTSTORE store, STACK_OF(X509) * others) {
  for (int i = 0; i < sk_X509_num(others); i++) {
    PCCERT_CONTEXT added = add(store, sk_X509_value(others, i));

    if (added)
      CertFreeCertificateContext(added);
  }
}

static void judge_chain(PCCERT_CHAIN_CONTEXT chain, wchar_t *host, verdict *out) {
  SSL_EXTRA_CERT_CHAIN_POLICY_PARA server = {
      .cbSize = sizeof server, .dwAuthType = AUTHTYPE_SERVER, .pwszServerName = host};
  CERT_CHAIN_POLICY_PARA rules = {.cbSize = sizeof rules, .pvExtraPolicyPara = &server};
  CERT_CHAIN_POLICY_STATUS result = {.cbSize = sizeof result};

  out->chain = chain->TrustStatus.dwErrorStatus;
  if (CertVerifyCertificateChainPolicy(CERT_CHAIN_POLICY_SSL, chain, &rules, &result))
    out->policy = result.dwError;
}

static verdict judge(HCERTSTORE store, PCCERT_CONTEXT leaf, wchar_t *host) {
  char usage[] = szOID_PKIX_KP_SERVER_AUTH, *usages[] = {usage};
  CERT_CHAIN_PARA wanted = {.cbSize = sizeof wanted};
  PCCERT_CHAIN_CONTEXT chain = NULL;
  verdict out = {.chain = (DWORD)CERT_TRUST_IS_PARTIAL_CHAIN, .policy = (DWORD)TRUST_E_FAIL};

  wanted.RequestedUsage.dwType = USAGE_MATCH_TYPE_OR;
  wanted.RequestedUsage.Usage.cUsageIdentifier = 1;
  wanted.RequestedUsage.Usage.rgpszUsageIdentifier = usages;
  if (!CertGetCertificateChain(NULL, leaf, NULL, store, &wanted, 0, NULL, &chain))
    return out;
  judge_chain(chain, host, &out);
  CertFreeCertificateChain(chain);
  return out;
}

/* OpenSSL's name for it, which explain.c shows. */
static int error_of(verdict v) {
  if (v.policy == (DWORD)CERT_E_EXPIRED || (v.chain & CERT_TRUST_IS_NOT_TIME_VALID))
    return X509_V_ERR_CERT_HAS_EXPIRED;
  if (v.policy == (DWORD)CERT_E_CN_NO_MATCH)
    return X509_V_ERR_HOSTNAME_MISMATCH;
  if (v.policy == (DWORD)CERT_E_REVOKED || (v.chain & CERT_TRUST_IS_REVOKED))
    return X509_V_ERR_CERT_REVOKED;
  return v.policy || v.chain ? X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY : X509_V_OK;
}

static verdict judge_server(X509_STORE_CTX *context, wchar_t *host) {
  HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_MEMORY, 0, 0, 0, NULL);
  PCCERT_CONTEXT leaf = store ? add(store, X509_STORE_CTX_get0_cert(context)) : NULL;
  verdict v = {.chain = (DWORD)CERT_TRUST_IS_PARTIAL_CHAIN, .policy = (DWORD)TRUST_E_FAIL};

  if (leaf) {
    add_others(store, X509_STORE_CTX_get0_untrusted(context));
    v = judge(store, leaf, host);
    CertFreeCertificateContext(leaf);
  }
  if (store)
    CertCloseStore(store, 0);
  return v;
}

/* curl sends no name for an address: then Windows judges the chain alone, and curl compares the
 * address with the certificate (CURLOPT_SSL_VERIFYHOST). */
static int verify(X509_STORE_CTX *context, void *payload) {
  SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  wchar_t host[HOST_MAX];
  int error = X509_V_ERR_HOSTNAME_MISMATCH;

  (void)payload;
  if (!name || MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, name, -1, host, HOST_MAX) > 0)
    error = error_of(judge_server(context, name ? host : NULL));
  X509_STORE_CTX_set_error(context, error);
  return error == X509_V_OK;
}

static CURLcode on_context(CURL *easy, void *context, void *payload) {
  (void)easy;
  (void)payload;
  SSL_CTX_set_cert_verify_callback(context, verify, NULL);
  return CURLE_OK;
}

igt_status igt__trust_use_system(igt__trust *trust, igt_error *err) {
  (void)err;
  trust->by_system = true;
  return IGT_OK;
}

/* Proxies that are reached by https, too. */
CURLcode igt__trust_ask_system(CURL *easy) {
  return curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
}
