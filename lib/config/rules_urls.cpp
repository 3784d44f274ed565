#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.h"
#include "base/url.h"
#include "config/rules.h"
#include "document/suggest.h"

namespace packhorse::config {
namespace {

// What other programs call the same thing.
std::string SchemeMeant(std::string_view scheme, const std::vector<std::string>& schemes) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kOthers = {
      {{"tcp", "mqtt"}, {"ssl", "mqtts"}, {"tls", "mqtts"}, {"ws", "mqtt"}, {"wss", "mqtts"}, {"mqtt+ssl", "mqtts"}}};
  for (const auto& [other, meant] : kOthers) {
    if (other == scheme && std::find(schemes.begin(), schemes.end(), meant) != schemes.end()) {
      return "did you mean \"" + std::string(meant) + "://\"?";
    }
  }
  const std::string nearest = document::Nearest(scheme, schemes);
  return nearest.empty() ? "" : "did you mean \"" + nearest + "://\"?";
}

struct Checked {
  bool ok = false;
  bool plaintext = false;
};

Checked CheckUrl(const document::Node& url, const std::vector<std::string>& schemes, bool allow_plaintext,
                 document::Problems& problems) {
  if (!url.usable() || url.kind != document::Node::Kind::kString) {
    return {};
  }
  const std::string shown = document::Quoted(WithoutSecrets(url.text), 120);
  const UrlCheck check = ParseUrl(url.text, schemes);
  if (!check.url) {
    const std::string suggestion = check.other_scheme.empty() ? "" : SchemeMeant(check.other_scheme, schemes);
    problems.Error(url, check.message, {.allowed = check.allowed, .suggestion = suggestion, .value = shown});
    return {};
  }
  const bool plaintext = check.url->scheme == schemes.front();
  if (plaintext && !allow_plaintext && !IsLoopback(check.url->host)) {
    problems.Error(url, "would send credentials and data in plain text to another machine",
                   {.allowed = schemes.back() + "://, or " + schemes.front() +
                               ":// to 127.0.0.0/8, ::1 and localhost, or \"allow_plaintext\": true beside it",
                    .value = shown});
  }
  return {true, plaintext};
}

// TLS settings where nothing uses TLS are most likely a mistake in the URL.
void WarnUselessTls(const document::Node& tls, document::Problems& problems) {
  const bool written = std::any_of(tls.members.begin(), tls.members.end(),
                                   [](const document::Member& member) { return member.value.written; });
  if (tls.written && written) {
    problems.Warning(tls, "has no effect: no URL here uses TLS", {.show_value = false});
  }
}

void CheckSourceUrls(const document::Node& source, document::Problems& problems) {
  bool any_tls = false;
  bool any_broken = false;
  for (const document::Node& url : source["urls"].items) {
    const Checked checked = CheckUrl(url, {"mqtt", "mqtts"}, source["allow_plaintext"].boolean, problems);
    any_tls = any_tls || (checked.ok && !checked.plaintext);
    any_broken = any_broken || !checked.ok;
  }
  if (!any_tls && !any_broken) {
    WarnUselessTls(source["tls"], problems);
  }
}

// Two connections under one client identifier throw each other out for ever (MQTT 5 section 3.1.4-3).
void CheckClientIds(const document::Node& root, document::Problems& problems) {
  const std::vector<document::Node>& sources = root["sources"].items;
  const auto id = [&](const document::Node& source) {
    return source["client_id"].usable() ? source["client_id"].text : "packhorse-" + root["gateway"]["id"].text;
  };
  const auto shares_broker = [](const document::Node& a, const document::Node& b) {
    for (const document::Node& left : a["urls"].items) {
      for (const document::Node& right : b["urls"].items) {
        const UrlCheck one = ParseUrl(left.text, {"mqtt", "mqtts"});
        const UrlCheck two = ParseUrl(right.text, {"mqtt", "mqtts"});
        if (one.url && two.url && Lower(one.url->host) == Lower(two.url->host) && one.url->port == two.url->port) {
          return true;
        }
      }
    }
    return false;
  };
  for (std::size_t i = 0; i < sources.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (id(sources[i]) == id(sources[j]) && shares_broker(sources[i], sources[j])) {
        const document::Node& own = sources[i]["client_id"];
        problems.Error(
            own.usable() ? own : sources[i],
            "has the same client_id as " + sources[j].pointer + " at the same broker: they would disconnect each other",
            {.allowed = "a client_id of its own for each source", .value = document::Quoted(id(sources[i]))});
        break;
      }
    }
  }
}

// A proxy is spoken to in plain text as a rule: what goes to the destination is encrypted within it.
void CheckProxy(const document::Node& proxy, document::Problems& problems) {
  const document::Node& url = proxy["url"];
  if (!url.usable() || url.kind != document::Node::Kind::kString) {
    return;
  }
  CheckUrl(url, {"http", "https"}, true, problems);
  if (proxy.Find("ca") != nullptr && url.text.starts_with("http://")) {
    problems.Warning(proxy["ca"], "has no effect: the proxy does not use TLS", {.show_value = false});
  }
  if (proxy.Find("password") != nullptr && proxy.Find("username") == nullptr) {
    problems.Error(proxy, "\"username\" is missing beside \"password\"", {.show_value = false});
  }
}

void CheckListen(const document::Node& listen, document::Problems& problems) {
  if (!listen.usable()) {
    return;
  }
  const UrlCheck check = ParseListen(listen.text);
  if (!check.url) {
    problems.Error(listen, check.message, {.allowed = check.allowed});
  } else if (!IsLoopback(check.url->host)) {
    problems.Warning(listen, "is reachable from other machines, and metrics have no access control",
                     {.allowed = "an address of the loopback interface, such as \"127.0.0.1:9464\""});
  }
}

}  // namespace

void CheckUrls(const document::Node& root, document::Problems& problems) {
  for (const document::Node& source : root["sources"].items) {
    CheckSourceUrls(source, problems);
  }
  CheckClientIds(root, problems);
  for (const document::Node& destination : root["destinations"].items) {
    const Checked checked =
        CheckUrl(destination["url"], {"http", "https"}, destination["allow_plaintext"].boolean, problems);
    if (checked.ok && checked.plaintext) {
      WarnUselessTls(destination["tls"], problems);
    }
    CheckProxy(destination["proxy"], problems);
  }
  CheckListen(root["metrics"]["listen"], problems);
}

}  // namespace packhorse::config
