#include "queue/tables/clock_table.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "queue/tables/rows.h"

namespace packhorse::queue {
namespace {

// What EncodeEnd() wrote; none where an older release wrote the queue.
Result<std::optional<ClockEpochEnd>> ReadEnd(Database& db) {
  Result<Statement> row = db.Prepare("SELECT value FROM meta WHERE key = 'boot'");
  RETURN_IF_ERROR(row);
  const Result<bool> found = row->Step();
  RETURN_IF_ERROR(found);
  if (!*found) {
    return std::optional<ClockEpochEnd>();
  }
  std::istringstream text(row->Text(0));
  ClockEpochEnd end;
  std::int64_t ran = 0;
  std::int64_t wall = 0;
  if (!(text >> end.boot >> ran)) {
    return std::optional<ClockEpochEnd>();  // ages become smaller than they could be, which costs nothing
  }
  end.ran = std::chrono::nanoseconds(ran);
  if (text >> wall) {
    end.synchronized_wall = FromMicros(wall);
  }
  return std::optional(end);
}

}  // namespace

Result<ClockEpochs> ReadClockEpochs(Database& db) {
  Result<Statement> rows = db.Prepare(
      "SELECT id, boot_id, begun, wall_then, state, wall_at_boot, learnt, from_urgent, from_normal, from_bulk,"
      " as_stamped_urgent, as_stamped_normal, as_stamped_bulk, ran, synchronized_wall, several FROM boots ORDER BY id");
  RETURN_IF_ERROR(rows);
  const Result<std::optional<ClockEpochEnd>> last = ReadEnd(db);
  RETURN_IF_ERROR(last);
  ClockEpochs boots;
  Status read = rows->ForEach([&] {
    ClockEpoch boot;
    boot.number = rows->Int(0);
    boot.boot_id = rows->Text(1);
    boot.begun = std::chrono::nanoseconds(rows->Int(2));
    boot.wall_then = FromMicros(rows->Int(3));
    boot.state = static_cast<ClockEpoch::State>(rows->Int(4));
    boot.wall_at_boot = FromMicros(rows->Int(5));
    boot.learnt = std::chrono::nanoseconds(rows->Int(6));
    for (const Lane lane : kAllLanes) {
      boot.from[At(lane)] = static_cast<Sequence>(rows->Int(7 + Number(lane)));
      boot.as_stamped[At(lane)] = static_cast<Sequence>(rows->Int(10 + Number(lane)));
    }
    boot.ran = std::chrono::nanoseconds(rows->Int(13));
    if (!rows->IsNull(14)) {
      boot.synchronized_wall = FromMicros(rows->Int(14));
    }
    boot.several = rows->Int(15) != 0;
    if (*last && (*last)->boot == boot.number) {
      boot.ran = (*last)->ran;
      boot.synchronized_wall = (*last)->synchronized_wall;
    }
    boots.Add(std::move(boot));
  });
  return read ? Result<ClockEpochs>(std::move(boots)) : Result<ClockEpochs>(read.error());
}

Status WriteClockEpochs(Database& db, const ClockEpochChanges& changes) {
  for (const auto& [number, boot] : changes) {
    Result<Statement> statement =
        db.Prepare(boot ? "INSERT OR REPLACE INTO boots(id, boot_id, begun, wall_then, state, wall_at_boot, learnt,"
                          " from_urgent, from_normal, from_bulk, as_stamped_urgent, as_stamped_normal, as_stamped_bulk,"
                          " ran, synchronized_wall, several) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
                          " ?13, ?14, CASE ?15 WHEN 1 THEN ?16 END, ?17)"
                        : "DELETE FROM boots WHERE id = ?");
    RETURN_IF_ERROR(statement);
    if (boot) {
      statement->Bind(number, std::string_view(boot->boot_id), boot->begun.count(), Micros(boot->wall_then),
                      static_cast<int>(boot->state), Micros(boot->wall_at_boot), boot->learnt.count(),
                      boot->from[At(Lane::kUrgent)], boot->from[At(Lane::kNormal)], boot->from[At(Lane::kBulk)],
                      boot->as_stamped[At(Lane::kUrgent)], boot->as_stamped[At(Lane::kNormal)],
                      boot->as_stamped[At(Lane::kBulk)], boot->ran.count(), boot->synchronized_wall ? 1 : 0,
                      Micros(boot->synchronized_wall.value_or(WallTime{})), boot->several ? 1 : 0);
    } else {
      statement->Bind(number);
    }
    RETURN_IF_ERROR(statement->Run());
  }
  return {};
}

std::string EncodeEnd(const ClockEpochEnd& end) {
  return std::to_string(end.boot) + " " + std::to_string(end.ran.count()) + " " +
         (end.synchronized_wall ? std::to_string(Micros(*end.synchronized_wall)) : "-");
}

}  // namespace packhorse::queue
