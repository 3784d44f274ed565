#include "contract/gap_contract.h"

#include <utility>

namespace packhorse::contract {
namespace {

class GapContract final : public DeviceContract {
 public:
  explicit GapContract(std::shared_ptr<const DeviceContract> json) : json_(std::move(json)) {}

  const std::string& name() const override { return json_->name(); }

  Decoded Decode(const RawMessage& message, const DecodeContext& context) const override {
    Decoded decoded = json_->Decode(message, context);
    for (CanonicalRecord& record : decoded.records) {
      record.kind = RecordKind::kGap;
      record.device_id.clear();
      record.device_time = {};
      record.contract.clear();
      record.topic.clear();
    }
    return decoded;
  }

 private:
  std::shared_ptr<const DeviceContract> json_;
};

}  // namespace

Result<std::shared_ptr<const DeviceContract>> MakeGapContract() {
  auto json = FindDeviceContract("generic-json@1");
  RETURN_IF_ERROR(json);
  return std::shared_ptr<const DeviceContract>(std::make_shared<GapContract>(*std::move(json)));
}

}  // namespace packhorse::contract
