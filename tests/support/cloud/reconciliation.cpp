#include "reconciliation.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "digest.h"
#include "problem.h"

namespace packhorse::cloud {
namespace {

constexpr std::size_t kDefaultPage = 100;
constexpr std::size_t kMaxPage = 1000;
constexpr std::size_t kHourBytes = 20;  // "2026-11-20T09:00:00Z"

std::string HourOf(const std::string& time) { return time.substr(0, 13) + ":00:00Z"; }

// Whether a time is the beginning of an hour, whatever fraction digits it has.
bool IsFullHour(const std::string& time) { return time.substr(13).find_first_not_of("0:.Z") == std::string::npos; }

Reply BadParameter(const std::string& name, const std::string& detail) {
  return Problem(400, "bad-parameter", "A query parameter is wrong", name + " " + detail,
                 "\"parameter\":" + Quoted(name));
}

std::string Parameter(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
}

nlohmann::json ToJson(const ReconciliationWindow& window) {
  nlohmann::json object = {
      {"stream", window.stream}, {"hour", window.hour}, {"count", window.count}, {"hash", HashHex(window.hash)}};
  for (const auto& [field, sum] : window.sums) {
    object["sums"][field] = sum;
  }
  return object;
}

}  // namespace

std::string EncodeCursor(const std::string& hour, const std::string& stream) {
  std::string cursor;
  for (const char c : hour + stream) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(c);
    cursor += kDigits[byte >> 4U];
    cursor += kDigits[byte & 15U];
  }
  return cursor;
}

bool DecodeCursor(const std::string& cursor, std::string& hour, std::string& stream) {
  std::string text;
  for (std::size_t i = 0; i + 1 < cursor.size(); i += 2) {
    unsigned byte = 0;
    const char* end = cursor.data() + i + 2;
    const auto read = std::from_chars(cursor.data() + i, end, byte, 16);
    if (read.ec != std::errc() || read.ptr != end) {
      return false;
    }
    text += static_cast<char>(byte);
  }
  if (cursor.size() % 2 != 0 || text.size() <= kHourBytes || !IsUtcTime(text.substr(0, kHourBytes), false)) {
    return false;
  }
  hour = text.substr(0, kHourBytes);
  stream = text.substr(kHourBytes);
  return true;
}

Reply Reconcile(const Request& request, Store& store) {
  ReconciliationQuery query;
  query.gateway = Parameter(request, "gateway");
  query.limit = kDefaultPage;
  if (query.gateway.empty()) {
    return BadParameter("gateway", "is missing: the id of the gateway to reconcile");
  }
  const std::string from = Parameter(request, "from");
  const std::string to = Parameter(request, "to");
  for (const auto& [name, time] : {std::pair<std::string, const std::string*>{"from", &from}, {"to", &to}}) {
    if (!IsUtcTime(*time, false)) {
      return BadParameter(name, "must be an RFC 3339 time in UTC, as 2026-11-20T09:00:00Z");
    }
  }
  query.first_hour = HourOf(from);
  // `to` is exclusive: the hour it begins is not asked for. Text is compared, so one byte less than that hour will do.
  query.last_hour = IsFullHour(to) ? to.substr(0, 13) : HourOf(to);
  if (HourOf(to) < query.first_hour || query.last_hour < query.first_hour) {
    return BadParameter("to", "must be later than from");
  }
  const std::string cursor = Parameter(request, "cursor");
  if (!cursor.empty() && !DecodeCursor(cursor, query.after_hour, query.after_stream)) {
    return BadParameter("cursor", "is none that this service gave out");
  }
  const std::string limit = Parameter(request, "limit");
  if (!limit.empty()) {
    const auto [end, error] = std::from_chars(limit.data(), limit.data() + limit.size(), query.limit);
    if (error != std::errc() || end != limit.data() + limit.size() || query.limit < 1 || query.limit > kMaxPage) {
      return BadParameter("limit", "must be 1 to " + std::to_string(kMaxPage));
    }
  }
  const std::size_t page = query.limit++;  // one more, to know whether there is another page
  const Result<std::vector<ReconciliationWindow>> windows = store.Reconcile(query);
  if (!windows) {
    return Problem(500, "internal", "The store failed", windows.error().message);
  }
  nlohmann::json answer = {{"gateway", query.gateway}, {"windows", nlohmann::json::array()}};
  for (std::size_t i = 0; i < windows->size() && i < page; ++i) {
    answer["windows"].push_back(ToJson((*windows)[i]));
  }
  if (windows->size() > page) {
    answer["next"] = EncodeCursor((*windows)[page - 1].hour, (*windows)[page - 1].stream);
  }
  Reply reply;
  reply.body = answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return reply;
}

}  // namespace packhorse::cloud
