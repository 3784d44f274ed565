#include <thread>
#include <utility>

#include "health/log.h"
#include "ingest/ingest.h"
#include "ingest/paho/shared.h"
#include "ingest/paho/supervisor.h"

namespace packhorse::ingest {
namespace {

using Steady = std::chrono::steady_clock;
// For the broker, of a stop that nobody waits for.
constexpr std::chrono::seconds kDisconnectPatience{10};

class PahoSource final : public Source {
 public:
  explicit PahoSource(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  ~PahoSource() override {
    Stop(std::chrono::seconds(1));
    shared_->CloseIntake();
  }

  PahoSource(const PahoSource&) = delete;
  PahoSource& operator=(const PahoSource&) = delete;

  Status Start() override {
    if (started_) {
      return Error{ErrorCode::kAlreadyExists, "source \"" + shared_->options().name + "\" was started before"};
    }
    RETURN_IF_ERROR(Connection::Prepare());
    started_ = true;
    try {
      thread_ = std::thread([shared = shared_] { Supervisor(shared).Run(); });
    } catch (const std::exception& failure) {
      return Error{ErrorCode::kUnavailable, std::string("cannot start a thread: ") + failure.what()};
    }
    return {};
  }

  void Stop(std::chrono::milliseconds deadline) override {
    if (!thread_.joinable()) {
      return;
    }
    const Steady::time_point by = Steady::now() + deadline;
    shared_->RequestStop(by);
    const bool finished = shared_->WaitFinished(by);
    shared_->ForgetOwner();
    if (finished) {
      thread_.join();
      return;
    }
    // It waits for the network or for Paho's lock and shares the ownership of all it needs; it ends when that ends.
    thread_.detach();
    health::Log(health::LogLevel::kWarning, "source_abandoned",
                "not disconnected in time; the broker keeps the session and sends again what was not acknowledged",
                {{"source", shared_->options().name}});
  }

  void BeginStop() override {
    if (thread_.joinable()) {
      shared_->RequestStop(Steady::now() + kDisconnectPatience);
    }
  }

  bool Stopped() const override { return !thread_.joinable() || shared_->WaitFinished(Steady::now()); }

  SourceStatus Snapshot() const override { return shared_->Snapshot(); }

 private:
  const std::shared_ptr<Shared> shared_;
  std::thread thread_;
  bool started_ = false;
};

Status CheckOptions(const SourceOptions& options) {
  const auto fail = [](const char* what) { return Error{ErrorCode::kInvalidArgument, what}; };
  if (options.urls.empty()) {
    return fail("at least one broker URL is needed");
  }
  if (options.client_id.empty()) {
    return fail("a client id is needed: the broker keeps the session under it");
  }
  if (options.filters.empty() && !options.drain) {
    return fail("at least one topic filter is needed");
  }
  if (options.protocol != "auto" && options.protocol != "5" && options.protocol != "3.1.1") {
    return fail("protocol must be \"auto\", \"5\" or \"3.1.1\"");
  }
  if (options.username.empty() && options.password) {
    return fail("a password needs a username (MQTT 3.1.1 section 3.1.2.9)");
  }
  if (!options.password && options.next_password) {
    return fail("a next password needs a first one");
  }
  if (!options.key.empty() && options.certificate.empty()) {
    return fail("a key needs its certificate");
  }
  return {};
}

}  // namespace

std::string ShownUrl(const std::string& url) {
  const Result<Endpoint> endpoint = ParseEndpoint(url);
  return endpoint ? endpoint->Shown() : url;
}

std::string_view Name(SourceState state) {
  switch (state) {
    case SourceState::kConnecting:
      return "connecting";
    case SourceState::kConnected:
      return "connected";
    case SourceState::kDown:
      return "down";
  }
  return "unknown";
}

Result<std::unique_ptr<Source>> MakeSource(SourceOptions options, Intake& intake, const Clock& clock,
                                           std::function<void()> changed) {
  const std::string context = "source \"" + options.name + "\"";
  if (Status checked = CheckOptions(options); !checked) {
    return checked.error().With(context);
  }
  std::vector<Endpoint> endpoints;
  for (const std::string& url : options.urls) {
    Result<Endpoint> endpoint = ParseEndpoint(url);
    if (!endpoint) {
      return endpoint.error().With(context);
    }
    endpoints.push_back(std::move(*endpoint));
  }
  auto shared = std::make_shared<Shared>(std::move(options), std::move(endpoints), intake, clock, std::move(changed));
  return std::unique_ptr<Source>(std::make_unique<PahoSource>(std::move(shared)));
}

}  // namespace packhorse::ingest
