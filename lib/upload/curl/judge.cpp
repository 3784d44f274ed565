#include "upload/curl/judge.h"

#include <curl/curl.h>

namespace packhorse::upload {
namespace {

// With TLS 1.3 a server refuses our certificate after the handshake has ended for us: an alert (RFC 8446 section 6.2)
// then arrives where the response is expected, and the server has read nothing of the request.
bool IsCertificateAlert(std::string_view error_text) {
  const auto has = [&](std::string_view part) { return error_text.find(part) != std::string_view::npos; };
  return has("alert") && (has("certificate") || has("unknown ca") || has("access denied"));
}

// The connection ended or spoke nonsense, after it had been made.
Transport JudgeLost(int code, const Progress& progress, std::string_view error_text) {
  if (progress.status == 0 && IsCertificateAlert(error_text)) {
    return Transport::kTls;
  }
  if (!progress.sent_all()) {
    return Transport::kSendFailed;
  }
  if (progress.status != 0) {
    return Transport::kProtocol;
  }
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:  // how libcurl calls a reply without a status line ("HTTP/0.9")
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_WRITE_ERROR:
    case CURLE_BAD_CONTENT_ENCODING:
      return Transport::kProtocol;
    default:
      return Transport::kReset;
  }
}

}  // namespace

Transport Judge(int code, const Progress& progress, std::string_view error_text) {
  if (code != CURLE_OK && progress.proxy_failed) {
    return Transport::kProxy;
  }
  switch (code) {
    case CURLE_OK:
      return Transport::kOk;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Transport::kResolve;
    case CURLE_COULDNT_CONNECT:
      return Transport::kConnect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_CIPHER:
    case CURLE_USE_SSL_FAILED:
      return Transport::kTls;
    case CURLE_FAILED_INIT:
    case CURLE_URL_MALFORMAT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
      // Out of memory is possible at any time; what has been sent then counts.
      return progress.sent_any() ? JudgeLost(code, progress, error_text) : Transport::kLocal;
    case CURLE_INTERFACE_FAILED:  // not there, or has no address: a modem that is not dialled in
      return progress.sent_any() ? JudgeLost(code, progress, error_text) : Transport::kConnect;
    case CURLE_OPERATION_TIMEDOUT:
      return progress.sent_any() ? Transport::kTimeout : Transport::kConnect;
    case CURLE_UNSUPPORTED_PROTOCOL:
      return progress.sent_any() ? JudgeLost(code, progress, error_text) : Transport::kLocal;
    default:
      return JudgeLost(code, progress, error_text);
  }
}

}  // namespace packhorse::upload
