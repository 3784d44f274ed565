#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "auth/secret.h"
#include "base/enum_names.h"
#include "config/config.h"
#include "limit/budget.h"
#include "limit/rate_limit.h"

namespace packhorse::config {

// The words of the configuration that stand for values.

// The keys of which a secret has one.
inline constexpr std::array<std::pair<std::string_view, auth::SecretSource::Kind>, 3> kSecretKeys = {
    {{"file", auth::SecretSource::Kind::kFile},
     {"env", auth::SecretSource::Kind::kEnv},
     {"credential", auth::SecretSource::Kind::kCredential}}};

// The keys of which a limit has one.
inline constexpr std::array<std::pair<std::string_view, limit::Window::Unit>, 3> kLimitKeys = {
    {{"requests", limit::Window::Unit::kRequests},
     {"records", limit::Window::Unit::kRecords},
     {"bytes", limit::Window::Unit::kBytes}}};

// What happens to a device's messages that are over its rate.
inline constexpr EnumNames<DeviceRate::Over, 2> kOverNames{{"bulk", "drop"}};

// How long a budget lasts.
inline constexpr EnumNames<limit::BudgetOptions::Per, 2> kPeriodNames{{"day", "month"}};

}  // namespace packhorse::config
