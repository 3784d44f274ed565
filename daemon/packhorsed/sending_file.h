#pragma once

#include <map>
#include <string>

#include "delivery/delivery.h"
#include "packhorsed/app.h"

namespace packhorse::daemon {

// What destinations have used of their budgets, the sizes of batches and the rates that they have learnt, the limits
// that their APIs announce, and where their rollouts stand, are kept in a file beside the queue (its name and
// ".sending"): over a restart of the machine too. Written at an orderly end; before, only what has changed: a step of a
// rollout within a second, else at most once a minute where a hundredth of a budget was used since, else every ten
// minutes. A file that cannot be read is told and left out. Loop thread.

// Gives it to the destinations. Before their first step.
void RestoreSending(App& app);

class SendingFile {
 public:
  explicit SendingFile(App& app);

  // Once a second; `last`: at the end.
  void Look(MonoTime now, bool last);

 private:
  using All = std::map<std::string, delivery::Kept>;  // by the name of the destination

  bool WorthWriting(const All& all) const;
  // A step of a rollout, or its end, is written within a second.
  bool RolloutMoved(const All& all) const;

  App& app_;
  bool refused_ = false;  // told
  All written_;
  MonoTime written_at_;
};

}  // namespace packhorse::daemon
