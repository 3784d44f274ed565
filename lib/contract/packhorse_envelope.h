#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "contract/cloud/first_form_rules.h"
#include "contract/cloud_contract.h"

namespace packhorse::contract {

// The data of a cloud contract with the envelope "packhorse": what contracts/cloud/packhorse-ingest@*.json says.
struct CloudDefinition {
  std::string name;  // name@major.minor
  std::string method;
  std::string path;
  std::string content_type;
  std::string idempotency_header;
  FirstFormResponse response;
  std::uint32_t max_records = 0;
  std::uint64_t max_bytes = 0;
  std::vector<std::string> gap_outcomes;
};

std::shared_ptr<const CloudContract> MakePackhorseEnvelope(CloudDefinition definition);

}  // namespace packhorse::contract
