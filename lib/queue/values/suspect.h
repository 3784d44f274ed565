#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "record/raw_message.h"

namespace packhorse::queue {

// A suspect is a record that its destination refuses, or fails at, while it takes others: it is set aside, so that it
// holds nothing up, and is tried again now and then. It stays pending until it is delivered or ends as refused. The
// queue stores what is known against it and does not judge. Plain values.

struct PreparedBatch;

// What is known against a record.
struct Suspicion {
  std::string reason;  // short and stable: "rejected", "too_large", "fails", "times_out", "forbidden", ...
  std::string detail;  // words of the last reply, bounded by the caller
  std::string provider_request_id;
  int http_status = 0;         // of the last reply; 0: none came
  std::uint32_t refusals = 0;  // how often it was refused, or failed, alone
  WallTime first_refused_at{};
  WallTime last_refused_at{};
};

// Of a settlement: this record leaves its batch and its segment, and is kept by itself.
struct SetAsideRecord {
  Sequence sequence = 0;
  std::uint32_t record = 0;  // index within its message
  Suspicion suspicion;
  // An attempt of this batch, which must hold this record alone, has an unknown outcome, or it cannot be rendered
  // again: its key and body stay with the suspect.
  bool keep_batch = false;
};

struct Suspect {
  std::int64_t id = 0;  // given once, also not to a dead letter; the dead letter that a suspect becomes keeps it
  std::string destination;
  Lane lane = Lane::kNormal;
  Sequence sequence = 0;
  std::uint32_t record = 0;
  std::uint32_t total_records = 1;  // of its message
  StreamId stream = 0;
  std::string stream_name;
  std::int32_t received_hour = 0;  // for its Member
  std::string record_id;
  WallTime set_aside_at{};
  Suspicion suspicion;
  std::string batch_key;  // idempotency key of the batch in which it was refused last
  bool retrying = false;  // in a batch now
  std::shared_ptr<const PreparedBatch>
      kept;  // goes again byte for byte (SetAsideRecord::keep_batch); null: it is rendered anew
  RawMessage message;
};

}  // namespace packhorse::queue
