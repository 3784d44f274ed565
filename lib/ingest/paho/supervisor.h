#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "ingest/paho/connection.h"
#include "ingest/paho/shared.h"

namespace packhorse::ingest {

// Keeps one source connected: tries its URLs in order, subscribes, watches, reconnects with jittered backoff. All calls
// into Paho come from here. Runs on a thread of its own until the source is stopped.
class Supervisor {
 public:
  explicit Supervisor(std::shared_ptr<Shared> shared);
  void Run();

 private:
  struct Known {
    std::optional<Protocol> protocol;              // what the broker is known to speak, until a connection to it fails
    PasswordSlot password = PasswordSlot::kFirst;  // which it accepted last
    std::shared_ptr<InboundQos2> inbound = std::make_shared<InboundQos2>();
  };

  bool ConnectToAny();
  Status ConnectTo(std::size_t index);
  Result<std::vector<Protocol>> Candidates(std::size_t index);
  struct Password {
    PasswordSlot slot = PasswordSlot::kFirst;
    std::string text;
  };
  struct Passwords {
    std::vector<Password> list;    // to be tried in this order
    std::optional<Error> missing;  // why one of them could not be read
  };
  Passwords ReadPasswords(std::size_t index);
  Refusal OpenWithAny(std::size_t index, Protocol protocol, const std::vector<Password>& passwords);
  Refusal Open(std::size_t index, Protocol protocol, const std::string& password);
  Error Explain(std::size_t index, const Refusal& refusal);
  bool Subscribe(const std::vector<std::string>& filters);
  void Serve();
  void ReportConnected();
  void OnLoss(const Shared::Loss& loss, std::chrono::steady_clock::duration lived);
  std::chrono::milliseconds Backoff();
  void End();

  const std::shared_ptr<Shared> shared_;
  Random random_;
  std::vector<Known> known_;  // per URL
  std::unique_ptr<Connection> connection_;
  Protocol protocol_ = Protocol::kMqtt5;
  std::vector<std::string> refused_;  // filters
  std::vector<std::string> wanting_;  // filters: refused, or granted with less than QoS 1
  std::string subscription_reason_;   // empty when all were granted
  std::string suspicion_;             // of a second client with our id; stays until a connection lasts
  std::uint32_t failures_ = 0;        // rounds without success, or connections that did not last, in a row
  std::uint32_t short_lives_ = 0;
};

}  // namespace packhorse::ingest
