#include "packhorse/decode.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/load.h"
#include "contract/cloud_contract.h"
#include "packhorse/reading.h"
#include "packhorse/views.h"

namespace packhorse::cli {
namespace {

int Show(const Globals& globals, const contract::Decoded& decoded) {
  if (decoded.kind == contract::Decoded::Kind::kRecords) {
    for (const CanonicalRecord& record : decoded.records) {
      const std::string json = contract::ToJson(record);
      PrintOut(globals.json ? json : RecordText(json, Style::Detect()));
    }
    return kExitFine;
  }
  const bool quarantine = decoded.kind == contract::Decoded::Kind::kQuarantine;
  if (globals.json) {
    const nlohmann::ordered_json json = {
        {"outcome", quarantine ? "quarantine" : "ignored"}, {"reason", decoded.reason}, {"detail", decoded.detail}};
    PrintOut(json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  } else {
    const Style style = Style::Detect();
    PrintOut(Wrap(Printable(decoded.reason + ": " + decoded.detail),
                  quarantine ? style.Bad("quarantine") + ": " : "nothing to upload: ", 2));
  }
  return quarantine ? kExitProblem : kExitFine;
}

}  // namespace

int Decode(const Globals& globals, const ReadingOptions& options, std::istream& in) {
  Reading reading;
  if (Status topic = CheckTopic(options.topic); !topic) {
    return Report(globals, topic.error(), false);
  }
  if (Status streams = ReadStreams(globals, options.topic, reading); !streams) {
    Report(globals, streams.error(), false);
    return daemon::kExitBadConfiguration;
  }
  if (Status contracts = ChooseContracts(options, reading); !contracts) {
    return Report(globals, contracts.error(), false);
  }
  Result<std::string> payload = ReadPayload(in);
  if (!payload) {
    return Report(globals, payload.error(), false);
  }
  const Result<RawMessage> message = MakeMessage(options, std::move(payload).value());
  if (!message) {
    return Report(globals, message.error(), false);
  }
  return Show(globals, DecodeBy(reading, *message, KeyOf(reading, 1)));
}

}  // namespace packhorse::cli
