#include "ingest/paho/address.h"

#include <dlfcn.h>
#include <netdb.h>

#include <map>
#include <mutex>

namespace packhorse::ingest {
namespace {

struct Chosen {
  std::mutex mutex;
  std::map<std::string, std::string, std::less<>> addresses;  // guarded by mutex
};

// Never destroyed: other threads may still look names up when the process ends.
Chosen& TheChosen() {
  static auto* chosen = new Chosen;
  return *chosen;
}

std::string AddressOf(const char* host) {
  Chosen& chosen = TheChosen();
  const std::lock_guard lock(chosen.mutex);
  const auto found = chosen.addresses.find(std::string_view(host));
  return found == chosen.addresses.end() ? std::string() : found->second;
}

using Lookup = int (*)(const char*, const char*, const addrinfo*, addrinfo**);

}  // namespace

void ConnectTo(const std::string& host, const std::string& address) {
  Chosen& chosen = TheChosen();
  const std::lock_guard lock(chosen.mutex);
  chosen.addresses[host] = address;
}

}  // namespace packhorse::ingest

// Takes the place of the C library's for the whole process, and passes everything on to it.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* req, addrinfo** pai) {
  static const auto next = reinterpret_cast<packhorse::ingest::Lookup>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (next == nullptr) {
    return EAI_SYSTEM;
  }
  const std::string address =
      name != nullptr && service == nullptr ? packhorse::ingest::AddressOf(name) : std::string();
  return next(address.empty() ? name : address.c_str(), service, req, pai);
}
