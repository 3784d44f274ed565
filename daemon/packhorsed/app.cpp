#include "packhorsed/app.h"

#include <algorithm>
#include <utility>

#include "base/version.h"
#include "bridge/queue_settings.h"
#include "health/log.h"
#include "packhorsed/event_file.h"
#include "packhorsed/sending_file.h"
#include "packhorsed/start_report.h"

namespace packhorse::daemon {
App::App(std::string file, config::Config checked, const Clock& the_clock)
    : clock(the_clock),
      config_file(std::move(file)),
      config(std::move(checked)),
      started_at(the_clock.Wall()),
      started(the_clock.Mono()) {}

App::~App() {
  if (uploader) {
    uploader->Abort();  // replies that come late have nobody left to go to
  }
}

namespace {

std::unique_ptr<observer::Observer> MakeObserver(App& app) {
  observer::Observer::Hooks hooks;
  hooks.decode = [&app](Lane lane, const queue::StoredMessage& stored) {
    return delivery::Decode(app.destinations->streams(), app.queue->id(), lane, stored);
  };
  hooks.attach = [&app](bridge::Sources::TapPtr tap) { app.sources->SetTap(std::move(tap)); };
  hooks.wake = [uploader = app.uploader.get()] { uploader->Wake(); };
  return std::make_unique<observer::Observer>(std::move(hooks), app.clock);
}

Status MakeDestinations(App& app) {
  bridge::Destinations& destinations = *app.destinations;
  RETURN_IF_ERROR(destinations.BindStreams(app.config));
  destinations.SetSharedLimits({}, app.config);
  for (const config::Destination& destination : app.config.destinations) {
    auto authorizer = bridge::MakeAuthorizer(app.config.gateway, destination, *contract::CloudContracts());
    if (!authorizer) {
      // Only the unit gives a credential: no later try finds one that it does not.
      const auto& secrets = destination.auth.secrets;
      const bool lasts = std::any_of(secrets.begin(), secrets.end(), [](const auto& secret) {
        return secret.second.kind == config::SecretRef::Kind::kCredential;
      });
      return lasts ? Error{ErrorCode::kUnsupported, authorizer.error().message} : authorizer.error();
    }
    auto unit = destinations.Make(app.config.gateway, destination, *std::move(authorizer));
    RETURN_IF_ERROR(unit);
    destinations.units().push_back(*std::move(unit));
  }
  return {};
}

}  // namespace

bridge::Bridge BridgeOf(App& app) {
  return {app.config, *app.queue, *app.destinations, *app.sources, app.events, app.clock};
}

Result<std::unique_ptr<App>> MakeApp(std::string file, config::Config config, const Clock& clock) {
  auto app = std::make_unique<App>(std::move(file), std::move(config), clock);
  auto uploader = upload::MakeUploader(std::string("packhorse/") + kVersion);
  RETURN_IF_ERROR(uploader);
  app->uploader = std::move(uploader).value();
  return app;
}

Status OpenQueue(App& app) {
  queue::Options options = bridge::QueueOptions(app.config);
  options.wake = [wake = app.uploader.get()] { wake->Wake(); };
  auto queue = queue::Open(std::move(options), app.clock);
  RETURN_IF_ERROR(queue);
  app.queue = std::move(queue).value();
  return {};
}

Status Assemble(App& app) {
  app.sessions = std::make_shared<ingest::Sessions>(app.config.queue.path + ".sessions",
                                                    app.config.queue.runtime_dir + "/sessions", app.clock);
  if (!app.sessions->problem().empty()) {
    health::Log(health::LogLevel::kWarning, "sessions_forgotten",
                "what the brokers keep for us is not known any more: " + app.sessions->problem());
  }
  RestoreEvents(app);
  ReportStart(app);

  app.destinations = std::make_unique<bridge::Destinations>(*app.queue, *app.uploader, app.events, app.clock);
  app.sources = std::make_unique<bridge::Sources>(
      *app.queue, app.sessions, [uploader = app.uploader.get()] { uploader->Wake(); }, app.clock);
  RETURN_IF_ERROR(MakeDestinations(app));
  RestoreSending(app);
  for (const config::Source& source : app.config.sources) {
    auto unit = app.sources->Make(app.config, source);
    RETURN_IF_ERROR(unit);
    app.sources->units().push_back(*std::move(unit));
  }
  app.observer = MakeObserver(app);
  return {};
}

}  // namespace packhorse::daemon
