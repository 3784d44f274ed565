#include "packhorse/contract_commands.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/units.h"
#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/definition.h"
#include "contract/cloud_library.h"
#include "contract/json_folder.h"
#include "packhorse/contract_source.h"
#include "packhorse/format.h"
#include "tryout/advice.h"
#include "tryout/compare.h"
#include "tryout/run.h"
#include "tryout/sample.h"

namespace packhorse::cli {
namespace {

using JsonOut = nlohmann::ordered_json;

std::string JsonLine(const JsonOut& json) { return json.dump(-1, ' ', false, JsonOut::error_handler_t::replace); }

JsonOut Described(const std::vector<document::Problem>& problems) {
  JsonOut lines = JsonOut::array();
  for (const document::Problem& problem : problems) {
    lines.push_back(document::Describe(problem));
  }
  return lines;
}

std::string SettingText(const contract::SettingRule& rule) {
  return rule.name + (rule.table ? " (table)" : "") + (rule.secret ? " (secret)" : "") +
         (rule.required ? "" : " (optional)");
}

JsonOut SettingsJson(const contract::CloudDefinition& definition) {
  JsonOut settings = JsonOut::array();
  for (const contract::SettingRule& rule : SettingsOf(definition)) {
    settings.push_back(
        {{"name", rule.name}, {"required", rule.required}, {"secret", rule.secret}, {"table", rule.table}});
  }
  return settings;
}

// What a sample run found.
struct SampleResult {
  std::string file;
  std::string title;
  std::size_t replies = 0;
  std::vector<std::string> found;
};

Result<std::shared_ptr<const contract::CloudContract>> ForSample(const ContractSource& source,
                                                                 const tryout::Sample& sample) {
  contract::SettingValues values(sample.settings);
  for (const contract::SettingRule& rule : SettingsOf(*source.definition)) {
    if (rule.secret && !rule.table) {
      values.erase(rule.name);  // filled in when the request is compared
    }
  }
  return contract::MakeCloudContract(source.definition, values, source.tables);
}

SampleResult RunOne(const ContractSource& source, const tryout::SampleRead& read) {
  SampleResult result{read.sample.file, read.sample.title, read.sample.replies.size(), {}};
  for (const document::Problem& problem : read.problems) {
    result.found.push_back(document::Describe(problem));
  }
  if (!result.found.empty()) {
    return result;
  }
  const auto contract = ForSample(source, read.sample);
  result.found =
      contract ? tryout::RunSample(**contract, read.sample) : std::vector<std::string>{contract.error().message};
  return result;
}

std::string SampleFolderShown(const ContractSource& source) {
  return tryout::SampleFolderOf(source.file.empty() ? source.name + ".json" : source.file) + "/";
}

// The advice that samples and rules give together.
std::vector<std::string> AdviceFor(const ContractSource& source, const std::vector<tryout::SampleRead>& reads) {
  const auto contract = MakeWithExamples(source);
  if (!contract) {
    return {contract.error().message};
  }
  if (reads.empty()) {
    std::vector<std::string> advice = tryout::Advice(**contract, {});
    advice.insert(advice.begin(), "no samples: nothing was tried; they belong into " + SampleFolderShown(source));
    return advice;
  }
  std::vector<tryout::Sample> samples;
  for (const tryout::SampleRead& read : reads) {
    if (read.problems.empty()) {
      samples.push_back(read.sample);
    }
  }
  return tryout::Advice(**contract, samples);
}

void PrintTest(const ContractSource& source, const std::vector<document::Problem>& problems,
               const std::vector<SampleResult>& results, const std::vector<std::string>& advice) {
  const Style style = Style::Detect();
  std::size_t failed = 0;
  for (const SampleResult& result : results) {
    failed += result.found.empty() ? 0U : 1U;
    PrintOut((result.found.empty() ? style.Good("ok    ") : style.Bad("failed")) + " " +
             Printable(result.file.substr(result.file.rfind('/') + 1)) +
             (result.title.empty() ? "" : ": " + Printable(result.title)));
    for (const std::string& line : result.found) {
      PrintOut(Wrap(Printable(line), "         ", 11, 120));
    }
  }
  for (const std::string& line : advice) {
    PrintOut(Wrap(Printable(line), style.Warning("warning") + ": ", 9, 120));
  }
  const std::string summary = source.name + ": " + std::to_string(results.size()) + " samples, " +
                              std::to_string(failed) + " failed, " + std::to_string(advice.size()) + " warnings";
  PrintOut(failed == 0 && !contract::HasError(problems) ? style.Good(summary) : style.Bad(summary));
}

void PrintTestJson(const ContractSource& source, const std::vector<document::Problem>& problems,
                   const std::vector<SampleResult>& results, const std::vector<std::string>& advice, bool ok) {
  JsonOut json = {{"ok", ok},
                  {"contract", source.name},
                  {"problems", Described(problems)},
                  {"samples", JsonOut::array()},
                  {"warnings", advice}};
  for (const SampleResult& result : results) {
    json["samples"].push_back(
        {{"file", result.file}, {"title", result.title}, {"replies", result.replies}, {"found", result.found}});
  }
  PrintOut(JsonLine(json));
}

// Versions of one major: a new major may break what it likes.
bool SameMajor(const std::string& before, const std::string& after) {
  return before.substr(0, before.rfind('.')) == after.substr(0, after.rfind('.'));
}

int PrintFindings(const Globals& globals, const ContractSource& before, const ContractSource& after,
                  const std::vector<tryout::Finding>& findings) {
  const bool same_major = SameMajor(before.name, after.name);
  std::size_t breaks = 0;
  JsonOut json = {{"ok", true}, {"before", before.name}, {"after", after.name}, {"findings", JsonOut::array()}};
  const Style style = Style::Detect();
  for (const tryout::Finding& finding : findings) {
    const bool broken = same_major && finding.level == tryout::Finding::Level::kBreak;
    breaks += broken ? 1U : 0U;
    json["findings"].push_back(
        {{"level", broken ? "error" : "warning"}, {"place", finding.place}, {"message", finding.message}});
    if (!globals.json) {
      PrintOut(Wrap(Printable(finding.place + ": " + finding.message),
                    (broken ? style.Bad("error") : style.Warning("warning")) + ": ", 9, 120));
    }
  }
  json["ok"] = breaks == 0;
  const std::string summary = before.name + " -> " + after.name + ": " + std::to_string(breaks) + " errors, " +
                              std::to_string(findings.size() - breaks) + " warnings";
  PrintOut(globals.json ? JsonLine(json) : breaks == 0 ? style.Good(summary) : style.Bad(summary));
  return breaks == 0 ? kExitFine : kExitProblem;
}

void PrintContract(const ContractSource& source, const contract::CloudContract& made) {
  const contract::CloudDefinition& definition = *source.definition;
  std::vector<std::string> settings;
  for (const contract::SettingRule& rule : SettingsOf(definition)) {
    settings.push_back(SettingText(rule));
  }
  std::vector<std::string> limits;
  for (const contract::DeclaredLimit& limit : made.limits()) {
    const std::string what = limit.requests > 0 ? std::to_string(limit.requests) + " requests"
                             : limit.items > 0  ? std::to_string(limit.items) + " items"
                                                : FormatBytes(limit.bytes);
    limits.push_back(what + " per " + FormatDuration(limit.per));
  }
  PrintOut(Style::Detect().Title(source.name) + (definition.title.empty() ? "" : ": " + Printable(definition.title)));
  PrintOut(Field("about", Printable(definition.description)) +
           Field("file", source.file.empty() ? "of the program" : Printable(source.file)) +
           Field("settings", settings.empty() ? "none" : Join(settings)) +
           Field("auth", definition.auth.scheme.empty() ? "as the destination says" : definition.auth.scheme) +
           Field("method", made.method()) + Field("codings", Join(made.codings())) +
           Field("takes", Grouped(made.accepts().max_items) + " items or " + FormatBytes(made.accepts().max_bytes) +
                              " per request") +
           Field("limits", limits.empty() ? "none" : Join(limits)) +
           Field("rules", std::to_string(made.response().rules.size()) + " for replies"));
  PrintOut(source.text);
}

}  // namespace

int ListContracts(const Globals& globals) {
  const contract::CloudLibrary::Loaded all = AllContracts(globals);
  if (globals.json) {
    JsonOut json = {{"contracts", JsonOut::array()}, {"problems", Described(all.problems)}};
    for (const contract::CloudLibrary::Entry& entry : all.library->entries()) {
      json["contracts"].push_back({{"name", entry.name},
                                   {"title", entry.definition->title},
                                   {"file", entry.file},
                                   {"settings", SettingsJson(*entry.definition)}});
    }
    PrintOut(JsonLine(json));
    return all.library->broken().empty() ? kExitFine : kExitProblem;
  }
  Table table({"contract", "title", "settings"});
  for (const contract::CloudLibrary::Entry& entry : all.library->entries()) {
    std::vector<std::string> settings;
    for (const contract::SettingRule& rule : SettingsOf(*entry.definition)) {
      settings.push_back(SettingText(rule));
    }
    table.Add({entry.name + (entry.file.empty() ? "" : " *"), Printable(entry.definition->title), Join(settings)});
  }
  PrintOut(table.Text(Style::Detect()));
  return PrintProblems(all.problems) ? kExitProblem : kExitFine;
}

int ShowContract(const Globals& globals, const std::string& name) {
  const Result<ContractSource> source = FindContract(globals, name);
  if (!source) {
    return Report(globals, source.error(), false);
  }
  if (source->definition == nullptr) {
    PrintProblems(source->problems);
    return kExitProblem;
  }
  const auto made = MakeWithExamples(*source);
  if (!made) {
    return Report(globals, made.error(), false);
  }
  if (globals.json) {
    PrintOut(JsonLine({{"name", source->name},
                       {"file", source->file},
                       {"title", source->definition->title},
                       {"description", source->definition->description},
                       {"settings", SettingsJson(*source->definition)},
                       {"text", source->text}}));
  } else {
    PrintContract(*source, **made);
  }
  return kExitFine;
}

int TestContract(const Globals& globals, const std::string& file_or_name) {
  const Result<ContractSource> source = FindContract(globals, file_or_name);
  if (!source) {
    return Report(globals, source.error(), false);
  }
  if (source->definition == nullptr) {
    if (globals.json) {
      PrintTestJson(*source, source->problems, {}, {}, false);
    } else {
      PrintProblems(source->problems);
    }
    return kExitProblem;
  }
  const Result<std::vector<tryout::SampleRead>> samples =
      source->file.empty() ? tryout::ShippedSamples(source->name)
                           : tryout::ReadSamples(tryout::SampleFolderOf(source->file));
  if (!samples) {
    return Report(globals, samples.error(), false);
  }
  std::vector<document::Problem> problems = source->problems;
  if (!source->file.empty()) {
    std::vector<document::Problem> of_name =
        contract::CloudLibrary::NameProblems(source->file, source->definition.get());
    problems.insert(problems.begin(), std::make_move_iterator(of_name.begin()), std::make_move_iterator(of_name.end()));
  }
  std::vector<SampleResult> results;
  for (const tryout::SampleRead& sample : *samples) {
    results.push_back(RunOne(*source, sample));
  }
  const std::vector<std::string> advice = AdviceFor(*source, *samples);
  const bool ok = !contract::HasError(problems) &&
                  std::all_of(results.begin(), results.end(), [](const auto& result) { return result.found.empty(); });
  if (globals.json) {
    PrintTestJson(*source, problems, results, advice, ok);
  } else {
    PrintProblems(problems);
    PrintTest(*source, problems, results, advice);
  }
  return ok ? kExitFine : kExitProblem;
}

int CheckContracts(const Globals& globals, const std::string& before, const std::string& after) {
  std::vector<ContractSource> sources;
  std::vector<std::shared_ptr<const contract::CloudContract>> made;
  for (const std::string& word : {before, after}) {
    Result<ContractSource> source = FindContract(globals, word);
    if (!source) {
      return Report(globals, source.error(), false);
    }
    if (source->definition == nullptr) {
      PrintProblems(source->problems);
      return kExitProblem;
    }
    auto contract = MakeWithExamples(*source);
    if (!contract) {
      return Report(globals, contract.error(), false);
    }
    made.push_back(*std::move(contract));
    sources.push_back(*std::move(source));
  }
  return PrintFindings(globals, sources[0], sources[1],
                       tryout::Compare({made[0].get(), SettingsOf(*sources[0].definition)},
                                       {made[1].get(), SettingsOf(*sources[1].definition)}));
}

}  // namespace packhorse::cli
