// A broker whose host has several addresses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <string>

#include "bridge.h"
#include "ingest/paho/address.h"
#include "ingest/paho/connection.h"
#include "ingest/paho/preflight.h"
#include "support/mosquitto.h"

namespace packhorse::ingest {
namespace {

using namespace std::chrono_literals;
using test::Bridge;
using test::Mosquitto;
using test::MosquittoOptions;
using test::SourceOptionsFor;
using testing::HasSubstr;

MosquittoOptions AtIpv6() {
  MosquittoOptions options;
  options.ipv6 = true;
  options.tls = true;
  return options;
}

// Nothing listens at the first of them.
TEST(Addresses, TheFirstThatWorksIsTaken) {
  ASSERT_TRUE(Connection::Prepare());
  const Mosquitto broker(AtIpv6());
  const std::vector<std::string> addresses = {"127.0.0.1", "::1"};
  const Result<Found> plain =
      Preflight(*ParseEndpoint("mqtt://broker.invalid:" + std::to_string(broker.port())), addresses, {}, 5s);
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_EQ(plain->address, "::1");
  EXPECT_EQ(plain->dialect, Dialect::kMqtt5);
  const Result<Found> secure =
      Preflight(*ParseEndpoint(broker.tls_url()), addresses, {broker.certificates().ca(), "", "", {}}, 5s);
  ASSERT_TRUE(secure) << secure.error().message;
  EXPECT_EQ(secure->address, "::1");
}

TEST(Addresses, OneThatNeverAnswersLeavesTheOthersTheirShareOfTheTime) {
  ASSERT_TRUE(Connection::Prepare());
  MosquittoOptions options;
  Mosquitto silent(options);
  silent.Pause();
  const Result<Found> found = Preflight(*ParseEndpoint(silent.url()), {"127.0.0.1", "127.0.0.1"}, {}, 1s);
  silent.Resume();
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message, HasSubstr("does not answer; nor does it work with the other addresses"));
}

// The library by itself would take 127.0.0.1, at which nothing listens.
TEST(Addresses, TheLibraryConnectsToTheAddressThatItIsTold) {
  ASSERT_TRUE(Connection::Prepare());
  const Mosquitto broker(AtIpv6());
  ConnectTo("localhost", "::1");
  const SourceOptions options = SourceOptionsFor({broker.tls_url()});
  const Result<std::unique_ptr<Connection>> connection = Connection::Make(
      *ParseEndpoint("mqtt://localhost:" + std::to_string(broker.port())), "packhorse-test", Protocol::kMqtt5,
      std::make_shared<InboundQos2>(),
      {[](const Arrival&) {}, [](const std::string&, bool) {}, [] { return false; }, [] { return false; }});
  ASSERT_TRUE(connection);
  const Connected connected = (*connection)->Connect(options, {"", 10s, false});
  EXPECT_EQ(connected.refusal.text, "");
  ConnectTo("localhost", "127.0.0.1");
}

TEST(Addresses, TlsToAnIpv6AddressIsCheckedAgainstTheCertificate) {
  const Mosquitto broker(AtIpv6());
  SourceOptions options = SourceOptionsFor({broker.tls_url("[::1]")});
  options.ca = broker.certificates().ca();
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitConnected()) << bridge.status().reason;
  options.ca = broker.certificates().other_ca();
  Bridge distrusting(options);
  EXPECT_TRUE(distrusting.WaitDown("is not accepted"));
}

// Whoever else looks names up in this process gets what the system says.
TEST(Addresses, OnlyTheLookupOfTheLibraryIsAnswered) {
  ConnectTo("chosen.invalid", "192.0.2.1");
  addrinfo* found = nullptr;
  ASSERT_EQ(getaddrinfo("chosen.invalid", nullptr, nullptr, &found), 0);
  freeaddrinfo(found);
  EXPECT_NE(getaddrinfo("chosen.invalid", "1883", nullptr, &found), 0);
}

}  // namespace
}  // namespace packhorse::ingest
