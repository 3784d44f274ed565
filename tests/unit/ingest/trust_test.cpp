#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "bridge.h"
#include "support/certificates.h"
#include "support/mosquitto.h"
#include "support/mqtt_client.h"

// Whom a source trusts (pinned keys), and with what it is trusted (passwords while they rotate).

namespace packhorse::ingest {
namespace {

using test::Bridge;
using test::Mosquitto;
using test::MosquittoOptions;
using test::SourceOptionsFor;
using testing::HasSubstr;
using testing::Not;

using Password = std::function<Result<std::string>()>;

Password Always(const std::string& text) {
  return [text] { return Result<std::string>(text); };
}
Password Missing() {
  return [] { return Result<std::string>(Error{ErrorCode::kNotFound, "no such file"}); };
}

std::size_t CountOf(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

class Pins : public testing::Test {
 protected:
  static MosquittoOptions BrokerOptions() {
    MosquittoOptions options;
    options.tls = true;
    options.users = {{"bridge", "right"}};
    return options;
  }

  SourceOptions Options(const std::vector<std::string>& pins) const {
    SourceOptions options = SourceOptionsFor({broker_.tls_url()});
    options.ca = broker_.certificates().ca();
    options.username = "bridge";
    options.password = Always("right");
    options.pins = pins;
    return options;
  }

  Mosquitto broker_{BrokerOptions()};
  const std::string wrong_ = "sha256//" + std::string(43, 'A') + "=";
};

TEST_F(Pins, RightKeyConnects) {
  Bridge bridge(Options({broker_.certificates().server_pin()}));
  ASSERT_TRUE(bridge.WaitConnected());
  const test::MqttMessage message{"a/x", "1"};
  ASSERT_TRUE(test::MqttClient({.port = broker_.port(), .username = "bridge", .password = "right"}).Publish(message));
  EXPECT_TRUE(bridge.queue().WaitForCount(1));
}

TEST_F(Pins, AnyOfSeveralKeysConnects) {
  Bridge bridge(Options({wrong_, broker_.certificates().server_pin()}));
  EXPECT_TRUE(bridge.WaitConnected());
}

TEST_F(Pins, AnotherKeyIsRefusedBeforeAnythingIsSaidInMqtt) {
  Bridge bridge(Options({wrong_}));
  const std::string authority = "localhost:" + std::to_string(broker_.tls_port());
  ASSERT_TRUE(bridge.WaitDown("TLS: the public key of " + authority + " is not one of those in tls.pin; it shows " +
                              broker_.certificates().server_pin()));
  EXPECT_EQ(bridge.status().connects, 0U);
  EXPECT_THAT(broker_.Log(), Not(HasSubstr("Sending CONNACK")));
}

TEST_F(Pins, DoNotReplaceTheAuthority) {
  SourceOptions options = Options({broker_.certificates().server_pin()});
  options.ca = broker_.certificates().other_ca();
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("is not accepted: self-signed certificate in certificate chain"));
}

// Also to a broker that has been connected to before: at each connection, not only at the first.
TEST_F(Pins, KeyThatChangedIsRefusedAtTheNextConnection) {
  Bridge bridge(Options({broker_.certificates().server_pin()}));
  ASSERT_TRUE(bridge.WaitConnected());
  broker_.Stop();
  broker_.RenewServerKey();
  broker_.Start();
  EXPECT_TRUE(bridge.WaitDown("is not one of those in tls.pin; it shows " + broker_.certificates().server_pin()));
  EXPECT_EQ(bridge.status().connects, 1U);
}

TEST_F(Pins, PlainUrlHasNoKeyToCompare) {
  SourceOptions options = Options({wrong_});
  options.urls = {broker_.url()};
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitConnected());
}

class NextPassword : public testing::TestWithParam<std::string> {
 protected:
  static MosquittoOptions BrokerOptions() {
    MosquittoOptions options;
    options.users = {{"bridge", "right"}};
    return options;
  }

  SourceOptions Options(Password first, Password next) const {
    SourceOptions options = SourceOptionsFor({broker_.url()});
    options.protocol = GetParam();
    options.username = "bridge";
    options.password = std::move(first);
    options.next_password = std::move(next);
    return options;
  }

  // How often the broker refused somebody. The question of each preflight, which shows no password, is among them.
  std::size_t Refusals() const { return CountOf(broker_.Log(), "disconnected, not authorised"); }

  Mosquitto broker_{BrokerOptions()};
};

std::string ProtocolName(const testing::TestParamInfo<std::string>& info) {
  return info.param == "5" ? "Mqtt5" : "Mqtt311";
}
INSTANTIATE_TEST_SUITE_P(Protocols, NextPassword, testing::Values("5", "3.1.1"), ProtocolName);

TEST_P(NextPassword, IsTriedAtOnceWhenTheFirstIsRefused) {
  SourceOptions options = Options(Always("old"), Always("right"));
  options.reconnect_min = options.reconnect_max = std::chrono::hours(1);  // no second round
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitConnected());
}

TEST_P(NextPassword, IsNotUsedWhileTheFirstWorks) {
  std::atomic<bool> works{true};
  Bridge bridge(Options([&] { return Result<std::string>(std::string(works ? "right" : "old")); }, Always("new")));
  EXPECT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(Refusals(), 1U);
  bridge.source().Stop(std::chrono::seconds(5));
}

TEST_P(NextPassword, ThatWorkedIsTheFirstToBeTriedAgain) {
  Bridge bridge(Options(Always("old"), Always("right")));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(Refusals(), 2U);
  broker_.Stop();
  ASSERT_TRUE(bridge.WaitDown("Connection refused"));
  broker_.Start();
  ASSERT_TRUE(bridge.WaitConnected(2));
  EXPECT_EQ(Refusals(), 3U);  // the preflight alone: the old password is not shown again
}

TEST_P(NextPassword, TheFirstIsTakenAgainWhenOnlyItWorks) {
  std::atomic<bool> moved{false};
  const auto first = [&] { return Result<std::string>(std::string(moved ? "right" : "old")); };
  const auto next = [&] {
    return moved ? Result<std::string>(Error{ErrorCode::kNotFound, "no such file"})
                 : Result<std::string>(std::string("right"));
  };
  Bridge bridge(Options(first, next));
  ASSERT_TRUE(bridge.WaitConnected());
  moved = true;  // the rotation is over: what was next is now the first
  broker_.Restart();
  EXPECT_TRUE(bridge.WaitConnected(2));
  bridge.source().Stop(std::chrono::seconds(5));
}

TEST_P(NextPassword, BothRefusedIsNamedWithoutEither) {
  Bridge bridge(Options(Always("old"), Always("older")));
  ASSERT_TRUE(bridge.WaitDown("the broker refuses the connection: not authorized"));
  EXPECT_THAT(bridge.status().reason, Not(HasSubstr("old")));
}

TEST_P(NextPassword, ThatIsMissingIsNoFaultBetweenRotations) {
  Bridge bridge(Options(Always("old"), Missing()));
  ASSERT_TRUE(bridge.WaitDown("the broker refuses the connection: not authorized"));
  EXPECT_THAT(bridge.status().reason, Not(HasSubstr("no such file")));
}

TEST_P(NextPassword, ThatCannotBeReadIsNamedWhenTheFirstIsRefused) {
  Bridge bridge(Options(Always("old"), [] {
    return Result<std::string>(Error{ErrorCode::kPermissionDenied, "permission denied"});
  }));
  EXPECT_TRUE(bridge.WaitDown("; next password: permission denied"));
}

TEST_P(NextPassword, ServesWhenTheFirstCannotBeRead) {
  Bridge bridge(Options(Missing(), Always("right")));
  EXPECT_TRUE(bridge.WaitConnected());
}

TEST(NextPasswordAlone, IsRefused) {
  test::FakeQueue queue;
  Intake intake({}, {}, queue, SystemClock());
  SourceOptions options = SourceOptionsFor({"mqtt://127.0.0.1"});
  options.username = "bridge";
  options.next_password = Always("x");
  const auto source = MakeSource(options, intake, SystemClock(), nullptr);
  ASSERT_FALSE(source);
  EXPECT_THAT(source.error().message, HasSubstr("a next password needs a first one"));
}

}  // namespace
}  // namespace packhorse::ingest
