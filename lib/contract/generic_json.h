#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/topic.h"
#include "contract/device_contract.h"
#include "contract/device_time.h"
#include "contract/json_flatten.h"

namespace packhorse::contract {

// Further names of device time for messages on some topics; they go before the general ones.
struct TopicTimeFields {
  std::vector<TopicPattern> topics;
  std::vector<TimeField> fields;
};

// The data of a device contract of format "json" without a field table: what contracts/device/generic-json@*.json says.
struct GenericJsonRules {
  std::string name;  // name@major.minor
  JsonLimits limits;
  TimeRules time;
  std::vector<TopicTimeFields> time_by_topic;  // the first that matches counts
};

std::shared_ptr<const DeviceContract> MakeGenericJson(GenericJsonRules rules);

}  // namespace packhorse::contract
