#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "queue/ledger/ledger.h"
#include "queue/queue.h"
#include "queue/values/ledger.h"

namespace packhorse::queue::model {

// What the queue must hold, without checkpoints, files or journals. Plain bytes of fixed size, so that it can lie in
// memory that outlives the process under test.

constexpr std::size_t kStreams = 4;
constexpr std::size_t kDestinations = 2;
constexpr std::size_t kMaxMessages = 400;
constexpr std::size_t kMaxBatches = 64;
constexpr std::size_t kMaxParts = 32;
constexpr std::size_t kMaxRecords = 3;
constexpr std::array<const char*, kStreams> kStreamNames = {"alarms", "telemetry", "events", "logs"};
constexpr std::array<const char*, kDestinations> kDestinationNames = {"cloud", "lake"};
constexpr std::size_t kLake = 1;
constexpr std::array<Lane, kStreams> kStreamLanes = {Lane::kUrgent, Lane::kNormal, Lane::kNormal, Lane::kBulk};

// Its messages stay; it shares its lane with another one.
constexpr std::size_t kRetainedStream = 2;

enum class At : std::uint8_t {
  kNotFor,  // this destination does not get it
  kPending,
  kPrepared,
  kDelivered,
  kDead,
  kAside,
  kRefused,  // and given up: it is no dead letter
  kQuarantined,
  kDropped,
  kExpired,
  kDeduplicated,
  // Refused, or dropped, before a letter of the same message was replayed: the queue has nothing left that says so.
  kRefusedBefore,
  kDroppedBefore
};

struct Message {
  std::uint32_t serial;  // never used twice; what the payload says
  std::uint8_t stream;
  std::uint8_t records;
  std::uint16_t padding;
  Sequence sequence;
  char queue_id[16];  // under which it was numbered
  std::int32_t hour;  // of its arrival
  At at[kDestinations][kMaxRecords];
  // What is known of a record that is, or was, set aside.
  std::uint8_t refusals[kDestinations][kMaxRecords];
  std::uint32_t kept[kDestinations][kMaxRecords];  // key of the batch that is kept; 0: none

  Lane lane() const { return kStreamLanes.at(stream); }
  std::string Payload() const { return "message " + std::to_string(serial) + std::string(padding, '.'); }
  bool Is(std::size_t destination, At where) const { return at[destination][0] == where; }
  // Pending, in a batch or set aside.
  bool Live(std::size_t destination) const;
  // Once a letter of it is replayed.
  void ForgetWhatHasNoLetter(std::size_t destination);
  void Put(std::size_t destination, At where) {
    for (At& each : at[destination]) {
      each = where;
    }
  }
};

struct Part {
  std::uint16_t message;
  std::uint8_t first_record;
  std::uint8_t records;
};

struct Batch {
  BatchId id;  // 0: free
  std::uint8_t destination;
  Lane lane;
  bool replayed;
  bool suspect;
  std::uint32_t key;
  std::uint16_t parts;
  Part part[kMaxParts];

  std::string Key() const { return "key-" + std::to_string(key); }
  std::string Body() const { return "body of " + Key(); }
};

// Which streams go where: the part that changes.
struct Configuration {
  bool telemetry_to_lake;
  bool lake;
  bool from_oldest;  // where the lake starts
};

struct Model {
  std::uint16_t messages;
  Message message[kMaxMessages];
  Batch batch[kMaxBatches];
  std::uint32_t dropped[kStreams][kDestinations];      // counted on arrival
  std::uint32_t quarantined[kStreams][kDestinations];  // likewise
  std::uint32_t quarantine_rows;                       // likewise
  Configuration configuration;
  bool lake_began;  // once it was there it goes on where it was

  bool Wants(std::size_t stream, std::size_t destination) const;
  // Nothing that the lake got has gone further than to wait for it.
  bool LakeOnlyWaits() const;
  // As before it began.
  Model WithoutLake() const;
  std::vector<std::uint16_t> Pending(std::size_t destination, Lane lane) const;
  LedgerRow Row(std::size_t stream, std::size_t destination) const;
  std::vector<std::string> Dead() const;
  std::vector<std::string> Suspects() const;
  std::vector<std::string> Prepared(std::size_t destination) const;
  std::uint64_t Quarantined() const;
  Batch* FreeBatch();
};

std::vector<StreamOptions> Streams(const Configuration& configuration);
std::vector<DestinationOptions> Destinations(const Configuration& configuration);

// What a queue says about itself, in the model's words.
struct Observation {
  Ledger ledger;
  std::map<std::pair<std::size_t, Lane>, Pending> pending;
  std::map<std::pair<std::size_t, Lane>, std::uint64_t> waiting;
  std::vector<std::string> prepared[kDestinations];
  std::vector<std::string> dead;
  std::vector<std::string> suspects;
  std::uint64_t quarantined = 0;
};

// What the queue says it has stored for a lake that is there for the first time becomes the model's: of the right
// streams only and, where this is the `first` time it is tried, at least what waits for the cloud. Empty, or
// what is wrong with it.
std::string BeginLake(Model& model, const Observation& seen, bool first);

// The first difference; empty: none.
std::string Compare(const Model& model, const Observation& seen);
std::string CompareLedger(const Model& model, const Ledger& ledger);
std::string ComparePending(const Model& model, std::size_t destination, Lane lane, const Pending& seen);

}  // namespace packhorse::queue::model
