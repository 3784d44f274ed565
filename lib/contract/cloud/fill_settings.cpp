#include "contract/cloud/fill_settings.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/text.h"
#include "base/units.h"
#include "document/suggest.h"

namespace packhorse::contract {
namespace {

constexpr std::size_t kMaxShownName = 80;

// Fills in what a destination gives, and collects what is wrong with it.
class SettingFiller {
 public:
  SettingFiller(const SettingValues& given, const LookupTables& tables) : given_(given), tables_(tables) {}

  FilledSetting Fill(const DefinedSetting& setting) {
    const SettingRule& rule = setting.rule;
    FilledSetting filled{setting.value, setting.table};
    names_.push_back(rule.name);
    const auto given = given_.find(rule.name);
    if (given == given_.end()) {
      if (rule.required && rule.table) {
        Wrong(rule, "is missing: the name of a table, which is a file contracts/tables/NAME.json");
      } else if (rule.required && !rule.secret) {
        Wrong(rule, "is missing");
      }
    } else if (rule.table) {
      filled.table = TableOf(rule, given->second);
    } else {
      if (rule.secret) {
        Wrong(rule, "is a secret: give it as a secret, not as text");
      }
      filled.value = Text{{Piece{given->second, std::nullopt}}};
    }
    return filled;
  }

  // kInvalidArgument: all that is wrong.
  Status Check(const std::string& contract) {
    for (const auto& [name, value] : given_) {
      if (std::find(names_.begin(), names_.end(), name) == names_.end()) {
        const std::string meant = document::DidYouMean(name, names_);
        wrong_.push_back(document::Quoted(name) + " is unknown" + (meant.empty() ? "" : ", " + meant));
      }
    }
    if (wrong_.empty()) {
      return {};
    }
    return Error{ErrorCode::kInvalidArgument,
                 "settings of " + contract + ": " + Join(wrong_, "; ") +
                     (names_.empty() ? "; it has none" : "; it has: " + document::List(names_))};
  }

 private:
  void Wrong(const SettingRule& rule, const std::string& what) {
    wrong_.push_back(document::Quoted(rule.name) + " " + what);
  }

  std::shared_ptr<const LookupTable> TableOf(const SettingRule& rule, const std::string& given) {
    if (given.starts_with('{')) {
      auto [table, problems] = ReadLookupTable(given, "");
      if (!problems.empty()) {
        Wrong(rule, "is no table: " + document::Describe(problems.front()));
        return nullptr;
      }
      return std::make_shared<const LookupTable>(std::move(table));
    }
    const auto found = tables_.find(given);
    if (found == tables_.end()) {
      std::vector<std::string> known;
      std::transform(tables_.begin(), tables_.end(), std::back_inserter(known),
                     [](const auto& each) { return each.first; });
      const std::string meant = document::DidYouMean(given, known);
      Wrong(rule, "names the table " + document::Quoted(given) + ", and there is no file contracts/tables/" +
                      Shorten(given, kMaxShownName) + ".json" + (meant.empty() ? "" : ", " + meant));
      return nullptr;
    }
    if (!found->second->refused.empty()) {
      Wrong(rule,
            "names the table " + document::Quoted(given) + ", whose file has mistakes: " + found->second->refused);
      return nullptr;
    }
    if (rule.secret && found->second->exposed) {
      const std::string& file = found->second->file;
      Wrong(rule, "is secret, and its file is open to every user of the machine; run: chown root:packhorse " + file +
                      " && chmod 0640 " + file);
    }
    return found->second;
  }

  const SettingValues& given_;
  const LookupTables& tables_;
  std::vector<std::string> names_;
  std::vector<std::string> wrong_;
};

}  // namespace

Result<FilledSettings> FillSettings(const CloudDefinition& definition, const SettingValues& given,
                                    const LookupTables& tables) {
  SettingFiller filler(given, tables);
  FilledSettings values;
  for (const DefinedSetting& setting : definition.settings) {
    values.push_back(filler.Fill(setting));
  }
  RETURN_IF_ERROR(filler.Check(definition.contract));
  return values;
}

}  // namespace packhorse::contract
