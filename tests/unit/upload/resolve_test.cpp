// What becomes of the answers of the name service.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <vector>

#include "base/file.h"
#include "harness.h"
#include "names.h"
#include "support/scripted_server.h"

namespace packhorse::upload {
namespace {

using std::chrono::milliseconds;
using test::ScriptedServer;

// An address of IPv6 at which connections are never made: the kernel drops what comes, because too many wait.
class DeadSix {
 public:
  explicit DeadSix(int port) {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_addr = in6addr_loopback;
    address.sin6_port = htons(static_cast<std::uint16_t>(port));
    const auto* const at = reinterpret_cast<const sockaddr*>(&address);
    Fd listener(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (bind(listener.get(), at, sizeof address) != 0 || listen(listener.get(), 0) != 0) {
      return;  // a machine without IPv6: refused at once, which is dead too
    }
    sockets_.push_back(std::move(listener));
    for (int i = 0; i < 4; ++i) {
      sockets_.emplace_back(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      [[maybe_unused]] const int begun = connect(sockets_.back().get(), at, sizeof address);
    }
  }

 private:
  std::vector<Fd> sockets_;
};

TEST(Addresses, ADeadOneOfIPv6DoesNotHoldUpAGoodOneOfIPv4) {
  const ScriptedServer server(ScriptedServer::Always(ScriptedServer::Reply("200 OK", "{}")));
  const DeadSix dead(server.port());
  const auto uploader = NewUploader();
  const Response response = Exchange(*uploader, At("http://both.test:" + std::to_string(server.port())), Post("/"));
  EXPECT_EQ(response.status, 200) << response.error;
  EXPECT_LT(response.elapsed, milliseconds(2'500)) << "half of connect_timeout, which one address alone would take";
}

TEST(Addresses, AChangedAnswerIsFollowedWithinAMinute) {
  const auto reply = [](const char* status) {
    return ScriptedServer::Always(ScriptedServer::Reply(status, "{}", "Connection: close\r\n"));
  };
  const ScriptedServer old(reply("200 OK"), "127.0.0.1");
  const ScriptedServer moved(reply("202 Accepted"), "127.0.0.2", old.port());
  SetCloudAddress("127.0.0.1");
  const Endpoint endpoint = At("http://cloud.test:" + std::to_string(old.port()));
  const auto uploader = NewUploader();
  const int before = CloudLookups();
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/")).status, 200);
  SetCloudAddress("127.0.0.2");
  SetTimeAhead(55);
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/")).status, 200);
  EXPECT_EQ(CloudLookups(), before + 1);
  SetTimeAhead(62);
  EXPECT_EQ(Exchange(*uploader, endpoint, Post("/")).status, 202);
  EXPECT_EQ(CloudLookups(), before + 2);
  SetTimeAhead(0);
}

}  // namespace
}  // namespace packhorse::upload
