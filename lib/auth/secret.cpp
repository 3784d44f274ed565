#include "auth/secret.h"

#include <openssl/crypto.h>

#include <utility>

namespace packhorse::auth {
namespace {

// Overwrites everything the string owns, also what lies behind its end: a short string keeps its bytes inside the
// object, and moving it away leaves them there.
void Wipe(std::string& text) noexcept {
  text.clear();  // defined for what was moved from; the bytes are still there
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

}  // namespace

Secret::Secret(std::string value) : value_(std::move(value)) { Wipe(value); }

Secret::~Secret() { Wipe(value_); }

Secret::Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { Wipe(other.value_); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe(value_);
    value_ = std::move(other.value_);
    Wipe(other.value_);
  }
  return *this;
}

}  // namespace packhorse::auth
