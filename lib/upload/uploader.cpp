#include "upload/uploader.h"

namespace packhorse::upload {

std::string_view Name(Transport transport) {
  switch (transport) {
    case Transport::kOk:
      return "ok";
    case Transport::kResolve:
      return "resolve";
    case Transport::kConnect:
      return "connect";
    case Transport::kTls:
      return "tls";
    case Transport::kProxy:
      return "proxy";
    case Transport::kSendFailed:
      return "send_failed";
    case Transport::kTimeout:
      return "timeout";
    case Transport::kReset:
      return "reset";
    case Transport::kProtocol:
      return "protocol";
    case Transport::kLocal:
      return "local";
  }
  return "local";
}

bool OutcomeUnknown(Transport transport) {
  return transport == Transport::kTimeout || transport == Transport::kReset || transport == Transport::kProtocol;
}

std::string_view Response::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) {
      return value;
    }
  }
  return {};
}

}  // namespace packhorse::upload
