#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "upload/uploader.h"

namespace packhorse::delivery {

// Finds out whether a destination can be reached while there is nothing to send to it: else a wrong address would be
// noticed with the first message only. Makes a connection (name, TCP, TLS), sends nothing over it, and does so until
// one was made or a reply came. Loop thread; never blocks.
class FirstContact {
 public:
  FirstContact(upload::Uploader& uploader, upload::Endpoint endpoint);

  void SetEndpoint(upload::Endpoint endpoint) { endpoint_ = std::move(endpoint); }
  // A reply came to something that was sent.
  void Reached() { reached_ = true; }
  // Another one did, that was at the same address.
  void TakeOver(const FirstContact& old) {
    reached_ = reached_ || (old.reached_ && old.endpoint_.base_url == endpoint_.base_url);
  }
  // `idle`: nothing is to be sent, nor was. When it wants to be called next.
  MonoTime Step(bool idle, MonoTime now);

  bool reached() const { return reached_; }
  // Why the last connection could not be made; empty when there was none that failed.
  const std::string& error() const { return error_; }

 private:
  upload::Uploader& uploader_;
  upload::Endpoint endpoint_;
  std::optional<MonoTime> next_;  // none before the first step
  bool under_way_ = false;
  bool reached_ = false;
  std::string error_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace packhorse::delivery
