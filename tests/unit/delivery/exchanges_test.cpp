// What is kept of failed exchanges, and what an API says of its own end.

#include "delivery/exchanges.h"

#include <gmock/gmock.h>

#include "base/mask.h"
#include "base/secret_mark.h"
#include "delivery_fixture.h"

namespace packhorse::delivery {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;
using namespace std::chrono_literals;

// One exchange as one text, to look for what must not be in it.
std::string TextOf(const Exchange& exchange) {
  std::string text = exchange.path + exchange.request_start + exchange.reply_start + exchange.transport_error +
                     exchange.verdict + exchange.provider_request_id;
  for (const HeaderList* headers : {&exchange.request_headers, &exchange.reply_headers}) {
    for (const auto& [name, value] : *headers) {
      text += name + ": " + value + "\n";
    }
  }
  return text;
}

class ExchangesTest : public testing::Test {
 protected:
  ExchangesTest() {
    batch_.idempotency_key = "key-1";
    batch_.trace_id = "0123456789abcdef0123456789abcdef";
    batch_.records = 3;
    batch_.body = R"({"records":[1]})";
    sent_ = {"POST", "/v1/telemetry", {{"Content-Type", "application/json"}}};
    reply_.complete = true;
    reply_.status = 400;
    reply_.headers = {{"content-type", "application/json"}};
    reply_.body = R"({"title":"bad"})";
    verdict_.action = outcome::Action::kBisect;
    verdict_.reason = "HTTP 400 Bad Request";
  }
  const Exchange& Note() {
    exchanges_.Note(batch_, sent_, reply_, verdict_, 12ms, WallTime(1'000s));
    return exchanges_.all().back();
  }

  queue::PreparedBatch batch_;
  SentRequest sent_;
  outcome::Reply reply_;
  outcome::Verdict verdict_;
  Exchanges exchanges_;
};

TEST_F(ExchangesTest, FailedExchangeIsKeptWithWhatWasSentAndWhatCameBack) {
  verdict_.provider_request_id = "req-7";
  verdict_.problem_detail = "no such device";
  const Exchange& exchange = Note();
  EXPECT_EQ(exchange.at, WallTime(1'000s));
  EXPECT_EQ(exchange.batch_key, "key-1");
  EXPECT_EQ(exchange.trace_id, batch_.trace_id);
  EXPECT_EQ(exchange.records, 3U);
  EXPECT_EQ(exchange.method + " " + exchange.path, "POST /v1/telemetry");
  EXPECT_EQ(exchange.request_start, batch_.body);
  EXPECT_EQ(exchange.request_bytes, batch_.body.size());
  EXPECT_EQ(exchange.status, 400);
  EXPECT_EQ(exchange.elapsed, 12ms);
  EXPECT_EQ(exchange.reply_start, reply_.body);
  EXPECT_EQ(exchange.provider_request_id, "req-7");
  EXPECT_EQ(exchange.verdict, "refused on its merits: HTTP 400 Bad Request: no such device");
}

TEST_F(ExchangesTest, WhatWasAcceptedIsNotKept) {
  verdict_.action = outcome::Action::kDelivered;
  exchanges_.Note(batch_, sent_, reply_, verdict_, 1ms, {});
  verdict_.action = outcome::Action::kPartial;
  verdict_.records = {{RecordVerdict::kDelivered, ""}};
  exchanges_.Note(batch_, sent_, reply_, verdict_, 1ms, {});
  EXPECT_THAT(exchanges_.all(), IsEmpty());
  verdict_.records.push_back({RecordVerdict::kRejected, "bad"});
  exchanges_.Note(batch_, sent_, reply_, verdict_, 1ms, {});
  EXPECT_THAT(exchanges_.all(), SizeIs(1));
}

TEST_F(ExchangesTest, WithoutAReplyTheTransportErrorIsKept) {
  reply_ = {};
  reply_.error = "connection refused";
  verdict_.action = outcome::Action::kRetry;
  const Exchange& exchange = Note();
  EXPECT_EQ(exchange.status, 0);
  EXPECT_EQ(exchange.transport_error, "connection refused");
}

TEST_F(ExchangesTest, TheLastTwentyAreKeptAndNotMoreThanSoManyBytes) {
  for (int i = 0; i < 25; ++i) {
    batch_.idempotency_key = "key-" + std::to_string(i);
    Note();
  }
  ASSERT_THAT(exchanges_.all(), SizeIs(Exchanges::kMost));
  EXPECT_EQ(exchanges_.all().front().batch_key, "key-5");
  EXPECT_EQ(exchanges_.all().back().batch_key, "key-24");
  for (int i = 0; i < 200; ++i) {
    reply_.headers.emplace_back("x-" + std::to_string(i), std::string(10'000, 'x'));
  }
  reply_.body = std::string(1 << 20, 'y');
  for (int i = 0; i < 25; ++i) {
    Note();
  }
  EXPECT_LT(exchanges_.all().size(), Exchanges::kMost);
  EXPECT_GT(exchanges_.all().size(), 3U);
  std::size_t bytes = 0;
  for (const Exchange& exchange : exchanges_.all()) {
    bytes += TextOf(exchange).size();
    EXPECT_LE(exchange.reply_start.size(), 2'048U);
    EXPECT_EQ(exchange.reply_bytes, 1U << 20U);
  }
  EXPECT_LE(bytes, Exchanges::kMaxBytes);
}

TEST_F(ExchangesTest, CompressedOrBinaryBodyIsOnlyASize) {
  batch_.content_encoding = "gzip";
  EXPECT_EQ(Note().request_start, "");
  EXPECT_EQ(exchanges_.all().back().request_bytes, batch_.body.size());
  batch_.content_encoding = "";
  batch_.body = std::string("\x08\x96\x01\x00\xff\xfe", 6);
  EXPECT_EQ(Note().request_start, "");
}

TEST_F(ExchangesTest, NoSecretIsShownWhereverItStands) {
  const std::string secret = "S3cr3t-Token-0815";
  RememberSecret(secret);
  sent_.headers = {{"Authorization", "Bearer derived-4711-token"},
                   {"X-Api-Key", "abc"},
                   {"X-Amz-Security-Token", "FwoGZXIvYXdzEBYaD"},
                   {"Webhook-Signature", "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN"},
                   {"X-Tenant", SecretMark(MarkPlace::kHeader, "tenant")},
                   {"X-Copy", "with " + secret},
                   {"Idempotency-Key", "\"key-1\""}};
  sent_.path = "/bot" + SecretMark(MarkPlace::kPath, "bot") + "/" + secret +
               "?api-version=2&sig=GCL7hO3A0N7Qxyz&access_token=ya29.a0AfH6SMB&u=joe&p=pw123456#f";
  reply_.headers.emplace_back("set-cookie", "sid=93a1c7");
  reply_.headers.emplace_back("www-authenticate", "Bearer error=\"invalid_token\"");
  reply_.headers.emplace_back("x-echo", "derived-4711-token");
  reply_.body = "you sent derived-4711-token and GCL7hO3A0N7Qxyz and " + secret;
  reply_.error = "to /x?sig=GCL7hO3A0N7Qxyz";
  verdict_.reason = "HTTP 401: derived-4711-token";
  verdict_.problem_detail = "ya29.a0AfH6SMB is no token";
  const Exchange& exchange = Note();
  const std::string text = TextOf(exchange);
  for (const char* hidden : {"derived-4711", "abc\n", "FwoGZXIv", "K5oZfzN9", "S3cr3t", "GCL7hO3A", "ya29.a0",
                             "pw123456", "93a1c7", "\x01"}) {
    EXPECT_THAT(text, Not(HasSubstr(hidden)));
  }
  EXPECT_EQ(exchange.path, "/bot***/***?api-version=2&sig=***&access_token=***&u=joe&p=***");
  EXPECT_THAT(exchange.request_headers, Contains(Pair("Authorization", "***")));
  EXPECT_THAT(exchange.request_headers, Contains(Pair("X-Tenant", "***")));
  EXPECT_THAT(exchange.request_headers, Contains(Pair("Idempotency-Key", "\"key-1\"")));
  EXPECT_THAT(exchange.reply_headers, Contains(Pair("www-authenticate", "Bearer error=\"invalid_token\"")));
}

TEST_F(ExchangesTest, NameOfTheContractsIdempotencyHeaderIsNoSecret) {
  sent_.headers = {{"X-Dedup-Key", "key-1"}};
  exchanges_.Note(batch_, sent_, reply_, verdict_, 1ms, {});
  EXPECT_THAT(exchanges_.all().back().request_headers, Contains(Pair("X-Dedup-Key", "key-1")));
}

// --- the end of an API ---

constexpr std::int64_t kDay = 86'400;
WallTime Day(std::int64_t day) { return WallTime(std::chrono::seconds(1'800'000'000 + day * kDay)); }

TEST(HeaderDate, IsReadInBothForms) {
  const WallTime time(std::chrono::seconds(1'798'761'599));
  EXPECT_EQ(ParseHeaderDate("@1798761599"), time);
  EXPECT_EQ(ParseHeaderDate(" @1798761599;q=1 "), time);
  EXPECT_EQ(ParseHeaderDate("Thu, 31 Dec 2026 23:59:59 GMT"), time);
  for (const char* none : {"", "@", "@x", "@1.5", "@99999999999999", "true", "next year", "1798761599"}) {
    EXPECT_EQ(ParseHeaderDate(none), std::nullopt) << none;
  }
}

TEST(DeprecationTest, NoticeIsToldOnceADayAndWhenItChanges) {
  Deprecation deprecation;
  const std::string ends = "@" + std::to_string(1'800'000'000 + 10 * kDay);
  EXPECT_EQ(deprecation.Note({{"sunset", ends}}, Day(0)), "the API ends on 2027-01-25, in 10 days");
  EXPECT_EQ(deprecation.Note({{"sunset", ends}}, Day(0) + 23h), std::nullopt);
  EXPECT_EQ(deprecation.Note({{"sunset", ends}}, Day(1)), "the API ends on 2027-01-25, in 9 days");
  EXPECT_EQ(deprecation.Note({{"sunset", ends}, {"deprecation", "@1800000000"}}, Day(1)),
            "the API ends on 2027-01-25, in 9 days; deprecated since 2027-01-15");
  EXPECT_EQ(deprecation.Note({{"sunset", ends}}, Day(12)), "the API was to end on 2027-01-25, 2 days ago");
  EXPECT_TRUE(deprecation.Gone());
  EXPECT_FALSE(deprecation.Gone());
  EXPECT_EQ(deprecation.notice(), std::nullopt);
}

TEST(DeprecationTest, WithoutADateOfTheEndItSaysSo) {
  Deprecation deprecation;
  EXPECT_EQ(deprecation.Note({{"deprecation", "true"}}, Day(0)),
            "the API says no date of its end, only that it is deprecated");
  EXPECT_EQ(deprecation.Note({{"deprecation", "@1800864000"}}, Day(0)),
            "the API says no date of its end; deprecated from 2027-01-25 on");
  EXPECT_EQ(Deprecation().Note({{"sunset", "soon"}, {"deprecation", "?0"}}, Day(0)), std::nullopt);
}

// --- of a destination ---

class KeptExchanges : public DeliveryTest {
 protected:
  const health::Event* Open(const std::string& name) {
    open_ = events_.Open();
    for (const health::Event& event : open_) {
      if (event.name == name) {
        return &event;
      }
    }
    return nullptr;
  }
  std::vector<health::Event> open_;
};

TEST_F(KeptExchanges, FailedAttemptIsKeptAlsoWhenTheDestinationIsReplacedAndASuccessIsNot) {
  Append(R"({"t":1})");
  const FakeUploader::Sent first = Next();
  upload::Response busy = Reply(503, R"({"title":"busy"})", "application/problem+json");
  busy.headers.emplace_back("x-request-id", "req-1");
  busy.elapsed = 40ms;
  first.done(std::move(busy));
  ASSERT_THAT(destination_->exchanges().all(), SizeIs(1));
  const Exchange exchange = destination_->exchanges().all().front();
  EXPECT_EQ(exchange.status, 503);
  EXPECT_EQ(exchange.provider_request_id, "req-1");
  EXPECT_EQ(exchange.elapsed, 40ms);
  EXPECT_EQ(exchange.path, first.request.path);
  EXPECT_THAT(exchange.request_start, HasSubstr("record_id"));
  EXPECT_THAT(first.Header("traceparent"), HasSubstr(exchange.trace_id));
  clock_.Advance(10min);
  Accept(Next());
  ASSERT_TRUE(Settled(1));
  EXPECT_THAT(destination_->exchanges().all(), SizeIs(1));
  const std::unique_ptr<Destination> old = std::move(destination_);
  Rebuild();
  destination_->TakeOver(*old);
  EXPECT_THAT(destination_->exchanges().all(), SizeIs(1));
}

TEST_F(KeptExchanges, DeprecationIsOneEventUntilTheHeaderIsGone) {
  const auto answer = [&](bool announced, int status) {
    Append(R"({"t":1})");
    const FakeUploader::Sent sent = Next();
    upload::Response response = Reply(status, status == 200 ? R"({"accepted":1})" : "{}");
    if (announced) {
      response.headers.emplace_back("sunset", FormatHttpDate(clock_.Wall() + std::chrono::hours(24 * 30)));
    }
    sent.done(std::move(response));
    queue_->Poll();
  };
  answer(true, 200);
  const health::Event* event = Open("api_deprecated");
  ASSERT_NE(event, nullptr);
  EXPECT_EQ(event->subject, "cloud");
  EXPECT_THAT(event->message, HasSubstr("the API ends on "));
  EXPECT_THAT(event->message, HasSubstr("days"));
  ASSERT_TRUE(destination_->Snapshot(clock_.Mono()).deprecation);
  answer(true, 200);
  EXPECT_EQ(Open("api_deprecated")->count, 1U);
  answer(false, 503);
  EXPECT_NE(Open("api_deprecated"), nullptr) << "a proxy's answer says nothing of the API";
  clock_.Advance(10min);
  Accept(Next());
  EXPECT_EQ(Open("api_deprecated"), nullptr);
  EXPECT_FALSE(destination_->Snapshot(clock_.Mono()).deprecation);
}

}  // namespace
}  // namespace packhorse::delivery
