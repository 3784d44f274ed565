#include "packhorsed/args.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace packhorse::daemon {
namespace {

Error Wrong(const char* name, const std::string& expected) {
  return Error{ErrorCode::kInvalidArgument, std::string("argument '") + name + "' must be " + expected};
}

}  // namespace

struct Args::Impl {
  nlohmann::json object;

  const nlohmann::json* Find(const char* name) const {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }
};

Args::Args(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Args::~Args() = default;
Args::Args(Args&&) noexcept = default;
Args& Args::operator=(Args&&) noexcept = default;

Result<Args> Args::Parse(const std::string& text) {
  auto impl = std::make_unique<Impl>();
  impl->object = nlohmann::json::parse(text, nullptr, false);
  if (!impl->object.is_object()) {
    return Error{ErrorCode::kInvalidArgument, "args must be a JSON object"};
  }
  return Args(std::move(impl));
}

Result<std::string> Args::Text(const char* name, const std::string& fallback) const {
  const nlohmann::json* value = impl_->Find(name);
  if (value == nullptr) {
    return fallback;
  }
  if (!value->is_string()) {
    return Wrong(name, "text");
  }
  return value->get<std::string>();
}

Result<std::int64_t> Args::Integer(const char* name, std::int64_t fallback, std::int64_t min, std::int64_t max) const {
  const nlohmann::json* value = impl_->Find(name);
  if (value == nullptr) {
    return fallback;
  }
  const bool fits =
      value->is_number_integer() &&
      (!value->is_number_unsigned() || value->get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
  if (!fits || value->get<std::int64_t>() < min || value->get<std::int64_t>() > max) {
    return Wrong(name, "an integer from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return value->get<std::int64_t>();
}

Result<bool> Args::Flag(const char* name) const {
  const nlohmann::json* value = impl_->Find(name);
  if (value == nullptr) {
    return false;
  }
  if (!value->is_boolean()) {
    return Wrong(name, "true or false");
  }
  return value->get<bool>();
}

Result<std::vector<std::int64_t>> Args::Integers(const char* name, std::size_t max_items) const {
  const nlohmann::json* value = impl_->Find(name);
  if (value == nullptr) {
    return std::vector<std::int64_t>();
  }
  if (!value->is_array() || value->size() > max_items) {
    return Wrong(name, "a list of at most " + std::to_string(max_items) + " integers");
  }
  std::vector<std::int64_t> numbers;
  for (const nlohmann::json& item : *value) {
    if (!item.is_number_integer() || item.get<std::int64_t>() < 0) {
      return Wrong(name, "a list of numbers that are not negative");
    }
    numbers.push_back(item.get<std::int64_t>());
  }
  return numbers;
}

}  // namespace packhorse::daemon
