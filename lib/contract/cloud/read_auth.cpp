#include "contract/cloud/read_auth.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "auth/scheme.h"
#include "document/suggest.h"

namespace packhorse::contract {
namespace {

using document::Node;

std::vector<std::string> SchemeNames() {
  std::vector<std::string> names;
  for (const auth::SchemeEntry& entry : auth::Schemes()) {
    if (entry.in_contracts) {
      names.emplace_back(entry.name);
    }
  }
  return names;
}

class AuthReader {
 public:
  AuthReader(Declared& declared, document::Problems& problems) : declared_(declared), problems_(problems) {}

  DefinedAuth Read(const Node& auth) {
    if (auth.kind == Node::Kind::kString) {
      return Of(auth.text, auth, Node());
    }
    if (auth.kind == Node::Kind::kObject && auth.members.size() == 1) {
      return Of(auth.members[0].name, auth.members[0].value, auth.members[0].value);
    }
    problems_.Error(auth, "must be the name of one kind of authentication, or an object with it as its one member",
                    {.allowed = document::List(SchemeNames())});
    return {};
  }

 private:
  DefinedAuth Of(const std::string& name, const Node& at, const Node& parameters) {
    const auth::SchemeEntry* entry = auth::FindScheme(name);
    if (entry == nullptr || !entry->in_contracts) {
      problems_.Error(at,
                      document::Quoted(name) + (entry == nullptr ? " is no kind of authentication"
                                                                 : " is written as a secret setting in path, query or "
                                                                   "headers, or given by the destination"),
                      {.allowed = document::List(SchemeNames()),
                       .suggestion = document::DidYouMean(name, SchemeNames()),
                       .show_value = false});
      return {};
    }
    if (parameters.usable() && parameters.kind != Node::Kind::kObject) {
      problems_.Error(parameters, "must be an object with the parameters of " + document::Quoted(name));
      return {};
    }
    DefinedAuth auth;
    auth.scheme = name;
    for (const document::Member& member : parameters.members) {
      ReadMember(*entry, member, auth);
    }
    return auth;
  }

  void ReadMember(const auth::SchemeEntry& entry, const document::Member& member, DefinedAuth& auth) {
    const Node& value = member.value;
    if (!entry.free_prefix.empty() && member.name + "." == entry.free_prefix && value.kind == Node::Kind::kObject) {
      for (const document::Member& inner : value.members) {
        Add(std::string(entry.free_prefix) + inner.name, inner.value, auth);
      }
      return;
    }
    const auto key = std::find_if(entry.keys.begin(), entry.keys.end(),
                                  [&](const auth::SchemeKey& candidate) { return candidate.name == member.name; });
    if (key != entry.keys.end() && key->from_contract) {
      Add(member.name, value, auth);
      return;
    }
    const std::vector<std::string> names = ParametersOf(entry);
    problems_.Error(
        value,
        document::Quoted(member.name) + (key == entry.keys.end() ? " is no parameter of " + document::Quoted(entry.name)
                                                                 : ": this is given by the destination"),
        {.allowed = names.empty() ? "none" : document::List(names),
         .suggestion = document::DidYouMean(member.name, names),
         .show_value = false});
  }

  static std::vector<std::string> ParametersOf(const auth::SchemeEntry& entry) {
    std::vector<std::string> names;
    for (const auth::SchemeKey& key : entry.keys) {
      if (key.from_contract) {
        names.emplace_back(key.name);
      }
    }
    if (!entry.free_prefix.empty()) {
      names.emplace_back(entry.free_prefix.substr(0, entry.free_prefix.size() - 1));
    }
    return names;
  }

  void Add(std::string name, const Node& value, DefinedAuth& auth) {
    if (value.kind != Node::Kind::kString) {
      problems_.Error(value, "must be a text", {.suggestion = "put it in \" \""});
      return;
    }
    auth.parameters.emplace_back(std::move(name), Parameter(value));
  }

  // Placeholders of the contract among those of the scheme.
  Text Parameter(const Node& value) {
    Text text;
    std::string literal;
    const auto finish = [&] {
      if (!literal.empty()) {
        text.pieces.push_back({std::exchange(literal, {}), std::nullopt});
      }
    };
    std::string_view rest = value.text;
    while (!rest.empty()) {
      const std::size_t end = rest.find('}');
      if (end != std::string_view::npos && (rest.starts_with("{settings.") || rest.starts_with("{gateway."))) {
        finish();
        Text found = ParseText(rest.substr(0, end + 1), value, Where::kAuth, false, declared_, problems_);
        std::move(found.pieces.begin(), found.pieces.end(), std::back_inserter(text.pieces));
        rest.remove_prefix(end + 1);
        continue;
      }
      const std::size_t size = rest.starts_with("{{") ? 2 : 1;  // a brace that is meant
      literal += rest.substr(0, size);
      rest.remove_prefix(size);
    }
    finish();
    return text;
  }

  Declared& declared_;
  document::Problems& problems_;
};

}  // namespace

DefinedAuth ReadAuth(const document::Node& auth, Declared& declared, document::Problems& problems) {
  return AuthReader(declared, problems).Read(auth);
}

}  // namespace packhorse::contract
