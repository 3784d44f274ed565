#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/scheme.h"
#include "base/random.h"

namespace packhorse::auth {

// A scheme whose requests carry a bearer token (RFC 6750) that a token endpoint gives (RFC 6749). A token is asked for
// five minutes before the present one ends, one request at a time, with pauses of a second to a minute after failures.
// What is asked for is up to the derived class. Loop thread.
class TokenScheme : public Scheme {
 public:
  Status Sign(OutgoingRequest& request, const RotatingSecrets& secrets, WallTime wall, MonoTime now) override;
  void Show(OutgoingRequest& request, const SecretPlaces& secrets) const override;
  bool ready(MonoTime now) const override { return !token_.empty() && now < ends_; }
  std::optional<MonoTime> NextTokenAt(const RotatingSecrets& secrets) const override;
  std::optional<TokenRequest> NextTokenRequest(const RotatingSecrets& secrets, WallTime wall, MonoTime now) override;
  Status OnToken(int status, std::string_view body, RotatingSecrets& secrets, MonoTime now) override;
  std::uint32_t serial() const override { return serial_; }
  bool DropToken() override;
  void Succeeded() override { dropped_ = false; }

 protected:
  TokenScheme() : random_(RandomSeed()) {}
  // Where to ask and what; the form and its headers are added to what the answer has.
  struct Question {
    std::string url;
    Headers headers;
    std::vector<std::pair<std::string_view, std::string>> form;  // empty values are left out
  };
  virtual Question Ask(const RotatingSecrets& secrets, WallTime wall) const = 0;

 private:
  struct Reply;
  static Reply ReadReply(std::string_view body);
  void Take(Reply reply, MonoTime now);
  Status Failed(std::string message, MonoTime now);

  Random random_;
  Secret token_;
  std::uint64_t version_ = 0;     // of the secret that got it
  std::uint64_t asked_with_ = 0;  // the secret of the request in flight
  std::uint32_t serial_ = 0;
  std::uint32_t failures_ = 0;  // in a row
  bool in_flight_ = false;
  bool dropped_ = false;  // one, since the last success
  MonoTime ends_{};
  MonoTime renew_at_{};
  MonoTime not_before_{};
};

// A token endpoint is asked by https, or on this machine: the secret travels in the request (RFC 6749 section 3.2).
// `name` is what the URL is called in the message.
Status CheckTokenUrl(const std::string& text, const std::string& name);

}  // namespace packhorse::auth
