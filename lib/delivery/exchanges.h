#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "delivery/redact.h"
#include "outcome/outcome_rules.h"
#include "queue/values/values.h"

namespace packhorse::delivery {

// The last failed exchanges with a cloud API, for whoever has to find out why: what was sent, what came back, and what
// was made of it. In memory only, gone with the process. Texts are single lines, cut, and without secrets (redact.h).

struct Exchange {
  WallTime at{};          // when the attempt ended
  std::string batch_key;  // of the batch, as `packhorse where` shows it
  std::string trace_id;   // W3C Trace Context, of the batch
  std::uint32_t records = 0;
  std::string method;
  std::string path;  // with query
  HeaderList request_headers;
  std::uint64_t request_bytes = 0;  // of the body, as it was sent
  std::string request_start;        // of the body; empty where it is compressed or no text
  int status = 0;                   // 0: no reply came
  std::string transport_error;      // then
  std::chrono::microseconds elapsed{};
  HeaderList reply_headers;
  std::uint64_t reply_bytes = 0;  // of the body, as far as it was read
  std::string reply_start;        // of the body
  std::string provider_request_id;
  std::string verdict;  // in words
};

// How a request was sent; holds secrets.
struct SentRequest {
  std::string method;
  std::string path;
  HeaderList headers;
  std::optional<std::string> body = {};  // of a question about the batch; none: the batch's own
};

// Loop thread.
class Exchanges {
 public:
  static constexpr std::size_t kMost = 20;
  static constexpr std::size_t kMaxBytes = 128U << 10U;  // of all of them: then the oldest go

  // Keeps the exchange if it failed: if not every record was accepted. A header that carries the batch's key is shown,
  // whatever it is called.
  void Note(const queue::PreparedBatch& batch, const SentRequest& sent, const outcome::Reply& reply,
            const outcome::Verdict& verdict, std::chrono::microseconds elapsed, WallTime at);

  // The newest last.
  const std::deque<Exchange>& all() const { return exchanges_; }

 private:
  std::deque<Exchange> exchanges_;
  std::size_t bytes_ = 0;
};

}  // namespace packhorse::delivery
