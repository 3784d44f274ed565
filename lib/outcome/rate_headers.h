#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "limit/announced_limits.h"
#include "outcome/outcome_rules.h"

namespace packhorse::outcome {

// What the headers of a reply say of the limits of the API. Pure functions; what is malformed counts as absent. Forms
// that are met in the field:
//  - `RateLimit-Policy: "burst";q=100;w=60;qu="content-bytes"` and `RateLimit: "burst";r=50;t=30` (IETF httpapi draft,
//    structured fields of RFC 9651; several at once). Its units are requests, content-bytes and concurrent-requests,
//  - `RateLimit-Policy: 100;w=60` and `RateLimit: limit=100, remaining=50, reset=30` (its draft 7),
//  - `RateLimit-Limit: 100, 100;w=60`, `RateLimit-Remaining`, `RateLimit-Reset` (earlier drafts: seconds left),
//  - `X-RateLimit-*` and `X-Rate-Limit-*`, whose reset is seconds left or an epoch time; told apart by size,
//  - `X-RateLimit-Limit-Minute` (-Second, -Hour, -Day).
// A limit of requests at the same time is none in a time, and one in a unit that nobody knows is none of requests: they
// have `in_time` false.
struct RateHeader {
  limit::Announcement said;
  bool in_time = true;
};

// At most 16.
std::vector<RateHeader> ReadRateHeaders(const Reply& reply, WallTime wall);
// Of these, what limit::AnnouncedLimits keeps.
std::vector<limit::Announcement> ReadAnnouncements(const Reply& reply, WallTime wall);

// A number as clients meet it: optional minus, digits, perhaps a fraction (rounded up), perhaps parameters behind ';'.
std::optional<std::int64_t> ReadHeaderNumber(std::string_view text);
// Seconds, not below 0 and no more than anybody waits.
std::chrono::milliseconds BoundedSeconds(std::int64_t whole);
// From the other side's clock, where its Date shows that, to this moment.
std::chrono::milliseconds UntilTheirs(WallTime moment, std::string_view date_header, WallTime wall);

}  // namespace packhorse::outcome
