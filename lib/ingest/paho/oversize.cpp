#include "ingest/paho/oversize.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace packhorse::ingest {
namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t kBeginning = 4096;
constexpr std::size_t kMaxPackets = 10'000;
// Of MQTT 3.1.1 section 2.2.1, in the upper half of a packet's first byte.
constexpr unsigned kConnack = 2;
constexpr unsigned kPublish = 3;
constexpr unsigned kPubrel = 6;

Error Broken(const char* what) { return Error{ErrorCode::kUnavailable, std::string("the broker ended it: ") + what}; }

void PutText(std::string& out, const std::string& text) {
  out += static_cast<char>(text.size() >> 8U);
  out += static_cast<char>(text.size() & 0xFFU);
  out += text;
}

// MQTT 3.1.1 section 3.1: no clean session, no keep-alive.
std::string ConnectPacket(const PassOverSettings& settings) {
  std::string body("\0\4MQTT\4", 7);
  body += static_cast<char>((settings.username.empty() ? 0U : 0x80U) | (settings.password ? 0x40U : 0U));
  body += std::string(2, '\0');
  PutText(body, settings.client_id);
  if (!settings.username.empty()) {
    PutText(body, settings.username);
  }
  if (settings.password) {
    PutText(body, *settings.password);
  }
  std::string packet(1, '\x10');
  std::size_t left = body.size();
  do {
    packet += static_cast<char>((left & 0x7FU) | (left > 0x7FU ? 0x80U : 0U));
    left >>= 7U;
  } while (left > 0);
  return packet + body;
}

// Reads packets piece by piece, whatever their size.
class Reader {
 public:
  Reader(Wire& wire, const PassOverSettings& settings) : wire_(wire), settings_(settings) {}

  // The next `count` bytes, of which at most `keep` are returned.
  Result<std::string> Read(std::uint64_t count, std::uint64_t keep) {
    std::string kept;
    while (count > 0) {
      if (at_ == have_) {
        wire_.Until(Steady::now() + settings_.quiet);
        const int n = settings_.cancelled() ? 0 : wire_.Read(buffer_.data(), buffer_.size());
        if (n <= 0) {
          quiet_ = wire_.timed_out();
          return Broken(quiet_ ? "nothing more came" : "the connection was closed");
        }
        at_ = 0;
        have_ = static_cast<std::size_t>(n);
      }
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(count, have_ - at_));
      const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(piece, keep - kept.size()));
      kept.append(reinterpret_cast<const char*>(buffer_.data()) + at_, wanted);
      at_ += piece;
      count -= piece;
    }
    return kept;
  }

  Result<unsigned> Byte() {
    const Result<std::string> byte = Read(1, 1);
    return byte ? Result<unsigned>(static_cast<unsigned char>(byte->front())) : Result<unsigned>(byte.error());
  }

  Result<unsigned> Number() {
    const Result<std::string> bytes = Read(2, 2);
    return bytes ? Result<unsigned>(static_cast<unsigned>(static_cast<unsigned char>((*bytes)[0])) << 8U |
                                    static_cast<unsigned char>((*bytes)[1]))
                 : Result<unsigned>(bytes.error());
  }

  // MQTT 3.1.1 section 2.2.3.
  Result<std::uint64_t> Length() {
    std::uint64_t length = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const Result<unsigned> byte = Byte();
      RETURN_IF_ERROR(byte);
      length |= static_cast<std::uint64_t>(*byte & 0x7FU) << shift;
      if ((*byte & 0x80U) == 0) {
        return length;
      }
    }
    return Broken("a packet makes no sense");
  }

  bool quiet() const { return quiet_; }

 private:
  Wire& wire_;
  const PassOverSettings& settings_;
  std::array<unsigned char, 65'536> buffer_{};
  std::size_t at_ = 0;
  std::size_t have_ = 0;
  bool quiet_ = false;
};

class PassOver {
 public:
  PassOver(Wire& wire, const PassOverSettings& settings)
      : wire_(wire), settings_(settings), reader_(std::make_unique<Reader>(wire, settings)) {}

  Result<std::size_t> Run() {
    const std::string connect = ConnectPacket(settings_);
    wire_.Write(reinterpret_cast<const unsigned char*>(connect.data()), connect.size());
    Status going;
    for (std::size_t packets = 0; going && packets < kMaxPackets; ++packets) {
      going = Packet();
    }
    Send({0xE0, 0});  // DISCONNECT
    if (!going && !reader_->quiet()) {
      return going.error();
    }
    return taken_;
  }

 private:
  Status Packet() {
    const Result<unsigned> first = reader_->Byte();
    const Result<std::uint64_t> length = first ? reader_->Length() : Result<std::uint64_t>(first.error());
    RETURN_IF_ERROR(length);
    if (*first >> 4U == kPublish) {
      return Publish(*first, *length);
    }
    const Result<std::string> body = reader_->Read(*length, 2);
    RETURN_IF_ERROR(body);
    if (*first >> 4U == kConnack && body->size() == 2 && (*body)[1] != 0) {
      return Error{ErrorCode::kPermissionDenied, "the broker refuses the connection"};
    }
    if (*first >> 4U == kPubrel && body->size() == 2 && exactly_once_.contains(*body)) {
      Send({0x70, 2, static_cast<unsigned char>((*body)[0]), static_cast<unsigned char>((*body)[1])});
    }
    return {};
  }

  Status Publish(unsigned first, std::uint64_t length) {
    const Result<unsigned> topic_bytes = reader_->Number();
    RETURN_IF_ERROR(topic_bytes);
    const unsigned qos = first >> 1U & 3U;
    const std::uint64_t head = 2 + *topic_bytes + (qos > 0 ? 2U : 0U);
    if (head > length) {
      return Broken("a packet makes no sense");
    }
    const Result<std::string> topic = reader_->Read(*topic_bytes, *topic_bytes);
    const Result<std::string> id = topic ? reader_->Read(qos > 0 ? 2 : 0, 2) : topic;
    const Result<std::string> payload = id ? reader_->Read(length - head, kBeginning) : id;
    RETURN_IF_ERROR(payload);
    if (length - head <= settings_.max_payload_bytes || qos == 0) {
      return {};
    }
    Arrival arrival;
    arrival.topic = *topic;
    arrival.payload = *payload;
    arrival.payload_bytes = length - head;
    arrival.qos = static_cast<std::uint8_t>(qos);
    arrival.redelivered = (first & 8U) != 0;
    arrival.retained = (first & 1U) != 0;
    RETURN_IF_ERROR(settings_.take(arrival));
    ++taken_;
    if (qos == 2) {
      exactly_once_.insert(*id);
    }
    const unsigned char answer = qos == 1 ? 0x40 : 0x50;  // PUBACK, PUBREC
    Send({answer, 2, static_cast<unsigned char>((*id)[0]), static_cast<unsigned char>((*id)[1])});
    return {};
  }

  void Send(const std::vector<unsigned char>& packet) { wire_.Write(packet.data(), packet.size()); }

  Wire& wire_;
  const PassOverSettings& settings_;
  const std::unique_ptr<Reader> reader_;
  std::set<std::string> exactly_once_;  // identifiers of QoS 2 that were taken
  std::size_t taken_ = 0;
};

}  // namespace

Result<std::size_t> PassOverOversize(const Endpoint& endpoint, const std::string& address, const TlsSettings& tls,
                                     const PassOverSettings& settings) {
  Result<Wire> wire = Wire::Open(endpoint, address, tls, Steady::now() + settings.timeout);
  return wire ? PassOver(*wire, settings).Run() : Result<std::size_t>(wire.error());
}

}  // namespace packhorse::ingest
