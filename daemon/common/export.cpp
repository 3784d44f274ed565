#include "common/export.h"

#include <algorithm>
#include <chrono>

#include "common/queue_json.h"

namespace packhorse::daemon {
namespace {

WallTime At(std::int64_t micros) { return WallTime(std::chrono::microseconds(micros)); }

}  // namespace

Result<ExportRequest> ReadExportRequest(const ExportArguments& arguments) {
  ExportRequest request;
  request.filter.stream = arguments.stream;
  if (!arguments.lane.empty()) {
    request.filter.lane = ParseLane(arguments.lane);
    if (!request.filter.lane) {
      return Error{ErrorCode::kInvalidArgument, "no lane is named '" + arguments.lane + "': urgent, normal or bulk"};
    }
  }
  request.filter.from = At(arguments.from_us);
  if (arguments.to_us != 0) {
    request.filter.to = At(arguments.to_us);
  }
  if (!arguments.at.empty()) {
    request.at = queue::ParseStoredPlace(arguments.at);
    if (!request.at) {
      return Error{ErrorCode::kInvalidArgument, "'" + arguments.at + "' is no place that a page began at"};
    }
  }
  const std::size_t most = queue::PageBounds{}.messages;
  request.messages = arguments.limit <= 0 ? most : std::min(most, static_cast<std::size_t>(arguments.limit));
  return request;
}

Result<std::string> ReadExportPage(const std::string& path, const ExportRequest& request, std::size_t max_entry_bytes) {
  Result<queue::StoredMessages> stored = queue::StoredMessages::Open(path);
  RETURN_IF_ERROR(stored);
  const Result<queue::StoredPlace> place = request.at ? Result<queue::StoredPlace>(*request.at) : stored->First();
  RETURN_IF_ERROR(place);
  queue::PageBounds bounds;
  bounds.messages = request.messages;
  const Result<queue::StoredPage> page = stored->Read(request.filter, *place, bounds);
  return page ? Result<std::string>(StoredJson(*stored, *page, max_entry_bytes)) : Result<std::string>(page.error());
}

}  // namespace packhorse::daemon
