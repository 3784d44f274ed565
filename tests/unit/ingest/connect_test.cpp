#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "bridge.h"
#include "support/mosquitto.h"
#include "support/mqtt_client.h"
#include "support/scripted_broker.h"

// How a source comes to a connection and keeps it.

namespace packhorse::ingest {
namespace {

using test::Bridge;
using test::FreePort;
using test::Mosquitto;
using test::MosquittoOptions;
using test::MqttClient;
using test::Publish;
using test::ScriptedBroker;
using test::SourceOptionsFor;
using test::WaitFor;
using testing::ElementsAre;
using testing::HasSubstr;

std::string DeadUrl() { return "mqtt://127.0.0.1:" + std::to_string(FreePort()); }

TEST(Connect, OptionsThatCannotWorkAreRefused) {
  test::FakeQueue queue;
  Intake intake({}, {}, queue, SystemClock());
  const auto refused = [&](const SourceOptions& options, const std::string& why) {
    const auto source = MakeSource(options, intake, SystemClock(), nullptr);
    ASSERT_FALSE(source);
    EXPECT_EQ(source.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(source.error().message, HasSubstr("source \"plant\": " + why));
  };
  const SourceOptions good = SourceOptionsFor({"mqtt://127.0.0.1"});
  EXPECT_TRUE(MakeSource(good, intake, SystemClock(), nullptr));
  SourceOptions bad = good;
  bad.urls.clear();
  refused(bad, "at least one broker URL");
  bad = good;
  bad.urls.emplace_back("http://x");
  refused(bad, "broker URL \"http://x\" has a scheme that is not supported here; allowed: mqtt://");
  bad = good;
  bad.client_id.clear();
  refused(bad, "a client id is needed");
  bad = good;
  bad.filters.clear();
  refused(bad, "at least one topic filter");
  bad = good;
  bad.protocol = "4";
  refused(bad, "protocol must be");
  bad = good;
  bad.password = [] { return Result<std::string>(std::string("x")); };
  refused(bad, "a password needs a username");
  bad = good;
  bad.key = "key.pem";
  refused(bad, "a key needs its certificate");
}

TEST(Connect, SecondStartIsRefused) {
  Bridge bridge(SourceOptionsFor({DeadUrl()}));
  EXPECT_FALSE(bridge.source().Start());
}

TEST(Connect, DeadPortIsNamedWithTheReasonAndRetried) {
  const int port = FreePort();
  Bridge bridge(SourceOptionsFor({"mqtt://127.0.0.1:" + std::to_string(port)}));
  ASSERT_TRUE(bridge.WaitDown("cannot connect to 127.0.0.1:" + std::to_string(port) + ": Connection refused"));
  EXPECT_EQ(bridge.status().connects, 0U);
  EXPECT_EQ(bridge.status().protocol, "");
  EXPECT_GE(bridge.changes(), 1);
}

TEST(Connect, HostWithoutAnAddressIsNamed) {
  ASSERT_EQ(setenv("RES_OPTIONS", "timeout:1 attempts:1", 1), 0);  // where no server answers
  const std::string host = "broker.invalid";                       // RFC 6761 section 6.4: no server knows it
  Bridge bridge(SourceOptionsFor({"mqtt://" + host}));
  EXPECT_TRUE(bridge.WaitDown("cannot resolve host \"" + host + "\""));
}

TEST(Connect, BrokerThatSaysNothingIsNamed) {
  Mosquitto broker;
  broker.Pause();
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.connect_timeout = std::chrono::seconds(2);  // enough for a connection on a busy machine
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("accepts the connection but does not answer"));
  broker.Resume();
  EXPECT_TRUE(bridge.WaitConnected());
}

TEST(Connect, SecondUrlIsTakenWhenTheFirstIsDead) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({DeadUrl(), broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(bridge.status().url, broker.url());
}

TEST(Connect, EachUrlHasItsReasonWhenAllAreDead) {
  const std::string first = DeadUrl();
  const std::string second = DeadUrl();
  Bridge bridge(SourceOptionsFor({first, second}));
  EXPECT_TRUE(bridge.WaitDown(first + ": cannot connect to"));
  EXPECT_TRUE(bridge.WaitDown("; " + second + ": cannot connect to"));
}

TEST(Connect, SessionOutlivesARestartOfTheBroker) {
  MosquittoOptions options;
  options.persistence = true;
  Mosquitto broker(options);
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  ASSERT_TRUE(Publish(broker, {"a/x", "before"}));
  ASSERT_TRUE(bridge.queue().WaitForCount(1));
  ASSERT_TRUE(broker.WaitForAcknowledgements(1));
  broker.Stop();
  EXPECT_TRUE(bridge.WaitDown("Connection refused"));
  broker.Start();
  ASSERT_TRUE(Publish(broker, {"a/x", "after"}));
  ASSERT_TRUE(bridge.queue().WaitForCount(2));
  ASSERT_TRUE(bridge.WaitConnected(2));
  EXPECT_THAT(bridge.Payloads(), ElementsAre("before", "after"));
  EXPECT_TRUE(bridge.status().session_present);
  EXPECT_EQ(bridge.status().session_lost, 0U);
  EXPECT_EQ(bridge.status().reason, "");
}

TEST(Connect, BrokerThatForgotTheSessionIsAGap) {
  Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(bridge.status().session_lost, 0U);
  broker.Restart();
  ASSERT_TRUE(bridge.WaitConnected(2));
  EXPECT_FALSE(bridge.status().session_present);
  EXPECT_EQ(bridge.status().session_lost, 1U);
  ASSERT_TRUE(Publish(broker, {"a/x", "subscribed again"}));
  EXPECT_TRUE(bridge.queue().WaitForCount(1));
}

TEST(Connect, BrokerThatFallsSilentIsNoticedWithinOneAndAHalfTimesTheKeepAlive) {
  Mosquitto broker;
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.keep_alive = std::chrono::seconds(4);
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitConnected());
  broker.Pause();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(WaitFor([&] { return bridge.status().state != SourceState::kConnected; }));
  EXPECT_LE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(6'500));
  broker.Resume();
  EXPECT_TRUE(bridge.WaitConnected(2));
}

TEST(Connect, KilledBrokerIsNoticedAndComesBack) {
  Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  broker.Kill();
  EXPECT_TRUE(bridge.WaitDown("Connection refused"));
  broker.Start();
  EXPECT_TRUE(bridge.WaitConnected(2));
}

TEST(Connect, WrongPasswordIsNamedAndANewOneNeedsNoRestart) {
  MosquittoOptions broker_options;
  broker_options.users = {{"bridge", "right"}};
  const Mosquitto broker(broker_options);
  std::atomic<bool> right{false};
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.username = "bridge";
  options.password = [&] { return Result<std::string>(std::string(right ? "right" : "wrong")); };
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitDown("the broker refuses the connection: not authorized"));
  EXPECT_THAT(bridge.status().reason, testing::Not(HasSubstr("wrong")));
  right = true;
  EXPECT_TRUE(bridge.WaitConnected());
  bridge.source().Stop(std::chrono::seconds(5));
}

TEST(Connect, WrongPasswordWith311IsNamed) {
  MosquittoOptions broker_options;
  broker_options.users = {{"bridge", "right"}};
  const Mosquitto broker(broker_options);
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.protocol = "3.1.1";
  options.username = "bridge";
  options.password = [] { return Result<std::string>(std::string("wrong")); };
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("the broker refuses the connection: not authorized (0x05)"));
}

TEST(Connect, PasswordThatCannotBeReadIsNamed) {
  const Mosquitto broker;
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.username = "bridge";
  options.password = [] { return Result<std::string>(Error{ErrorCode::kNotFound, "no such file"}); };
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("password: no such file"));
}

MosquittoOptions TlsBroker(bool require_client_certificate = false) {
  MosquittoOptions options;
  options.tls = true;
  options.require_client_certificate = require_client_certificate;
  return options;
}

TEST(Connect, TlsWithTheRightAuthorityConnects) {
  const Mosquitto broker(TlsBroker());
  SourceOptions options = SourceOptionsFor({broker.tls_url()});
  options.ca = broker.certificates().ca();
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitConnected());
  ASSERT_TRUE(Publish(broker, {"a/x", "1"}));
  EXPECT_TRUE(bridge.queue().WaitForCount(1));
}

TEST(Connect, TlsWithAnotherAuthorityIsRefused) {
  const Mosquitto broker(TlsBroker());
  SourceOptions options = SourceOptionsFor({broker.tls_url()});
  options.ca = broker.certificates().other_ca();
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("TLS: the certificate of localhost:" + std::to_string(broker.tls_port()) +
                              " is not accepted: self-signed certificate in certificate chain"));
}

TEST(Connect, TlsWithAnotherHostNameIsRefused) {
  const Mosquitto broker(TlsBroker());
  SourceOptions options = SourceOptionsFor({broker.tls_url("127.0.0.1")});
  options.ca = broker.certificates().ca();
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("is not accepted: IP address mismatch"));
}

TEST(Connect, TlsFilesThatCannotBeUsedAreNamed) {
  const Mosquitto broker(TlsBroker());
  SourceOptions options = SourceOptionsFor({broker.tls_url()});
  options.ca = "/nonexistent/ca.pem";
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("TLS: cannot use the CA file /nonexistent/ca.pem: No such file or directory"));
}

TEST(Connect, ClientCertificateIsShown) {
  const Mosquitto broker(TlsBroker(true));
  SourceOptions options = SourceOptionsFor({broker.tls_url()});
  options.ca = broker.certificates().ca();
  options.certificate = broker.certificates().client_certificate();
  options.key = broker.certificates().client_key();
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitConnected());
}

TEST(Connect, MissingClientCertificateIsNamed) {
  const Mosquitto broker(TlsBroker(true));
  SourceOptions options = SourceOptionsFor({broker.tls_url()});
  options.ca = broker.certificates().ca();
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("certificate required"));
}

TEST(Connect, PlainUrlOfATlsPortIsNoConnection) {
  const Mosquitto broker(TlsBroker());
  Bridge bridge(SourceOptionsFor({"mqtt://127.0.0.1:" + std::to_string(broker.tls_port())}));
  EXPECT_TRUE(WaitFor([&] { return bridge.status().state == SourceState::kDown; }));
  EXPECT_NE(bridge.status().reason, "");
}

TEST(Connect, BrokerThatAnswersInTheFormOf311IsSpokenToIn311) {
  ScriptedBroker broker;
  broker.SetMqtt5(ScriptedBroker::Mqtt5::kRefused);
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(bridge.status().protocol, "3.1.1");
}

TEST(Connect, BrokerThatClosesOnMqtt5IsSpokenToIn311) {
  ScriptedBroker broker;
  broker.SetMqtt5(ScriptedBroker::Mqtt5::kCloses);
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  EXPECT_EQ(bridge.status().protocol, "3.1.1");
}

TEST(Connect, Mqtt5AloneWithAnOldBrokerSaysWhatToDo) {
  ScriptedBroker broker;
  broker.SetMqtt5(ScriptedBroker::Mqtt5::kRefused);
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.protocol = "5";
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitDown("does not speak MQTT 5: set \"protocol\""));
}

TEST(Connect, SessionTakenOverNamesTheClientId) {
  ScriptedBroker broker;
  broker.SetTakesOver(true);
  Bridge bridge(SourceOptionsFor({broker.url()}));
  EXPECT_TRUE(bridge.WaitReason(SourceState::kConnecting,
                                "session taken over (0x8E): another client uses the client id \"packhorse-test\""));
}

// mosquitto 2.0.11 closes the older connection without a word.
TEST(Connect, SecondClientWithOurIdIsSuspectedFromTheThirdLossOn) {
  const Mosquitto broker;
  Bridge bridge(SourceOptionsFor({broker.url()}));
  ASSERT_TRUE(bridge.WaitConnected());
  for (std::uint64_t connects = 1; connects <= 3; ++connects) {
    EXPECT_EQ(bridge.status().reason, "");
    MqttClient::Options rival;
    rival.port = broker.port();
    rival.client_id = "packhorse-test";
    rival.clean_start = false;
    const MqttClient client(rival);
    ASSERT_TRUE(bridge.WaitConnected(connects + 1));
  }
  EXPECT_THAT(bridge.status().reason, HasSubstr("does another client use the client id \"packhorse-test\"?"));
}

TEST(Connect, SubscriptionWithoutAcknowledgementIsNamed) {
  ScriptedBroker broker;
  broker.SetGranted(0);
  Bridge bridge(SourceOptionsFor({broker.url()}));
  EXPECT_TRUE(bridge.WaitReason(SourceState::kConnected, "\"a/#\" granted with QoS 0 only"));
  EXPECT_TRUE(bridge.status().refused_filters.empty());
}

TEST(Connect, RefusedSubscriptionIsTriedAgain) {
  ScriptedBroker broker;
  broker.SetGrantedFirst(0x87);
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.subscribe_again = std::chrono::milliseconds(300);
  Bridge bridge(options);
  ASSERT_TRUE(bridge.WaitReason(SourceState::kConnected, "subscription \"a/#\" refused: not authorized (0x87)"));
  EXPECT_TRUE(WaitFor([&] { return bridge.status().reason.empty() && bridge.status().refused_filters.empty(); }));
  EXPECT_EQ(bridge.status().connects, 1U);
}

TEST(Connect, MissingAnswerToASubscriptionEndsTheConnection) {
  ScriptedBroker broker;
  broker.SetAnswersSubscribe(false);
  SourceOptions options = SourceOptionsFor({broker.url()});
  options.connect_timeout = std::chrono::milliseconds(1'500);
  Bridge bridge(options);
  EXPECT_TRUE(bridge.WaitReason(SourceState::kConnecting, "no answer to SUBSCRIBE in time"));
}

// mosquitto's own acl_file cannot refuse a subscription; its plugin for dynamic security can.
std::string DynamicSecurityPlugin() {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(
           "/usr/lib", std::filesystem::directory_options::skip_permission_denied)) {
    if (entry.path().filename() == "mosquitto_dynamic_security.so") {
      return entry.path();
    }
  }
  return "";
}

TEST(Connect, RefusedSubscriptionIsNamedAndTheOthersWork) {
  const test::TempDir dir;
  test::WriteAll(dir / "security.json", R"({
    "defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true, "subscribe": false, "unsubscribe": true},
    "clients": [], "groups": [{"groupname": "all", "roles": [{"rolename": "reader"}]}], "anonymousGroup": "all",
    "roles": [{"rolename": "reader", "acls": [{"acltype": "subscribePattern", "topic": "a/good/#", "allow": true}]}]})");
  MosquittoOptions broker_options;
  broker_options.extra = "per_listener_settings false\nplugin " + DynamicSecurityPlugin() +
                         "\nplugin_opt_config_file " + (dir / "security.json") + "\n";
  const Mosquitto broker(broker_options);
  for (const std::string protocol : {"5", "3.1.1"}) {
    SourceOptions options = SourceOptionsFor({broker.url()});
    options.client_id = "packhorse-" + protocol;
    options.protocol = protocol;
    options.filters = {"a/good/#", "a/bad/#"};
    Bridge bridge(options);
    ASSERT_TRUE(bridge.WaitConnected());
    EXPECT_THAT(bridge.status().refused_filters, ElementsAre("a/bad/#"));
    EXPECT_THAT(bridge.status().reason, HasSubstr("subscription \"a/bad/#\" refused: "));
    ASSERT_TRUE(Publish(broker, {"a/good/x", "1"}));
    EXPECT_TRUE(bridge.queue().WaitForCount(1));
  }
}

TEST(ConnectDeathTest, ProxyVariablesOfTheEnvironmentAreNotUsed) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // a process of its own: the library is set up once in each
  EXPECT_EXIT(
      {
        setenv("http_proxy", "http://127.0.0.1:9", 1);
        setenv("https_proxy", "http://127.0.0.1:9", 1);
        bool connected = false;
        {
          const Mosquitto broker;
          Bridge bridge(SourceOptionsFor({broker.url()}));
          connected = bridge.WaitConnected();
        }
        const char* moved = std::getenv("HTTPS_PROXY");
        _exit(connected && moved != nullptr && std::getenv("https_proxy") == nullptr ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace packhorse::ingest
