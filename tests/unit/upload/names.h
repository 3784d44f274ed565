#pragma once

#include <string>

namespace packhorse::upload {

// What the name "cloud.test" resolves to in this test program, whose getaddrinfo() knows it: an IPv4 address.
// "both.test" resolves to ::1 and to 127.0.0.1, in this order.
void SetCloudAddress(const std::string& address);
// How often "cloud.test" was asked for.
int CloudLookups();
// How far the time in seconds of this test program, time(2), is ahead of the machine's. libcurl measures the age of a
// name by it.
void SetTimeAhead(int seconds);

}  // namespace packhorse::upload
