#include "queue/sqlite/boots.h"

#include <chrono>
#include <string_view>
#include <utility>

#include "queue/sqlite/rows.h"

namespace packhorse::queue {

Result<Boots> ReadBoots(Database& db) {
  Result<Statement> rows = db.Prepare(
      "SELECT id, boot_id, begun, wall_then, state, wall_at_boot, learnt, from_urgent, from_normal, from_bulk,"
      " as_stamped_urgent, as_stamped_normal, as_stamped_bulk FROM boots ORDER BY id");
  if (!rows) {
    return rows.error();
  }
  Boots boots;
  Status read = rows->ForEach([&] {
    Boot boot;
    boot.number = rows->Int(0);
    boot.boot_id = rows->Text(1);
    boot.begun = std::chrono::nanoseconds(rows->Int(2));
    boot.wall_then = FromMicros(rows->Int(3));
    boot.state = static_cast<Boot::State>(rows->Int(4));
    boot.wall_at_boot = FromMicros(rows->Int(5));
    boot.learnt = std::chrono::nanoseconds(rows->Int(6));
    for (const Lane lane : kAllLanes) {
      boot.from[At(lane)] = static_cast<Sequence>(rows->Int(7 + Number(lane)));
      boot.as_stamped[At(lane)] = static_cast<Sequence>(rows->Int(10 + Number(lane)));
    }
    boots.Add(std::move(boot));
  });
  return read ? Result<Boots>(std::move(boots)) : Result<Boots>(read.error());
}

Status WriteBoots(Database& db, const BootChanges& changes) {
  for (const auto& [number, boot] : changes) {
    Result<Statement> statement = db.Prepare(boot ? "INSERT OR REPLACE INTO boots(id, boot_id, begun, wall_then, "
                                                    "state, wall_at_boot, learnt, from_urgent, from_normal,"
                                                    " from_bulk, as_stamped_urgent, as_stamped_normal, "
                                                    "as_stamped_bulk) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                                                  : "DELETE FROM boots WHERE id = ?");
    if (!statement) {
      return statement.error();
    }
    if (boot) {
      statement->Bind(number, std::string_view(boot->boot_id), boot->begun.count(), Micros(boot->wall_then),
                      static_cast<int>(boot->state), Micros(boot->wall_at_boot), boot->learnt.count(),
                      boot->from[At(Lane::kUrgent)], boot->from[At(Lane::kNormal)], boot->from[At(Lane::kBulk)],
                      boot->as_stamped[At(Lane::kUrgent)], boot->as_stamped[At(Lane::kNormal)],
                      boot->as_stamped[At(Lane::kBulk)]);
    } else {
      statement->Bind(number);
    }
    if (Status written = statement->Run(); !written) {
      return written;
    }
  }
  return {};
}

}  // namespace packhorse::queue
