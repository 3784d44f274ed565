#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "contract/cloud_contract.h"
#include "outcome/outcome_rules.h"
#include "tryout/sample.h"

namespace packhorse::tryout {

// Runs the samples of a cloud contract: messages are decoded by generic-json@1 and rendered, replies are judged, and
// all is compared with what the sample expects. Pure functions; any thread.

// What a contract makes of the messages of a sample.
struct Tried {
  struct Request {
    std::string method;
    std::string path;  // secrets filled in
    contract::Headers headers;
    std::string body;                  // not coded
    std::vector<std::string> records;  // ids, in order
    std::vector<std::uint32_t> items;  // of each record
  };
  std::vector<contract::RenderedRecord> records;  // of all messages
  std::vector<std::string> record_ids;
  std::vector<Request> requests;  // one for each part, in the order of their first records
};
Result<Tried> Render(const contract::CloudContract& contract, const Sample& sample);

// The records of a sample's messages.
Result<std::vector<CanonicalRecord>> DecodeMessages(const Sample& sample);

// The verdict of a reply to the first request, in the words of samples: of the batch, or of each record.
struct TriedReply {
  std::string batch;  // empty: see `records`
  std::vector<std::string> records;
  std::string reason;  // of the batch, or of the first record that is not accepted
  std::optional<std::chrono::milliseconds> wait;

  friend bool operator==(const TriedReply& a, const TriedReply& b) = default;
};
TriedReply JudgeReply(const contract::ResponseRules& rules, const Tried::Request& request, const Sample::Reply& reply);

// What is not as the sample expects it, one line each; empty: all is.
std::vector<std::string> RunSample(const contract::CloudContract& contract, const Sample& sample);

}  // namespace packhorse::tryout
