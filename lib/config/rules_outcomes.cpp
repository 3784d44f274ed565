#include "config/rules.h"
#include "contract/cloud/read_response.h"

namespace packhorse::config {

void CheckOutcomes(const document::Node& root, document::Problems& problems) {
  for (const document::Node& destination : root["destinations"].items) {
    if (const document::Node& outcomes = destination["outcomes"]; outcomes.usable() && !outcomes.items.empty()) {
      contract::ReadResponseRules(outcomes, problems);
    }
  }
}

}  // namespace packhorse::config
