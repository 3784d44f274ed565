#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace packhorse {

// What comes from outside may hold our own secrets: a reply that echoes the header of its request, a redirect, a
// broker's reason. Every secret that is read is remembered here, and every text from outside that is shown, logged or
// stored passes through MaskSecrets() before it is cut. Any thread.
//
// A secret is found by its bytes, without regard to upper and lower case and to white space and line breaks in between:
// as it is, in hexadecimal, and in base64 in both alphabets, also as part of something longer that was encoded
// ("user:secret"); each of these behind up to four layers of escapes (base/unescape.h). Its beginning is found at the
// end of a text, where that was cut. One of fewer than kShortSecretBytes is only masked as it is and where it is a word
// of its own: it would be found everywhere else, and that would tell more than it hides.

inline constexpr std::size_t kShortSecretBytes = 6;

// Remembered until 256 others were read after it: also what was valid before a rotation. Calling it again makes it the
// latest one.
void RememberSecret(std::string_view secret);
// The same for one of many, such as the token of a device, when it is sent: 256 of them beside the others.
void RememberEntry(std::string_view secret);

// The text with "***" for every secret in it.
std::string MaskSecrets(std::string_view text);
// The same for a text that may have been cut: at its end also the beginning of a secret counts, from 8 bytes on.
std::string MaskSecretsAndPieces(std::string_view text);

// As much as a text has to be longer than what is shown of it, so that no secret in it is cut.
std::size_t LongestSecretForm();

}  // namespace packhorse
