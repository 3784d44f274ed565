#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "delivery_fixture.h"

namespace packhorse::delivery {

// A cloud that is scripted by a function, and a clock that runs as fast as what is to be done allows.
class CloudTest : public DeliveryTest {
 protected:
  struct Record {
    std::string id;
    std::string text;
    bool Has(std::string_view what) const { return text.find(what) != std::string::npos; }
    // The number in the measurement "n".
    int n() const {
      const std::size_t at = text.find(R"("n":{"value":)");
      return at == std::string::npos ? -1 : std::stoi(text.substr(at + 13));
    }
  };
  using Records = std::vector<Record>;
  using Script = std::function<upload::Response(const Records&, const FakeUploader::Sent&)>;

  static Records RecordsOf(const std::string& body) {
    constexpr std::string_view kId = "\"record_id\":\"";
    Records records;
    std::size_t at = body.find(kId);
    while (at != std::string::npos) {
      const std::size_t next = body.find(kId, at + 1);
      const std::size_t from = at + kId.size();
      records.push_back({body.substr(from, body.find('"', from) - from),
                         body.substr(at, next == std::string::npos ? next : next - at)});
      at = next;
    }
    return records;
  }

  // Waits until so many requests are on their way, and takes them.
  std::vector<FakeUploader::Sent> OnTheWay(std::size_t count) {
    EXPECT_TRUE(Turn([&] { return uploader_.sent.size() >= count; })) << uploader_.sent.size();
    EXPECT_EQ(uploader_.sent.size(), count);
    return std::exchange(uploader_.sent, {});
  }
  // How often a record was stored that the API had already.
  std::uint64_t StoredAgain() const {
    std::uint64_t more = 0;
    for (const auto& [id, times] : stored_) {
      more += static_cast<std::uint64_t>(times - 1);
    }
    return more;
  }
  upload::Response Take(const Records& records) {
    for (const Record& record : records) {
      ++stored_[record.id];
    }
    return Reply(200, "{\"accepted\":" + std::to_string(records.size()) + "}");
  }
  static upload::Response Refuse(int status = 422) {
    return Reply(status, R"({"title":"bad record"})", "application/problem+json");
  }
  // Takes all but those for which `bad` holds, which it names.
  upload::Response TakeSome(const Records& records, const std::function<bool(const Record&)>& bad) {
    Records good;
    std::string named;
    for (const Record& record : records) {
      if (bad(record)) {
        named += std::string(named.empty() ? "" : ",") + R"({"record_id":")" + record.id +
                 R"(","error":{"type":"about:blank","title":"bad record"}})";
      } else {
        good.push_back(record);
      }
    }
    if (named.empty()) {
      return Take(records);
    }
    Take(good);
    return Reply(207, "{\"accepted\":" + std::to_string(good.size()) + ",\"rejected\":[" + named + "],\"retry\":[]}");
  }

  static std::string Payload(int n, const std::string& more = "") { return "{\"n\":" + std::to_string(n) + more + "}"; }

  // Lets `script` answer until `done` holds or so much time has gone by on the clock.
  bool Play(const Script& script, std::chrono::microseconds most, const std::function<bool()>& done) {
    const MonoTime end = clock_.Mono() + most;
    const auto real_end = std::chrono::steady_clock::now() + std::chrono::seconds(240);  // under a sanitizer
    while (!done()) {
      if (clock_.Mono() >= end || std::chrono::steady_clock::now() > real_end) {
        return false;
      }
      queue_->Poll();
      const MonoTime next = destination_->Step(clock_.Mono());
      if (!uploader_.sent.empty()) {
        AnswerAll(script);
      } else if (destination_->idle()) {
        const MonoTime now = clock_.Mono();
        clock_.Advance(std::chrono::duration_cast<std::chrono::microseconds>(
            std::clamp(next, now + std::chrono::milliseconds(1), now + hop_) - now));
      } else {
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      }
    }
    return true;
  }
  void Play(const Script& script, std::chrono::microseconds time) {
    Play(script, time, [] { return false; });
  }

  void AnswerAll(const Script& script) {
    std::vector<FakeUploader::Sent> sent = std::move(uploader_.sent);
    uploader_.sent.clear();
    if (one_by_one_) {
      std::swap(sent.at(random_() % sent.size()), sent.back());
      uploader_.sent.assign(sent.begin(), sent.end() - 1);
      sent.erase(sent.begin(), sent.end() - 1);
    }
    for (const FakeUploader::Sent& one : sent) {
      clock_.Advance(takes_);
      connection_ += one.request.new_connection || one.request.leave_kept || fresh_connections_ ? 1 : 0;
      requests_.push_back(one.body);
      upload::Response response = script(RecordsOf(one.body), one);
      response.connection = connection_;
      if (one.request.new_connection && !one.request.leave_kept) {
        ++connection_;
      }
      one.done(std::move(response));
    }
  }

  std::uint64_t Dead() { return queue_->DeadLetters(2'000, 0)->size(); }
  std::uint64_t Suspects() { return queue_->SuspectCount("cloud"); }
  DestinationStatus Now() { return destination_->Snapshot(clock_.Mono()); }
  bool IsOpen(const std::string& name) {
    const auto open = events_.Open();
    return std::any_of(open.begin(), open.end(), [&](const auto& event) { return event.name == name; });
  }
  bool AllEnded() { return Now().pending == 0; }

  std::map<std::string, int> stored_;  // by record id, how often
  std::vector<std::string> requests_;  // bodies
  std::chrono::microseconds takes_{std::chrono::milliseconds(5)};
  std::uint64_t connection_ = 1;
  bool fresh_connections_ = false;
  bool one_by_one_ = false;  // one of those that are on their way is answered, whichever, before others may follow
  std::mt19937_64 random_{7};
  std::chrono::milliseconds hop_{5'000};  // how far the clock goes at most while nothing happens
};

}  // namespace packhorse::delivery
