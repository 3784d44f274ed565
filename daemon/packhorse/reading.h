#pragma once

#include <istream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/topic.h"
#include "contract/device_contract.h"
#include "packhorse/globals.h"
#include "record/canonical_record.h"
#include "record/raw_message.h"

namespace packhorse::cli {

// Messages that are given on the command line, and how the bridge would read them.

// How the message is to be read.
struct Reading {
  std::string stream;                // empty: no configured one takes the topic
  std::vector<std::string> streams;  // all that are configured, with their topics, for people
  Lane lane = Lane::kNormal;
  std::optional<TopicPattern> pattern;
  bool retained_is_state = true;
  std::vector<std::shared_ptr<const contract::DeviceContract>> contracts;  // tried in this order
};

// The topic of a message, 1 to 65,535 bytes of UTF-8 without wildcards.
Status CheckTopic(const std::string& topic);
// At most 256 MiB.
Result<std::string> ReadPayload(std::istream& in);
// Fills in what the first configured stream that matches says. Without --config, a default file that is missing or bad
// is no obstacle.
Status ReadStreams(const Globals& globals, const std::string& topic, Reading& reading);

struct ReadingOptions {
  std::string topic;
  std::string contract;     // empty: the configured streams by topic, then the shipped contracts
  std::string pattern;      // empty: that of the configured stream that matches
  std::string received_at;  // RFC 3339; empty: now
  bool retained = false;
};
Status ChooseContracts(const ReadingOptions& options, Reading& reading);
Result<RawMessage> MakeMessage(const ReadingOptions& options, std::string payload);
// By the first contract that does not quarantine it. `key`: what its records are called; its index does not count.
contract::Decoded DecodeBy(const Reading& reading, const RawMessage& message, const RecordKey& key);
// The key of the messages of a command, which are in no queue.
RecordKey KeyOf(const Reading& reading, Sequence sequence);

}  // namespace packhorse::cli
