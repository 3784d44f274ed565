#include "golden.h"

#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "base/topic.h"
#include "contract/cloud_contract.h"
#include "contract/device_contract.h"
#include "contract/gap_contract.h"
#include "repository_file.h"
#include "wall_time.h"

namespace packhorse::test {
namespace {

constexpr std::string_view kPayloadLine = "--- payload\n";
constexpr std::string_view kBodyLine = "\n--- body\n";

std::string HeadOf(const Golden& golden, const std::string& name, const std::string& fallback = "") {
  const auto found = golden.head.find(name);
  return found == golden.head.end() ? fallback : found->second;
}

RawMessage MessageOf(const Golden& golden) {
  RawMessage message;
  message.topic = HeadOf(golden, "topic");
  message.payload = golden.payload;
  message.received_at = ToWallTime(HeadOf(golden, "received_at"));
  for (const ClockState state : {ClockState::kSynchronized, ClockState::kRecovered, ClockState::kUnsynchronized}) {
    if (Name(state) == HeadOf(golden, "clock", "synchronized")) {
      message.clock = state;
    }
  }
  if (golden.head.count("received_at_raw") > 0) {
    message.received_at_raw = ToWallTime(HeadOf(golden, "received_at_raw"));
  }
  message.retained = HeadOf(golden, "retained") == "yes";
  message.redelivered = HeadOf(golden, "redelivered") == "yes";
  return message;
}

}  // namespace

std::vector<std::string> GoldenFiles() {
  std::vector<std::string> files;
  for (const std::string& contract : contract::CloudContractNames()) {
    if (!contract.starts_with("packhorse-ingest@")) {
      continue;  // other contracts have samples of their own beside their files
    }
    const std::vector<std::string> more = RepositoryFiles("contracts/golden/" + contract, ".golden");
    EXPECT_FALSE(more.empty()) << contract << " has no samples";
    files.insert(files.end(), more.begin(), more.end());
  }
  return files;
}

Golden ParseGolden(const std::string& text) {
  Golden golden;
  const auto payload = text.find(kPayloadLine);
  const auto body = text.find(kBodyLine);
  EXPECT_TRUE(payload != std::string::npos && body != std::string::npos) << "a section is missing";
  if (payload == std::string::npos || body == std::string::npos) {
    return golden;
  }
  std::istringstream head(text.substr(0, payload));
  for (std::string line; std::getline(head, line);) {
    const auto colon = line.find(": ");
    EXPECT_NE(colon, std::string::npos) << line;
    golden.head[line.substr(0, colon)] = line.substr(colon + 2);
  }
  const std::size_t start = payload + kPayloadLine.size();
  golden.payload = text.substr(start, body - start);
  golden.body = text.substr(body + kBodyLine.size());
  EXPECT_FALSE(golden.body.empty() || golden.body.back() != '\n') << "the file has to end with a line feed";
  if (!golden.body.empty()) {
    golden.body.pop_back();
  }
  return golden;
}

std::string RenderGolden(const Golden& golden) {
  const bool gap = HeadOf(golden, "gap") == "yes";
  const auto device =
      gap ? contract::MakeGapContract() : contract::FindDeviceContract(HeadOf(golden, "device_contract"));
  const auto cloud = contract::FindCloudContract(HeadOf(golden, "cloud_contract"));
  const auto pattern = TopicPattern::Parse(HeadOf(golden, "pattern", "#"));
  EXPECT_TRUE(device && cloud && pattern);
  if (!device || !cloud || !pattern) {
    return {};
  }
  contract::DecodeContext context;
  context.queue_id = "k3f9";
  context.sequence = 1001;
  const std::string stream = HeadOf(golden, "stream", "telemetry");
  context.stream = stream;
  const RawMessage message = MessageOf(golden);
  context.device = pattern->Device(message.topic);
  contract::Decoded decoded = (*device)->Decode(message, context);
  EXPECT_EQ(decoded.kind, contract::Decoded::Kind::kRecords) << decoded.detail;
  std::vector<contract::RenderedRecord> rendered;
  for (const CanonicalRecord& record : decoded.records) {
    rendered.push_back((*cloud)->RenderRecord(record));
  }
  contract::BatchHeader header;
  header.batch_id = "7zk2m0q4v8x1c5n9";
  header.gateway_id = "gw-0042";
  header.gateway_attributes = {{"site", "plant-7"}};
  return (*cloud)->RenderBatch(header, rendered).body;
}

}  // namespace packhorse::test
