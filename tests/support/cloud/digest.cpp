#include "digest.h"

#include <openssl/evp.h>

#include <array>
#include <cstdio>
#include <memory>

namespace packhorse::cloud {
namespace {

using Sha256 = std::array<unsigned char, 32>;

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

Sha256 Hash(std::string_view bytes) {
  // Looking the algorithm up costs more than hashing a short text with it.
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  Sha256 hash{};
  unsigned size = 0;
  EVP_DigestInit_ex2(context.get(), algorithm, nullptr);
  EVP_DigestUpdate(context.get(), bytes.data(), bytes.size());
  EVP_DigestFinal_ex(context.get(), hash.data(), &size);
  return hash;
}

}  // namespace

std::string Sha256Hex(std::string_view bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : Hash(bytes)) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::uint64_t RecordIdHash(std::string_view record_id) {
  const Sha256 hash = Hash(record_id);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    number = (number << 8U) | hash[i];
  }
  return number;
}

std::string HashHex(std::uint64_t hash) {
  std::array<char, 17> hex{};
  std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(hash));
  return hex.data();
}

}  // namespace packhorse::cloud
