#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "contract/cloud_contract.h"
#include "document/document.h"
#include "document/problems.h"

namespace packhorse::tryout {

inline constexpr std::size_t kMaxSamples = 1'000;  // of one contract

// A sample of a cloud contract, as contracts/schema/cloud-sample.schema.json describes it. Plain value.
struct Sample {
  struct Message {
    std::string stream;
    std::string topic;
    std::string device;
    RecordKind kind = RecordKind::kTelemetry;
    WallTime received_at{};
    std::string payload;
  };
  // What a body must be: nothing said, JSON, one JSON value a line, an exact text, or exact bytes in base64.
  struct JsonBody {
    document::Node value;
  };
  struct LinesBody {
    std::vector<document::Node> lines;
  };
  struct TextBody {
    std::string text;
  };
  struct Base64Body {
    std::string base64;
  };
  using Body = std::variant<std::monostate, JsonBody, LinesBody, TextBody, Base64Body>;
  struct Request {
    std::string method;
    std::string path;
    contract::Headers headers;
    Body body;
  };
  struct Reply {
    std::string title;
    int status = 0;
    contract::Headers headers;  // names in lower case
    std::string body;
    std::string batch;                 // the verdict of the whole batch; empty: see `records`
    std::vector<std::string> records;  // one verdict for each record that has items
    std::string reason;                // empty: any
    std::optional<std::chrono::milliseconds> wait;
  };

  std::string file;
  std::string title;
  std::map<std::string, std::string> settings;
  contract::BatchHeader batch;
  std::vector<Message> messages;
  std::vector<contract::RenderedRecord::Fate> fates;  // empty: all have items
  std::vector<Request> requests;                      // empty: nothing is said of them
  std::vector<Reply> replies;
};

struct SampleRead {
  Sample sample;
  std::vector<document::Problem> problems;  // with errors the sample is not to be used
};
SampleRead ReadSample(std::string_view text, const std::string& file);

// The folder of the samples of a contract file: "x@1.0.samples" beside "x@1.0.json".
std::string SampleFolderOf(const std::string& contract_file);
// The samples of a folder, by name; none where there is no such folder. An error where the folder cannot be read or has
// more than kMaxSamples. Reads files.
Result<std::vector<SampleRead>> ReadSamples(const std::string& folder);
// Those of a contract of the program, name@major.minor, which are compiled in.
std::vector<SampleRead> ShippedSamples(std::string_view contract);

}  // namespace packhorse::tryout
