#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "faults.h"
#include "rate_window.h"
#include "store.h"
#include "support/http/message.h"
#include "validation.h"

namespace packhorse::cloud {

using http::Framing;
using http::Reply;
using http::Request;
using http::Wire;

struct ReceiverSettings {
  std::string token;                                       // empty: no authentication
  std::uint64_t max_body_bytes = std::uint64_t{5} << 20U;  // received and decoded; as the contract says
  std::uint64_t max_records = 1000;
};

// The receiving API of packhorse-ingest@1 plus what tests need (/v1/stats, /admin/*). Thread-safe.
class Receiver {
 public:
  Receiver(Store& store, FaultScript& faults, const Clock& clock, ReceiverSettings settings,
           std::vector<std::string> sum_fields);
  ~Receiver();

  // Answers one request; never fails: whatever is wrong becomes a problem document.
  Reply Handle(const Request& request);
  // Larger bodies are not even read.
  std::uint64_t MaxBodyBytes(const Request& request);
  RateWindow& rate() { return rate_; }

 private:
  Reply Route(const Request& request);
  bool Authorized(const Request& request);
  static Reply Unauthorized(const Request& request);
  ReceiverSettings Settings();

  // POST /v1/telemetry (telemetry.cpp), in the order in which things are checked.
  Reply Telemetry(const Request& request);
  struct Applied {
    Reply reply;
    bool fault = false;  // the scripted fault took effect
  };
  Applied TelemetryWithin(const Request& request, const Fault& fault, const RateWindow::Verdict& rate);
  Applied Check(const Fault& fault, const std::string& key, const std::string& body);
  Reply Keep(const Fault& fault, const std::string& key, const std::string& body, const ReceivedBatch& batch);

  // Test equipment (admin.cpp).
  Reply Admin(const Request& request);
  Reply Forget(const Request& request);
  Reply Falsify(const Request& request);
  Reply ChangeSettings(const Request& request);
  Reply Stats();
  void Count(const Reply& reply, std::string_view fault);

  std::unique_ptr<Validator> BorrowValidator();
  void ReturnValidator(std::unique_ptr<Validator> validator);

  Store& store_;
  FaultScript& faults_;
  const Clock& clock_;
  const std::vector<std::string> sum_fields_;
  RateWindow rate_;
  std::mutex mutex_;
  ReceiverSettings settings_;                            // guarded by mutex_
  std::vector<std::unique_ptr<Validator>> validators_;   // idle ones; guarded by mutex_
  std::map<std::string, std::uint64_t> replies_;         // by status, or by how the reply was lost; guarded by mutex_
  std::map<std::string, std::uint64_t> faults_applied_;  // guarded by mutex_
};

}  // namespace packhorse::cloud
