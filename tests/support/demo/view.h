#pragma once

#include <chrono>
#include <deque>
#include <string>
#include <string_view>

#include "status.h"

namespace packhorse::demo {

// Shows the run once per second: a panel that is redrawn in place on a terminal of 80 columns, plain lines elsewhere.
class View {
 public:
  explicit View(bool terminal) : terminal_(terminal) {}

  // What is happening, in a sentence; stays visible.
  void Tell(std::chrono::seconds at, const std::string& sentence);
  // `status` none: the bridge did not answer. `cloud`: what the script did to the cloud, not what the bridge sees.
  void Show(std::chrono::seconds at, const std::optional<Status>& status, std::string_view cloud);
  // No more redrawing above what is printed from now on.
  void Finish();

 private:
  void Redraw();
  std::string Panel(std::chrono::seconds at, const Status& status, std::string_view cloud) const;

  bool terminal_;
  std::size_t drawn_lines_ = 0;
  std::string panel_;
  std::deque<std::string> sentences_;
  Status last_;
  std::uint64_t received_before_ = 0;
  std::uint64_t delivered_before_ = 0;
};

}  // namespace packhorse::demo
