#include "auth/crypto.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <memory>

namespace packhorse::auth {
namespace {

constexpr int kMinRsaBits = 2'048;

const EVP_MD* Algorithm(Hash hash) {
  switch (hash) {
    case Hash::kSha1:
      return EVP_sha1();
    case Hash::kSha512:
      return EVP_sha512();
    case Hash::kSha256:
      break;
  }
  return EVP_sha256();
}

const unsigned char* Bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

std::string Digest(Hash hash, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, Algorithm(hash), nullptr) != 1) {
    return {};
  }
  return {reinterpret_cast<const char*>(out.data()), size};
}

struct ShortDigests::Context {
  EVP_MD* algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* work = EVP_MD_CTX_new();
};

ShortDigests::ShortDigests() : context_(std::make_unique<Context>()) {}

ShortDigests::~ShortDigests() {
  EVP_MD_CTX_free(context_->work);
  EVP_MD_free(context_->algorithm);
}

std::uint64_t ShortDigests::First64(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (EVP_DigestInit_ex2(context_->work, context_->algorithm, nullptr) != 1 ||
      EVP_DigestUpdate(context_->work, bytes.data(), bytes.size()) != 1 ||
      EVP_DigestFinal_ex(context_->work, out.data(), &size) != 1) {
    return 0;
  }
  std::uint64_t first = 0;
  for (std::size_t i = 0; i < sizeof first; ++i) {
    first = first << 8U | out.at(i);
  }
  return first;
}

std::string Hmac(Hash hash, std::string_view key, std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  // A null key means the one of the call before.
  const void* start = key.empty() ? "" : key.data();
  if (HMAC(Algorithm(hash), start, static_cast<int>(key.size()), Bytes(bytes), bytes.size(), out.data(), &size) ==
      nullptr) {
    return {};
  }
  return {reinterpret_cast<const char*>(out.data()), size};
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0 || text.find('=') < text.size() - 2) {
    return std::nullopt;
  }
  std::string out(text.size() / 4 * 3, '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()), Bytes(text), static_cast<int>(text.size()));
  if (size < 0 || text.find_first_of(" \t\r\n") != std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t padding = text.ends_with("==") ? 2U : text.ends_with('=') ? 1U : 0U;
  out.resize(static_cast<std::size_t>(size) - padding);
  return out;
}

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  std::string standard(text);
  std::replace(standard.begin(), standard.end(), '-', '+');
  std::replace(standard.begin(), standard.end(), '_', '/');
  standard.append((4 - standard.size() % 4) % 4, '=');
  return text.find_first_of("+/=") == std::string_view::npos ? DecodeBase64(standard) : std::nullopt;
}

Result<std::string> SignRs256(std::string_view pem, std::string_view bytes) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())),
                                                     &BIO_free);
  // Without a callback OpenSSL would ask a terminal for the password of a key that has one.
  const auto no_password = [](char*, int, int, void*) { return -1; };
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      in ? PEM_read_bio_PrivateKey(in.get(), nullptr, no_password, nullptr) : nullptr, &EVP_PKEY_free);
  ERR_clear_error();
  if (!key || EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key.get()) < kMinRsaBits) {
    return Error{ErrorCode::kInvalidArgument, "is no private RSA key of 2048 bits or more in PEM, without a password"};
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  std::string out(static_cast<std::size_t>(EVP_PKEY_get_size(key.get())), '\0');
  std::size_t size = out.size();
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, Bytes(bytes), bytes.size()) !=
          1) {
    ERR_clear_error();
    return Error{ErrorCode::kInternal, "cannot sign"};
  }
  out.resize(size);
  return out;
}

}  // namespace packhorse::auth
