#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

namespace packhorse {
namespace {

// getrandom only fails for bad arguments or before the pool is ready without blocking; neither happens here.
void Fill(std::span<unsigned char> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = getrandom(bytes.data() + done, bytes.size() - done, 0);
    if (n < 0) {
      if (errno == EINTR) {
        continue;
      }
      std::abort();
    }
    done += static_cast<std::size_t>(n);
  }
}

std::string RandomDigits(std::size_t count, std::string_view alphabet) {
  std::vector<unsigned char> bytes(count);
  Fill(bytes);
  std::string text;
  text.reserve(count);
  for (const unsigned char byte : bytes) {
    text += alphabet[byte % alphabet.size()];  // both alphabets divide 256: no bias
  }
  return text;
}

}  // namespace

std::uint64_t RandomSeed() {
  std::uint64_t seed = 0;
  Fill(std::span(reinterpret_cast<unsigned char*>(&seed), sizeof seed));
  return seed;
}

std::string RandomBase32(std::size_t digits) { return RandomDigits(digits, "0123456789abcdefghjkmnpqrstvwxyz"); }

std::string RandomHex(std::size_t bytes) {
  std::string text = RandomDigits(bytes * 2, "0123456789abcdef");
  if (text.find_first_not_of('0') == std::string::npos && !text.empty()) {
    text.back() = '1';
  }
  return text;
}

}  // namespace packhorse
