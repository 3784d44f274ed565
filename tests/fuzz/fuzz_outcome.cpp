// Any reply of a cloud, read by any rules: a verdict for every record sent, never a crash, and never more accepted than
// were sent. Up to the first NUL the input is the rules (none: those of packhorse-ingest@1), then two bytes are the
// status, then header lines up to an empty line, then the body.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "contract/cloud/read_response.h"
#include "contract/cloud_contract.h"
#include "document/document.h"
#include "document/problems.h"
#include "outcome/outcome_rules.h"

namespace contract = packhorse::contract;
namespace document = packhorse::document;
namespace outcome = packhorse::outcome;

namespace {

// Rules that are valid are applied; of others only the reading is tried.
contract::ResponseRules RulesOf(std::string_view text, const contract::ResponseRules& otherwise) {
  const document::Document parsed = document::ParseDocument(text);
  if (parsed.problem) {
    return otherwise;
  }
  document::Problems problems("fuzz");
  contract::ResponseRules rules = contract::ReadResponseRules(parsed.root, problems);
  return problems.Take().empty() ? rules : otherwise;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto ingest = contract::FindCloudContract("packhorse-ingest@1").value();
  static const std::vector<std::string> ids = {"k3f9.n.1", "k3f9.n.2", "k3f9.n.3"};
  static const std::vector<std::uint32_t> items = {1, 2, 1};
  std::string rest(reinterpret_cast<const char*>(data), size);
  const std::size_t nul = rest.find('\0');
  const contract::ResponseRules rules =
      nul == std::string::npos ? ingest->response() : RulesOf(rest.substr(0, nul), ingest->response());
  rest.erase(0, nul == std::string::npos ? 0 : nul + 1);
  if (rest.size() < 2) {
    return 0;
  }
  outcome::Reply reply;
  reply.complete = true;
  reply.status = 100 + (static_cast<unsigned char>(rest[0]) * 256 + static_cast<unsigned char>(rest[1])) % 500;
  rest.erase(0, 2);
  for (std::size_t end = rest.find('\n'); end != std::string::npos && end > 0; end = rest.find('\n')) {
    const std::string line = rest.substr(0, end);
    rest.erase(0, end + 1);
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos) {
      reply.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    }
  }
  reply.body = rest;
  for (const bool one_each : {true, false}) {
    outcome::Sent sent{ids.size(), [] { return ids; }, {}};
    if (!one_each) {
      sent.items_per_record = items;
    }
    const outcome::Verdict verdict =
        outcome::Judge(reply, rules, sent, packhorse::WallTime(std::chrono::microseconds(1'795'162'531'500'000)));
    if (verdict.action == outcome::Action::kPartial && verdict.records.size() != ids.size()) {
      std::abort();
    }
  }
  return 0;
}
