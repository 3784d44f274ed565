#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "machine.h"
#include "message.h"
#include "upload/uploader.h"

namespace packhorse::simulation {

// How the cloud behaves for a while.
enum class Conduct : std::uint8_t {
  kFine,
  kUnreachable,    // no connection
  kUnavailable,    // 503
  kThrottles,      // 429 with Retry-After
  kSlow,           // batches over a size time out, stored or not
  kSmallBodies,    // 413 over a size
  kNoBodies,       // 413 for every body
  kWrongToken,     // 401
  kWrongUrl,       // 404
  kHtml,           // 200 with a page of a captive portal
  kLosesReplies,   // takes what comes, and the connection breaks
  kTakesSome,      // 207: takes some, asks to retry the rest
  kRefusesAll,     // 422 for every batch
  kOneBadBackend,  // every other request gets 400, whatever it holds
  kOneBadNaming,   // every other request gets 207 that names each record as rejected but one
  kTwoAtOnce,      // 429 for a third request beside two others
  kLies,           // says that it has them, and has not
};
inline constexpr int kConducts = static_cast<int>(Conduct::kLies) + 1;
std::string_view Name(Conduct conduct);

// The cloud, scripted, in the place of the upload library. It remembers which message came under which record id. With
// `keeps_highest` it stores only what is above the highest sequence so far of its queue id, and takes every record in
// the end: a bad one two days after it saw it first.
class Cloud final : public upload::Uploader {
 public:
  Cloud(const Machine& machine, const Messages& messages, std::uint64_t seed, bool keeps_highest);

  void Send(const upload::Endpoint& endpoint, upload::Request request,
            std::function<void(upload::Response)> done) override;
  Result<std::uint32_t> Poll(const std::vector<int>&, MonoTime) override { return 0U; }
  std::size_t in_flight() const override { return replies_.size(); }
  void Wake() override {}
  void Abort() override { replies_.clear(); }

  void Behave(Conduct conduct) { conduct_ = conduct; }
  Conduct conduct() const { return conduct_; }
  // Gives the replies that are due.
  void Answer();
  Instant Next() const { return replies_.empty() ? Instant::max() : replies_.begin()->first; }

  bool Has(Number number) const { return stored_.contains(number); }
  // The cloud said that it has it, and has not.
  bool LiedAbout(Number number) const { return lied_.contains(number); }
  std::size_t stored() const { return stored_.size(); }
  std::uint64_t requests() const { return requests_; }
  // A record id that meant two messages; empty: there is none.
  const std::string& problem() const { return problem_; }

 private:
  struct Record {
    std::string id;
    Number number = 0;
    Kind kind = Kind::kGood;
  };
  struct Reply {
    upload::Response response;
    std::function<void(upload::Response)> done;
  };
  std::vector<Record> Read(std::string_view body);
  void Store(const std::vector<Record>& records);
  Kind Judge(Number number);
  bool Draw(unsigned percent) { return random_() % 100 < percent; }
  upload::Response Decide(const std::vector<Record>& records, std::size_t bytes, microseconds& takes);
  upload::Response OnMerits(const std::vector<Record>& records);
  upload::Response TakeSome(const std::vector<Record>& records);
  upload::Response NameAllButOne(const std::vector<Record>& records);

  const Machine& machine_;
  const Messages& messages_;
  std::mt19937_64 random_;
  const bool keeps_highest_;
  Conduct conduct_ = Conduct::kFine;
  std::multimap<Instant, Reply> replies_;
  std::map<std::string, Number, std::less<>> ids_;
  std::map<std::string, std::uint64_t, std::less<>> highest_;  // by what record ids begin with
  std::map<Number, Instant> seen_bad_;
  std::set<Number> stored_;
  std::set<Number> lied_;
  std::uint64_t requests_ = 0;
  std::uint64_t connection_ = 1;
  std::string problem_;
};

}  // namespace packhorse::simulation
