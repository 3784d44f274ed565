#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "auth/authorizer.h"
#include "base/clock.h"
#include "base/result.h"
#include "contract/cloud_contract.h"
#include "delivery/delivery.h"
#include "delivery/pacing.h"
#include "limit/circuit_breaker.h"
#include "upload/uploader.h"

namespace packhorse::delivery {

// A request to the destination, written by this contract, with what it needs to be let in. kUnavailable: a token is
// needed first. The body has to live until the reply.
Result<upload::Request> Authorize(auth::Authorizer& authorizer, const upload::Endpoint& endpoint,
                                  const contract::CloudContract& contract, auth::OutgoingRequest request, WallTime wall,
                                  MonoTime now);

// What is asked of a destination's cloud beside the records, one question at a time (Destination::Ask). Loop thread.
class Inquirer {
 public:
  // Of the destination, which outlives it.
  struct Way {
    const upload::Endpoint& endpoint;
    const contract::CloudContract& contract;
    auth::Authorizer& authorizer;
    Pacing& pacing;
    const limit::CircuitBreaker& breaker;
    upload::Uploader& uploader;
    const Clock& clock;
  };
  explicit Inquirer(const Way& way) : way_(way) {}
  ~Inquirer();
  Inquirer(const Inquirer&) = delete;
  Inquirer& operator=(const Inquirer&) = delete;

  void Ask(Inquiry inquiry, MonoTime until, std::function<void(Result<upload::Response>)> done);
  // Sends what may go now. When to be called next. `ends`: nothing is sent any more.
  MonoTime Step(bool ends, MonoTime now);
  // Questions that were sent.
  std::uint64_t asked() const { return asked_; }

 private:
  struct Open {
    Inquiry what;
    MonoTime until{};
    std::function<void(Result<upload::Response>)> done;
    bool sent = false;
    std::uint32_t refusals = 0;  // of the credential
    std::uint64_t credential = 0;
    Pacing::Ticket ticket = {};
  };

  // When limits, budget and state of the destination let it go.
  MonoTime AdmittedAt(MonoTime now) const;
  void Send(MonoTime now);
  void LearnFrom(const upload::Response& response);
  void OnReply(upload::Response response);
  void End(Result<upload::Response> result);

  Way way_;
  std::uint64_t asked_ = 0;
  std::optional<Open> open_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // callbacks hold it weakly
};

}  // namespace packhorse::delivery
