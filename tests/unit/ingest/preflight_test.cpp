#include "ingest/paho/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>
#include <cstddef>
#include <string>

#include "ingest/paho/connection.h"
#include "support/mosquitto.h"

namespace packhorse::ingest {
namespace {

using testing::HasSubstr;

// Keeps this thread, and the processes it starts, on one processor. A peer that is woken up by what we send then
// answers before we go on, as on a busy machine.
class OnOneProcessor {
 public:
  OnOneProcessor() {
    EXPECT_EQ(sched_getaffinity(0, sizeof before_, &before_), 0);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    EXPECT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  }
  ~OnOneProcessor() { sched_setaffinity(0, sizeof before_, &before_); }
  OnOneProcessor(const OnOneProcessor&) = delete;
  OnOneProcessor& operator=(const OnOneProcessor&) = delete;

 private:
  cpu_set_t before_{};
};

// The broker is through with us when we have sent our part of the handshake: our CONNECT can come before or after the
// end of the connection.
TEST(Preflight, MissingClientCertificateIsNamedHoweverSoonTheBrokerEndsTheConnection) {
  ASSERT_TRUE(Connection::Prepare());
  const OnOneProcessor quick_peer;
  test::MosquittoOptions options;
  options.tls = true;
  options.require_client_certificate = true;
  const test::Mosquitto broker(options);
  const Result<Endpoint> endpoint = ParseEndpoint(broker.tls_url());
  ASSERT_TRUE(endpoint);
  for (int i = 0; i < 20; ++i) {
    const Result<Found> found =
        Preflight(*endpoint, {"127.0.0.1"}, {broker.certificates().ca(), "", "", {}}, std::chrono::seconds(20));
    ASSERT_FALSE(found) << "attempt " << i << " says only that the connection ended";
    EXPECT_THAT(found.error().message, HasSubstr("certificate required"));
  }
}

}  // namespace
}  // namespace packhorse::ingest
