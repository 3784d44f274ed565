#include "delivery/id_hashes.h"

#include <algorithm>

#include "record/canonical_record.h"

namespace packhorse::delivery {

RecordSet NotDelivered(const queue::Settlement& settlement) {
  RecordSet records;
  for (const queue::DeadRecord& dead : settlement.dead) {
    records.emplace(dead.sequence, dead.record);
  }
  for (const queue::SetAsideRecord& aside : settlement.set_aside) {
    records.emplace(aside.sequence, aside.record);
  }
  for (const queue::SkippedRecord& skipped : settlement.skipped) {
    records.emplace(skipped.sequence, skipped.record);
  }
  for (const auto& successor : settlement.successors) {
    for (const queue::Member& member : successor->members) {
      for (std::uint32_t i = 0; i < member.records; ++i) {
        records.emplace(member.sequence, member.first_record + i);
      }
    }
  }
  return records;
}

std::vector<queue::IdHash> IdHashes::Of(const queue::PreparedBatch& batch, const queue::Settlement& settlement,
                                        const queue::QueueIds& ids) {
  const RecordSet others = NotDelivered(settlement);
  std::vector<queue::IdHash> hashes;
  for (const queue::Member& member : batch.members) {
    auto hash = std::find_if(hashes.begin(), hashes.end(), [&](const queue::IdHash& each) {
      return each.stream == member.stream && each.received_hour == member.received_hour;
    });
    if (hash == hashes.end()) {
      hash = hashes.insert(hash, queue::IdHash{member.stream, member.received_hour, 0, 0});
    }
    for (std::uint32_t record = member.first_record; record < member.first_record + member.records; ++record) {
      if (others.empty() || !others.contains({member.sequence, record})) {
        WriteRecordId(id_, ids.Of(batch.lane, member.sequence), batch.lane, member.sequence,
                      RecordIndex(record, member.total_records));
        ++hash->records;
        hash->sum += digests_.First64(id_);
      }
    }
  }
  std::erase_if(hashes, [](const queue::IdHash& hash) { return hash.records == 0; });
  return hashes;
}

}  // namespace packhorse::delivery
