#include "auth/rotating_secrets.h"

#include <utility>

namespace packhorse::auth {

Result<RotatingSecrets> RotatingSecrets::Load(const SecretPlaces& places, Check check) {
  RotatingSecrets all;
  all.check_ = std::move(check);
  for (const auto& [name, place] : places) {
    all.slots_[0].sources.emplace(name, place.current);
    if (place.next.kind != SecretSource::Kind::kNone) {
      all.slots_[1].sources.emplace(name, place.next);
    }
  }
  all.stamps_ = all.Stamps();
  for (std::size_t index = 0; index < all.slots_.size(); ++index) {
    Slot& slot = all.slots_.at(index);
    for (const auto& [name, source] : slot.sources) {
      Result<Secret> secret = all.Read(name, source);
      if (secret) {
        slot.secrets.insert_or_assign(name, std::move(secret).value());
      } else if (index == 0) {
        return secret.error();
      } else if (secret.error().code != ErrorCode::kNotFound) {
        return secret.error().With("next secret");
      }
    }
    all.Renumber(index);
  }
  return all;
}

const std::string* RotatingSecrets::ValueIn(std::size_t slot, std::string_view name) const {
  const auto own = slots_.at(slot).secrets.find(name);
  if (own != slots_.at(slot).secrets.end()) {
    return &own->second.Reveal();
  }
  return slot == 0 ? nullptr : ValueIn(0, name);
}

const std::string* RotatingSecrets::Value(std::string_view name) const { return ValueIn(active_, name); }

std::vector<std::string> RotatingSecrets::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, source] : slots_[0].sources) {
    names.push_back(name);
  }
  return names;
}

bool RotatingSecrets::Same() const {
  for (const auto& [name, secret] : slots_[1].secrets) {
    const std::string* current = ValueIn(0, name);
    if (current == nullptr || *current != secret.Reveal()) {
      return false;
    }
  }
  return !slots_[1].secrets.empty();
}

bool RotatingSecrets::TryOther() {
  refused_ = true;
  if (other_tried_ || !HasOther()) {
    return false;
  }
  other_tried_ = true;
  active_ = 1 - active_;
  return true;
}

void RotatingSecrets::Succeeded() {
  other_tried_ = false;
  refused_ = false;
  good_ = active_;
}

void RotatingSecrets::BothRefused() {
  if (HasOther()) {
    active_ = good_;
  }
  other_tried_ = false;
}

Result<Secret> RotatingSecrets::Read(const std::string& name, const SecretSource& source) const {
  Result<Secret> secret = ReadSecret(source);
  if (secret && check_) {
    RETURN_IF_ERROR(check_(name, *secret, source));
  }
  return secret;
}

void RotatingSecrets::Renumber(std::size_t slot) {
  slots_.at(slot).version = Same() ? slots_.at(1 - slot).version : ++last_version_;
}

RotatingSecrets::Found RotatingSecrets::Reread(std::size_t index) {
  Slot& slot = slots_.at(index);
  Found found;
  bool removed = false;
  for (const auto& [name, source] : slot.sources) {
    const auto before = slot.secrets.find(name);
    Result<Secret> secret = Read(name, source);
    if (secret) {
      if (before == slot.secrets.end() || before->second.Reveal() != secret->Reveal()) {
        slot.secrets.insert_or_assign(name, std::move(secret).value());
        found.changed = true;
      }
    } else if (index == 1 && active_ != 1 && secret.error().code == ErrorCode::kNotFound) {
      removed = slot.secrets.erase(name) > 0 || removed;  // the rotation is over
    } else if (!found.error) {
      found.error = secret.error();
    }
  }
  if (found.changed || removed) {
    Renumber(index);
    const Slot& next = slots_[1];
    if (index == 0 && !next.secrets.empty() && next.secrets.size() < slot.secrets.size()) {
      Renumber(1);  // what it has of `current`
    }
  }
  return found;
}

Result<bool> RotatingSecrets::Refresh() {
  stamps_ = Stamps();
  const Found current = Reread(0);
  // The end of a rotation: what was `next` is now `current` as well, and the file of `next` may go.
  if (active_ == 1 && Same()) {
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

std::string RotatingSecrets::Stamps() const {
  std::string stamps;
  for (const Slot& slot : slots_) {
    for (const auto& [name, source] : slot.sources) {
      stamps += StampOf(source) + ";";
    }
  }
  return stamps;
}

bool RotatingSecrets::SourcesChanged() const { return Stamps() != stamps_; }

}  // namespace packhorse::auth
