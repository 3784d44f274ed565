#pragma once

#include <chrono>
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
#include "ingest/paho/stability.h"
#include "ingest/paho/subscriptions.h"

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
    std::string address;                 // at which the host answered last
    std::chrono::seconds keep_alive{0};  // which the broker asked for, shorter than ours; 0: it did not
    bool wary = false;                   // the process died twice in a row while it was connected there
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
  void PassOver(std::size_t index, const std::string& password);
  Connected Try(std::size_t index, Protocol protocol, const ConnectWith& with);
  std::chrono::seconds Announced(std::size_t index) const;
  Error Explain(std::size_t index, const Refusal& refusal);
  std::chrono::milliseconds Backoff();
  // --- serve.cpp ---
  void NoteConnected(std::size_t index, const Connected& connected);
  bool Subscribe();
  void Unsubscribe(bool all);
  void Serve();
  void Drain();
  void EndSession();
  void ReportConnected();
  void Note(Sessions::Life life);
  void OnLoss(const Shared::Loss& loss, std::chrono::steady_clock::time_point now);
  void End();

  const std::shared_ptr<Shared> shared_;
  Random random_;
  std::vector<Known> known_;  // per URL
  std::unique_ptr<Connection> connection_;
  Protocol protocol_ = Protocol::kMqtt5;
  std::string url_;  // of connection_
  std::chrono::steady_clock::time_point connected_at_{};
  Subscriptions subscriptions_;
  Stability stability_;
  std::uint32_t failures_ = 0;  // rounds without success, or connections that did not last, in a row
  int drain_losses_ = 0;
  const std::chrono::steady_clock::time_point begun_;
};

}  // namespace packhorse::ingest
