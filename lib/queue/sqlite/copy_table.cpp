#include "queue/sqlite/copy_table.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"

namespace packhorse::queue {
namespace {

constexpr std::int64_t kLastKey = INT64_MAX - 1;
constexpr int kMaxPlaces = 10'000;  // damaged places of one table that are stepped over

Result<std::vector<std::string>> ColumnsOf(Database& db, const Table& table) {
  Result<Statement> rows = db.Prepare("SELECT name FROM pragma_table_info(?)");
  RETURN_IF_ERROR(rows);
  rows->Bind(std::string_view(table.name));
  std::vector<std::string> names;
  Status read = rows->ForEach([&] { names.push_back(rows->Text(0)); });
  return read ? Result<std::vector<std::string>>(std::move(names)) : Result<std::vector<std::string>>(read.error());
}

// Of a table without rowid: its rows from the end, as an ORDER BY. Empty: it has a rowid.
Result<std::string> BackwardsOrder(Database& db, const Table& table) {
  Result<Statement> rows = db.Prepare(
      "SELECT col.name FROM pragma_table_list AS list JOIN pragma_table_info(list.name) AS col"
      " WHERE list.schema = 'main' AND list.name = ? AND list.wr AND col.pk > 0 ORDER BY col.pk");
  RETURN_IF_ERROR(rows);
  rows->Bind(std::string_view(table.name));
  std::string order;
  Status read = rows->ForEach([&] { order += (order.empty() ? "" : ", ") + rows->Text(0) + " DESC"; });
  return read ? Result<std::string>(std::move(order)) : Result<std::string>(read.error());
}

class Copy {
 public:
  Copy(Database& from, Database& to, const Table& table) : from_(from), to_(to), table_(table) {}

  Result<Copied> Run() {
    const Result<std::vector<std::string>> theirs = ColumnsOf(from_, table_);
    const Result<std::vector<std::string>> ours = ColumnsOf(to_, table_);
    RETURN_IF_ERROR(ours);
    Result<std::string> backwards = BackwardsOrder(to_, table_);
    RETURN_IF_ERROR(backwards);
    if (!theirs) {
      copied_.whole = false;
      return copied_;
    }
    std::vector<std::string> shared;
    std::copy_if(ours->begin(), ours->end(), std::back_inserter(shared), [&](const std::string& name) {
      return std::find(theirs->begin(), theirs->end(), name) != theirs->end();
    });
    if (shared.empty()) {
      copied_.whole = table_.may_lack;
      return copied_;
    }
    columns_ = Join(shared);
    std::string marks = "?";
    for (std::size_t i = 1; i < shared.size(); ++i) {
      marks += ", ?";
    }
    Result<Statement> insert =
        to_.Prepare("INSERT OR REPLACE INTO " + std::string(table_.name) + "(" + columns_ + ") VALUES (" + marks + ")");
    RETURN_IF_ERROR(insert);
    insert_ = *std::move(insert);
    Status done = backwards->empty() ? ByRowid() : FromBothEnds(*backwards);
    return done ? Result<Copied>(copied_) : Result<Copied>(done.error());
  }

 private:
  // Copies the rows of a query until it ends; false when it came upon damage. `after` follows the rowid in the first
  // column.
  Result<bool> Rows(const std::string& tail, std::int64_t* after) {
    Result<Statement> rows =
        from_.Prepare("SELECT " + columns_ + (after != nullptr ? ", rowid" : "") + " FROM " + table_.name + " " + tail);
    if (!rows) {
      return false;
    }
    if (after != nullptr) {
      rows->Bind(*after);
    }
    while (true) {
      const Result<bool> more = rows->Step();
      if (!more) {
        return false;
      }
      if (!*more) {
        return true;
      }
      if (table_.holds != nullptr && !table_.holds(*rows)) {
        ++copied_.lost;
        copied_.whole = false;
      } else {
        RETURN_IF_ERROR(insert_.BindRow(*rows).Run());
        ++copied_.rows;
      }
      if (after != nullptr) {
        *after = rows->Int(rows->columns() - 1);
      }
    }
  }

  // From a beginning and from the end, each up to the first damage.
  Status FromBothEnds(const std::string& backwards) {
    const Result<bool> forward = Rows("", nullptr);
    if (!forward || *forward) {
      return forward ? Status() : Status(forward.error());
    }
    copied_.whole = false;
    const Result<bool> backward = Rows("ORDER BY " + backwards, nullptr);
    return backward ? Status() : Status(backward.error());
  }

  Status ByRowid() {
    std::int64_t after = -1;
    for (int places = 0; places < kMaxPlaces; ++places) {
      const Result<bool> read = Rows("WHERE rowid > ? ORDER BY rowid", &after);
      if (!read || *read) {
        return read ? Status() : Status(read.error());
      }
      copied_.whole = false;
      const std::optional<std::int64_t> next = NextBehind(after);
      if (!next) {
        return {};
      }
      // The key may be readable while the row is not.
      std::int64_t one = *next - 1;
      const Result<bool> single = Rows("WHERE rowid = ? + 1", &one);
      RETURN_IF_ERROR(single);
      copied_.lost += *single ? 0U : 1U;
      after = *next;
    }
    return {};
  }

  // The first key above `from`; none above it; or damage in between.
  enum class Found { kKey, kNone, kDamage };
  Found FirstAbove(std::int64_t from, std::int64_t& key) {
    Result<Statement> rows =
        from_.Prepare("SELECT rowid FROM " + std::string(table_.name) + " WHERE rowid > ? ORDER BY rowid LIMIT 1");
    if (!rows) {
      return Found::kDamage;
    }
    const Result<bool> row = rows->Bind(from).Step();
    if (!row) {
      return Found::kDamage;
    }
    key = *row ? rows->Int(0) : 0;
    return *row ? Found::kKey : Found::kNone;
  }

  // The first key that can be found behind `after`, over whatever damage is there: first in growing steps, then the
  // last step is halved.
  std::optional<std::int64_t> NextBehind(std::int64_t after) {
    std::int64_t key = 0;
    std::int64_t bad = -1;  // distance from `after` that is known to run into damage
    std::int64_t good = 0;
    Found found = FirstAbove(after, key);
    while (found == Found::kDamage) {
      bad = good;
      good = good == 0 ? 1 : good * 2;
      if (good > kLastKey - std::max<std::int64_t>(after, 0) || good > kLastKey / 2) {
        return std::nullopt;
      }
      found = FirstAbove(after + good, key);
    }
    Found best = found;
    std::int64_t best_key = key;
    while (good - bad > 1) {
      const std::int64_t middle = bad + (good - bad) / 2;
      found = FirstAbove(after + middle, key);
      if (found == Found::kDamage) {
        bad = middle;
      } else {
        good = middle;
        best = found;
        best_key = key;
      }
    }
    return best == Found::kKey ? std::optional(best_key) : std::nullopt;
  }

  Database& from_;
  Database& to_;
  const Table& table_;
  std::string columns_;
  Statement insert_;
  Copied copied_;
};

}  // namespace

Result<Copied> CopyTable(Database& from, Database& to, const Table& table) { return Copy(from, to, table).Run(); }

}  // namespace packhorse::queue
