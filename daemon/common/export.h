#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "queue/inspect/stored.h"

namespace packhorse::daemon {

// `packhorse queue export`, page by page: the same from the running daemon and from the file of a stopped one.

struct ExportRequest {
  queue::StoredFilter filter;
  std::optional<queue::StoredPlace> at;  // where an earlier page said that the next one begins
  std::size_t messages = 0;
};
// As it comes over the socket: texts may be empty, times are microseconds since 1970, `to` 0 means no end. Unknown
// words and numbers out of range are kInvalidArgument.
struct ExportArguments {
  std::string stream;
  std::string lane;
  std::int64_t from_us = 0;
  std::int64_t to_us = 0;
  std::string at;
  std::int64_t limit = 0;  // 0: as many as a page takes
};
Result<ExportRequest> ReadExportRequest(const ExportArguments& arguments);

// See StoredJson().
Result<std::string> ReadExportPage(const std::string& path, const ExportRequest& request, std::size_t max_entry_bytes);

}  // namespace packhorse::daemon
