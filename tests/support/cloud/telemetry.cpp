// POST /v1/telemetry.
#include <algorithm>

#include "digest.h"
#include "gunzip.h"
#include "problem.h"
#include "receiver.h"

namespace packhorse::cloud {
namespace {

constexpr std::size_t kMaxKeyBytes = 255;

// The header is a structured String (RFC 9651): the quotes are part of it. Empty when it is none.
std::string_view IdempotencyKey(const Request& request) {
  const std::string_view value = request.Header("idempotency-key");
  if (value.size() < 3 || value.size() > kMaxKeyBytes + 2 || value.front() != '"' || value.back() != '"') {
    return {};
  }
  const std::string_view key = value.substr(1, value.size() - 2);
  const bool clean =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
  return clean ? key : std::string_view();
}

bool IsJson(std::string_view content_type) {
  const std::string_view type = content_type.substr(0, content_type.find_first_of("; "));
  constexpr std::string_view kJson = "application/json";
  return type.size() == kJson.size() && std::equal(type.begin(), type.end(), kJson.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

Reply TooLarge(std::uint64_t max_body_bytes) {
  return Problem(413, "too-large", "The body is too large",
                 "At most " + std::to_string(max_body_bytes) + " bytes are taken, before and after decompression",
                 "\"max_bytes\":" + std::to_string(max_body_bytes));
}

Reply TooManyRequests(const RateWindow::Verdict& verdict) {
  Reply reply = Problem(
      429, "quota-exceeded", "Too many requests",
      std::to_string(verdict.limit) + " requests per " + std::to_string(verdict.window.count()) + " s are allowed",
      "\"violated-policies\":[\"default\"]");
  reply.headers.emplace_back("Retry-After", std::to_string(verdict.reset.count()));
  return reply;
}

// RateLimit header fields of the IETF draft: what is allowed and what is left of it.
void AddRateHeaders(const RateWindow::Verdict& verdict, Reply& reply) {
  reply.headers.emplace_back("RateLimit-Policy", "\"default\";q=" + std::to_string(verdict.limit) +
                                                     ";w=" + std::to_string(verdict.window.count()));
  reply.headers.emplace_back("RateLimit", "\"default\";r=" + std::to_string(verdict.remaining) +
                                              ";t=" + std::to_string(verdict.reset.count()));
}

// Nothing of the batch is stored. A full disk may be mended by waiting, anything else is ours to look at.
Reply NotStored(const Error& error) {
  if (error.code != ErrorCode::kDiskFull) {
    return Problem(500, "internal", "The batch could not be stored", error.message);
  }
  Reply reply = Problem(503, "temporary-reduced-capacity", "Not now", error.message);
  reply.headers.emplace_back("Retry-After", "60");
  return reply;
}

bool Concerns(const Fault& fault, const ReceivedBatch& batch) {
  return fault.device.empty() || std::any_of(batch.records.begin(), batch.records.end(),
                                             [&](const auto& record) { return record.device_id == fault.device; });
}

// Faults that answer instead of the receiver.
bool AnswersAlone(FaultKind kind) {
  return kind == FaultKind::kStatus || kind == FaultKind::kHtml || kind == FaultKind::kRedirect ||
         kind == FaultKind::kReset || kind == FaultKind::kDown;
}

Reply FaultReply(const Fault& fault) {
  Reply reply;
  if (fault.kind == FaultKind::kHtml) {
    reply.content_type = "text/html; charset=utf-8";
    reply.body = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Welcome</h1></body></html>";
  } else if (fault.kind == FaultKind::kStatus) {
    reply = Problem(fault.status, "scripted", "A scripted fault", "Status " + std::to_string(fault.status));
  } else if (fault.kind == FaultKind::kRedirect) {
    const bool own = std::any_of(fault.headers.begin(), fault.headers.end(),
                                 [](const auto& header) { return header.first == "Location"; });
    if (!own) {
      reply.headers.emplace_back("Location", "/elsewhere/v1/telemetry");
    }
  } else {
    reply.wire = Wire::kReset;
  }
  reply.status = fault.status;
  return reply;
}

// Which records a partial answer refuses and which it wants again.
struct Partition {
  std::vector<bool> left_out;
  std::string reply;
};

Partition Split(const Fault& fault, const ReceivedBatch& batch) {
  Partition result;
  result.left_out.resize(batch.records.size());
  std::string rejected;
  std::string retry;
  std::size_t left_out = 0;
  const std::string error = ProblemJson(422, "record-refused", "The record is refused", "A scripted refusal");
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    const ReceivedRecord& record = batch.records[i];
    const bool by_device = !fault.device.empty();
    const bool refuse = by_device ? record.device_id == fault.device : i < fault.rejected;
    const bool again = !by_device && !refuse && i < fault.rejected + fault.retry;
    if (refuse) {
      rejected += rejected.empty() ? "" : ",";
      rejected += "{\"record_id\":" + Quoted(record.record_id) + ",\"error\":" + error + "}";
    } else if (again) {
      retry += retry.empty() ? "" : ",";
      retry += Quoted(record.record_id);
    }
    result.left_out[i] = refuse || again;
    left_out += result.left_out[i] ? 1U : 0U;
  }
  result.reply = "{\"accepted\":" + std::to_string(batch.records.size() - left_out) + ",\"rejected\":[" + rejected +
                 "],\"retry\":[" + retry + "]}";
  return result;
}

}  // namespace

Reply Receiver::Telemetry(const Request& request) {
  const Fault fault = faults_.Next(clock_.Mono());
  const RateWindow::Verdict rate = rate_.Take(clock_.Mono());
  Applied applied = TelemetryWithin(request, fault, rate);
  Reply& reply = applied.reply;
  AddRateHeaders(rate, reply);
  if (applied.fault) {
    reply.delay = fault.delay;
    reply.headers.insert(reply.headers.end(), fault.headers.begin(), fault.headers.end());
  }
  Count(reply, applied.fault ? Name(fault.kind) : Name(FaultKind::kNone));
  return std::move(reply);
}

Receiver::Applied Receiver::TelemetryWithin(const Request& request, const Fault& fault,
                                            const RateWindow::Verdict& rate) {
  if (AnswersAlone(fault.kind) && fault.device.empty()) {
    return {FaultReply(fault), true};
  }
  const ReceiverSettings settings = Settings();
  if (!Authorized(request)) {
    return {Unauthorized(request), false};
  }
  if (!rate.allowed) {
    return {TooManyRequests(rate), false};
  }
  if (request.framing == Framing::kTooLarge) {
    return {TooLarge(settings.max_body_bytes), false};
  }
  if (!IsJson(request.Header("content-type"))) {
    return {Problem(415, "unsupported-media-type", "The content type is not taken",
                    "Content-Type must be application/json"),
            false};
  }
  const std::string key(IdempotencyKey(request));
  if (key.empty()) {
    return {Problem(400, "idempotency-key", "Idempotency-Key is missing or malformed",
                    "The header must carry 1 to 255 visible ASCII characters, in quotes"),
            false};
  }
  const std::string_view encoding = request.Header("content-encoding");
  if (encoding == "gzip") {
    const Result<std::string> body = Gunzip(request.body, settings.max_body_bytes);
    if (!body) {
      return {body.error().code == ErrorCode::kLimitExceeded
                  ? TooLarge(settings.max_body_bytes)
                  : Problem(400, "bad-encoding", "The body cannot be decompressed", body.error().message),
              false};
    }
    return Check(fault, key, *body);
  }
  if (!encoding.empty() && encoding != "identity") {
    Reply reply = Problem(415, "unsupported-encoding", "The content encoding is not taken",
                          "Content-Encoding must be gzip or absent");
    reply.headers.emplace_back("Accept-Encoding", "gzip");
    return {std::move(reply), false};
  }
  return Check(fault, key, request.body);
}

Receiver::Applied Receiver::Check(const Fault& fault, const std::string& key, const std::string& body) {
  std::unique_ptr<Validator> validator = BorrowValidator();
  const Validation validation = validator->Check(body);
  Applied applied;
  const std::uint64_t max_records = Settings().max_records;
  if (!validation.ok) {
    applied.reply = RefusedBody(validation.refusal);
  } else if (validation.batch.records.size() > max_records) {
    applied.reply = Problem(413, "too-many-records", "Too many records in one body",
                            "At most " + std::to_string(max_records) + " records are taken",
                            "\"max_records\":" + std::to_string(max_records));
  } else if (!Concerns(fault, validation.batch)) {
    applied.reply = Keep(Fault{}, key, body, validation.batch);
  } else {
    applied.fault = true;
    applied.reply = AnswersAlone(fault.kind) ? FaultReply(fault) : Keep(fault, key, body, validation.batch);
  }
  ReturnValidator(std::move(validator));
  return applied;
}

Reply Receiver::Keep(const Fault& fault, const std::string& key, const std::string& body, const ReceivedBatch& batch) {
  const std::string hash = Sha256Hex(body);
  Partition partition;
  partition.reply = "{\"accepted\":" + std::to_string(batch.records.size()) + "}";
  Acceptance acceptance{key, hash, &batch, {}, 200, partition.reply};
  if (fault.kind == FaultKind::kPartial) {
    partition = Split(fault, batch);
    acceptance = Acceptance{key, hash, &batch, partition.left_out, 207, partition.reply};
  }
  const Result<Accepted> accepted = store_.Accept(acceptance, clock_.Wall());
  if (!accepted) {
    return NotStored(accepted.error());
  }
  if (accepted->how == Accepted::How::kKeyReused) {
    return Problem(422, "idempotency-key-reused", "Idempotency-Key was used for another body",
                   "The same key came with other bytes before; nothing of this body was stored");
  }
  const bool replayed = accepted->how == Accepted::How::kReplayed;
  Reply reply;
  reply.status = replayed ? accepted->status : acceptance.status;
  reply.body = replayed ? accepted->reply : partition.reply;
  if (fault.kind == FaultKind::kLostReply) {
    reply.wire = Wire::kDrop;
  } else if (fault.kind == FaultKind::kTruncated) {
    reply.wire = Wire::kTruncate;
  } else if (fault.kind == FaultKind::kWrongAccepted) {
    reply.body = "{\"accepted\":" + std::to_string(batch.records.size() - 1) + "}";
  }
  return reply;
}

}  // namespace packhorse::cloud
