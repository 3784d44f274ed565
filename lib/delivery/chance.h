#pragma once

#include <cstdint>

namespace packhorse::delivery {

// What chance explains. Pure functions.

// How likely it is at most, however often what is good is refused by chance, that one good record is refused so often
// and so many requests beside it are all accepted: the most of (1-r)^accepted * r^refused, at r = refused / both.
double ChanceOf(std::uint64_t accepted, std::uint32_t refused);
// How likely one more request is refused where of the others so many were accepted and so many refused, this one with
// them. The product over a row of refusals is the chance that all of them are among the refused ones, if the request is
// as likely to be refused as any other.
double ChanceAmong(std::uint64_t accepted, std::uint64_t refused);

}  // namespace packhorse::delivery
