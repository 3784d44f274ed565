// Destinations whose requests need a token first, and replies that say that the clock is wrong.

#include <algorithm>
#include <utility>

#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using namespace std::chrono_literals;

constexpr char kToken[] = R"({"access_token":"token-0001","token_type":"Bearer","expires_in":3600})";
constexpr char kNextToken[] = R"({"access_token":"token-0002","token_type":"Bearer","expires_in":3600})";

class Tokens : public DeliveryTest {
 protected:
  Tokens() { Authorize(); }
  // A destination that gets tokens.
  void Authorize() {
    test::WriteAll(dir_ / "secret", "client-secret-0001", 0600);
    auth::AuthOptions options;
    options.scheme = "oauth2";
    options.parameters = {{"token_url", "https://login.invalid/token"}, {"client_id", "gw-1"}};
    options.secrets["client_secret"] = {{auth::SecretSource::Kind::kFile, dir_ / "secret"}, {}};
    auto made = auth::Authorizer::Make(options);
    EXPECT_TRUE(made) << made.error().message;
    authorizer_ = std::move(made).value();
    Restart();
  }
  static bool IsTokenRequest(const FakeUploader::Sent& sent) {
    return sent.body.find("grant_type=client_credentials") != std::string::npos;
  }
  // Delivers one message with the first token.
  void DeliverOne() {
    Append(R"({"a":1})");
    const auto asked = Next();
    ASSERT_TRUE(IsTokenRequest(asked));
    EXPECT_FALSE(SendsNow()) << "nothing goes without a token, and one is asked for at a time";
    asked.done(Reply(200, kToken));
    const auto sent = Next();
    EXPECT_EQ(sent.Header("Authorization"), "Bearer token-0001");
    Accept(sent);
    ASSERT_TRUE(Settled(1));
  }
};

TEST_F(Tokens, RecordsWaitForTheFirstToken) { DeliverOne(); }

TEST_F(Tokens, TokenEndpointDownForTenMinutesAtExpiryFailsNoRecord) {
  DeliverOne();
  clock_.Advance(56min);
  std::size_t asked = 0;
  for (int i = 0; i < 14 * 60; ++i) {  // 4 minutes before the token ends, 10 after
    if (i % 60 == 0) {
      Append(R"({"a":2})");
    }
    SendsNow();
    EXPECT_LE(std::count_if(uploader_.sent.begin(), uploader_.sent.end(), IsTokenRequest), 1);
    for (const FakeUploader::Sent& sent : std::exchange(uploader_.sent, {})) {
      if (IsTokenRequest(sent)) {
        ++asked;
        sent.done(i % 2 == 0 ? Reply(503) : Broken(upload::Transport::kConnect));
      } else {
        EXPECT_LT(i, 240) << "the token is over";
        Accept(sent);
      }
    }
    clock_.Advance(1s);
  }
  EXPECT_GT(asked, 10U);
  EXPECT_LT(asked, 30U);
  EXPECT_TRUE(events_.IsOpen("token_unavailable", "cloud"));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).state, limit::CircuitState::kOk);
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).retries, 0U);
  clock_.Advance(80s);
  const auto again = Next();
  ASSERT_TRUE(IsTokenRequest(again));
  again.done(Reply(200, kNextToken));
  EXPECT_FALSE(events_.IsOpen("token_unavailable", "cloud"));
  const auto sent = Next();
  EXPECT_EQ(sent.Header("Authorization"), "Bearer token-0002");
  Accept(sent);
  // What waited may be in several batches.
  EXPECT_TRUE(Turn([&] {
    for (const FakeUploader::Sent& more : std::exchange(uploader_.sent, {})) {
      Accept(more);
    }
    return Row().delivered == 15;
  }));
}

TEST_F(Tokens, TokenIsAskedForThroughTheProxyOfTheDestination) {
  test::WriteAll(dir_ / "proxy.password", "proxy-pass", 0600);
  proxy_password_ = {auth::SecretSource::Kind::kFile, dir_ / "proxy.password"};
  Authorize();
  Append(R"({"a":1})");
  ASSERT_TRUE(IsTokenRequest(Next()));
  EXPECT_EQ(uploader_.proxy_password, "proxy-pass");
}

TEST_F(Tokens, TokenIsAskedForFromWhereTheDestinationIsBoundTo) {
  bind_ = "wwan0";
  Authorize();
  Append(R"({"a":1})");
  ASSERT_TRUE(IsTokenRequest(Next()));
  EXPECT_EQ(uploader_.bind, "wwan0");
}

TEST_F(Tokens, RefusedTokenIsReplacedWithoutAHold) {
  DeliverOne();
  clock_.Advance(10s);
  Append(R"({"a":2})");
  Next().done(Reply(401));
  const auto asked = Next();
  ASSERT_TRUE(IsTokenRequest(asked));
  asked.done(Reply(200, kNextToken));
  const auto again = Next();
  EXPECT_EQ(again.Header("Authorization"), "Bearer token-0002");
  Accept(again);
  EXPECT_TRUE(Settled(2));
  EXPECT_FALSE(events_.IsOpen("destination_held", "cloud"));
}

class Keys : public DeliveryTest {
 protected:
  Keys() {
    test::WriteAll(dir_ / "key", "key-0001", 0600);
    auth::AuthOptions options;
    options.scheme = "bearer";
    options.secrets["token"] = {{auth::SecretSource::Kind::kFile, dir_ / "key"}, {}};
    auto made = auth::Authorizer::Make(options);
    EXPECT_TRUE(made) << made.error().message;
    authorizer_ = std::move(made).value();
    Restart();
  }
};

TEST_F(Keys, ChangedFileIsTakenWithinTenSeconds) {
  SendsNow();
  test::WriteAll(dir_ / "key", "key-0002-longer", 0600);
  clock_.Advance(10s);
  Append(R"({"a":1})");
  EXPECT_EQ(Next().Header("Authorization"), "Bearer key-0002-longer");
}

TEST_F(Keys, RefusalWithADateFarFromOursNamesTheClock) {
  Append(R"({"a":1})");
  upload::Response refused = Reply(401);
  refused.headers.emplace_back("date", FormatHttpDate(clock_.Wall() - 2h));
  Next().done(std::move(refused));
  const DestinationStatus status = destination_->Snapshot(clock_.Mono());
  EXPECT_EQ(status.state, limit::CircuitState::kHeld);
  EXPECT_NE(status.reason.find("clock is 120 minutes fast"), std::string::npos) << status.reason;
}

TEST_F(Keys, RefusalWithADateNearOursNamesNoClock) {
  Append(R"({"a":1})");
  upload::Response refused = Reply(401);
  refused.headers.emplace_back("date", FormatHttpDate(clock_.Wall() - 4min));
  Next().done(std::move(refused));
  EXPECT_EQ(destination_->Snapshot(clock_.Mono()).reason.find("clock"), std::string::npos);
}

}  // namespace
}  // namespace packhorse::delivery
