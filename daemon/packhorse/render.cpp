#include "packhorse/render.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "auth/authorizer.h"
#include "base/encode.h"
#include "base/mask.h"
#include "base/secret_mark.h"
#include "base/text.h"
#include "base/url.h"
#include "common/load.h"
#include "config/auth_options.h"
#include "contract/cloud/compiled_contract.h"
#include "contract/cloud/definition.h"
#include "contract/sent_order.h"
#include "packhorse/ask.h"
#include "packhorse/contract_source.h"
#include "packhorse/format.h"
#include "packhorse/readable_times.h"

namespace packhorse::cli {
namespace {

using contract::RenderedRecord;
using JsonOut = nlohmann::ordered_json;

constexpr std::size_t kMaxTimes = 20;
constexpr char kBatchId[] = "0000000000000000";  // a real one is made when the batch is

// Where requests go, and how they are made.
struct Target {
  std::string url;  // without a slash at the end; empty: not known
  contract::BatchHeader header;
  std::shared_ptr<const contract::CloudContract> contract;
  auth::AuthOptions auth;
  std::string auth_problem;  // why it cannot be shown; empty: it can
};

// What is left of a message that is rendered.
struct Written {
  std::string record_id;
  RenderedRecord record;
};

struct Shown {
  std::string method;
  std::string url;
  contract::Headers headers;
  std::string body;
  std::vector<std::string> records;
};

const config::Destination* FindDestination(const config::Config& config, const std::string& name) {
  const auto found = std::find_if(config.destinations.begin(), config.destinations.end(),
                                  [&](const auto& each) { return name.empty() || each.name == name; });
  if (found != config.destinations.end()) {
    return &*found;
  }
  const auto shadow =
      std::find_if(config.shadows.begin(), config.shadows.end(), [&](const auto& each) { return each.name == name; });
  return shadow == config.shadows.end() ? nullptr : &*shadow;
}

// NAME=VALUE over what the configuration says. Values of secrets are never shown, so none is taken.
Status AddSettings(const std::vector<std::string>& words, const contract::CloudDefinition& definition,
                   contract::SettingValues& values) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorCode::kInvalidArgument, "--set takes NAME=VALUE, not '" + Printable(word) + "'"};
    }
    values[word.substr(0, equals)] = word.substr(equals + 1);
  }
  for (const contract::SettingRule& rule : SettingsOf(definition)) {
    if (rule.secret && !rule.table) {
      values.erase(rule.name);
    }
  }
  return {};
}

// What a destination says of the settings that the contract has: with --contract it may be another one than its own.
contract::SettingValues KnownSettings(const config::Destination& destination,
                                      const contract::CloudDefinition& definition) {
  contract::SettingValues values;
  const std::map<std::string, std::string> plain = config::PlainSettings(destination);
  for (const contract::SettingRule& rule : SettingsOf(definition)) {
    if (const auto found = plain.find(rule.name); found != plain.end()) {
      values.insert(*found);
    }
  }
  return values;
}

// Whether `name` (name@major.minor) is what a destination with this contract may use.
bool IsContractOf(const config::Destination& destination, const std::string& name) {
  return name == destination.contract || name.starts_with(destination.contract + ".");
}

// What the destination says. Without one, or for another contract than its own, what the contract asks for, as if its
// secrets were given.
Result<auth::AuthOptions> AuthOf(const config::Config* config, const config::Destination* destination,
                                 const Target& target) {
  if (destination != nullptr && IsContractOf(*destination, target.contract->name())) {
    return config::AuthOptions(config->gateway, *destination, *target.contract);
  }
  auth::AuthOptions options;
  const contract::RequestAuth said = target.contract->Auth(target.header);
  RETURN_IF_ERROR(auth::AddFromContract(said.scheme, said.parameters, options));
  if (const auth::SchemeEntry* entry = auth::FindScheme(said.scheme)) {
    for (const auth::SchemeKey& key : entry->keys) {
      if (key.secret && key.required) {
        options.secrets.emplace(key.name, auth::SecretPlace());
      }
    }
  }
  return options;
}

Result<Target> MakeTarget(const Globals& globals, const RenderOptions& options, const config::Config* config) {
  Target target;
  target.header.batch_id = kBatchId;
  target.header.created_at = SystemClock().Wall();
  target.header.gateway_id = "gateway";
  const config::Destination* destination = config == nullptr ? nullptr : FindDestination(*config, options.destination);
  if (!options.destination.empty() && destination == nullptr) {
    return Error{ErrorCode::kInvalidArgument, "there is no destination '" + Printable(options.destination) + "'"};
  }
  if (options.contract.empty() && destination == nullptr) {
    return Error{ErrorCode::kInvalidArgument, "no configuration says which contract; name one with --contract"};
  }
  const Result<ContractSource> source =
      FindContract(globals, options.contract.empty() ? destination->contract : options.contract);
  RETURN_IF_ERROR(source);
  if (source->definition == nullptr) {
    PrintProblems(source->problems);
    return Error{ErrorCode::kCorrupt, source->file + " has errors"};
  }
  contract::SettingValues values;
  if (destination != nullptr) {
    target.url = destination->url;
    target.header.gateway_id = config->gateway.id;
    target.header.gateway_attributes = {config->gateway.attributes.begin(), config->gateway.attributes.end()};
    values = KnownSettings(*destination, *source->definition);
  }
  RETURN_IF_ERROR(AddSettings(options.settings, *source->definition, values));
  auto made = contract::MakeCloudContract(source->definition, values, source->tables);
  RETURN_IF_ERROR(made);
  target.contract = *std::move(made);
  const Result<auth::AuthOptions> auth = AuthOf(config, destination, target);
  const Result<auth::OutgoingRequest> shown = auth ? auth::ShowAuthorized(*auth, {}) : auth.error();
  if (shown) {
    target.auth = *auth;
  } else {
    target.auth_problem = "authentication is left out: " + shown.error().message;
  }
  return target;
}

// Messages with the keys of their records.
struct Message {
  std::string stream;
  std::string topic;
  RecordKey key;
  RawMessage raw;
};

Result<std::vector<Message>> MessagesOf(const RenderOptions& options, std::istream& in) {
  if (options.messages.empty() || options.messages.size() % 2 != 0) {
    return Error{ErrorCode::kInvalidArgument,
                 "a message is two words, its TOPIC and its PAYLOAD ('-' reads it from standard input)"};
  }
  std::vector<Message> messages;
  for (std::size_t i = 0; i < options.messages.size(); i += 2) {
    ReadingOptions reading = options.reading;
    reading.topic = options.messages[i];
    RETURN_IF_ERROR(CheckTopic(reading.topic));
    std::string payload = options.messages[i + 1];
    if (payload == "-") {
      Result<std::string> read = ReadPayload(in);
      RETURN_IF_ERROR(read);
      payload = *std::move(read);
    }
    Result<RawMessage> raw = MakeMessage(reading, std::move(payload));
    RETURN_IF_ERROR(raw);
    messages.push_back({"", reading.topic, {}, *std::move(raw)});
  }
  return messages;
}

// What waits, as far as its payload is known whole.
Result<std::vector<Message>> PendingMessages(const Globals& globals, const RenderOptions& options, int& exit_code) {
  JsonOut args = {{"limit", options.limit}};
  if (!options.destination.empty()) {
    args["destination"] = options.destination;
  }
  const Reply reply = Ask(globals, "queue_peek", args.dump());
  exit_code = reply.exit_code;
  std::vector<Message> messages;
  if (!reply.ok()) {
    return messages;
  }
  const JsonOut json = JsonOut::parse(reply.json, nullptr, false);
  for (const JsonOut& waiting : json.value("waiting", JsonOut::array())) {
    for (const JsonOut& next : waiting.value("next", JsonOut::array())) {
      const std::string id = next.value("record_id", "");
      const std::string payload = next.value("payload_start", "");
      const auto key = ParseRecordId(id);
      const auto received = ParseTime(next.value("server_received_at", ""));
      if (!key || !received || next.value("payload_encoding", "") != "text" ||
          payload.size() != next.value("payload_bytes", std::uint64_t{0})) {
        std::fprintf(stderr, "packhorse: %s: its payload is too long, or no text, to be shown here\n",
                     Printable(id).c_str());
        continue;
      }
      Message message{next.value("stream", ""), next.value("topic", ""), *key, {}};
      message.raw.topic = message.topic;
      message.raw.payload = payload;
      message.raw.received_at = *received;
      message.raw.clock = ClockState::kSynchronized;
      messages.push_back(std::move(message));
    }
  }
  return messages;
}

// Records of one message, rendered. Empty with a remark: it cannot be decoded, or there is nothing in it.
Result<std::vector<Written>> RenderMessage(const Globals& globals, const RenderOptions& options, const Target& target,
                                           Message message, Sequence number, std::string& remark) {
  Reading reading;
  RETURN_IF_ERROR(ReadStreams(globals, message.topic, reading));
  ReadingOptions how = options.reading;
  how.topic = message.topic;
  std::vector<Written> written;
  if (reading.stream.empty() && !reading.streams.empty() && how.contract.empty() && how.pattern.empty()) {
    remark = message.topic + ": no stream takes this topic; there are: " + Join(reading.streams) +
             "; with --pattern or --device-contract it is read all the same";
    return written;
  }
  RETURN_IF_ERROR(ChooseContracts(how, reading));
  if (message.key.sequence == 0) {
    message.key = KeyOf(reading, number);
  }
  const contract::Decoded decoded = DecodeBy(reading, message.raw, message.key);
  if (decoded.kind != contract::Decoded::Kind::kRecords) {
    remark = message.topic + ": no record: " + decoded.reason + ": " + decoded.detail;
    return written;
  }
  for (const CanonicalRecord& record : decoded.records) {
    written.push_back({record.record_id, target.contract->RenderRecord(record)});
    written.back().record.time = target.contract->TimeOf(record).value_or(record.server_received_at);
  }
  return written;
}

std::string FateText(const Written& written) {
  const RenderedRecord& record = written.record;
  const std::string why = record.reason + (record.detail.empty() ? "" : ": " + record.detail);
  switch (record.fate) {
    case RenderedRecord::Fate::kSkipped:
      return written.record_id + ": is not sent (" + why + ")";
    case RenderedRecord::Fate::kDeadLetter:
      return written.record_id + ": cannot be written and goes to the dead letters (" + why + ")";
    case RenderedRecord::Fate::kWait:
    case RenderedRecord::Fate::kHeld:
      return written.record_id + ": cannot be written and waits for a changed contract (" + why + ")";
    case RenderedRecord::Fate::kItems:
      break;
  }
  return record.unfit_items == 0 ? "" : written.record_id + ": some of its items are left out (" + why + ")";
}

Shown MakeRequest(const Target& target, const std::string& part, const std::vector<Written>& written) {
  contract::BatchHeader header = target.header;
  header.part = part;
  std::vector<RenderedRecord> records;
  Shown shown;
  for (const Written& each : written) {
    records.push_back(each.record);
    shown.records.push_back(each.record_id);
  }
  const std::vector<std::uint32_t> order = contract::SentOrder(target.contract->accepts(), records);
  records = contract::AsSent<RenderedRecord>(order, std::move(records));
  shown.records = contract::AsSent(order, std::move(shown.records));
  const contract::Rendered rendered = target.contract->RenderBatch(header, records);
  shown.method = target.contract->method();
  const UrlParts url = SplitUrl(target.url);
  auth::OutgoingRequest request;
  request.host = HostHeader(url);
  request.target = MaskSecrets(MaskSecretMarks(rendered.path));
  if (!rendered.content_type.empty()) {
    request.headers.emplace_back("Content-Type", rendered.content_type);
  }
  for (const auto& [name, value] : target.contract->RequestHeaders(header)) {
    request.headers.emplace_back(name, MaskSecrets(MaskSecretMarks(value)));
  }
  Result<auth::OutgoingRequest> authorized = auth::ShowAuthorized(target.auth, request);
  if (authorized) {
    request = *std::move(authorized);
  }
  shown.url = target.url + request.target;
  shown.headers = std::move(request.headers);
  shown.body = rendered.body;
  return shown;
}

// Records of one part share a request, as many as the API takes.
std::vector<Shown> MakeRequests(const Target& target, std::vector<Written> written) {
  const std::uint32_t most = target.contract->accepts().max_items;
  std::vector<std::pair<std::string, std::vector<Written>>> parts;
  std::map<std::string, std::pair<std::size_t, std::uint32_t>> open;  // of each part: which request, and its items
  for (Written& each : written) {
    const std::string part = each.record.part;
    const std::uint32_t items = each.record.items();
    auto found = open.find(part);
    if (found == open.end() || (most > 0 && found->second.second + items > most)) {
      found = open.insert_or_assign(part, std::pair(parts.size(), 0U)).first;
      parts.emplace_back(part, std::vector<Written>());
    }
    found->second.second += items;
    parts[found->second.first].second.push_back(std::move(each));
  }
  std::vector<Shown> requests;
  for (const auto& [part, records] : parts) {
    requests.push_back(MakeRequest(target, part, records));
  }
  return requests;
}

JsonOut TimesJson(const Shown& shown) {
  JsonOut times = JsonOut::object();
  for (const auto& [written, moment] : ReadableTimes(shown.url + "\n" + shown.body, kMaxTimes)) {
    times[written] = moment;
  }
  return times;
}

void Print(const Globals& globals, const std::vector<Shown>& requests, const std::vector<std::string>& remarks) {
  if (globals.json) {
    JsonOut json = {{"requests", JsonOut::array()}, {"remarks", remarks}};
    for (const Shown& shown : requests) {
      JsonOut request = {{"method", shown.method}, {"url", shown.url}, {"headers", JsonOut::object()}};
      for (const auto& [name, value] : shown.headers) {
        request["headers"][name] = value;
      }
      const bool text = IsValidUtf8(shown.body);
      request[text ? "body" : "body_base64"] = text ? shown.body : Base64(shown.body);
      request["records"] = shown.records;
      request["times"] = TimesJson(shown);
      json["requests"].push_back(std::move(request));
    }
    PrintOut(json.dump(-1, ' ', false, JsonOut::error_handler_t::replace));
    return;
  }
  const Style style = Style::Detect();
  for (const Shown& shown : requests) {
    PrintOut(style.Title(Printable(shown.method + " " + shown.url)));
    for (const auto& [name, value] : shown.headers) {
      PrintOut(Printable(name + ": " + value));
    }
    const bool text = IsValidUtf8(shown.body);
    PrintOut("\n" + (text ? shown.body : "base64: " + Base64(shown.body)));
    for (const auto& [written, moment] : ReadableTimes(shown.url + "\n" + shown.body, kMaxTimes)) {
      PrintOut(style.Dim(written + " is " + moment));
    }
  }
  for (const std::string& remark : remarks) {
    PrintOut(style.Warning(Printable(remark)));
  }
}

}  // namespace

int Render(const Globals& globals, const RenderOptions& options, std::istream& in) {
  const config::Loaded loaded = daemon::LoadConfiguration(ConfigFile(globals));
  if (!loaded.ok() && !globals.config_file.empty()) {
    Report(globals,
           Error{ErrorCode::kCorrupt, globals.config_file + " has errors; see: packhorse check " + globals.config_file},
           false);
    return daemon::kExitBadConfiguration;
  }
  const Result<Target> target = MakeTarget(globals, options, loaded.ok() ? &loaded.config : nullptr);
  if (!target) {
    return Report(globals, target.error(), false);
  }
  int exit_code = kExitFine;
  Result<std::vector<Message>> messages =
      options.pending ? PendingMessages(globals, options, exit_code) : MessagesOf(options, in);
  if (!messages) {
    return Report(globals, messages.error(), false);
  }
  if (exit_code != kExitFine) {
    return exit_code;
  }
  std::vector<Written> sent;
  std::vector<std::string> remarks;
  if (!target->auth_problem.empty()) {
    remarks.push_back(target->auth_problem);
  }
  Sequence number = 0;
  for (Message& message : *messages) {
    std::string remark;
    Result<std::vector<Written>> written =
        RenderMessage(globals, options, *target, std::move(message), ++number, remark);
    if (!written) {
      return Report(globals, written.error(), false);
    }
    for (Written& each : *written) {
      remark = FateText(each);
      if (each.record.fate == RenderedRecord::Fate::kItems) {
        sent.push_back(std::move(each));
      }
      if (!remark.empty()) {
        remarks.push_back(std::exchange(remark, ""));
      }
    }
    if (!remark.empty()) {
      remarks.push_back(std::move(remark));
    }
  }
  Print(globals, MakeRequests(*target, std::move(sent)), remarks);
  return remarks.empty() ? kExitFine : kExitProblem;
}

}  // namespace packhorse::cli
