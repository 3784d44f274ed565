#include "ingest/paho/connection.h"

#include <mqtt/async_client.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <utility>

#include "health/log.h"

namespace packhorse::ingest {
namespace {

using Steady = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kSlice{50};  // how soon a wait notices that it is cancelled

// Paho stops its threads when its last client is destroyed and starts them with the next one, and the two can meet. One
// client that never connects keeps them; it lives as long as the process, and so does this way to it.
[[gnu::used]] const mqtt::async_client* library_anchor = nullptr;

void KeepLibraryUp() { library_anchor = new mqtt::async_client("tcp://127.0.0.1:1883", "packhorse-anchor"); }

// Paho C 1.3.12 obeys these whenever they are set (MQTTProtocolOut.c), for loopback too. libcurl knows the second one
// by its other name as well.
void HideProxies() {
  for (const char* name : {"http_proxy", "https_proxy"}) {
    const char* value = std::getenv(name);
    if (value == nullptr) {
      continue;
    }
    if (std::string_view(name) == "https_proxy") {
      setenv("HTTPS_PROXY", value, 0);
    }
    unsetenv(name);
    health::Log(health::LogLevel::kWarning, "proxy_ignored",
                "removed from the environment of this process: MQTT does not go through an HTTP proxy",
                {{"variable", name}});
  }
}

template <typename Duration>
int Seconds(Duration duration) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(duration).count();
  return static_cast<int>(std::clamp<std::int64_t>(seconds, 1, 65'535));
}

// Property values of four bytes; Paho takes them as int.
std::int32_t FourBytes(std::int64_t value) {
  return static_cast<std::int32_t>(
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(value, 0, std::numeric_limits<std::uint32_t>::max())));
}

mqtt::ssl_options TlsOptions(const SourceOptions& options) {
  mqtt::ssl_options tls;
  tls.set_trust_store(options.ca);
  tls.set_key_store(options.certificate);
  tls.set_private_key(options.key);
  tls.set_enable_server_cert_auth(true);
  tls.set_verify(true);  // the host name too
  return tls;
}

mqtt::connect_options ConnectOptions(const SourceOptions& options, Protocol protocol, const ConnectWith& with) {
  mqtt::connect_options connect;
  connect.set_mqtt_version(static_cast<int>(protocol));
  connect.set_clean_session(with.clean && protocol == Protocol::kMqtt311);
  connect.set_automatic_reconnect(false);
  connect.set_keep_alive_interval(Seconds(with.keep_alive));
  connect.set_connect_timeout(Seconds(options.connect_timeout));
  if (!options.username.empty()) {
    connect.set_user_name(options.username);
    if (options.password) {
      connect.set_password(with.password);
    }
  }
  connect.set_ssl(TlsOptions(options));
  if (protocol == Protocol::kMqtt5) {
    connect.set_clean_start(with.clean);
    mqtt::properties properties;
    const auto expiry = with.clean ? 0 : std::chrono::ceil<std::chrono::seconds>(options.session_expiry).count();
    properties.add(mqtt::property(mqtt::property::SESSION_EXPIRY_INTERVAL, FourBytes(expiry)));
    if (options.receive_maximum > 0) {
      properties.add(mqtt::property(mqtt::property::RECEIVE_MAXIMUM, options.receive_maximum));
    }
    if (options.max_packet_bytes > 0) {
      properties.add(mqtt::property(mqtt::property::MAXIMUM_PACKET_SIZE, FourBytes(options.max_packet_bytes)));
    }
    connect.set_properties(std::move(properties));
  }
  return connect;
}

void ReadProperties(const mqtt::properties& properties, Connected& result) {
  for (int i = 0; i < properties.c_struct().count; ++i) {
    const MQTTProperty& property = properties.c_struct().array[i];
    if (property.identifier == MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE) {
      result.keep_alive = std::chrono::seconds(property.value.integer2);
    } else if (property.identifier == MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL) {
      result.expiry = std::chrono::seconds(static_cast<std::int64_t>(property.value.integer4));
    }
  }
}

std::string Text(const MQTTLenString& text) {
  return text.data == nullptr || text.len <= 0 ? std::string()
                                               : std::string(text.data, static_cast<std::size_t>(text.len));
}

Arrival ArrivalOf(const mqtt::message& message, std::string& content_type) {
  Arrival arrival;
  arrival.topic = message.get_topic();
  arrival.payload = message.get_payload_str();
  arrival.qos = static_cast<std::uint8_t>(message.get_qos());
  arrival.retained = message.is_retained();
  arrival.redelivered = message.is_duplicate();
  const MQTTProperties& properties = message.get_properties().c_struct();
  for (int i = 0; i < properties.count; ++i) {
    const MQTTProperty& property = properties.array[i];
    if (property.identifier == MQTTPROPERTY_CODE_CONTENT_TYPE) {
      content_type = Text(property.value.data);
    } else if (property.identifier == MQTTPROPERTY_CODE_USER_PROPERTY) {
      arrival.user_properties.emplace_back(Text(property.value.data), Text(property.value.value));
    }
  }
  arrival.content_type = content_type;
  return arrival;
}

}  // namespace

class Connection::Impl {
 public:
  Impl(const Endpoint& endpoint, const std::string& client_id, Protocol protocol, std::shared_ptr<InboundQos2> inbound,
       Hooks hooks)
      : protocol_(protocol),
        hooks_(std::move(hooks)),
        inbound_(std::move(inbound)),
        client_(endpoint.PahoUri(), client_id, mqtt::create_options(static_cast<int>(protocol), 1),
                protocol == Protocol::kMqtt311 ? inbound_.get() : nullptr) {
    // Before connecting: a message that finds no callback is acknowledged and kept in the library's memory. noexcept:
    // an exception must not run through C code; the process ends instead, and nothing was acknowledged.
    client_.set_message_callback([this](const mqtt::const_message_ptr& message) noexcept {
      std::string content_type;
      hooks_.message(ArrivalOf(*message, content_type));
    });
    client_.set_connection_lost_handler([this](const std::string&) noexcept { hooks_.lost("connection lost", false); });
    client_.set_disconnected_handler([this](const mqtt::properties&, mqtt::ReasonCode code) noexcept {
      hooks_.lost(ReasonText(code, protocol_), code == mqtt::ReasonCode::SESSION_TAKEN_OVER);
    });
  }

  Connected Connect(const SourceOptions& options, const ConnectWith& with) {
    Connected result;
    try {
      const mqtt::token_ptr token = client_.connect(ConnectOptions(options, protocol_, with));
      result.refusal = Wait(*token, options.connect_timeout, "CONNECT");
      if (result.refusal.kind == Refusal::Kind::kNone) {
        const mqtt::connect_response response = token->get_connect_response();
        result.session_present = response.is_session_present();
        ReadProperties(response.get_properties(), result);
        if (!result.session_present) {
          inbound_->clear();
        }
      }
    } catch (const std::exception& failure) {
      result.refusal = {Refusal::Kind::kClosed, 0, failure.what()};
    }
    return result;
  }

  Subscribed Subscribe(const std::vector<std::string>& filters, const SourceOptions& options) {
    Subscribed result;
    try {
      // Retain As Published stays off: then the flag marks stored values alone, and live messages do not carry it.
      const auto handling = options.retained_on_subscribe ? mqtt::subscribe_options::SEND_RETAINED_ON_NEW
                                                          : mqtt::subscribe_options::DONT_SEND_RETAINED;
      std::vector<mqtt::token_ptr> tokens;  // one SUBSCRIBE per filter: each gets an answer of its own
      for (const std::string& filter : filters) {
        tokens.push_back(client_.subscribe(filter, 1, mqtt::subscribe_options(false, false, handling)));
      }
      for (std::size_t i = 0; i < filters.size() && result.refusal.kind == Refusal::Kind::kNone; ++i) {
        Judge(filters[i], *tokens[i], options, result);
      }
    } catch (const std::exception& failure) {
      result.refusal = {Refusal::Kind::kClosed, 0, failure.what()};
    }
    return result;
  }

  std::vector<std::string> Unsubscribe(const std::vector<std::string>& filters, const SourceOptions& options) {
    std::vector<std::string> gone;
    try {
      for (const std::string& filter : filters) {
        const Refusal answer = Wait(*client_.unsubscribe(filter), options.connect_timeout, "UNSUBSCRIBE");
        if (answer.kind == Refusal::Kind::kNone) {
          gone.push_back(filter);
        } else if (answer.kind != Refusal::Kind::kCode) {
          break;
        }
      }
    } catch (const std::exception&) {  // not connected any more: the next connection does the rest
    }
    return gone;
  }

  void Disconnect(Steady::time_point deadline) {
    try {
      const mqtt::token_ptr token = client_.disconnect(0);
      token->wait_until(deadline);
    } catch (const std::exception&) {  // it was not connected any more
    }
  }

 private:
  void Judge(const std::string& filter, mqtt::token& token, const SourceOptions& options, Subscribed& result) {
    const Refusal answer = Wait(token, options.connect_timeout, "SUBSCRIBE");
    if (answer.kind == Refusal::Kind::kCode) {
      result.refused.push_back({filter, answer.text});
      return;
    }
    if (answer.kind != Refusal::Kind::kNone) {
      result.refusal = answer;
      return;
    }
    const mqtt::subscribe_response response = token.get_subscribe_response();
    for (const mqtt::ReasonCode code : response.get_reason_codes()) {
      if (static_cast<int>(code) >= 0x80) {
        result.refused.push_back({filter, ReasonText(code, protocol_)});
      } else {
        result.granted[filter] = static_cast<int>(code);
      }
    }
  }

  // Waits for the answer. Time in which the receive thread is busy storing does not count: it could not read the
  // answer.
  Refusal Wait(mqtt::token& token, std::chrono::milliseconds timeout, const char* what) {
    try {
      for (std::chrono::milliseconds waited{0}; waited < timeout;) {
        if (token.wait_for(kSlice)) {
          return {};
        }
        if (hooks_.cancelled()) {
          return {Refusal::Kind::kCancelled, 0, "stopped"};
        }
        waited += hooks_.busy() ? std::chrono::milliseconds(0) : kSlice;
      }
      return {Refusal::Kind::kTimeout, 0, std::string("no answer to ") + what + " in time"};
    } catch (const mqtt::exception& failure) {
      // A refused CONNECT has its code as return code, a refused SUBSCRIBE of MQTT 5 as reason code.
      const int code = failure.get_return_code() > 0 ? failure.get_return_code() : failure.get_reason_code();
      if (code > 0) {
        return {Refusal::Kind::kCode, code, ReasonText(code, protocol_)};
      }
      // The library does not tell the two apart.
      return {Refusal::Kind::kClosed, 0, "no answer: the broker closed the connection, or none came up"};
    }
  }

  const Protocol protocol_;
  const Hooks hooks_;
  const std::shared_ptr<InboundQos2> inbound_;
  mqtt::async_client client_;
};

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() = default;

Status Connection::Prepare() {
  try {
    static const bool once = [] {
      HideProxies();
      KeepLibraryUp();
      return true;
    }();
    static_cast<void>(once);
    return {};
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kInternal, std::string("cannot set up the MQTT library: ") + failure.what()};
  }
}

Result<std::unique_ptr<Connection>> Connection::Make(const Endpoint& endpoint, const std::string& client_id,
                                                     Protocol protocol, std::shared_ptr<InboundQos2> inbound,
                                                     Hooks hooks) {
  try {
    return std::unique_ptr<Connection>(
        new Connection(std::make_unique<Impl>(endpoint, client_id, protocol, std::move(inbound), std::move(hooks))));
  } catch (const std::exception& failure) {
    return Error{ErrorCode::kInternal, std::string("the MQTT library refuses the connection: ") + failure.what()};
  }
}

Connected Connection::Connect(const SourceOptions& options, const ConnectWith& with) {
  return impl_->Connect(options, with);
}
Subscribed Connection::Subscribe(const std::vector<std::string>& filters, const SourceOptions& options) {
  return impl_->Subscribe(filters, options);
}
std::vector<std::string> Connection::Unsubscribe(const std::vector<std::string>& filters,
                                                 const SourceOptions& options) {
  return impl_->Unsubscribe(filters, options);
}
void Connection::Disconnect(Steady::time_point deadline) { impl_->Disconnect(deadline); }

}  // namespace packhorse::ingest
