#include "auth/credentials.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "base/encode.h"
#include "base/text.h"

namespace packhorse::auth {
namespace {

using Type = Options::Type;

bool HasControl(std::string_view text) { return std::any_of(text.begin(), text.end(), IsControl); }

bool IsReserved(std::string_view header) {
  const std::span<const std::string_view> reserved = ReservedHeaders();
  return std::find(reserved.begin(), reserved.end(), Lower(header)) != reserved.end();
}

Status CheckOptions(const Options& options) {
  if (options.type == Type::kHeader && (!IsToken(options.header) || IsReserved(options.header))) {
    return Error{ErrorCode::kInvalidArgument, "auth: '" + options.header + "' cannot be used as header name"};
  }
  // RFC 7617 section 2: the first colon ends the user name, and control characters are excluded.
  if (options.type == Type::kBasic && options.username.find(':') != std::string::npos) {
    return Error{ErrorCode::kInvalidArgument, "auth: a user name for basic authentication cannot contain ':'"};
  }
  if (options.type == Type::kBasic && (HasControl(options.username) || options.username.size() > 4096)) {
    return Error{ErrorCode::kInvalidArgument, "auth: the user name has control characters or more than 4096 bytes"};
  }
  return {};
}

// Whether the value can travel in the header of this type. The message names the place only.
Status CheckValue(Type type, const Secret& secret, const SecretSource& source) {
  const std::string& value = secret.Reveal();
  if (HasControl(value)) {
    return Error{ErrorCode::kInvalidArgument, "the secret of '" + source.name + "' contains a control character"};
  }
  // RFC 6750 section 2.1: a bearer token has no blanks. One at an end is a slip of the editor that would cost a 401.
  const bool blank_inside = value.find(' ') != std::string::npos;
  const bool blank_at_end = value.front() == ' ' || value.back() == ' ';
  if ((type == Type::kBearer && blank_inside) || (type == Type::kHeader && blank_at_end)) {
    return Error{ErrorCode::kInvalidArgument, "the secret of '" + source.name + "' contains a blank where none may be"};
  }
  return {};
}

class KeyPair final : public Credentials {
 public:
  explicit KeyPair(Options options) : options_(std::move(options)) {}

  std::vector<std::pair<std::string, std::string>> Headers() const override;
  std::uint64_t version() const override { return active().version; }
  bool TryOther() override;
  void Succeeded() override;
  void BothRefused() override;
  Result<bool> Refresh() override;
  // Reads both for the first time.
  Status Load();

 private:
  struct Slot {
    SecretSource source;
    Secret secret;
    std::uint64_t version = 0;
  };
  // What Refresh() found for one slot.
  struct Found {
    bool changed = false;
    std::optional<Error> error;
  };

  Slot& active() { return slots_[active_]; }
  Slot& other() { return slots_[1 - active_]; }
  const Slot& active() const { return slots_[active_]; }
  bool HasOther() const;
  Result<Secret> Read(const SecretSource& source) const;
  Found Reread(std::size_t index);
  void Put(Slot& slot, Secret secret);

  const Options options_;
  std::array<Slot, 2> slots_;  // current, next
  std::size_t active_ = 0;
  std::size_t good_ = 0;      // the last that was
  bool other_tried_ = false;  // since the last success
  bool refused_ = false;      // the active one, since the last success
  std::uint64_t last_version_ = 0;
};

std::vector<std::pair<std::string, std::string>> KeyPair::Headers() const {
  const std::string& value = active().secret.Reveal();
  switch (options_.type) {
    case Type::kNone:
      return {};
    case Type::kBearer:
      return {{"Authorization", "Bearer " + value}};
    case Type::kBasic: {
      std::string pair = options_.username + ":" + value;
      std::string encoded = Base64(pair);
      OPENSSL_cleanse(pair.data(), pair.size());
      return {{"Authorization", "Basic " + encoded}};
    }
    case Type::kHeader:
      return {{options_.header, value}};
  }
  return {};
}

bool KeyPair::HasOther() const {
  const std::string& a = slots_[0].secret.Reveal();
  const std::string& b = slots_[1].secret.Reveal();
  return !a.empty() && !b.empty() && a != b;
}

bool KeyPair::TryOther() {
  refused_ = true;
  if (other_tried_ || !HasOther()) {
    return false;
  }
  other_tried_ = true;
  active_ = 1 - active_;
  return true;
}

void KeyPair::Succeeded() {
  other_tried_ = false;
  refused_ = false;
  good_ = active_;
}

void KeyPair::BothRefused() {
  if (HasOther()) {
    active_ = good_;
  }
  other_tried_ = false;
}

Result<Secret> KeyPair::Read(const SecretSource& source) const {
  Result<Secret> secret = ReadSecret(source);
  if (!secret) {
    return secret;
  }
  RETURN_IF_ERROR(CheckValue(options_.type, *secret, source));
  return secret;
}

void KeyPair::Put(Slot& slot, Secret secret) {
  slot.secret = std::move(secret);
  // The same secret in the other place is the same one.
  const Slot& twin = &slot == &slots_[0] ? slots_[1] : slots_[0];
  slot.version = slot.secret.Reveal() == twin.secret.Reveal() ? twin.version : ++last_version_;
}

Status KeyPair::Load() {
  if (options_.type == Type::kNone) {
    return {};
  }
  slots_[0].source = options_.current;
  slots_[1].source = options_.next;
  Result<Secret> current = Read(options_.current);
  RETURN_IF_ERROR(current);
  Put(slots_[0], std::move(current).value());
  if (options_.next.kind == SecretSource::Kind::kNone) {
    return {};
  }
  Result<Secret> next = Read(options_.next);
  if (next) {
    Put(slots_[1], std::move(next).value());
  } else if (next.error().code != ErrorCode::kNotFound) {
    return next.error().With("next secret");
  }
  return {};
}

KeyPair::Found KeyPair::Reread(std::size_t index) {
  Slot& slot = slots_[index];
  Found found;
  if (slot.source.kind == SecretSource::Kind::kNone) {
    return found;
  }
  Result<Secret> secret = Read(slot.source);
  if (secret) {
    found.changed = secret->Reveal() != slot.secret.Reveal();
    if (found.changed) {
      Put(slot, std::move(secret).value());
    }
  } else if (index == 1 && active_ != 1 && secret.error().code == ErrorCode::kNotFound) {
    Put(slot, Secret());  // the rotation is over
  } else {
    found.error = secret.error();
  }
  return found;
}

Result<bool> KeyPair::Refresh() {
  const Found current = Reread(0);
  // The end of a rotation: what was `next` is now `current` as well, and the file of `next` may go.
  if (active_ == 1 && slots_[0].secret.Reveal() == slots_[1].secret.Reveal()) {
    active_ = 0;
    good_ = 0;
  }
  const Found next = Reread(1);
  const bool changed = current.changed || next.changed;
  if (changed) {
    other_tried_ = false;
    const bool active_changed = active_ == 0 ? current.changed : next.changed;
    if (refused_ && !active_changed && HasOther()) {
      active_ = 1 - active_;
    }
    refused_ = false;
  }
  if (current.error || next.error) {
    return current.error ? *current.error : next.error->With("next secret");
  }
  return changed;
}

}  // namespace

std::span<const std::string_view> ReservedHeaders() {
  static constexpr std::string_view kReserved[] = {"accept-encoding",
                                                   "connection",
                                                   "content-encoding",
                                                   "content-length",
                                                   "content-type",
                                                   "expect",
                                                   "host",
                                                   "idempotency-key",
                                                   "te",
                                                   "traceparent",
                                                   "trailer",
                                                   "transfer-encoding",
                                                   "upgrade",
                                                   "user-agent"};
  return kReserved;
}

Result<std::unique_ptr<Credentials>> MakeCredentials(const Options& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  auto pair = std::make_unique<KeyPair>(options);
  RETURN_IF_ERROR(pair->Load());
  return std::unique_ptr<Credentials>(std::move(pair));
}

}  // namespace packhorse::auth
