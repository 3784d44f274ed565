#pragma once

#include <map>
#include <string>

#include "packhorsed/app.h"
#include "reconcile/reconciler.h"

namespace packhorse::daemon {

// When each destination was compared with its cloud, and whether it differed, is kept in a file beside the queue (its
// name and ".reconcile"): written when it changes. A file that cannot be read is told and left out. Loop thread.
class ReconcileFile {
 public:
  // Gives what the file has to `reconciler`, which outlives it.
  ReconcileFile(const App& app, reconcile::Reconciler& reconciler);

  // Once a second.
  void Look();

 private:
  const std::string path_;
  reconcile::Reconciler& reconciler_;
  std::map<std::string, reconcile::KeptRun> written_;
  bool refused_ = false;  // told
};

}  // namespace packhorse::daemon
