#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "contract/cloud/first_form_rules.h"
#include "outcome/outcome_rules.h"

namespace packhorse::outcome::test {

// Records of these ids, which must outlive it.
inline Sent SentOf(const std::vector<std::string>& ids, std::span<const std::uint32_t> items = {}) {
  return {ids.size(), [&ids] { return ids; }, items};
}

// Rules as the first released contracts write them, one item a record.
inline Verdict JudgeFirst(const Reply& reply, const contract::FirstFormResponse& rules,
                          const std::vector<std::string>& record_ids, WallTime wall) {
  return Judge(reply, contract::FirstFormRules(rules), SentOf(record_ids), wall);
}

// 2026-11-20T08:15:31Z
inline constexpr WallTime kWall{std::chrono::seconds(1'795'162'531)};

// The rules of packhorse-ingest@1.
inline contract::FirstFormResponse IngestRules() {
  return {.success = {200},
          .partial = {207},
          .accepted_pointer = "/accepted",
          .rejected_pointer = "/rejected",
          .rejected_id_pointer = "/record_id",
          .rejected_error_pointer = "/error",
          .retry_pointer = "/retry"};
}

inline std::vector<std::string> Ids(std::size_t count) {
  std::vector<std::string> ids;
  for (std::size_t i = 1; i <= count; ++i) {
    ids.push_back("q.n." + std::to_string(i));
  }
  return ids;
}

using HeaderList = std::vector<std::pair<std::string, std::string>>;

inline Reply Http(int status, std::string body = "", HeaderList headers = {}) {
  Reply reply;
  reply.complete = true;
  reply.status = status;
  reply.body = std::move(body);
  reply.headers = std::move(headers);
  return reply;
}

inline Reply Json(int status, std::string body, HeaderList headers = {}) {
  headers.emplace_back("content-type", "application/json");
  return Http(status, std::move(body), std::move(headers));
}

inline Verdict Judged(const Reply& reply, std::size_t sent = 3) {
  return JudgeFirst(reply, IngestRules(), Ids(sent), kWall);
}

}  // namespace packhorse::outcome::test
