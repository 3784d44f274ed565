#pragma once

#include <string>
#include <vector>

namespace packhorse::upload {

// Whether this host is reached without the proxy. An entry is a host name (and the names below it), a domain that
// begins with '.' (only the names below it), an address, or a network in the form ADDRESS/BITS (RFC 4632 section 3.1),
// which only addresses are in: names are not resolved for this. Pure function; any thread.
bool WithoutProxy(const std::string& host, const std::vector<std::string>& no_proxy);

}  // namespace packhorse::upload
