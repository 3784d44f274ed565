#include "packhorsed/machine.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "base/file.h"
#include "base/result.h"

namespace packhorse::daemon {
namespace {

constexpr std::size_t kIdDigits = 32;  // machine-id(5): 32 lower-case hex digits and a newline
constexpr std::size_t kKeptBytes = 16;
constexpr std::string_view kPurpose = "packhorse queue";

}  // namespace

std::string MachineFingerprint(const std::string& file) {
  const Result<std::string> text = ReadFile(file, 256);
  if (!text || text->size() < kIdDigits) {
    return "";
  }
  const std::string id = text->substr(0, kIdDigits);
  if (!std::all_of(id.begin(), id.end(), [](unsigned char c) { return std::isxdigit(c) != 0; })) {
    return "";  // "uninitialized" during a first boot
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), id.data(), static_cast<int>(id.size()),
           reinterpret_cast<const unsigned char*>(kPurpose.data()), kPurpose.size(), hash.data(), &size) == nullptr) {
    return "";
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (std::size_t i = 0; i < kKeptBytes; ++i) {
    hex += kDigits[hash.at(i) >> 4U];
    hex += kDigits[hash.at(i) & 0xFU];
  }
  return hex;
}

}  // namespace packhorse::daemon
