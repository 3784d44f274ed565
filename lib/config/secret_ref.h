#pragma once

#include <memory>
#include <string>

#include "auth/secret.h"

namespace packhorse::config {

// Where a secret's value is to be read from. The value itself never enters this structure (P13, docs/PROMISES.md).
struct SecretRef {
  using Kind = auth::SecretSource::Kind;
  Kind kind = Kind::kNone;
  std::string name;                 // path, variable, or systemd credential name
  std::shared_ptr<SecretRef> next;  // the other key of a rotation, may be null

  // By what `next` says, not by where it lies.
  bool operator==(const SecretRef& other) const {
    const bool next_equal = next && other.next ? *next == *other.next : next == other.next;
    return kind == other.kind && name == other.name && next_equal;
  }
};

}  // namespace packhorse::config
