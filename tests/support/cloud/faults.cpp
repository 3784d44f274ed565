#include "faults.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace packhorse::cloud {
namespace {

using nlohmann::json;

constexpr std::array<std::pair<std::string_view, FaultKind>, 11> kKinds = {{
    {"none", FaultKind::kNone},
    {"down", FaultKind::kDown},
    {"status", FaultKind::kStatus},
    {"slow", FaultKind::kSlow},
    {"lost_reply", FaultKind::kLostReply},
    {"partial", FaultKind::kPartial},
    {"html", FaultKind::kHtml},
    {"truncated", FaultKind::kTruncated},
    {"wrong_accepted", FaultKind::kWrongAccepted},
    {"redirect", FaultKind::kRedirect},
    {"reset", FaultKind::kReset},
}};

constexpr std::array<std::string_view, 10> kMembers = {"fault",   "requests", "seconds", "every",    "status",
                                                       "headers", "delay_ms", "device",  "rejected", "retry"};

Error Wrong(const std::string& what) { return Error{ErrorCode::kInvalidArgument, what}; }

Result<std::uint64_t> Count(const json& step, const char* name, std::uint64_t fallback) {
  if (!step.contains(name)) {
    return fallback;
  }
  const json& value = step[name];
  if (!value.is_number_integer() || value.get<std::int64_t>() < 0) {
    return Wrong(std::string(name) + " must be an integer of 0 or more");
  }
  return value.get<std::uint64_t>();
}

Result<FaultKind> Kind(const json& step) {
  const json name = step.value("fault", json());
  const auto* found = std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& kind) { return name == kind.first; });
  if (found == kKinds.end()) {
    std::string all;
    for (const auto& [known, kind] : kKinds) {
      all += all.empty() ? "" : ", ";
      all += known;
    }
    return Wrong("fault must be one of " + all);
  }
  return found->second;
}

int DefaultStatus(FaultKind kind) {
  switch (kind) {
    case FaultKind::kStatus:
      return 503;
    case FaultKind::kRedirect:
      return 307;
    case FaultKind::kPartial:
      return 207;
    default:
      return 200;
  }
}

Status ReadHeaders(const json& step, Fault& fault) {
  const json headers = step.value("headers", json::object());
  if (!headers.is_object()) {
    return Wrong("headers must be an object of text");
  }
  for (const auto& [name, value] : headers.items()) {
    if (!value.is_string()) {
      return Wrong("headers must be an object of text");
    }
    fault.headers.emplace_back(name, value.get<std::string>());
  }
  return {};
}

Status ReadFault(const json& step, Fault& fault) {
  const Result<FaultKind> kind = Kind(step);
  if (!kind) {
    return kind.error();
  }
  fault.kind = *kind;
  const auto status = Count(step, "status", static_cast<std::uint64_t>(DefaultStatus(*kind)));
  const auto delay = Count(step, "delay_ms", 0);
  const auto rejected = Count(step, "rejected", 1);
  const auto retry = Count(step, "retry", 1);
  for (const auto* count : {&status, &delay, &rejected, &retry}) {
    if (!*count) {
      return count->error();
    }
  }
  if (*status < 200 || *status > 599) {
    return Wrong("status must be 200 to 599");
  }
  fault.status = static_cast<int>(*status);
  fault.delay = std::chrono::milliseconds(*delay);
  fault.rejected = static_cast<std::size_t>(*rejected);
  fault.retry = static_cast<std::size_t>(*retry);
  if (step.contains("device") && !step["device"].is_string()) {
    return Wrong("device must be text");
  }
  fault.device = step.value("device", std::string());
  return ReadHeaders(step, fault);
}

}  // namespace

std::string_view Name(FaultKind kind) {
  const auto* found =
      std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& known) { return known.second == kind; });
  return found == kKinds.end() ? std::string_view("none") : found->first;
}

Result<FaultScript::Step> FaultScript::ParseStep(std::string_view text) {
  const json step = json::parse(text, nullptr, false);
  if (!step.is_object()) {
    return Wrong("must be an object");
  }
  for (const auto& [name, value] : step.items()) {
    if (std::find(kMembers.begin(), kMembers.end(), name) == kMembers.end()) {
      return Wrong("has an unknown member " + name);
    }
  }
  Step result;
  if (Status read = ReadFault(step, result.fault); !read) {
    return read.error();
  }
  const auto requests = Count(step, "requests", 0);
  const auto every = Count(step, "every", 1);
  if (!requests || !every || *every == 0) {
    return !requests ? requests.error() : Wrong("every must be an integer of 1 or more");
  }
  const json seconds = step.value("seconds", json());
  const bool timed = seconds.is_number() && seconds.get<double>() >= 0.001 && seconds.get<double>() < 1e6;
  if (timed == (*requests > 0) || (!timed && step.contains("seconds"))) {
    return Wrong("needs either requests (1 or more) or seconds (0.001 or more)");
  }
  if (result.fault.kind == FaultKind::kDown && !timed) {
    return Wrong("fault down needs seconds: nobody can count requests while it is away");
  }
  result.requests = *requests;
  result.every = *every;
  result.duration = std::chrono::milliseconds(timed ? static_cast<std::int64_t>(seconds.get<double>() * 1000) : 0);
  return result;
}

Status FaultScript::Set(std::string_view text, MonoTime now) {
  json script = json::parse(text, nullptr, false, true);
  bool repeat = false;
  if (script.is_object()) {
    const json again = script.value("repeat", json(false));
    repeat = again.is_boolean() && again.get<bool>();
    script = script.value("steps", json());
  }
  if (!script.is_array()) {
    return Wrong("a fault script is a JSON list of steps, or {\"steps\": [...], \"repeat\": true}");
  }
  std::vector<Step> steps;
  for (const json& item : script) {
    Result<Step> step = ParseStep(item.dump());
    if (!step) {
      return step.error().With("step " + std::to_string(steps.size()));
    }
    steps.push_back(std::move(step).value());
  }
  const std::lock_guard lock(mutex_);
  steps_ = std::move(steps);
  repeat_ = repeat;
  Begin(0, now);
  return {};
}

void FaultScript::Begin(std::size_t index, MonoTime at) {
  index_ = index == steps_.size() && repeat_ ? 0 : index;
  began_ = at;
  seen_ = 0;
}

const FaultScript::Step* FaultScript::Current(MonoTime now) {
  // Bounded: each turn either stops or consumes time or requests of one step.
  while (index_ < steps_.size()) {
    const Step& step = steps_[index_];
    if (step.requests > 0) {
      if (seen_ < step.requests) {
        return &step;
      }
      Begin(index_ + 1, now);
    } else {
      if (now < began_ + step.duration) {
        return &step;
      }
      Begin(index_ + 1, began_ + step.duration);
    }
  }
  return nullptr;
}

Fault FaultScript::Next(MonoTime now) {
  const std::lock_guard lock(mutex_);
  const Step* step = Current(now);
  if (step == nullptr) {
    return {};
  }
  ++seen_;
  return seen_ % step->every == 0 ? step->fault : Fault{};
}

void FaultScript::GoDown(MonoTime from, std::optional<MonoTime> until) {
  const std::lock_guard lock(mutex_);
  down_from_ = from;
  down_until_ = until;
}

void FaultScript::Up() {
  const std::lock_guard lock(mutex_);
  down_from_.reset();
}

bool FaultScript::Down(MonoTime now) {
  const std::lock_guard lock(mutex_);
  if (down_from_ && down_until_ && now >= *down_until_) {
    down_from_.reset();
  }
  if (down_from_ && now >= *down_from_) {
    return true;
  }
  const Step* step = Current(now);
  return step != nullptr && step->fault.kind == FaultKind::kDown;
}

}  // namespace packhorse::cloud
