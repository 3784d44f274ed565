#include "outcome/rate_headers.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <string>
#include <utility>

#include "base/text.h"
#include "outcome/reply_text.h"

namespace packhorse::outcome {
namespace {

using limit::Announcement;
using std::chrono::milliseconds;
using std::chrono::seconds;

// More than anybody waits; keeps every sum far from overflow.
constexpr std::int64_t kMostSeconds = 10LL * 366 * 86'400;
// X-RateLimit-Reset above this is an epoch time (2001), above the second one in milliseconds.
constexpr std::int64_t kSmallestEpochSeconds = 1'000'000'000;
constexpr std::int64_t kSmallestEpochMilliseconds = 100'000'000'000;
constexpr std::size_t kMaxHeaderBytes = 4'096;
constexpr std::size_t kMostHeaders = 16;

// Splits at `separator` outside of quoted strings (RFC 9651 section 3.3.3).
std::vector<std::string_view> SplitUnquoted(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  bool quoted = false;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\\' && quoted) {
      ++at;
    } else if (text[at] == '"') {
      quoted = !quoted;
    } else if (text[at] == separator && !quoted) {
      parts.push_back(Trim(text.substr(begin, at - begin)));
      begin = at + 1;
    }
  }
  parts.push_back(Trim(text.substr(begin)));
  return parts;
}

std::string_view Unquoted(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' ? text.substr(1, text.size() - 2) : text;
}

std::optional<std::uint64_t> CountOf(std::optional<std::int64_t> number) {
  return number ? std::optional(static_cast<std::uint64_t>(std::max<std::int64_t>(*number, 0))) : std::nullopt;
}

// The limits that a reply tells of, by name.
class RateReader {
 public:
  RateReader(const Reply& reply, WallTime wall) : reply_(reply), date_(Header(reply, "date")), wall_(wall) {}

  std::vector<RateHeader> Read() {
    for (const std::string_view value : Headers(reply_, "ratelimit-policy")) {
      for (const std::string_view member : SplitUnquoted(value.substr(0, kMaxHeaderBytes), ',')) {
        ReadPolicy(member);
      }
    }
    for (const std::string_view value : Headers(reply_, "ratelimit")) {
      ReadStructured(value.substr(0, kMaxHeaderBytes));
    }
    for (const char* prefix : {"ratelimit", "x-ratelimit", "x-rate-limit"}) {
      ReadPlain(prefix);
    }
    ReadByLength();
    return std::move(all_);
  }

 private:
  RateHeader& Named(std::string_view name) {
    const auto known =
        std::find_if(all_.begin(), all_.end(), [&](const RateHeader& one) { return one.said.name == name; });
    if (known != all_.end()) {
      return *known;
    }
    if (all_.size() == kMostHeaders) {
      return left_out_ = {};
    }
    all_.emplace_back().said.name = name;
    return all_.back();
  }

  // `"burst";q=100;w=60;qu="content-bytes"`, or `100;w=60`.
  void ReadPolicy(std::string_view member) {
    const std::vector<std::string_view> parts = SplitUnquoted(member, ';');
    Announcement said;
    said.count = CountOf(ReadHeaderNumber(parts.front()));
    const bool nameless = said.count.has_value();
    bool in_time = true;
    for (std::size_t i = 1; i < parts.size(); ++i) {
      const std::size_t equals = std::min(parts[i].find('='), parts[i].size());
      const std::string_view key = Trim(parts[i].substr(0, equals));
      const std::string_view value = equals < parts[i].size() ? Trim(parts[i].substr(equals + 1)) : "";
      const auto number = ReadHeaderNumber(value);
      if (key == "q" && number) {
        said.count = CountOf(number);
      } else if (key == "w" && number) {
        said.per = BoundedSeconds(*number);
      } else if (key == "qu") {
        said.unit = Unquoted(value) == "content-bytes" ? limit::Window::Unit::kBytes : limit::Window::Unit::kRequests;
        said.at_once = Unquoted(value) == "concurrent-requests";
        in_time = Unquoted(value) == "content-bytes" || Unquoted(value) == "requests";
      }
    }
    if (!said.count || (nameless && !said.per)) {
      return;
    }
    RateHeader& header =
        Named(nameless ? std::to_string(said.per->count() / 1'000) + " s" : std::string(Unquoted(parts.front())));
    said.name = header.said.name;
    header = {std::move(said), in_time};
  }

  // What is left, in both of its shapes: one policy per list member, or one policy spread over a dictionary.
  void ReadStructured(std::string_view value) {
    Announcement dictionary;
    for (const std::string_view member : SplitUnquoted(value, ',')) {
      const std::vector<std::string_view> parts = SplitUnquoted(member, ';');
      ReadPair(parts.front(), dictionary);
      Announcement one;
      for (std::size_t i = 1; i < parts.size(); ++i) {
        ReadPair(parts[i], one);
      }
      if (one.left || one.resets) {
        Announcement& said = Named(Unquoted(parts.front())).said;
        said.left = one.left;
        said.resets = one.resets;
      }
    }
    Merge(dictionary, "ratelimit");
  }

  static void ReadPair(std::string_view pair, Announcement& said) {
    const std::size_t equals = pair.find('=');
    const auto number = equals < pair.size() ? ReadHeaderNumber(pair.substr(equals + 1)) : std::nullopt;
    if (!number) {
      return;
    }
    const std::string_view key = Trim(pair.substr(0, equals));
    if (key == "r" || key == "remaining") {
      said.left = CountOf(number);
    } else if (key == "t" || key == "reset") {
      said.resets = BoundedSeconds(*number);
    } else if (key == "limit") {
      said.count = CountOf(number);
    }
  }

  // Of the policy that has the same count, else of one of its own.
  void Merge(const Announcement& said, std::string_view name) {
    if (!said.left && !said.resets) {
      return;
    }
    const auto policy = std::find_if(all_.begin(), all_.end(), [&](const RateHeader& one) {
      return said.count && one.said.count == said.count && one.said.per && one.in_time && !one.said.left;
    });
    Announcement& into = policy != all_.end() ? policy->said : Named(name).said;
    into.count = said.count ? said.count : into.count;
    into.left = said.left;
    into.resets = said.resets;
  }

  std::optional<milliseconds> ReadReset(std::string_view value) const {
    const auto number = ReadHeaderNumber(value);
    if (!number) {
      return std::nullopt;
    }
    if (*number >= kSmallestEpochMilliseconds) {
      return UntilTheirs(WallTime(milliseconds(std::min(*number, kMostSeconds * 100'000))), date_, wall_);
    }
    return *number >= kSmallestEpochSeconds ? UntilTheirs(WallTime(seconds(*number)), date_, wall_)
                                            : BoundedSeconds(*number);
  }

  void ReadPlain(const std::string& prefix) {
    Announcement said;
    const std::vector<std::string_view> members =
        SplitUnquoted(Header(reply_, prefix + "-limit").substr(0, kMaxHeaderBytes), ',');
    said.count = CountOf(ReadHeaderNumber(members.front()));
    for (std::size_t i = 1; i < members.size(); ++i) {
      ReadPolicy(members[i]);
    }
    said.left = CountOf(ReadHeaderNumber(Header(reply_, prefix + "-remaining")));
    said.resets = ReadReset(Header(reply_, prefix + "-reset"));
    Merge(said, prefix);
  }

  void ReadByLength() {
    constexpr std::pair<const char*, seconds> kLengths[] = {
        {"second", seconds(1)}, {"minute", seconds(60)}, {"hour", seconds(3'600)}, {"day", seconds(86'400)}};
    for (const auto& [name, length] : kLengths) {
      if (const auto count = ReadHeaderNumber(Header(reply_, "x-ratelimit-limit-" + std::string(name)))) {
        Announcement& said = Named(name).said;
        said.count = CountOf(count);
        said.per = length;
        said.left = CountOf(ReadHeaderNumber(Header(reply_, "x-ratelimit-remaining-" + std::string(name))));
      }
    }
  }

  const Reply& reply_;
  std::string date_;
  WallTime wall_;
  std::vector<RateHeader> all_;
  RateHeader left_out_;  // where there are more
};

}  // namespace

std::optional<std::int64_t> ReadHeaderNumber(std::string_view text) {
  text = Trim(text.substr(0, text.find(';')));
  const bool negative = !text.empty() && text.front() == '-';
  text.remove_prefix(negative ? 1 : 0);
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  std::string_view fraction = text.substr(digits);
  if (digits == 0 || (!fraction.empty() && (fraction.size() < 2 || fraction.front() != '.' ||
                                            fraction.find_first_not_of("0123456789", 1) != std::string_view::npos))) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, number);
  if (error == std::errc::result_out_of_range) {
    number = std::numeric_limits<std::int64_t>::max();
  } else if (fraction.find_first_of("123456789") != std::string_view::npos &&
             number < std::numeric_limits<std::int64_t>::max()) {
    ++number;
  }
  return negative ? -number : number;
}

milliseconds BoundedSeconds(std::int64_t whole) { return seconds(std::clamp<std::int64_t>(whole, 0, kMostSeconds)); }

// Their clock where they show it: our own may be wrong.
milliseconds UntilTheirs(WallTime moment, std::string_view date_header, WallTime wall) {
  const WallTime now = ParseHttpDate(date_header).value_or(wall);
  return BoundedSeconds(std::chrono::ceil<seconds>(moment - now).count());
}

std::vector<RateHeader> ReadRateHeaders(const Reply& reply, WallTime wall) { return RateReader(reply, wall).Read(); }

std::vector<limit::Announcement> ReadAnnouncements(const Reply& reply, WallTime wall) {
  std::vector<limit::Announcement> said;
  for (RateHeader& header : ReadRateHeaders(reply, wall)) {
    if (header.in_time || header.said.at_once) {
      said.push_back(std::move(header.said));
    }
  }
  return said;
}

}  // namespace packhorse::outcome
