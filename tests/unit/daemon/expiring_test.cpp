// What ends by itself is found where the configuration names it.

#include "bridge/expiring.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "app_fixture.h"
#include "base/encode.h"
#include "support/certificates.h"

namespace packhorse::daemon {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

class ExpiringTest : public AppTest {
 protected:
  std::vector<std::string> Found() {
    std::vector<std::string> found;
    for (const monitor::Expiring& each : bridge::FindExpiring(app_->config, *app_->destinations, clock_.Mono())) {
      EXPECT_GT(each.ends, WallTime(1'000'000s)) << each.what;
      found.push_back(each.owner + ": " + each.what);
    }
    return found;
  }
};

TEST_F(ExpiringTest, NothingIsFoundWithoutTls) { EXPECT_THAT(Found(), IsEmpty()); }

TEST_F(ExpiringTest, CertificatesAuthoritiesAndTokensAreFound) {
  const test::Certificates certificates;
  test::WriteAll(dir_ / "token", Base64Url(R"({"alg":"none"})") + "." + Base64Url(R"({"exp":1795000000})") + ".c2ln",
                 0600);
  std::string text = test::ReadAll(file_);
  const std::string url = R"("url":"http://127.0.0.1:1")";
  text.replace(text.find(url), url.size(),
               url + R"(,"auth":{"type":"bearer","token":{"file":")" + (dir_ / "token") + R"("}},"tls":{"ca":")" +
                   certificates.ca() + R"(","certificate":")" + certificates.client_certificate() + R"(","key":")" +
                   certificates.client_key() + R"("})");
  test::WriteAll(file_, text);
  chmod(certificates.client_key().c_str(), 0600);
  Stop();
  Start();
  EXPECT_THAT(Found(), ElementsAre("destination cloud: the client certificate " + certificates.client_certificate(),
                                   "destination cloud: the authorities of " + certificates.ca(),
                                   "destination cloud: the token 'token'"));
}

}  // namespace
}  // namespace packhorse::daemon
