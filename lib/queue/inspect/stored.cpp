#include "queue/inspect/stored.h"

#include <algorithm>
#include <charconv>

#include "queue/recovery/identity.h"
#include "queue/recovery/open.h"
#include "queue/tables/clock_table.h"
#include "queue/tables/schema.h"

namespace packhorse::queue {
namespace {

// Fills a page, message by message.
class PageFiller {
 public:
  PageFiller(StoredPage& page, const StoredFilter& filter, std::optional<StreamId> stream, const ClockEpochs& boots,
             const PageBounds& bounds)
      : page_(page), filter_(filter), stream_(stream), clock_epochs_(boots), bounds_(bounds) {}

  // Whether the page can take more; when not, it says where the next one begins.
  Result<bool> AddSegment(const StoredPlace& from, Sequence first, const std::string& plain) {
    scanned_ += plain.size();
    SegmentReader reader(plain, first);
    while (!reader.AtEnd()) {
      const Result<SegmentReader::Head> head = reader.Next();
      RETURN_IF_ERROR(head);
      if (head->sequence < from.sequence || (stream_ && head->stream != *stream_)) {
        continue;
      }
      RawMessage message = reader.Take();
      clock_epochs_.Correct(from.lane, head->sequence, message);
      if (!InTime(message)) {
        continue;
      }
      if (head->sequence > from.through.at(At(from.lane))) {
        return false;
      }
      if (page_.messages.size() >= bounds_.messages || bytes_ >= bounds_.bytes) {
        return EndAt(from, head->sequence);
      }
      bytes_ += reader.payload().size();
      page_.messages.emplace_back(from.lane, StoredMessage{head->sequence, std::move(message)});
    }
    return scanned_ < bounds_.scanned;
  }

  Result<bool> EndAt(const StoredPlace& from, Sequence sequence) {
    page_.next = StoredPlace{from.lane, sequence, from.through};
    return false;
  }

 private:
  bool InTime(const RawMessage& message) const {
    return message.received_at >= filter_.from && (!filter_.to || message.received_at < *filter_.to);
  }

  StoredPage& page_;
  const StoredFilter& filter_;
  std::optional<StreamId> stream_;
  const ClockEpochs& clock_epochs_;
  const PageBounds& bounds_;
  std::uint64_t bytes_ = 0;
  std::uint64_t scanned_ = 0;
};

}  // namespace

std::string Format(const StoredPlace& place) {
  std::string text(1, Letter(place.lane));
  text += "." + std::to_string(place.sequence);
  for (const Sequence last : place.through) {
    text += "." + std::to_string(last);
  }
  return text;
}

std::optional<StoredPlace> ParseStoredPlace(std::string_view text) {
  StoredPlace place;
  const auto lane = std::find_if(kAllLanes.begin(), kAllLanes.end(),
                                 [&](Lane each) { return !text.empty() && text.front() == Letter(each); });
  if (lane == kAllLanes.end()) {
    return std::nullopt;
  }
  place.lane = *lane;
  text.remove_prefix(1);
  const auto number = [&](Sequence& value) {
    if (text.empty() || text.front() != '.') {
      return false;
    }
    const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), value);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc();
  };
  if (!number(place.sequence) || !std::all_of(place.through.begin(), place.through.end(), number) || !text.empty()) {
    return std::nullopt;
  }
  return place;
}

Result<StoredMessages> StoredMessages::Open(const std::string& path) {
  Result<Database> db = Database::Open(path, Database::Mode::kReadOnly);
  RETURN_IF_ERROR(db);
  RETURN_IF_ERROR(CheckCurrent(*db));
  Result<Reader> reader = Reader::Open(path);
  RETURN_IF_ERROR(reader);
  Result<QueueIds> ids = LoadIds(*db);
  RETURN_IF_ERROR(ids);
  StoredMessages stored(*std::move(db), *std::move(reader));
  stored.ids_ = *std::move(ids);
  Result<ClockEpochs> boots = ReadClockEpochs(stored.db_);
  RETURN_IF_ERROR(boots);
  stored.clock_epochs_ = *std::move(boots);
  Result<Statement> rows = stored.db_.Prepare("SELECT id, name FROM streams");
  RETURN_IF_ERROR(rows);
  Status read = rows->ForEach([&] { stored.streams_[static_cast<StreamId>(rows->Int(0))] = rows->Text(1); });
  return read ? Result<StoredMessages>(std::move(stored)) : Result<StoredMessages>(read.error());
}

std::string StoredMessages::StreamName(StreamId id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? "" : found->second;
}

Result<StoredPlace> StoredMessages::First() {
  StoredPlace place;
  Result<Statement> rows = db_.Prepare("SELECT lane, next_sequence FROM lanes WHERE lane BETWEEN 0 AND 2");
  RETURN_IF_ERROR(rows);
  Status read = rows->ForEach(
      [&] { place.through.at(static_cast<std::size_t>(rows->Int(0))) = static_cast<Sequence>(rows->Int(1)) - 1; });
  return read ? Result<StoredPlace>(place) : Result<StoredPlace>(read.error());
}

Result<StoredPage> StoredMessages::Read(const StoredFilter& filter, const StoredPlace& from, const PageBounds& bounds) {
  std::optional<StreamId> stream;
  if (!filter.stream.empty()) {
    const auto found =
        std::find_if(streams_.begin(), streams_.end(), [&](const auto& each) { return each.second == filter.stream; });
    if (found == streams_.end()) {
      return Error{ErrorCode::kNotFound, "no stream \"" + filter.stream + "\" in the queue"};
    }
    stream = found->first;
  }
  StoredPage page;
  PageFiller filler(page, filter, stream, clock_epochs_, bounds);
  StoredPlace place = from;
  for (const Lane lane : kAllLanes) {
    if (lane < from.lane || (filter.lane && lane != *filter.lane)) {
      continue;
    }
    place.lane = lane;
    place.sequence = lane == from.lane ? from.sequence : 0;
    Status visited = reader_.VisitSegments(
        lane, place.sequence, [&](Sequence first, Sequence last, const std::string& plain) -> Result<bool> {
          if (first > place.through.at(At(lane))) {
            return false;
          }
          const Result<bool> more = filler.AddSegment(place, first, plain);
          return !more || *more || page.next || last >= place.through.at(At(lane)) ? more
                                                                                   : filler.EndAt(place, last + 1);
        });
    RETURN_IF_ERROR(visited);
    if (page.next) {
      return page;
    }
  }
  return page;
}

}  // namespace packhorse::queue
