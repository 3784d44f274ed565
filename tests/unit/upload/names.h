#pragma once

#include <string>

namespace packhorse::upload {

// What the name "cloud.test" resolves to in this test program, whose getaddrinfo() knows it: an IPv4 address.
void SetCloudAddress(const std::string& address);
// How often it was asked for.
int CloudLookups();

}  // namespace packhorse::upload
