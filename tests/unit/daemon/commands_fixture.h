#pragma once

#include <string>

#include "bridge/reconciliation.h"
#include "bridge/reload.h"
#include "common/load.h"
#include "packhorsed/app.h"
#include "packhorsed/handlers.h"
#include "packhorsed/observe.h"
#include "reconcile/reconciler.h"

namespace packhorse::daemon {

// What answers commands. It refers to the application, and ends before it.
struct Commands {
  bridge::Reloader reloader;
  bridge::ReconcileSurroundings surroundings;
  reconcile::Reconciler reconciler;
  Tail tail;
  Handlers handlers;
  Commands(App& app, const std::string& file)
      : reloader(BridgeOf(app), file, LoadConfiguration),
        surroundings(*app.queue, *app.destinations, app.config),
        reconciler(surroundings, app.events, app.clock, 1),
        tail(app),
        handlers(app, reloader, reconciler, tail) {}
};

}  // namespace packhorse::daemon
