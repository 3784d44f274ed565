// Any reply of a cloud: a verdict for every record sent, never a crash. The first two bytes are the status, then header
// lines up to an empty line, then the body.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "contract/cloud_contract.h"
#include "outcome/outcome_rules.h"

namespace outcome = packhorse::outcome;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto contract = packhorse::contract::FindCloudContract("packhorse-ingest@1").value();
  static const std::vector<std::string> ids = {"k3f9.n.1", "k3f9.n.2", "k3f9.n.3"};
  if (size < 2) {
    return 0;
  }
  outcome::Reply reply;
  reply.complete = true;
  reply.status = 100 + (data[0] * 256 + data[1]) % 500;
  std::string rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  for (std::size_t end = rest.find('\n'); end != std::string::npos && end > 0; end = rest.find('\n')) {
    const std::string line = rest.substr(0, end);
    rest.erase(0, end + 1);
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos) {
      reply.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    }
  }
  reply.body = rest;
  const outcome::Verdict verdict = outcome::Judge(
      reply, contract->response(), ids, packhorse::WallTime(std::chrono::microseconds(1'795'162'531'500'000)));
  if (verdict.action == outcome::Action::kPartial && verdict.records.size() != ids.size()) {
    std::abort();
  }
  return 0;
}
