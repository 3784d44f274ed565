#include "upload/curl/judge.h"

#include <curl/curl.h>
#include <gtest/gtest.h>

#include <string>

#include "upload/uploader.h"

namespace packhorse::upload {
namespace {

Progress Nothing() { return {.body_size = 10}; }
Progress ProxyFailed() { return {.body_size = 10, .proxy_failed = true}; }
Progress Part() { return {.head_sent = 100, .body_sent = 4, .body_size = 10}; }
Progress All() { return {.head_sent = 100, .body_sent = 10, .body_size = 10}; }
Progress Replying() {
  return {.head_sent = 100, .body_sent = 10, .body_size = 10, .status = 200, .headers_done = true};
}

struct Case {
  const char* name;
  int code;
  Progress progress;
  Transport expected;
  const char* text = "";
};

class JudgeTable : public ::testing::TestWithParam<Case> {};

TEST_P(JudgeTable, NamesTheFailure) {
  const Case& c = GetParam();
  EXPECT_EQ(Name(Judge(c.code, c.progress, c.text)), Name(c.expected));
}

INSTANTIATE_TEST_SUITE_P(
    All, JudgeTable,
    ::testing::Values(Case{"Ok", CURLE_OK, Replying(), Transport::kOk},
                      Case{"Dns", CURLE_COULDNT_RESOLVE_HOST, Nothing(), Transport::kResolve},
                      Case{"Refused", CURLE_COULDNT_CONNECT, Nothing(), Transport::kConnect},
                      Case{"TimeoutBeforeSending", CURLE_OPERATION_TIMEDOUT, Nothing(), Transport::kConnect},
                      Case{"TimeoutWhileSending", CURLE_OPERATION_TIMEDOUT, Part(), Transport::kTimeout},
                      Case{"TimeoutAfterSending", CURLE_OPERATION_TIMEDOUT, All(), Transport::kTimeout},
                      Case{"Handshake", CURLE_SSL_CONNECT_ERROR, Nothing(), Transport::kTls},
                      Case{"Pin", CURLE_SSL_PINNEDPUBKEYNOTMATCH, Nothing(), Transport::kTls},
                      Case{"LateCertificateAlert", CURLE_RECV_ERROR, All(), Transport::kTls,
                           "OpenSSL SSL_read: error:0A00045C:SSL routines::tlsv13 alert certificate required, errno 0"},
                      Case{"LateUnknownCaAlert", CURLE_RECV_ERROR, All(), Transport::kTls, "tlsv1 alert unknown ca"},
                      Case{"OtherAlertStaysUnknown", CURLE_RECV_ERROR, All(), Transport::kReset,
                           "sslv3 alert bad record mac"},
                      Case{"AlertDuringTheReplyStaysUnknown", CURLE_RECV_ERROR, Replying(), Transport::kProtocol,
                           "alert certificate revoked"},
                      Case{"SendErrorWhileSending", CURLE_SEND_ERROR, Part(), Transport::kSendFailed},
                      Case{"SendErrorBeforeTheHead", CURLE_SEND_ERROR, Nothing(), Transport::kSendFailed},
                      Case{"ResetAfterSending", CURLE_RECV_ERROR, All(), Transport::kReset},
                      Case{"EmptyReply", CURLE_GOT_NOTHING, All(), Transport::kReset},
                      Case{"RefusedToSendAgain", CURLE_SEND_FAIL_REWIND, All(), Transport::kReset},
                      Case{"ResetDuringTheReply", CURLE_RECV_ERROR, Replying(), Transport::kProtocol},
                      Case{"CutReply", CURLE_PARTIAL_FILE, Replying(), Transport::kProtocol},
                      Case{"NotHttp", CURLE_UNSUPPORTED_PROTOCOL, All(), Transport::kProtocol},
                      Case{"StreamReset", CURLE_HTTP2_STREAM, All(), Transport::kReset},
                      Case{"NoInterface", CURLE_INTERFACE_FAILED, Nothing(), Transport::kConnect},
                      Case{"ProxyRefuses", CURLE_RECV_ERROR, ProxyFailed(), Transport::kProxy},
                      Case{"ProxySilent", CURLE_OPERATION_TIMEDOUT, ProxyFailed(), Transport::kProxy},
                      Case{"UnknownScheme", CURLE_UNSUPPORTED_PROTOCOL, Nothing(), Transport::kLocal},
                      Case{"BadCaFile", CURLE_SSL_CACERT_BADFILE, Nothing(), Transport::kLocal},
                      Case{"BadClientCertificate", CURLE_SSL_CERTPROBLEM, Nothing(), Transport::kLocal},
                      Case{"NoMemoryAtTheStart", CURLE_OUT_OF_MEMORY, Nothing(), Transport::kLocal},
                      Case{"NoMemoryAfterSending", CURLE_OUT_OF_MEMORY, All(), Transport::kReset}),
    [](const auto& entry) { return std::string(entry.param.name); });

// The rule behind the table: once the whole request is out, no failure may be taken for "did not happen", except for a
// certificate that the other side refuses.
TEST(Judge, NoCodeAfterSendingClaimsThatNothingHappened) {
  for (int code = 1; code < CURL_LAST; ++code) {
    for (const Progress& progress : {All(), Replying()}) {
      const Transport transport = Judge(code, progress, "");
      const bool before_sending = code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
                                  code == CURLE_COULDNT_CONNECT || transport == Transport::kTls;
      EXPECT_TRUE(OutcomeUnknown(transport) || before_sending) << code << " " << Name(transport);
    }
  }
}

TEST(Judge, NoCodeBeforeSendingIsUnknown) {
  for (int code = 1; code < CURL_LAST; ++code) {
    EXPECT_FALSE(OutcomeUnknown(Judge(code, Nothing(), ""))) << code;
  }
}

TEST(Transport, NamesAreStable) {
  const std::pair<Transport, std::string_view> names[] = {
      {Transport::kOk, "ok"},       {Transport::kResolve, "resolve"},        {Transport::kConnect, "connect"},
      {Transport::kTls, "tls"},     {Transport::kSendFailed, "send_failed"}, {Transport::kTimeout, "timeout"},
      {Transport::kReset, "reset"}, {Transport::kProtocol, "protocol"},      {Transport::kLocal, "local"}};
  for (const auto& [transport, name] : names) {
    EXPECT_EQ(Name(transport), name);
  }
}

}  // namespace
}  // namespace packhorse::upload
