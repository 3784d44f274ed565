#include "common/load.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "common/contract_folder.h"
#include "common/start_check.h"
#include "config/auth_options.h"
#include "contract/cloud_contract.h"
#include "contract/cloud_library.h"
#include "contract/device_contract.h"
#include "document/problems.h"
#include "document/suggest.h"

namespace packhorse::daemon {
namespace {

void AddUnlessKnown(std::vector<document::Problem>& problems, document::Problem problem) {
  const bool known = std::any_of(problems.begin(), problems.end(), [&](const document::Problem& other) {
    return other.severity == document::Problem::Severity::kError && other.path == problem.path;
  });
  if (!known) {
    problems.push_back(std::move(problem));
  }
}

// What a destination says of its contract, judged by the contract.
class DestinationCheck {
 public:
  DestinationCheck(const std::string& file, const config::Gateway& gateway, const config::Destination& destination,
                   std::vector<document::Problem>& problems)
      : file_(file),
        gateway_(gateway),
        path_("/destinations/" + std::to_string(destination.place.index)),
        destination_(destination),
        problems_(problems) {}

  void Run() {
    const auto found = contract::FindCloudContract(destination_.contract, config::PlainSettings(destination_));
    if (!found) {
      const bool settings = found.error().code == ErrorCode::kInvalidArgument;
      Add(settings ? "/settings" : "/contract", settings ? "" : destination_.contract, found.error().message, "",
          settings ? "" : document::DidYouMean(destination_.contract, contract::CloudContractNames()));
      return;
    }
    CheckSecrets(**found);
    CheckCoding(**found);
    CheckOrder(**found);
    CheckSums(**found);
    CheckSender(**found);
    if (destination_.rollout) {
      CheckRollout(**found, destination_.rollout->contract);
    }
  }

 private:
  void CheckSums(const contract::CloudContract& contract) {
    const contract::ReconcileRules* rules = contract.reconcile();
    if (!destination_.reconcile_sums.empty() && (rules == nullptr || !rules->named_sum)) {
      Add("/reconcile/sums", "", contract.name() + " has no place for the sums that a destination names",
          "no \"sums\", or a contract whose \"reconcile\" has a place for them, as packhorse-ingest from 1.3 on");
    }
  }

  void CheckSender(const contract::CloudContract& contract) {
    contract::BatchHeader sender;
    sender.gateway_id = gateway_.id;
    sender.gateway_attributes = gateway_.attributes;
    if (const Status fits = contract.CheckSender(sender); !fits) {
      Add("/settings", "", fits.error().message, "settings and tables that have what this gateway needs");
    }
  }

  void Add(const std::string& below, const std::string& value, std::string message, std::string allowed,
           std::string suggestion = "", document::Problem::Severity severity = document::Problem::Severity::kError) {
    document::Problem problem;
    problem.severity = severity;
    problem.file = file_;
    problem.path = path_ + below;
    problem.value = value;
    problem.message = std::move(message);
    problem.allowed = std::move(allowed);
    problem.suggestion = std::move(suggestion);
    AddUnlessKnown(problems_, std::move(problem));
  }

  void CheckCoding(const contract::CloudContract& contract) {
    if (const auto coding = config::CodingOf(destination_, contract.codings()); !coding) {
      Add("/compression", destination_.compression, coding.error().message, Join(contract.codings()) + ", auto");
    }
  }

  void CheckOrder(const contract::CloudContract& contract) {
    if (destination_.order == "any" && contract.accepts().order != contract::Order::kAny) {
      const bool by_time = contract.accepts().order == contract::Order::kTime;
      Add("/order", destination_.order,
          "the contract " + contract.name() + " needs records in the order of " +
              (by_time ? "their time" : "their device") +
              ", and requests that are on their way at once overtake each other",
          "\"order\": \"fifo\"");
    }
    if (destination_.order == "live_first" && contract.accepts().order == contract::Order::kTime) {
      Add("/order", destination_.order,
          "the contract " + contract.name() +
              " needs records in the order of their time, and the backlog of an outage " +
              "comes behind newer ones: an API without room for that refuses it",
          "\"order\": \"fifo\"", "", document::Problem::Severity::kWarning);
    }
  }

  void CheckRollout(const contract::CloudContract& present, const std::string& name) {
    const auto newer = contract::FindCloudContract(name, config::PlainSettings(destination_));
    if (!newer) {
      Add("/rollout/contract", name, newer.error().message,
          newer.error().code == ErrorCode::kInvalidArgument ? "a contract that takes the settings of the present one"
                                                            : "");
      return;
    }
    if ((*newer)->name() == present.name()) {
      Add("/rollout/contract", name,
          "the destination uses " + present.name() + " already: there is nothing to roll out",
          "a newer contract, beside a \"contract\" that is written with its minor version; or no \"rollout\"", "",
          document::Problem::Severity::kWarning);
      return;
    }
    CheckSecrets(**newer);
    CheckSender(**newer);
    CheckCoding(**newer);
    CheckOrder(**newer);
    CheckSameAuth(present, **newer);
  }

  // The requests of a destination are signed in one way, whichever contract made them.
  void CheckSameAuth(const contract::CloudContract& present, const contract::CloudContract& newer) {
    const auto now = config::AuthOptions(gateway_, destination_, present);
    const auto then = config::AuthOptions(gateway_, destination_, newer);
    if (!now) {
      return;  // told of its own
    }
    if (!then) {
      Add("/rollout/contract", newer.name(), then.error().message, "");
    } else if (now->scheme != then->scheme || now->parameters != then->parameters) {
      Add("/rollout/contract", newer.name(),
          "the contract " + newer.name() + " has another \"auth\" than " + present.name() +
              ": requests of both are authenticated in the same way",
          "a contract with the same \"auth\", or a destination of its own for the newer one");
    }
  }

  // What is secret is given as a place, and nothing else is.
  void CheckSecrets(const contract::CloudContract& contract) {
    const std::vector<std::string>& secrets = contract.secrets();
    for (const std::string& name : secrets) {
      const auto setting = destination_.settings.find(name);
      if (setting == destination_.settings.end()) {
        Add("/settings", "", "\"" + name + "\" is missing; the contract " + contract.name() + " needs this secret",
            kPlaceOfSecret);
      } else if (!setting->second.is_secret()) {
        Add("/settings/" + name, "", "the contract " + contract.name() + " declares it as secret", kPlaceOfSecret);
      }
    }
    for (const auto& [name, setting] : destination_.settings) {
      if (setting.is_secret() && std::find(secrets.begin(), secrets.end(), name) == secrets.end()) {
        Add("/settings/" + name, "", "the contract " + contract.name() + " has no secret of this name",
            secrets.empty() ? "" : Join(secrets), document::DidYouMean(name, secrets));
      }
    }
  }

  static constexpr const char* kPlaceOfSecret = "an object with file, env or credential";

  const std::string& file_;
  const config::Gateway& gateway_;
  const std::string path_;
  const config::Destination& destination_;
  std::vector<document::Problem>& problems_;
};

void CheckContracts(const std::string& file, config::Loaded& loaded) {
  const auto unknown = [&](const std::string& path, const std::string& name, const Error& error,
                           const std::vector<std::string>& released) {
    document::Problem problem;
    problem.file = file;
    problem.path = path;
    problem.value = name;
    problem.message = error.message;
    problem.suggestion = document::DidYouMean(name, released);
    AddUnlessKnown(loaded.problems, std::move(problem));
  };
  for (std::size_t i = 0; i < loaded.config.streams.size(); ++i) {
    const std::string& name = loaded.config.streams[i].contract;
    if (const auto found = contract::FindDeviceContract(name); !found) {
      unknown("/streams/" + std::to_string(i) + "/contract", name, found.error(), contract::DeviceContractNames());
    }
  }
  for (const auto* list : {&loaded.config.destinations, &loaded.config.shadows}) {
    for (const config::Destination& destination : *list) {
      DestinationCheck(file, loaded.config.gateway, destination, loaded.problems).Run();
    }
  }
}

std::string Counted(std::size_t count, std::string_view noun) {
  return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace

config::Loaded LoadConfiguration(const std::string& file) {
  config::Loaded loaded = config::Load(file);
  // With errors the structure is incomplete, and an empty contract name would be reported a second time.
  if (!loaded.ok()) {
    return loaded;
  }
  const std::shared_ptr<const contract::CloudLibrary> before = contract::CloudContracts();
  contract::UseCloudContracts(LoadContracts(file, loaded));
  CheckContracts(file, loaded);
  if (loaded.ok()) {
    CheckStart(file, loaded);
  }
  if (!loaded.ok()) {
    contract::UseCloudContracts(before);
  }
  return loaded;
}

void CheckRates(const std::string& file, config::Loaded& loaded) {
  for (const config::Destination& destination : loaded.config.destinations) {
    const auto found = contract::FindCloudContract(destination.contract, config::PlainSettings(destination));
    if (!found || !(*found)->limits().empty() || !destination.limits.empty() || !destination.shared_limit.empty()) {
      continue;
    }
    document::Problem problem;
    problem.severity = document::Problem::Severity::kWarning;
    problem.file = file;
    problem.path = "/destinations/" + std::to_string(destination.place.index);
    problem.message =
        "nothing limits the rate of requests: after an outage the backlog goes as fast as the API answers, unless its "
        "replies announce limits (RateLimit headers), which are kept by themselves";
    problem.allowed = "\"limits\" as the API's operator asks for";
    loaded.problems.push_back(std::move(problem));
  }
}

ProblemCount Count(const std::vector<document::Problem>& problems) {
  ProblemCount count;
  for (const document::Problem& problem : problems) {
    ++(problem.severity == document::Problem::Severity::kError ? count.errors : count.warnings);
  }
  return count;
}

std::string Summary(const ProblemCount& count) {
  return Counted(count.errors, "error") + ", " + Counted(count.warnings, "warning");
}

}  // namespace packhorse::daemon
