#include "receiver.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "base/random.h"
#include "problem.h"
#include "reconciliation.h"

namespace packhorse::cloud {
namespace {

constexpr std::uint64_t kMaxAdminBytes = std::uint64_t{1} << 20U;
constexpr std::size_t kMaxRequestIdBytes = 128;

bool IsAdmin(const Request& request) { return request.path.starts_with("/admin/"); }

// Takes over a caller's request id if it is harmless to repeat in a header.
std::string RequestId(const Request& request) {
  const std::string_view given = request.Header("x-request-id");
  const bool harmless = std::all_of(given.begin(), given.end(), [](char c) { return c > ' ' && c < 0x7f; });
  return given.empty() || given.size() > kMaxRequestIdBytes || !harmless ? RandomHex(8) : std::string(given);
}

Reply WrongMethod(std::string_view allowed) {
  Reply reply = Problem(405, "method-not-allowed", "Method not allowed", "Allowed: " + std::string(allowed));
  reply.headers.emplace_back("Allow", allowed);
  return reply;
}

}  // namespace

Receiver::Receiver(Store& store, FaultScript& faults, const Clock& clock, ReceiverSettings settings,
                   std::vector<std::string> sum_fields)
    : store_(store),
      faults_(faults),
      clock_(clock),
      sum_fields_(std::move(sum_fields)),
      settings_(std::move(settings)) {}

Receiver::~Receiver() = default;

Reply Receiver::Handle(const Request& request) {
  Reply reply = Route(request);
  reply.headers.emplace_back("x-request-id", RequestId(request));
  return reply;
}

Reply Receiver::Route(const Request& request) {
  switch (request.framing) {
    case Framing::kMalformed:
      return Problem(400, "bad-request", "The request cannot be read", "Request line or headers are malformed");
    case Framing::kLengthRequired:
      return Problem(411, "length-required", "Content-Length is required", "Bodies of unknown length are not read");
    case Framing::kTooLarge:
    case Framing::kOk:
      break;
  }
  if (request.path == "/v1/telemetry") {
    return request.method == "POST" ? Telemetry(request) : WrongMethod("POST");
  }
  if (request.path == "/v1/reconciliation") {
    if (!Authorized(request)) {
      return Unauthorized(request);
    }
    return request.method == "GET" ? Reconcile(request, store_) : WrongMethod("GET");
  }
  if (request.path == "/v1/stats") {
    return request.method == "GET" ? Stats() : WrongMethod("GET");
  }
  if (IsAdmin(request)) {
    return request.method == "POST" ? Admin(request) : WrongMethod("POST");
  }
  return Problem(404, "not-found", "There is nothing here", "Path " + request.path + " is not part of this API");
}

std::uint64_t Receiver::MaxBodyBytes(const Request& request) {
  return IsAdmin(request) ? kMaxAdminBytes : Settings().max_body_bytes;
}

ReceiverSettings Receiver::Settings() {
  const std::lock_guard lock(mutex_);
  return settings_;
}

bool Receiver::Authorized(const Request& request) {
  const std::string token = Settings().token;
  const std::string_view given = request.Header("authorization");
  constexpr std::string_view kScheme = "Bearer ";
  // The comparison takes the same time wherever the first difference is.
  return token.empty() || (given.starts_with(kScheme) && given.size() == kScheme.size() + token.size() &&
                           CRYPTO_memcmp(given.data() + kScheme.size(), token.data(), token.size()) == 0);
}

Reply Receiver::Unauthorized(const Request& request) {
  const bool given = !request.Header("authorization").empty();
  Reply reply = Problem(401, "unauthorized", "Not authorized",
                        given ? "The bearer token is not valid" : "A bearer token is required");
  reply.headers.emplace_back("WWW-Authenticate", given ? "Bearer realm=\"packhorse-ingest\", error=\"invalid_token\""
                                                       : "Bearer realm=\"packhorse-ingest\"");
  return reply;
}

std::unique_ptr<Validator> Receiver::BorrowValidator() {
  const std::lock_guard lock(mutex_);
  if (validators_.empty()) {
    return std::make_unique<Validator>(sum_fields_);
  }
  std::unique_ptr<Validator> validator = std::move(validators_.back());
  validators_.pop_back();
  return validator;
}

void Receiver::ReturnValidator(std::unique_ptr<Validator> validator) {
  const std::lock_guard lock(mutex_);
  validators_.push_back(std::move(validator));
}

}  // namespace packhorse::cloud
