#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/secret.h"
#include "base/result.h"

namespace packhorse::auth {

// A secret and the one that follows it in a rotation, which may be missing until the rotation begins.
struct SecretPlace {
  SecretSource current;
  SecretSource next;
};
using SecretPlaces = std::map<std::string, SecretPlace, std::less<>>;

// The secrets of one destination by name. All of `current` are one key and all of `next` the other one: they change
// places together, and what `next` leaves out is as in `current`. Of two keys the one that works stays in use; the
// other is tried once after a refusal, and again only after a success or a change. Loop thread; a read takes as long as
// the file system does.
class RotatingSecrets {
 public:
  // Why a value cannot be used; its message must not show it.
  using Check = std::function<Status(std::string_view name, const Secret& secret, const SecretSource& source)>;

  // Reads all for the first time. A source of `next` that does not exist is none.
  static Result<RotatingSecrets> Load(const SecretPlaces& places, Check check);

  bool empty() const { return slots_[0].sources.empty(); }
  // Of the key in use; null: there is no secret of that name.
  const std::string* Value(std::string_view name) const;
  std::vector<std::string> Names() const;
  // Which key is in use: another number whenever it is another one.
  std::uint64_t version() const { return slots_[active_].version; }
  // After a refusal of the key in use. True: it is another one now, worth one more attempt at once.
  bool TryOther();
  // Marks the key in use as good.
  void Succeeded();
  // Both were refused, for one request: it may be the request. The one that was good last is in use again.
  void BothRefused();
  // Reads the sources again. True when a value changed; then a key that was refused gives way to the new one. A source
  // that cannot be read keeps the value in use and returns the error; what the others say is taken all the same.
  Result<bool> Refresh();
  // Whether a source looks different from when it was last read.
  bool SourcesChanged() const;

 private:
  struct Slot {
    std::map<std::string, SecretSource, std::less<>> sources;
    std::map<std::string, Secret, std::less<>> secrets;
    std::uint64_t version = 0;
  };
  // What Refresh() found for one key.
  struct Found {
    bool changed = false;
    std::optional<Error> error;
  };

  const std::string* ValueIn(std::size_t slot, std::string_view name) const;
  bool Same() const;
  bool HasOther() const { return !slots_[0].secrets.empty() && !slots_[1].secrets.empty() && !Same(); }
  Result<Secret> Read(const std::string& name, const SecretSource& source) const;
  Found Reread(std::size_t index);
  // Numbers a key whose values changed. The same values in the other place are the same key.
  void Renumber(std::size_t slot);
  std::string Stamps() const;

  std::array<Slot, 2> slots_;  // current, next
  Check check_;
  std::string stamps_;  // of all sources, before they were last read
  std::size_t active_ = 0;
  std::size_t good_ = 0;      // the last that was
  bool other_tried_ = false;  // since the last success
  bool refused_ = false;      // the active one, since the last success
  std::uint64_t last_version_ = 0;
};

}  // namespace packhorse::auth
